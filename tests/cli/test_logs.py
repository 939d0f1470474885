from __future__ import annotations

import logging
from contextlib import nullcontext

import pytest

from pwact.cli.logs import logging_to_file
from pwact.errors import PwactError, UsageError


def test_a_refusal_before_the_beginning_writes_nothing(tmp_path):
    path = tmp_path / "pwact.log"
    with pytest.raises(UsageError), logging_to_file(path, ["noted"]):  # noqa: PT012
        logging.getLogger("pwact.x").info("hello")
        raise UsageError("no")
    assert not path.exists()


@pytest.mark.parametrize("error", [UsageError("no"), PwactError("broken"), None])
def test_after_the_beginning_everything_is_there_in_order(tmp_path, error):
    path = tmp_path / "pwact.log"
    with (  # noqa: PT012
        pytest.raises(PwactError) if error else nullcontext(),
        logging_to_file(path, ["noted"]) as begun,
    ):
        logging.getLogger("pwact.x").info("before")
        assert not path.exists()
        begun()
        assert "before" in path.read_text()
        logging.getLogger("pwact.x").info("after")
        if error is not None:
            raise error
    words = [line.split(maxsplit=2)[2] for line in path.read_text().splitlines()]
    assert words == ["WARNING: noted", "before", "after"] + [f"ERROR: {error}"] * bool(error)


def test_another_failure_is_told_although_nothing_had_begun(tmp_path):
    path = tmp_path / "pwact.log"
    with pytest.raises(PwactError), logging_to_file(path):
        raise PwactError("broken")
    assert "ERROR: broken" in path.read_text()
