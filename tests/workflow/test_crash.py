"""What a crash took is done again; what somebody altered is refused."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Callable

import pytest

from pwact import layout
from pwact.errors import StageChangedError
from pwact.io.journal import Journal
from tests.workflow.conftest import Chain

ONE, TWO = "iter.0000/one", "iter.0000/two"


def forget(work_dir: Path, event: str, key: str = "") -> None:
    """Take the last event of a sort out of the journal, or a key out of all of them."""
    path = work_dir / layout.STATE_DIR / layout.JOURNAL
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    places = [number for number, line in enumerate(lines) if line["event"] == event]
    if key:
        for place in places:
            del lines[place][key]
    else:
        del lines[places[-1]]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def fill_with_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("harm", [Path.unlink, empty, shorten, fill_with_zeros])
def test_what_a_crash_took_is_done_again(
    chain: Chain, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], None]
) -> None:
    chain.go()
    whole = chain.first.product.read_text()
    forget(chain.work_dir, "master_ended")
    harm(chain.first.product)
    with caplog.at_level(logging.WARNING):
        assert chain.go() == [ONE]
    assert f"{ONE}: a crash of the machine has taken" in caplog.text
    assert f"{ONE}/product.txt" in caplog.text
    assert chain.first.product.read_text() == whole
    assert (chain.work_dir / "iter.0000/one-bk-1").is_dir()


def test_an_empty_result_is_always_a_crash(chain: Chain) -> None:
    chain.go()
    empty(chain.second.product)
    assert chain.go() == [TWO]
    forget(chain.work_dir, "stage_done", "sizes")  # as 0.5.0 left it
    empty(chain.second.product)
    assert chain.go() == [TWO]


def test_a_machine_that_was_started_again(chain: Chain) -> None:
    chain.go()
    path = chain.work_dir / layout.STATE_DIR / layout.JOURNAL
    mark = Journal(path).events()[1]["mark"]
    path.write_text(path.read_text().replace(mark.split()[0], "an-earlier-start"))
    shorten(chain.second.product)
    assert chain.go() == [TWO]


@pytest.mark.parametrize("harm", [Path.unlink, shorten, fill_with_zeros])
def test_without_a_crash_it_was_altered(chain: Chain, harm: Callable[[Path], None]) -> None:
    chain.go()
    harm(chain.second.product)
    with pytest.raises(StageChangedError, match="product.txt"):
        chain.go()


def test_after_a_crash_other_content_is_still_altered(chain: Chain) -> None:
    chain.go()
    forget(chain.work_dir, "master_ended")
    chain.second.product.write_text(chain.second.product.read_text().swapcase())
    with pytest.raises(StageChangedError, match="altered"):
        chain.go()


def test_damage_is_kept_where_the_user_says_so(chain: Chain) -> None:
    chain.go()
    empty(chain.second.product)
    assert chain.go(keep_finished=True) == []
