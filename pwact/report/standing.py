"""How a campaign stands, in one sentence with its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pwact.report.records import IterationRow
from pwact.report.status import Status
from pwact.report.target import verdict


def standing(status: Status, rows: Sequence[IterationRow]) -> str:
    """The verdict: how far it is, its errors, on how many labels they rest."""
    return f"{'; '.join(_parts(status, rows))}."


def _parts(status: Status, rows: Sequence[IterationRow]) -> Iterator[str]:
    yield _state(status)
    if status.target is not None:
        yield verdict(status.target)
    errors = [row.train.valid_rmse_f for row in rows if row.train.valid_rmse_f is not None]
    if len(errors) > 1:
        yield f"the force error on the validation data went from {errors[0]:.3g} to {_last(errors)}"
    elif errors:
        yield f"the force error on the validation data is {_last(errors)}"
    labelled = sum(row.label.labelled for row in rows if row.label is not None)
    if labelled:
        yield f"{labelled} frame{'s' if labelled != 1 else ''} labelled"
    yield from _accurate(rows)


def _last(errors: Sequence[float]) -> str:
    return f"{errors[-1]:.3g} eV/Å"


def _accurate(rows: Sequence[IterationRow]) -> Iterator[str]:
    explored = [row for row in rows if row.select is not None and row.select.frames]
    if explored and explored[-1].select is not None:
        counts = explored[-1].select
        share = 100 * counts.accurate / counts.frames
        yield f"{share:.0f} % of the frames explored last ({explored[-1].name}) were accurate"


def _state(status: Status) -> str:
    name = f"This {status.kind}" + ("" if status.program == "pwact" else f" of {status.program}")
    if status.state == "finished":
        return f"{name} is finished"
    how, place = _WORDS.get(status.state, (status.state, "in"))  # it died, it failed
    words = f"{how} {place} {status.stage}" if status.stage else how
    if status.iterations is not None and status.iteration is not None:
        words += f" (iterations 0 to {status.iterations - 1}, then a last training)"
    return f"{name} {words}"


_WORDS = {
    "running": ("is at work", "on"),
    "unknown": ("may be at work", "on"),
    "stopped": ("was stopped", "in"),
}
