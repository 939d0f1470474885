"""The story of a frame of the first data: which entry, which MD, which labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.report.why import Section
from pwact.tools.why.records import Records
from pwact.workflow.init_bulk.origins import Origin, read_origin

_FOLDER = re.compile(r"init_config_(\d+)")


def first_story(records: Records, data: Path, mark: bytes) -> list[Section]:
    """What is on record of a frame that init_bulk made."""
    folder = _FOLDER.fullmatch(data.parent.name)
    entry = records.entries.get(folder[1]) if folder else None
    origin = read_origin(data.parent / layout.ORIGIN, mark)
    md = _md(records, origin)
    return [
        Section("entry", {"number": int(folder[1]) if folder else None, "asked": entry}),
        Section("md", md),
        Section("label", {"by": _labeler(entry), **_jobs(records, origin)}),
    ]


def _md(records: Records, origin: Optional[Origin]) -> dict[str, Any]:
    if origin is None:
        return {"directory": None, "frame": None}
    start = Path(origin.md).parent.name
    return {"directory": _task(records, origin), "begun_from": start, "frame": origin.frame}


def _task(records: Records, origin: Origin) -> str:
    """The directory of the MD as its job knew it; where none is on record, from its step on."""
    tasks = (task for job in reversed(records.jobs) for task in job.tasks)
    return next((task for task in tasks if task.endswith(f"/{origin.md}")), origin.md)


def _labeler(entry: Optional[Mapping[str, Any]]) -> Any:
    """The program and the files behind the labels of an MD."""
    return entry.get("aimd", entry.get("bigmodel")) if entry else None


def _jobs(records: Records, origin: Optional[Origin]) -> dict[str, Any]:
    if origin is None:
        return {"tries": None, "jobs": None, "failed": None}
    task = _task(records, origin)
    tries = records.tries(task)
    return {
        "tries": len(tries) or None,
        "jobs": tries or None,
        "failed": records.failures(task),
    }
