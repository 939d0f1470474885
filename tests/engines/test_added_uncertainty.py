"""Trainers ask whether one model tells an uncertainty, and know none of them by its name."""

from __future__ import annotations

from typing import Any

import pytest

from pwact.config.strategy import StrategyConfig
from pwact.engines.pod.trainer import PodTrainer
from pwact.errors import InputError
from pwact.registry.uncertainties import UNCERTAINTIES, Judges
from tests.engines import pod_helpers, test_deepmd, test_deepmd_pytorch, test_matpl

PLACE = "pwact.uncertainties.kpu:KalmanUncertainty"


@pytest.fixture(params=[False, True], ids=["committee", "one model"])
def single(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """An uncertainty ``new`` is registered."""
    alone: bool = request.param
    monkeypatch.setitem(UNCERTAINTIES, "new", Judges(PLACE, single=alone))
    return alone


def test_a_model_alone_is_trained_with_its_covariance(single: bool) -> None:
    config: Any = pod_helpers.config()
    config.strategy.uncertainty = "new"
    pod = PodTrainer(config, pod_helpers.BLOCK, pod_helpers.BLOCK)
    assert ("pwact.engines.pod.fit" in pod.command()) is single
    matpl = test_matpl.trainer(test_matpl.dp(), strategy=StrategyConfig(uncertainty="new"))
    assert ("pwact.engines.matpl.pwdata" in matpl.command()) is single


def test_who_cannot_tell_it_refuses_it(single: bool) -> None:
    uncertainty = {"uncertainty": "new", "compress": False}
    refuses = test_deepmd.trainer(strategy=uncertainty)
    accepts = test_deepmd_pytorch.trainer(strategy=uncertainty)
    if not single:
        refuses, accepts = accepts, refuses
    accepts.validate()
    with pytest.raises(InputError, match="strategy.uncertainty"):
        refuses.validate()
