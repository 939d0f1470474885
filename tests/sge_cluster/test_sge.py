from __future__ import annotations

import pytest

from tests.executors.contract import ExecutorContract

# a time-out must not leave a cluster behind
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, method="signal")]


class TestSge(ExecutorContract):
    pass
