"""What frames are judged by. The contract of an uncertainty: `pwact.uncertainties.base`."""

from __future__ import annotations

from dataclasses import dataclass

from pwact.registry import Entry, Registry


@dataclass(frozen=True)
class Judges(Entry):
    """An uncertainty.

    Attributes
    ----------
    single
        Whether one model tells it: the run then trains one, whatever ``model_num`` says.
    """

    single: bool = False


UNCERTAINTIES: Registry[Judges] = Registry(
    {
        "committee": Judges("pwact.uncertainties.committee:CommitteeDeviation"),
        "kpu": Judges("pwact.uncertainties.kpu:KalmanUncertainty", single=True),
        "extrapolation": Judges(
            "pwact.uncertainties.extrapolation:ExtrapolationGrade", single=True
        ),
    }
)
