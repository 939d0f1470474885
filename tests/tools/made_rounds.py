"""The tables of a campaign with a target, as its stages leave them, from a made model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pwact import layout
from pwact.formats.model_devi import write_model_devi
from pwact.query.calibration import Pairs, pairs_in_force, starting_pairs
from pwact.query.driving import decide
from pwact.query.picks import RANDOM
from pwact.report.calibration import (
    LIMIT_COLUMNS,
    PAIR_COLUMNS,
    TrainingRow,
    write_rows,
    write_training,
)
from pwact.report.label_error import LabelError, write_label_error
from tests.query.made_pools import pool_of

TARGET, SIGMA, FRAMES = 0.1, 0.05, 200


def leave_rounds(work_dir: Path, count: int, scatter: float = 0.35) -> None:
    """Leave so many iterations; those from the sixth on serve a second, hotter condition."""
    rng = np.random.default_rng(0)
    training = rng.lognormal(-0.7, 0.3, 8)
    rows: list[tuple[object, ...]] = []
    known = Pairs(np.empty(0), np.empty(0))
    for iteration in range(count):
        condition, turn = (0, iteration) if iteration < 5 else (1, iteration - 4)
        start = starting_pairs(SIGMA * training, SIGMA * training)
        seen = [TrainingRow(f"{n}", 4, u, 1.0, SIGMA * u) for n, u in enumerate(training.tolist())]
        values = SIGMA * 2.5 * 0.7**turn * rng.lognormal(0.0, 0.6, FRAMES)
        errors = 1.6 * values * rng.lognormal(0.0, scatter, FRAMES)
        pool = pool_of(values.tolist(), 10, seed=iteration)
        pairs = pairs_in_force(known, start)
        made = decide([pool], [np.ones(FRAMES, dtype=bool)], pairs, TARGET, RANDOM)
        select = layout.select_dir(work_dir, iteration)
        select.mkdir(parents=True)
        appraised = layout.appraise_dir(work_dir, iteration)
        appraised.mkdir(parents=True)
        write_training(appraised / layout.TRAINING_PAIRS, seen)
        write_rows(select / layout.CALIBRATION, PAIR_COLUMNS, rows)
        accepted = int(made.accepted[0].sum())
        source = "training" if pairs is start else "labels"
        line = (
            *(iteration, condition, TARGET, SIGMA, "u", made.pairs, source, made.limit),
            *(FRAMES, accepted, accepted / FRAMES, made.expected, 0, 0, 0, 10, made.rule, ""),
        )
        write_rows(select / layout.LIMITS, LIMIT_COLUMNS, [line])
        _leave_deviations(work_dir, iteration, values / SIGMA)
        kinds = dict.fromkeys(made.chosen[0].tolist(), "chosen")
        kinds.update(dict.fromkeys(made.controls[0].tolist(), "control"))
        places = np.array(sorted(kinds))
        result = work_dir / layout.iteration_name(iteration) / layout.LABEL / "result"
        result.mkdir(parents=True)
        table = [
            LabelError("t", n, values[n] / SIGMA, errors[n], errors[n], (values[n], kinds[n]))
            for n in places.tolist()
        ]
        write_label_error(result / layout.LABEL_ERROR, table)
        rows += [
            (
                "t",
                n,
                values[n],
                errors[n],
                kinds[n],
                iteration,
                condition,
                SIGMA,
                values[n] / SIGMA,
                1.0,
            )
            for n in places.tolist()
        ]
        known = Pairs(
            np.append(known.uncertainty, values[places]), np.append(known.error, errors[places])
        )


def _leave_deviations(work_dir: Path, iteration: int, values: np.ndarray) -> None:
    """One trajectory with these values as largest deviations."""
    place = layout.md_dir(work_dir, iteration) / "md.000.sys.000" / "md.000.sys.000.t.000"
    place.mkdir(parents=True)
    rows = np.outer(values, [0.5, 0.1, 1.0, 0.0, 0.0, 0.0])
    write_model_devi(place / "model_devi.out", np.arange(len(values)), rows)
