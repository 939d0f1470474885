from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from pwact.fingerprint import extended
from pwact.workflow.campaign import CampaignOptions, open_campaign
from pwact.workflow.stage import Services, StageOutput
from tests.finished import finished_run
from tests.requirements import need_program
from tests.small_pictures import small_pictures
from tests.workflow import small_campaign

__all__ = ["finished_run", "small_pictures"]
WEIRD = "a 'b\" $HOME; ü\n#"  # others lie elsewhere: names must not matter


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small real campaign that nothing happened to, for tests that disturb others."""
    need_program("lmp")
    work_dir: Path = tmp_path_factory.mktemp("undisturbed") / WEIRD
    small_campaign.write_inputs(work_dir)
    result = small_campaign.run(work_dir)
    assert [row.name for row in result.rows] == ["iter.0000", "iter.0001"]
    return work_dir


@dataclass
class Toy:
    """A stage that writes its inputs into a file and counts how often it worked."""

    name: str
    directory: Path
    given: Mapping[str, Any]
    source: Optional[Path] = None
    during: Optional[Callable[[Services], None]] = None
    worked: list[str] = field(default_factory=list)

    reads = ("source",)

    @property
    def product(self) -> Path:
        return self.directory / "product.txt"

    def inputs(self) -> Mapping[str, Any]:
        text = self.source.read_text() if self.source else ""
        return extended(self.given, source=text)

    def work(self, services: Services) -> StageOutput:
        self.worked.append(self.name)
        if self.during:
            self.during(services)
        self.product.write_text(f"{self.inputs()} {services.seed(self.name, 0)}")
        scratch = self.directory / "scratch"
        scratch.mkdir(exist_ok=True)
        (scratch / "dump").write_text("large")
        return StageOutput([self.product], [scratch], {"worked": len(self.worked)})


class Chain:
    """Two toy stages in a work directory; the second reads the first's product."""

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = work_dir
        self.first = Toy("iter.0000/one", work_dir / "iter.0000/one", {"a": {"b": [1, 2]}})
        self.second = Toy(
            "iter.0000/two", work_dir / "iter.0000/two", {"x": 1}, source=self.first.product
        )

    def go(self, seed: Optional[int] = 7, **options: Any) -> list[str]:
        """Run both stages in a campaign opened anew, and say which of them worked."""
        for stage in (self.first, self.second):
            stage.worked.clear()
        with open_campaign(self.work_dir, "run", seed, CampaignOptions(**options)) as campaign:
            campaign.run(self.first)
            campaign.run(self.second)
        return [*self.first.worked, *self.second.worked]


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)
