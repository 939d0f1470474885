"""What the folder of the force field says of itself, for the page of a campaign."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pwact import layout
from pwact.report.errors import digits, error_words
from pwact.report.html.facts import Rows
from pwact.report.records import ErrorRecord


def known_of_force_field(work_dir: Path) -> Rows:
    """Names and values from its ``model.json``; none without one that can be read."""
    try:
        path = layout.final_dir(work_dir) / layout.FINAL_MODEL
        return list(_rows(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    cutoff = f", cutoff {found['cutoff']:g} Å" if found["cutoff"] else ""
    yield "model", f"{found['model_type']} by {found['engine']}{cutoff}"
    yield "elements", " ".join(found["elements"])
    yield "trained on", f"{found['training_frames']} frames"
    errors = [ErrorRecord.from_json(one) for one in found.get("errors_on_valid_data", ())]
    if errors:
        yield f"error on {errors[0].frames} frames of valid_data", error_words(errors[0])
    elif found["rmse"] is not None:
        energy, forces = 1000 * found["rmse"]["energy_per_atom"], found["rmse"]["forces"]
        yield "error on valid_data", f"energy {digits(energy)} meV/atom, forces {forces:.3g} eV/Å"
    yield "files", ", ".join(found["files"])
