"""What is wrong with a campaign, and what to do: a table of rules, each a fact and its advice.

``pwact status`` and ``pwact report`` show what fits. A rule is a row of `RULES`: its fact is found
by a function of what is known, its advice is a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from pwact.report.causes import Kind
from pwact.report.findings import Finding
from pwact.report.record import Record
from pwact.report.records import IterationRow
from pwact.report.target import TO_PROVE, TargetFacts, advice_for, unproved_in

ERROR, WARNING, NOTE = "error", "warning", "note"
NAMED = 3  # iterations that are named in one fact
MANY = 0.25  # share of trajectories or labels from which their loss is a warning
SURE = 0.9  # share of accurate frames from which on an end is no surprise
WORSE = 1.3  # an error that many times the best one has grown


@dataclass(frozen=True)
class Advice(Record):
    """One thing that is wrong, or that one should know.

    Attributes
    ----------
    weight
        ``error``: it does not go on so; ``warning``: look at it; ``note``: worth knowing.
    """

    weight: str
    fact: str
    advice: str


@dataclass(frozen=True)
class Situation:
    """What the rules look at.

    Attributes
    ----------
    state, why
        As in `pwact.report.status.Status`.
    failures
        Number of failed tasks, and of jobs that left tasks undone.
    early_ends
        Trajectories that died before their last step.
    waits
        Why the scheduler lets jobs wait for more than their turn.
    rows
        One an iteration.
    validated
        Whether the trainings get ``valid_data``.
    """

    state: str
    why: str = ""
    failures: int = 0
    early_ends: int = 0
    waits: Sequence[str] = ()
    findings: Sequence[Finding] = ()
    rows: Sequence[IterationRow] = ()
    target: Optional[TargetFacts] = None
    validated: bool = False


@dataclass(frozen=True)
class Rule:
    """A row of the table.

    Attributes
    ----------
    facts
        What is so, a sentence each; none where the rule does not apply.
    """

    weight: str
    facts: Callable[[Situation], Sequence[str]]
    advice: str


def advice_of(case: Situation) -> list[Advice]:
    """All that applies, what is worst first."""
    found = [Advice(rule.weight, fact, rule.advice) for rule in RULES for fact in rule.facts(case)]
    if case.target is not None:
        found += _missed(case.target)
    order = (ERROR, WARNING, NOTE)
    return sorted(found, key=lambda one: order.index(one.weight))


def advice_lines(advice: Sequence[Advice]) -> list[str]:
    """The advice for people, two lines each under a heading; none without any."""
    pairs = [(f"  {one.fact}", f"    → {one.advice}") for one in advice]
    return ["what to do", *(line for pair in pairs for line in pair)] if pairs else []


def _missed(target: TargetFacts) -> list[Advice]:
    """The words that `run` ends with: what was not reached, and what is not proved."""
    pairs = [advice_for(one, target) for one in target.missed]
    unproved = [Advice(WARNING, fact, TO_PROVE) for fact in unproved_in(target)]
    return [*unproved, *(Advice(WARNING, fact, advice or "nothing") for fact, advice in pairs)]


def _state(state: str) -> Callable[[Situation], list[str]]:
    def facts(case: Situation) -> list[str]:
        why = f": {case.why.splitlines()[0]}" if case.why else ""
        return [f"the campaign {_ENDS[state]}{why}"] if case.state == state else []

    return facts


_ENDS = {
    "died": "was killed without a word",
    "failed": "ended with an error",
    "stopped": "was stopped",
    "unknown": "was begun elsewhere, and whether it still runs cannot be seen from here",
}


def _failures(case: Situation) -> list[str]:
    many = "1 task or job" if case.failures == 1 else f"{case.failures} tasks or jobs"
    return [f"{many} failed"] if case.failures else []


def _waits(case: Situation) -> list[str]:
    return [f"jobs must wait for more than their turn: {one}" for one in dict.fromkeys(case.waits)]


def _early(case: Situation) -> list[str]:
    total = sum(row.explore.trajectories for row in case.rows if row.explore is not None)
    if not total or case.early_ends < MANY * total:
        return []
    return [f"{case.early_ends} of {total} trajectories died before their last step"]


def _labels(case: Situation) -> list[str]:
    found = [row.label for row in case.rows if row.label is not None]
    failed = sum(one.failed for one in found)
    total = failed + sum(one.labelled for one in found)
    return [f"{failed} of {total} labels failed"] if total and failed > MANY * total else []


def _valid(case: Situation) -> list[tuple[str, float]]:
    return [
        (row.name, row.train.valid_rmse_f)
        for row in case.rows
        if row.train.valid_rmse_f is not None
    ]


def _unmeasured(case: Situation) -> bool:
    """Controls of a target are independent data: they were drawn from all explored frames."""
    trained = any(row.label is not None for row in case.rows)
    conditions = case.target.conditions if case.target is not None else ()
    measured = _valid(case) or any(row.on_valid for row in case.rows)
    return trained and not measured and not any(one.all.controls for one in conditions)


def _no_valid(case: Situation) -> list[str]:
    wanted = _unmeasured(case) and not case.validated
    return ["no error on independent data is known"] if wanted else []


def _valid_unused(case: Situation) -> list[str]:
    wanted = _unmeasured(case) and case.validated
    return ["the trainings measured no error on valid_data"] if wanted else []


def _unsure(case: Situation) -> list[str]:
    """Of a run without a target that is done, and ended with many frames that were not accurate."""
    explored = [(row.name, row.select) for row in case.rows if row.select and row.select.frames]
    if case.state != "finished" or case.target is not None or not explored:
        return []
    name, last = explored[-1]
    if last is None or last.accurate >= SURE * last.frames:
        return []
    share = f"only {100 * last.accurate / last.frames:.0f} %" if last.accurate else "none"
    return [f"{share} of the frames explored last ({name}) were accurate"]


def _grown(case: Situation) -> list[str]:
    errors = _valid(case)
    if len(errors) < 2:
        return []
    best, last = min(errors, key=lambda pair: pair[1]), errors[-1]
    if last[1] <= WORSE * best[1]:
        return []
    return [
        f"the force error on the validation data was {best[1]:.3g} eV/Å in {best[0]} and is "
        f"{last[1]:.3g} eV/Å in {last[0]}"
    ]


def _finding(kind: Kind) -> Callable[[Situation], list[str]]:
    def facts(case: Situation) -> list[str]:
        mine = [one.words.partition(":")[0] for one in case.findings if one.kind is kind]
        names = list(dict.fromkeys(mine))
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return [f"{', '.join(names[:NAMED])}{more}: {kind.value}"] if names else []

    return facts


_OF_SELECTIONS: Mapping[Kind, tuple[str, str]] = {
    Kind.NO_FRAMES: (WARNING, "look at the logs of the MD; a trj_freq above nsteps leaves none"),
    Kind.UNPHYSICAL: (
        WARNING,
        "a smaller md_dt, a milder element of md_jobs before it, or more first data of such frames",
    ),
    Kind.SYSTEM_EMPTY: (
        WARNING,
        "look at its start structure and at the logs of its MD; more first data of it",
    ),
    Kind.NO_SPREAD: (
        WARNING,
        "see that each training gets a seed of its own, and that init_data hold these elements",
    ),
    Kind.UNUSABLE: (
        WARNING,
        "look at a trajectory and its deviations: the MD is broken, or the models are; more first "
        "data, a smaller md_dt or a lower temperature",
    ),
    Kind.NO_LIMITS: (WARNING, "start from a structure that is not perfect, or give fixed limits"),
    Kind.ALL_FAILED: (
        WARNING,
        "take the window that is proposed; if the errors are large as well, explore at lower "
        "temperatures first and look at the data",
    ),
    Kind.ALL_ACCURATE: (
        NOTE,
        "if the measured error is small as well, go on to other conditions; if it is not, lower "
        "the limits, or give strategy.target_force_error in their place",
    ),
    Kind.BETWEEN: (WARNING, "widen the window; pwact filter counts what other limits give"),
    Kind.HARDLY_ANY: (WARNING, "try the window that is proposed; pwact filter counts others"),
    Kind.NONE_CHOSEN: (NOTE, "nothing, if the script meant it; else look at its output"),
    Kind.ALL_KNOWN: (
        WARNING,
        "explore other structures or conditions, or let the models fit more: a larger cutoff, more "
        "basis functions",
    ),
    Kind.LABELS_LOST: (WARNING, "look at the logs of the labels, mend the settings, start again"),
    Kind.SYSTEM_FAILED: (WARNING, "explore that structure more gently, or add data of its kind"),
}

AGAIN = "give the same command again in the same directory: finished work is taken up"
RULES: tuple[Rule, ...] = (
    Rule(ERROR, _state("died"), AGAIN),
    Rule(ERROR, _state("failed"), f"mend what is named (docs/troubleshooting.md), then {AGAIN}"),
    Rule(NOTE, _state("stopped"), AGAIN),
    Rule(NOTE, _state("unknown"), "ask on the machine where it was begun: pwact status"),
    Rule(
        WARNING,
        _failures,
        "read the logs that are named; mend the cause, then the next start tries them again, or "
        "--leave-failed goes on without them",
    ),
    Rule(
        WARNING,
        _waits,
        "ask for less in the block of resource.json, or wait: it is a limit of the account or of "
        "the queue, or another run that still works in a task's directory",
    ),
    Rule(
        WARNING,
        _early,
        "a smaller md_dt, lower temperatures first, or more first data; early in a campaign a few "
        "are usual",
    ),
    Rule(
        WARNING,
        _labels,
        "look at the log of one of them: mostly the convergence of the labeler, or frames that the "
        "MD tore apart (DFT.min_distance leaves those out)",
    ),
    Rule(
        NOTE,
        _unsure,
        "for a model that is sure there, repeat the last element of md_jobs until most frames are "
        "accurate; or give strategy.target_force_error",
    ),
    Rule(NOTE, _no_valid, "give valid_data: labelled frames that are never trained on"),
    Rule(
        NOTE,
        _valid_unused,
        "mostly they fill no batch: more frames, or a smaller optimizer.batch_size; else look at "
        "the log of a training",
    ),
    Rule(
        WARNING,
        _grown,
        "look at the frames that were labelled since, in the report, for torn structures; and at "
        "the size of the model",
    ),
    *(Rule(weight, _finding(kind), words) for kind, (weight, words) in _OF_SELECTIONS.items()),
)
