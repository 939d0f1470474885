"""The examples with a target for the force error in place of their window."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from pwact.query.calibration import FEWEST

WINDOW = ("lower_model_devi_f", "upper_model_devi_f", "kpu_lower", "kpu_upper", "max_select")


def aim(work_dir: Path, target: float, conditions: slice, **strategy: object) -> None:
    """Give the run in a copy of an example a target (eV/Å), and some of its MD only."""
    file = work_dir / "run_param.json"
    param = json.loads(file.read_text())
    kept = {key: param["strategy"][key] for key in param["strategy"] if key not in WINDOW}
    param["strategy"] = {**kept, "target_force_error": target, **strategy}
    param["explore"]["md_jobs"] = param["explore"]["md_jobs"][conditions]
    file.write_text(json.dumps(param))


def rows(path: Path) -> list[dict[str, str]]:
    """Those of a table."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def check_target(work_dir: Path, iterations: Sequence[str]) -> None:
    """Each iteration has its limit, its pairs and its controls on record."""
    before = 0
    for name in iterations:
        select, result = (
            work_dir / name / place for place in ("01.explore/select", "02.label/result")
        )
        (line,) = rows(select / "limits.csv")
        assert 0 < float(line["sigma"]) < 1
        labelled = rows(result / "label_error.csv")
        assert len(labelled) == len(rows(select / "candidate.csv")) == int(line["labelled"])
        kinds = [row["kind"] for row in labelled]
        assert set(kinds) <= {"control", "chosen"}
        enough = int(line["pairs"]) >= FEWEST and line["pairs_from"] == "labels"
        # while there are too few pairs, a round has further controls
        assert 1 <= kinds.count("control") <= (2 if enough else FEWEST)
        # 0 in a perfect crystal, on whose atoms there are no forces
        assert all(float(row["uncertainty_scaled"]) >= 0 for row in labelled)
        assert any(float(row["uncertainty_scaled"]) > 0 for row in labelled)
        pairs = rows(select / "calibration.csv") if before else []
        assert len([row for row in pairs if row["kind"] in ("control", "chosen")]) == before
        before += len(labelled)
