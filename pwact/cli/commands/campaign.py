"""What each command does: load, check, work, show. One short function a command.

`pwact.cli.main` imports this module once a command is to be run, so that help stays quick.
"""

from __future__ import annotations

import json
import logging
import os
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Optional

from pwact import layout
from pwact.cli import console, logs
from pwact.cli.commands.data import quoted
from pwact.cli.opened import chosen_of, lost_lines, opened
from pwact.cli.signals import ending_signals_raise
from pwact.config.init_bulk import InitConfig
from pwact.config.param import LoadedPair, load_pair
from pwact.config.run import RunConfig
from pwact.errors import EXIT_DONE, StageChangedError, UsageError
from pwact.query.window import Limits
from pwact.report.errors import final_errors
from pwact.report.selection import classes_text, record
from pwact.report.status import status_text
from pwact.report.table import iteration_table
from pwact.report.target import target_lines
from pwact.report.trial import target_text, trial_table
from pwact.takeover.campaign import plan as plan_takeover
from pwact.takeover.campaign import take_over
from pwact.tools.explored.draw import draw as draw_all
from pwact.tools.explored.draw import subject_of
from pwact.tools.explored.filter import RESULT, count, judged_tree, select_all
from pwact.tools.explored.filter import write as write_filtered
from pwact.tools.explored.target import accepted_by, measure_of
from pwact.tools.explored.trees import ExploredTree, find_explored
from pwact.tools.kill import kill as kill_campaign
from pwact.tools.report.page import write_report
from pwact.tools.status.status import status_of
from pwact.workflow.active_learning import RunResult, run_active_learning
from pwact.workflow.campaign import Campaign
from pwact.workflow.checks.amount import amount
from pwact.workflow.checks.check_width import narrow_cells
from pwact.workflow.checks.cost import cost_lines
from pwact.workflow.checks.making import calculator_warnings
from pwact.workflow.checks.outlook import outlook
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.checks.rehearsal import command_warnings, rehearse
from pwact.workflow.checks.trials import end_dead
from pwact.workflow.init_bulk.campaign import InitResult, run_init_bulk

logger = logging.getLogger(__name__)


def init_bulk(options: Namespace) -> int:
    """Make the first data set."""
    pair = checked(options, "init_bulk")
    if isinstance(pair.config, InitConfig):
        with campaign_of(options, pair, Path.cwd()) as campaign:
            summary = init_summary(run_init_bulk(pair.config, pair.resources, campaign))
            logs.result(summary)
        console.announce(summary)
    return EXIT_DONE


def run(options: Namespace) -> int:
    """Run the active-learning loop."""
    pair = checked(options, "run")
    if isinstance(pair.config, RunConfig):
        takeover = plan_takeover(pair.config, pair.resources)
        with campaign_of(options, pair, Path.cwd()) as campaign:
            take_over(campaign, takeover)
            summary = run_summary(run_active_learning(pair.config, pair.resources, campaign))
            logs.result(summary)
        console.announce(summary)
    return EXIT_DONE


def check(options: Namespace) -> int:
    """Validate a pair of input files; write nothing, and (with ``--try``) leave nothing behind."""
    pair = checked(options, None)
    with logs.logging_to_screen():
        for warning in command_warnings(pair):
            logger.warning("%s", warning)
        for warning in () if options.rehearse else calculator_warnings(pair):
            logger.warning("%s", warning)
    console.say(
        f"{options.param} and {options.resource} are valid input of pwact {pair.kind}; "
        "nothing is written"
    )
    console.say("\n".join([amount(pair.config), *narrow_cells(pair.config)]))
    tried: dict[str, float] = {}
    if options.rehearse:
        with ending_signals_raise(), logs.logging_to_screen():
            for words in rehearse(pair, tried.__setitem__, options.plan):
                console.say(words)
    if options.plan:
        console.say("\n".join(cost_lines(pair, time.time(), tried)))
    if isinstance(pair.config, RunConfig):
        takeover = plan_takeover(pair.config, pair.resources)
        if takeover is not None:
            console.say("\n".join(["run would begin so:", *takeover.words]))
    found = outlook(pair)
    if found is not None:
        heading = f"{pair.config.work_dir} holds a campaign; a start of {pair.kind} would do this:"
        console.say("\n".join([heading, *found.lines]))
        if found.refusal:
            raise StageChangedError(found.refusal)
    return EXIT_DONE


def status(options: Namespace) -> int:
    """Tell how the campaign of a directory stands; write nothing."""
    now = time.time()
    found = status_of(Path(options.directory).absolute(), now)
    text = status_text(found, now, options.wide)
    console.say(json.dumps(found.to_json(), indent=2) if options.json else text)
    return EXIT_DONE


def report(options: Namespace) -> int:
    """Write the page of a campaign."""
    path = Path(options.output)
    if path.is_dir():
        raise UsageError(f"--output: {path} is a directory; expected the name of a file")
    write_report(Path(options.directory).absolute(), path, time.time())
    console.say(f"{path}: open it in a browser; it needs nothing else")
    return EXIT_DONE


def kill(options: Namespace) -> int:
    """End the campaign of this directory and its jobs."""
    with logs.logging_to_screen():
        ended = kill_campaign(Path.cwd(), options.kind)
    console.say("\n".join(ended) if ended else "there was nothing left to end")
    return EXIT_DONE


