"""Which tests go to one worker: those that share what takes long to make (tests/conftest.py)."""

from __future__ import annotations

import pytest

from tests.conftest import group_what_shares, shared_by


@pytest.fixture(scope="module")
def made() -> str:
    return "what takes long"


def test_what_shares_a_fixture_of_its_module(made: str, request: pytest.FixtureRequest) -> None:
    group_what_shares([request.node])
    group = request.node.get_closest_marker("xdist_group")
    assert group is not None
    assert group.args == ("tests/test_groups.py:made",)


@pytest.mark.spread
def test_what_need_not(made: str, request: pytest.FixtureRequest) -> None:
    group_what_shares([request.node])
    assert request.node.get_closest_marker("xdist_group") is None


def test_what_stands_alone(tmp_path: object, request: pytest.FixtureRequest) -> None:
    assert shared_by(request.node) == ""
