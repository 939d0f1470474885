from __future__ import annotations

from collections import Counter

import pytest

from pwact.executors import devices
from pwact.executors.devices import VISIBLE, choose, environment_for, machine_devices


def test_devices_named_in_the_environment_are_all_there_are(tmp_path):
    assert machine_devices({VISIBLE: "2, GPU-x,"}, tmp_path) == ["2", "GPU-x"]
    assert machine_devices({VISIBLE: ""}, tmp_path) == []


def test_devices_of_the_machine_are_counted(tmp_path):
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "tty0"):
        (tmp_path / name).touch()
    assert machine_devices({}, tmp_path) == ["0", "1"]
    assert machine_devices({}, tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("used", "number", "chosen"),
    [
        ({}, 1, ["0"]),
        ({"0": 1}, 1, ["1"]),
        ({"0": 1, "1": 1, "3": 1}, 2, ["0", "2"]),
        ({"0": 2, "1": 1, "2": 1, "3": 1}, 1, ["1"]),
        ({}, 9, ["0", "1", "2", "3"]),
    ],
)
def test_a_job_gets_what_the_fewest_use(used, number, chosen):
    assert choose(["0", "1", "2", "3"], used, number) == chosen


def test_what_a_job_on_this_machine_sees(monkeypatch):
    monkeypatch.setattr(devices, "used_devices", lambda: Counter({"5": 1}))
    assert environment_for(1, {VISIBLE: "5,6"})[VISIBLE] == "6"
    assert environment_for(0, {VISIBLE: "5,6"}) == {}
    assert environment_for(2, {VISIBLE: ""}) == {}
    monkeypatch.setattr(devices, "machine_devices", lambda environment: [])
    assert environment_for(2, {})[VISIBLE] == "0,1"
