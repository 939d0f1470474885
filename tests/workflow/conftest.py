from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from pwact.fingerprint import extended
from pwact.io import files
from pwact.report import plots
from pwact.workflow.campaign import CampaignOptions, open_campaign
from pwact.workflow.stage import Services, StageOutput
from tests.workflow.pairs import run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

ONE_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63"
    "6000000002000148afa4710000000049454e44ae426082"
)


@pytest.fixture(autouse=True)
def _small_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Histograms of one pixel, but for tests marked `draws`: drawing takes longer than the rest."""
    if request.node.get_closest_marker("draws"):
        return

    def draw(path: Path, *_: Any) -> bool:
        with files.replacing(path) as aside:
            aside.write_bytes(ONE_PIXEL)
        return True

    monkeypatch.setattr(plots, "_draw", draw)


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


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole campaign of ours with deviations of 0.25 eV/Å and less; not to be changed."""
    work_dir = tmp_path_factory.mktemp("finished") / "with a space"
    work_dir.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        use_toys(patch)
        write_files(work_dir, {"calculator": "emt"})
        run_loop(work_dir, run_param(), ToyExecutor())
    return work_dir


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory from which commands are given."""
    place = tmp_path / "launch here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place
