"""Settings of every test, and what tests in several places need.

Random inputs are the same in every run, and are not timed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import zlib
from collections import Counter
from pathlib import Path
from typing import Optional

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tests.commands import ROOT, pwact
from tests.requirements import need_deepmd

settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("steady")


def pytest_configure() -> None:
    """Do not ignore Ctrl-C, as what a shell starts in the background does, and all below it.

    Else what a test interrupts would go on.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST_ID = 60


def pytest_make_parametrize_id(val: object) -> Optional[str]:
    """A short name of one line for a parameter that is a whole file: its beginning, and a sum.

    It goes into names of tests, which are sent between processes and printed.
    """
    if not isinstance(val, (str, bytes)):
        return None
    text = val if isinstance(val, str) else val.decode("latin-1")
    if len(text) <= LONGEST_ID and text.isascii() and text.isprintable():
        return None
    begins = "".join(char if " " <= char <= "~" else " " for char in text[: LONGEST_ID // 2])
    content = val.encode("utf-8", "surrogatepass") if isinstance(val, str) else val
    return f"{' '.join(begins.split())} {zlib.crc32(content):08x}"


@pytest.hookimpl(tryfirst=True)  # before xdist, which puts the groups into the tests' names
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has to be asked for.

    Combinations of which others try a sample are selected by ``-m thorough``, what needs PyTorch by
    ``-m torch``, ``-m sevennet`` or ``-m mace``, and files beside the repository where
    PWACT_REAL_OUTPUTS names them. PWACT_TEST_OF_EACH says with how many of its sets of parameters
    each test runs at most.
    """
    group_what_shares(items)
    if hasattr(config, "workerinput"):  # one of several workers of xdist
        put_long_ones_first(items)
    asked = str(config.getoption("markexpr"))
    left_out = {
        "real_outputs": not os.environ.get("PWACT_REAL_OUTPUTS"),
        "thorough": "thorough" not in asked,
        **{name: name not in re.findall(r"\w+", asked) for name in ("torch", "sevennet", "mace")},
    }
    kept = [
        item
        for item in items
        if not any(left and item.get_closest_marker(name) for name, left in left_out.items())
    ]
    if at_most := os.environ.get("PWACT_TEST_OF_EACH"):
        kept = some_of_each(kept, int(at_most))
    if len(kept) < len(items):
        known = set(kept)
        config.hook.pytest_deselected(items=[item for item in items if item not in known])
        items[:] = kept


def some_of_each(items: list[pytest.Item], at_most: int) -> list[pytest.Item]:
    """Of each test at most so many sets of parameters: the first, the last and some between."""
    sets: dict[str, list[pytest.Item]] = {}
    for item in items:
        sets.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = set()
    for mine in sets.values():
        places = {round(place) for place in np.linspace(0, len(mine) - 1, at_most)}
        kept |= {mine[place] for place in places}
    return [item for item in items if item in kept]


@pytest.fixture(scope="session")
def samples() -> Path:
    """Outputs of programs, made by us: see tests/data/README.md."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def copper(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The example with DeePMD-kit, finished on this machine, and what its run printed."""
    need_deepmd()
    work_dir = tmp_path_factory.mktemp("a folder of copper") / "cu deepmd"
    shutil.copytree(ROOT / "examples" / "cu_deepmd", work_dir)
    pwact(work_dir, "init_bulk", "init_param.json", "resource.json")
    return work_dir, pwact(work_dir, "run", "run_param.json", "resource.json")


def group_what_shares(items: list[pytest.Item]) -> None:
    """Let tests that share what takes long to make run in one worker (``--dist loadgroup``).

    That is a fixture of a module or of the whole run. A test marked `spread` takes longer than what
    it shares, and goes to the worker that is free.
    """
    for item in items:
        if not item.get_closest_marker("spread") and (shared := shared_by(item)):
            item.add_marker(pytest.mark.xdist_group(shared))


def put_long_ones_first(items: list[pytest.Item]) -> None:
    """Bring what is slow, and what goes to one worker, to the front (``--no-loadscope-reorder``).

    The many short tests then fill the waits of the others, and nothing long is left for the end.
    """
    groups = {item: group_of(item) for item in items}
    sizes = Counter(groups.values())
    slow = {groups[item] for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (groups[item] not in slow, -sizes[groups[item]]))


def group_of(item: pytest.Item) -> str:
    """What goes to one worker together with this test: its group, else itself."""
    found = item.get_closest_marker("xdist_group")
    return str(found.args[0]) if found else item.nodeid


def shared_by(item: pytest.Item) -> str:
    """Name and place of the first fixture of these tests that others use as well, or ""."""
    if "cluster" in getattr(item, "fixturenames", ()):
        # these tests wait more than they work, and another SLURM costs little
        return f"slurm:{item.nodeid.partition('::')[0]}"
    found = getattr(item, "_fixtureinfo", None)
    for name, definitions in sorted(found.name2fixturedefs.items()) if found else ():
        wide = definitions[-1].scope in ("module", "session") and name != "samples"
        if wide and definitions[-1].baseid:
            return f"{definitions[-1].baseid}:{name}"
    return ""
