"""Campaigns as commands open them: with a log, a progress bar and signals that unwind."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Optional

from pwact import __version__
from pwact.cli import console, logs
from pwact.cli.signals import ending_signals_raise
from pwact.workflow.campaign import Campaign, open_campaign
from pwact.workflow.opening import CampaignOptions, made, own_log

logger = logging.getLogger(__name__)

SHOWN_LOST = 10


def chosen_of(options: Namespace) -> CampaignOptions:
    """What the user wants of finished stages."""
    return CampaignOptions(
        redo=tuple(options.redo),
        keep_finished=options.keep_finished,
        leave_failed=options.leave_failed,
        progress=console.progress,
    )


@contextmanager
def opened(
    work_dir: Path,
    kind: str,
    seed: Optional[int],
    chosen: CampaignOptions,
    warnings: Sequence[str],
) -> Iterator[Campaign]:
    """The campaign of a directory, which is made; `warnings` were shown, and go into the log."""
    with (
        made(work_dir),
        ending_signals_raise(),
        logs.logging_to_screen(),
        logs.logging_to_file(own_log(work_dir), warnings) as begun,
        open_campaign(work_dir, kind, seed, replace(chosen, begun=begun)) as campaign,
    ):
        logger.info("pwact %s %s in %s", __version__, kind, work_dir)
        yield campaign


def lost_lines(lost: Sequence[str]) -> list[str]:
    """What is said at the end of the failed tasks that steps went on without."""
    if not lost:
        return []
    heading = "failed tasks, which are kept (the next start says whether it tries them again):"
    shown = [f"  {directory}" for directory in lost[:SHOWN_LOST]]
    more = [f"  … and {len(lost) - SHOWN_LOST} more"] if len(lost) > SHOWN_LOST else []
    return [heading, *shown, *more]
