"""``pwact label``: labels given frames."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pwact.cli import console, logs
from pwact.cli.commands.data import quoted
from pwact.cli.opened import chosen_of, lost_lines, opened
from pwact.config.label import LabelInput, load_label
from pwact.errors import EXIT_DONE
from pwact.formats.trajectories import format_of
from pwact.workflow.checks.check_given import check_given
from pwact.workflow.labels.campaign import GivenStage, LabelResult, Wanted, given_stage, run_label
from pwact.workflow.opening import LABEL

logger = logging.getLogger(__name__)


def label(options: Namespace) -> int:
    """Label given frames, and make a data set of them."""
    output = Path(options.output).absolute()
    with logs.logging_to_screen():
        warnings = []
        config = _config(options)
        stage = given_stage(_wanted(options), config, output)
        for warning in _warnings(config, stage):
            logger.warning("%s", warning)
            warnings.append(warning)
    with opened(output, LABEL, None, chosen_of(options), warnings) as campaign:
        summary = label_summary(run_label(stage, campaign))
        logs.result(summary)
    console.announce(summary)
    return EXIT_DONE


def _config(options: Namespace) -> LabelInput:
    param, resource = Path(options.param), Path(options.resource)
    config = load_label(param, resource, Path.cwd(), options.strict)
    return replace(config, data_format=options.output_format or config.data_format)


def _wanted(options: Namespace) -> Wanted:
    paths = [Path(name).absolute() for name in options.structures]
    sources = [(path, format_of(path, options.format)) for path in paths]
    return Wanted(sources, options.step, options.limit)


def _warnings(config: LabelInput, stage: GivenStage) -> Iterator[str]:
    yield from config.warnings
    yield from check_given(stage)


def label_summary(result: LabelResult) -> str:
    """The last words of ``pwact label``: how many frames have labels, and where they are."""
    counted = f"{result.labelled} of {result.given} frames"
    repeated = result.given - result.labelled - result.left_out
    again = f"; frames that repeat another one: {repeated}" if repeated else ""
    lines = [f"label is done: {counted} have a label{again}"]
    if result.data is not None:
        lines += ["data set:", quoted([result.data])]
    if result.left_out:
        lines.append(f"{result.left_out} frames are left out: {result.listed}")
    return "\n".join([*lines, *lost_lines(result.lost)])