def draw(options: Namespace) -> int:
    """Draw what a campaign explored and learned."""
    if (options.lower is None) != (options.upper is None):
        raise UsageError("--lower and --upper go together")
    limits = None if options.lower is None else Limits(options.lower, options.upper)
    with logs.logging_to_screen():
        subject = subject_of(Path(options.directory).absolute(), options.iteration, limits)
        with console.progress("drawing", len(subject.iterations)) as bar:
            made = draw_all(
                subject, Path(options.output), options.format, bar.update if bar else lambda: None
            )
    console.say("\n".join(map(str, made)) if made else "there was nothing to draw")
    return EXIT_DONE


def filter(options: Namespace) -> int:
    """Sort the explored frames by limits on trial."""
    limits = [Limits(lower, upper) for lower in options.lower for upper in options.upper]
    if options.target is not None:
        if options.lower or options.upper or options.save:
            raise UsageError("--target gives the limit itself, without --lower, --upper or --save")
        with logs.logging_to_screen():
            tree = find_explored(Path(options.md_dir))
            console.say(target_text(accepted_by(tree, options.target), measure_of(tree)))
        return EXIT_DONE
    if not limits:
        raise UsageError("filter needs --lower and --upper, or --target")
    if options.save and len(limits) > 1:
        raise UsageError(f"--save takes one pair of limits, found {len(limits)}")
    with logs.logging_to_screen():
        tree = judged_tree(Path(options.md_dir), limits)
        if len(limits) == 1:
            console.say(_one_filter(tree, limits[0], Path.cwd() / RESULT if options.save else None))
        else:
            pairs = [(pair.lower, pair.upper) for pair in limits]
            counts = count(tree, limits)
            frames = max(record.frames for record in counts if record is not None)
            heading = f"Total structures {frames}, judged by {tree.uncertainty.measure.words}"
            console.say(f"{heading}\n\n{trial_table(pairs, counts)}")
    return EXIT_DONE


def _one_filter(tree: ExploredTree, limits: Limits, result: Optional[Path]) -> str:
    selection, basis = select_all(tree, limits)
    heading = tree.uncertainty.measure.limits_text(limits.lower, limits.upper)
    if result is not None:
        return f"{heading}\n\n{write_filtered(result, selection, basis)}\n\nfiles are in {result}"
    return f"{heading}\n\n{classes_text(record(selection), basis, with_files=False)}"


def init_summary(result: InitResult) -> str:
    """The last words of ``pwact init_bulk``."""
    lines = [f"init_bulk is done; structures and data are in {result.collection}"]
    if not result.wanted:
        lines = [
            f"init_bulk is done; structures are in {result.collection}",
            "there are no labelled data: the input asks for no aimd, bigmodel or scf",
        ]
    if result.data_sets:
        lines += ["data sets:", quoted(result.data_sets)]
    if result.left_out:
        lines.append(
            f"{result.left_out} structures are left out: {result.collection / layout.LEFT_OUT}"
        )
    return "\n".join([*lines, *lost_lines(result.lost)])


def run_summary(result: RunResult) -> str:
    """The last words of ``pwact run``: data sets, models, table of iterations, findings, target."""
    lines = ["data sets of the iterations (pwact gather_pwdata copies them to one place):"]
    lines += [quoted(result.data_sets), "models:", *(f"  {model}" for model in result.models)]
    if result.final is not None:
        lines += ["force field, fitted to all data (README.txt says how to load it):"]
        lines += [f"  {result.final}"]
        lines += final_errors(result.rows[-1].on_valid if result.rows else ())
    lines += ["", iteration_table(result.rows)]
    if result.findings:
        lines += ["", *result.findings]
    if result.early_ends:
        first = result.early_ends[0]
        lines += [
            f"MD that died early, used up to there: {len(result.early_ends)}, the first "
            f"{first.what}: {first.why} (all: {layout.EXPLORE}/select/error_traj.log)"
        ]
    lines += lost_lines(result.lost)
    if result.target is not None:
        lines += ["", *target_lines(result.target)]
    return "\n".join(lines)


def checked(
    options: Namespace, expected: Optional[str], launch: Optional[Path] = None
) -> LoadedPair:
    """The input files, looked at before anything is written; paths start at `launch`, or here."""
    with logs.logging_to_screen():
        param, resource = Path(options.param), Path(options.resource)
        place = launch or Path.cwd()
        pair = load_pair(param, resource, place, strict=options.strict, expected=expected)
        for warning in pair.warnings:
            logger.warning("%s", warning)
        end_dead(pair.config.work_dir)
        found = preflight(pair, options.strict)
        for warning in found:
            logger.warning("%s", warning)
    return replace(pair, warnings=[*pair.warnings, *found])


@contextmanager
def campaign_of(options: Namespace, pair: LoadedPair, launch: Path) -> Iterator[Campaign]:
    """The campaign of the input, begun or taken up; `launch` is where its paths start."""
    given = {
        "param": launch / options.param,
        "resource": launch / options.resource,
        "launch": launch,
    }
    work_dir = pair.config.work_dir
    inputs = {name: os.path.relpath(path, work_dir) for name, path in given.items()}
    chosen = replace(chosen_of(options), inputs=inputs)
    plan = outlook(pair, chosen) if chosen.redo else None
    if plan is not None and plan.refusal:
        raise StageChangedError(plan.refusal)
    with opened(
        pair.config.work_dir, pair.kind, pair.config.seed, chosen, pair.warnings
    ) as campaign:
        for line in plan.lines if plan is not None else ():
            logger.info("%s", line.strip())
        yield campaign
