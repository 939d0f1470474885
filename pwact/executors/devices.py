"""GPUs of this machine, shared out among the jobs that run on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pwact.executors.processes import own_processes, variable_of

VISIBLE = "CUDA_VISIBLE_DEVICES"
GIVEN = "PWACT_GPUS"  # what a job was given, whatever it makes of VISIBLE itself
_NODE = re.compile(r"nvidia\d+")


def machine_devices(environment: Mapping[str, str], devices: Path = Path("/dev")) -> list[str]:
    """Names of the GPUs that may be used: those named in the environment, else all there are."""
    if VISIBLE in environment:
        return [name.strip() for name in environment[VISIBLE].split(",") if name.strip()]
    try:
        found = [entry for entry in devices.iterdir() if _NODE.fullmatch(entry.name)]
    except OSError:
        return []
    return [str(index) for index in range(len(found))]


def choose(devices: list[str], used: Mapping[str, int], number: int) -> list[str]:
    """Choose the `number` devices that the fewest jobs use, in their order."""
    ranked = sorted(devices, key=lambda name: (used.get(name, 0), devices.index(name)))
    return sorted(ranked[:number], key=devices.index)


def used_devices() -> Counter[str]:
    """How many living jobs of this user were given each GPU."""
    given: dict[str, str] = {}
    for process in own_processes():
        if process.job and process.job not in given:
            given[process.job] = variable_of(process.pid, GIVEN)
    return Counter(name for names in given.values() for name in names.split(",") if name)


def environment_for(number: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables by which a job on this machine keeps to `number` GPUs.

    Where nobody knows how many GPUs there are, a job takes the first ones.
    """
    devices = machine_devices(environment)
    if not devices and VISIBLE not in environment:
        devices = [str(index) for index in range(number)]
    if not number or not devices:
        return {}
    names = ",".join(choose(devices, used_devices(), number))
    return {VISIBLE: names, GIVEN: names}
