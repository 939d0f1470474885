"""The story of a frame that a run labelled: explored, judged, chosen, labelled, compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact import layout
from pwact.config.strategy import WINDOW
from pwact.formats.frames import format_found
from pwact.formats.same_frame import structure_key
from pwact.io.appended import Appended
from pwact.registry.formats import FORMATS
from pwact.report import selection as tables
from pwact.report.why import Section
from pwact.tools.why.records import Records, number, rows_of

if TYPE_CHECKING:
    from ase import Atoms

Row = Mapping[str, str]
_EMPTY: Row = {}
_TABLES = (tables.ACCURATE, tables.CANDIDATE, tables.DELETED, tables.FAILED)


@dataclass(frozen=True)
class Labelled:
    """A labelled frame as its iteration knows it.

    Attributes
    ----------
    error
        Its row of ``label_error.csv``; empty where that is not known.
    """

    records: Records
    iteration: int
    error: Row

    @property
    def name(self) -> str:
        """``iter.0000``."""
        return layout.iteration_name(self.iteration)

    @property
    def directory(self) -> Path:
        """``02.label``."""
        return layout.label_dir(self.records.work_dir, self.iteration)

    @property
    def trajectory(self) -> str:
        """The directory of the trajectory, relative; "" where it is not known."""
        return self.error.get("file_path", "")

    @property
    def step(self) -> Optional[int]:
        """The MD step."""
        text = self.error.get("config_index", "")
        return int(text) if text.isdigit() else None


def explored_story(
    records: Records, iteration: int, data: Path, index: int, frame: Atoms
) -> list[Section]:
    """What is on record of the `index`-th frame of the data of an iteration."""
    label = layout.label_dir(records.work_dir, iteration)
    listed = _listed(label / layout.STRUCTURES)
    row = _row(data, index, structure_key(frame), listed)
    errors = rows_of(data.parent / layout.LABEL_ERROR)
    known = row is not None and row < len(errors)
    one = Labelled(records, iteration, errors[row or 0] if known else _EMPTY)
    return [
        Section("explored", _explored(one)),
        Section("judged", _judged(one)),
        Section("chosen", _chosen(one)),
        Section("label", _label(one)),
        Section("error", _error(one)),
    ]


def _listed(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split() if path.is_file() else []


def _row(data: Path, index: int, key: str, listed: list[str]) -> Optional[int]:
    """Which row of the tables a frame is: by its place in a file, else by its structure."""
    if not FORMATS[format_found(data)].folder:
        return index
    return listed.index(key) if key in listed else None


def _explored(one: Labelled) -> dict[str, Any]:
    inputs = one.records.inputs(f"{one.name}/explore") or {}
    system, trajectory = Path(f"./-/-/{one.trajectory}").parts[-2:]
    begun = inputs.get("systems", {}).get(system, {})
    return {
        "iteration": one.iteration,
        "trajectory": one.trajectory or None,
        "step": one.step,
        "md": begun.get("md", {}).get(trajectory),
        "start_structure": begun.get("structure"),
        "models": inputs.get("models"),
        "models_of": f"{one.name}/train" if inputs else None,
    }


def _judged(one: Labelled) -> dict[str, Any]:
    inputs = one.records.inputs(f"{one.name}/select") or {}
    folder = layout.select_dir(one.records.work_dir, one.iteration)
    value = number(one.error.get("devi_force"))
    every = [number(row.get("devi_force")) for name in _TABLES for row in rows_of(folder / name)]
    finite = [each for each in every if each is not None]
    higher = sum(each > value for each in finite) if value is not None else 0
    limits = {key: inputs[key] for key in inputs if key in WINDOW}
    return {
        "uncertainty": value,
        "uncertainty_scaled": number(one.error.get("uncertainty_scaled")),
        "rank": higher + 1 if finite and value is not None else None,
        "of_frames": len(finite) or None,
        "limits": limits or _limits(folder),
        "target_ev_per_angstrom": inputs.get("target"),
    }


def _limits(folder: Path) -> Optional[dict[str, Any]]:
    rows = rows_of(folder / layout.LIMITS)
    if not rows:
        return None
    return {key: number(rows[0].get(key)) for key in ("limit", "error_at_limit", "sigma")}


def _chosen(one: Labelled) -> dict[str, Any]:
    inputs = one.records.inputs(f"{one.name}/select")
    kind = one.error.get("kind") or ("candidate" if one.trajectory else None)
    scripted = f"{one.name}/direct" in one.records.stages
    rule = None if inputs is None else inputs.get("pick", "random")
    folder = layout.select_dir(one.records.work_dir, one.iteration)
    left = len(rows_of(folder / tables.DELETED)) if folder.is_dir() else None
    return {
        "as": kind,
        "rule": "a DIRECT script of the user" if scripted else rule,
        "left_out_by_the_rule": left,
    }


def _label(one: Labelled) -> dict[str, Any]:
    state = one.records.inputs(f"{one.name}/label")
    task, computed = _task(one)
    place = one.records.relative(one.directory / task) if task else ""
    inputs = Appended(one.directory / layout.TASK_INPUTS).values if task else {}
    tries = one.records.tries(place) if place else []
    return {
        "by": state.get("labeler") if state else None,
        "computed": computed,
        "task": place or None,
        "input_files": inputs.get(task) if task else None,
        "tries": len(tries) or None,
        "jobs": tries or None,
        "failed": one.records.failures(place) if place else None,
    }


def _task(one: Labelled) -> tuple[str, Optional[str]]:
    """The directory of the task below ``02.label``, and where the label was computed, in words.

    Which task computes a label, or that the store had it, was decided before anything was done.
    """
    own = _own_tasks(one)
    path = one.directory / layout.SOURCES
    decided = set(map(str, Appended(path).values.values())) if path.is_file() else set()
    for task in own:
        place = one.records.relative(one.directory / task)
        if task in decided or one.records.tries(place):
            return task, "in this iteration"
    return "", "earlier: it was in the store of labels" if decided and own else None


def _own_tasks(one: Labelled) -> list[str]:
    """Where the label of this frame is computed: alone, or with all others by a script."""
    if not one.trajectory or one.step is None:
        return []
    system, trajectory = Path(one.trajectory).parts[-2:]
    return [f"scf/{system}/{trajectory}/{layout.scf_name(one.step)}", layout.BIGMODEL]


def _error(one: Labelled) -> dict[str, Any]:
    return {
        "rmse_force_ev_per_angstrom": number(one.error.get("rmse_force")),
        "max_force_ev_per_angstrom": number(one.error.get("max_force")),
    }
