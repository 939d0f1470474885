"""How a campaign with a target stands: its conditions, what was accepted, and what controls prove.

Controls are frames drawn at random among all that were explored, accepted or not, and labelled: the
share of them whose error is below the target is an honest estimate of that share of all frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from pwact.report.record import Record, sparse
from pwact.report.table import ABSENT, aligned

REACHED, USED_UP = "reached", "max_iterations"
RUNNING, WAITING, LEFT = "running", "waiting", "left"
CONFIDENCE = 0.90
HALF = 0.5  # accepted share of a system, below which it is named although all together were reached
TO_PROVE = (
    "look at the logs of labels and MD of that structure; another run on it alone, or more labels "
    "of it (select_sys), shows how good the model is there"
)
HEADINGS = (
    ("", ""),
    ("iterations", ""),
    ("accepted", "%"),
    ("after", "%"),
    ("controls", ""),
    ("wrong", ""),
    ("right, at least", "%"),
    ("rmse_f", "eV/Å"),
    ("largest", "eV/Å"),
)
WORDS = {
    REACHED: "reached",
    USED_UP: "not reached",
    RUNNING: "under way",
    WAITING: "still to come",
    LEFT: "left before it was reached",
}


@dataclass(frozen=True)
class ProofFacts(Record):
    """What is known of a condition, or of one of its systems.

    Attributes
    ----------
    name
        ``md.000.sys.000``; "" for all systems together.
    frames, accepted
        Physical frames of its last iteration, and those whose error is expected to be below the
        target.
    controls, wrong
        Control labels of its last iterations, and those whose error is not below the target.
    right
        Lower bound, at 90 % confidence, of the share of frames with an error below the target.
    rmse_f, largest
        Of the controls: root mean square and largest of their force errors, eV/Å; None without.
    unphysical
        Frames from the first unphysical one of their trajectory on.
    unlabelled
        Controls that were drawn and have no label.
    after
        Share of these frames that the labels of its last iteration alone let be accepted; None
        where they are too few, and of a system.
    """

    name: str = ""
    frames: int = 0
    accepted: int = 0
    controls: int = 0
    wrong: int = 0
    right: float = 0.0
    rmse_f: Optional[float] = None
    largest: Optional[float] = None
    after: Optional[float] = None
    unphysical: int = sparse(0)
    unlabelled: int = sparse(0)

    @property
    def share(self) -> Optional[float]:
        """Accepted of all frames, unphysical ones counted; None without any."""
        offered = self.frames + self.unphysical
        return self.accepted / offered if offered else None


@dataclass(frozen=True)
class ConditionFacts(Record):
    """One condition: an element of ``explore.md_jobs``.

    Attributes
    ----------
    iterations
        Finished ones that served it.
    state
        ``reached``, ``max_iterations`` (they are used up), ``running``, ``waiting``, or ``left``:
        the user has kept iterations of later conditions.
    floor
        Why its model cannot reach the target, in words; "" as long as it may.
    hindrance
        What is wrong with MD or uncertainties of its last iteration, in words; "" for nothing.
    all
        Of all systems together.
    """

    number: int
    iterations: tuple[int, ...] = ()
    state: str = WAITING
    floor: str = ""
    all: ProofFacts = ProofFacts()
    systems: tuple[ProofFacts, ...] = ()
    hindrance: str = sparse("")


@dataclass(frozen=True)
class TargetFacts(Record):
    """A campaign with a target.

    Attributes
    ----------
    force_error
        What is asked for, eV/Å.
    reached
        Whether all conditions were; None as long as that is open.
    most
        Iterations that one condition may have.
    """

    force_error: float
    reached: Optional[bool]
    most: int
    conditions: tuple[ConditionFacts, ...]

    @property
    def longest(self) -> int:
        """The largest number of iterations, the last training not counted."""
        return self.most * len(self.conditions)

    @property
    def missed(self) -> list[ConditionFacts]:
        """Conditions that ended without it."""
        return [one for one in self.conditions if one.state in (USED_UP, LEFT)]


def target_lines(facts: TargetFacts) -> list[str]:
    """What is said at the end of a run; the last line says whether the target was reached."""
    lines = [f"target_force_error {facts.force_error:g} eV/Å:", "", _table(facts), ""]
    lines += unproved_in(facts)
    lines += [". ".join(filter(None, advice_for(one, facts))) for one in facts.missed]
    return [*lines, verdict(facts)]


def _table(facts: TargetFacts) -> str:
    lines = [[name for name, _ in HEADINGS], [unit for _, unit in HEADINGS]]
    for one in facts.conditions:
        lines.append(_cells(f"condition {one.number}", _iterations(one), one.all))
        lines += [_cells(f"  {system.name}", "", system) for system in one.systems]
    return aligned(lines)


def _iterations(one: ConditionFacts) -> str:
    return _range(one.iterations) if one.iterations else ABSENT


def _range(numbers: Sequence[int]) -> str:
    if numbers[-1] - numbers[0] + 1 != len(numbers) or len(numbers) < 2:
        return ",".join(map(str, numbers))
    return f"{numbers[0]}-{numbers[-1]}"


def _cells(name: str, iterations: str, proof: ProofFacts) -> list[str]:
    share = ABSENT if proof.share is None else f"{100 * proof.share:.1f}"
    controls = [str(proof.controls), str(proof.wrong), f"{100 * proof.right:.0f}"]
    errors = [ABSENT if one is None else f"{one:.4f}" for one in (proof.rmse_f, proof.largest)]
    after = ABSENT if proof.after is None else f"{100 * proof.after:.0f}"
    proved = controls if proof.controls else [ABSENT] * 3
    return [name, iterations, share, after, *proved, *errors]


def advice_for(one: ConditionFacts, facts: TargetFacts) -> tuple[str, str]:
    """Why a condition was not reached, and what may help, "" where nothing is to be done."""
    place = f"condition {one.number}"
    if one.state == LEFT:
        kept = "iterations of a later one were kept (--keep-finished), so it has no more"
        return f"{place}: {kept}", ""
    if one.floor:
        return f"{place}: this model cannot reach the target: {one.floor}", (
            "What may help: a larger cutoff, more basis functions or weights, another engine; or a "
            "larger strategy.target_force_error"
        )
    if one.hindrance:
        return f"{place}: strategy.max_iterations ({facts.most}) is used up: {one.hindrance}", (
            "What may help: first data of such structures and elements, a milder element of "
            "md_jobs before it, a smaller md_dt"
        )
    more = (
        "a larger one goes on where it ended"
        if one is facts.conditions[-1]
        else "append its element of md_jobs once more to go on with it"
    )
    used = f"{place}: strategy.max_iterations ({facts.most}) is used up; {more}"
    return used, "A larger strategy.max_select gives more labels each iteration"


def unproved_in(facts: TargetFacts) -> list[str]:
    """What the controls of conditions that were reached do not show, a sentence each."""
    reached = [one for one in facts.conditions if one.state == REACHED]
    return [f"condition {one.number}: {words}" for one in reached for words in _unproved(one)]


def _unproved(one: ConditionFacts) -> Iterator[str]:
    if one.all.unlabelled:
        drawn = one.all.controls + one.all.unlabelled
        yield f"{one.all.unlabelled} of {drawn} control frames have no label"
    for system in one.systems:
        if not system.controls:
            yield f"nothing is proved of {system.name}, which has no control label"
        elif (system.share or 0.0) < HALF and (one.all.share or 0.0) >= HALF:
            share = f"{100 * (system.share or 0.0):.1f} %"
            yield f"of {system.name} only {share} of the frames are accepted"


def verdict(facts: TargetFacts) -> str:
    """One line: whether the target was reached, and on what evidence."""
    if facts.reached is None:
        return f"the target of {facts.force_error:g} eV/Å is not decided on yet"
    if facts.reached:
        count = sum(one.all.controls for one in facts.conditions)
        wrong = sum(one.all.wrong for one in facts.conditions)
        return (
            f"target of {facts.force_error:g} eV/Å reached in all conditions: {wrong} of their "
            f"last {count} control labels are wrong{_limited(facts)}"
        )
    numbers = ", ".join(str(one.number) for one in facts.missed)
    word = "condition" if len(facts.missed) == 1 else "conditions"
    return f"target of {facts.force_error:g} eV/Å NOT reached in {word} {numbers}"


def _limited(facts: TargetFacts) -> str:
    """What goes with a verdict because it is not proved."""
    unproved = unproved_in(facts)
    more = f", and {len(unproved) - 1} more" if len(unproved) > 1 else ""
    return f"; but {unproved[0]}{more}" if unproved else ""


def status_words(facts: TargetFacts) -> list[str]:
    """One line a condition, for status."""
    return [f"condition {one.number} {_standing(one, facts)}" for one in facts.conditions]


def _standing(one: ConditionFacts, facts: TargetFacts) -> str:
    words = WORDS[one.state]
    if not one.iterations:
        return words
    count = len(one.iterations)
    words += f" (iteration{'s' if count > 1 else ''} {_range(one.iterations)}"
    words += f"; {count} of at most {facts.most})" if one.state == RUNNING else ")"
    proof = one.all
    if proof.share is not None:
        words += f": {100 * proof.share:.1f} % accepted"
        if proof.after is not None:
            words += f" ({100 * proof.after:.0f} % by their own labels)"
    if proof.controls:
        words += f", {proof.controls} controls, {proof.wrong} wrong"
        words += f"; at least {100 * proof.right:.0f} % of the frames are right"
    return words
