"""What the tables of a campaign with a target say, and the pictures that are drawn of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact import layout
from pwact.cli.main import main
from pwact.errors import InputError
from pwact.query.calibration import LATEST, Pairs, calibrate
from pwact.tools.explored.rounds import (
    Decided,
    Labels,
    line_of,
    points_of,
    read_rounds,
    reliability_of,
    rows_of,
)
from tests.tools.made_rounds import FRAMES, SIGMA, TARGET, leave_rounds
from tests.tools.test_draw import pixels, words

Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work_dir = tmp_path_factory.mktemp("with target")
    leave_rounds(work_dir, 8)
    return work_dir


def test_what_each_round_knew_and_found(tree: Path) -> None:
    rounds = read_rounds(tree)
    assert [one.iteration for one in rounds] == list(range(8))
    assert [one.condition for one in rounds] == [0] * 5 + [1] * 3
    assert {(one.target, one.sigma) for one in rounds} == {(TARGET, SIGMA)}
    labelled = [len(one.fresh.pairs) for one in rounds]
    assert min(labelled) >= 2
    assert [len(one.known) for one in rounds] == [8, *np.cumsum(labelled)[:-1].tolist()]
    assert [one.words for one in rounds[:2]] == ["8 training frames", f"{labelled[0]} pairs"]
    assert rounds[-1].words == f"{LATEST} pairs"
    apart = [np.count_nonzero(one.known.elsewhere) for one in rounds[1:]]
    assert apart == [*[0] * 4, *[sum(labelled[:5])] * 3]  # in the second condition
    for one, following in zip(rounds[1:], rounds[2:]):
        grown = np.append(one.known.error, one.fresh.pairs.error)
        assert following.known.error == pytest.approx(grown)
        assert one.fresh.control.sum() == 2
        line = one.line
        assert line is not None
        assert one.limit is not None
        assert line.below(TARGET, np.array([one.limit]))[0] > 0.5


def test_training_frames_count_with_their_scale(tree: Path) -> None:
    first = read_rounds(tree)[0]
    assert first.known.error == pytest.approx(1.5 * first.known.uncertainty)
    assert 0.2 * SIGMA < first.known.uncertainty.min() < SIGMA


def test_what_is_drawn_of_a_round(tree: Path) -> None:
    one = read_rounds(tree)[3]
    groups = dict(points_of(one))
    assert {name: len(points.error) for name, points in groups.items()} == {
        "known before": LATEST,
        "chosen, labelled now": len(one.fresh.pairs) - 2,
        "control, labelled now": 2,
    }
    assert len(one.fresh.pairs) > 2
    line = line_of(one)
    made = calibrate(one.known)
    assert line is not None
    assert made is not None
    assert line.middle == pytest.approx(made.expected(line.uncertainty))
    assert made.below(float(line.high[5]), line.uncertainty[5:6])[0] == pytest.approx(0.95)
    assert line.uncertainty[0] < one.known.uncertainty.min()
    rows = rows_of(read_rounds(tree))
    assert [row.right + row.wrong for row in rows] == [2] * 8
    assert rows[3].wrong == np.sum(one.fresh.pairs.error[one.fresh.control] >= TARGET)
    assert 0 < (rows[3].share or 0.0) * FRAMES < FRAMES


def decided(chances: list[float], right: int, starting: bool = False) -> Decided:
    """A round whose frames have the first of these chances, `right` of them below the target."""
    rng = np.random.default_rng(0)
    uncertainty = rng.lognormal(-3, 1, 40)
    known = Pairs(uncertainty, uncertainty * rng.lognormal(0, 0.2, 40))
    line = calibrate(known)
    assert line is not None
    grid = np.geomspace(1e-3, 1e2, 20_000)
    table = line.below(TARGET, grid)
    values = np.array([grid[np.argmin(np.abs(table - chance))] for chance in chances])
    errors = np.where(np.arange(len(values)) < right, 0.5, 1.5) * TARGET
    labels = Labels(Pairs(values, errors), np.zeros(len(values), dtype=bool))
    return Decided(3, 0, TARGET, SIGMA, 0.1, 0.5, known, starting, labels)


def test_reliability() -> None:
    low, high = reliability_of([decided([0.3] * 8, 2), decided([0.96] * 10, 10)])
    assert low.predicted == pytest.approx(0.3, abs=0.01)
    assert (low.observed, low.count) == (0.25, 8)
    assert low.low < 0.25 < low.high
    assert high.predicted == pytest.approx(0.96, abs=0.01)
    assert (high.observed, high.high, high.count) == (1.0, 1.0, 10)
    assert reliability_of([decided([0.3] * 8, 2, starting=True)]) == []
    assert reliability_of([]) == []


@pytest.mark.draws
def test_the_pictures(tree: Path, here: Path, capsys: Said) -> None:
    assert main(["draw", str(tree), "-o", "p", "--iteration", "3", "--format", "png", "svg"]) == 0
    made = set(capsys.readouterr().out.splitlines())
    names = ["iter.0003/errors", "reliability", "accepted"]
    expected = {f"p/{name}.{form}" for name in names for form in ("png", "svg")}
    assert expected <= made
    for name in expected:
        if name.endswith("png"):
            assert pixels(Path(name)).std() > 0.05
    text = words(Path("p/iter.0003/errors.svg"))
    for word in (
        "target 0.1",
        "accepted up to",
        f"known before ({LATEST})",
        f"90 % of frames ({LATEST} pairs)",
    ):
        assert word in text
    assert "md_jobs[1]" in words(Path("p/accepted.svg"))
    assert "share of labelled frames below it" in words(Path("p/reliability.svg"))


@pytest.mark.draws
def test_what_cannot_be_read_leaves_the_other_pictures(
    tmp_path: Path, here: Path, capsys: Said
) -> None:
    leave_rounds(tmp_path, 1)
    (layout.select_dir(tmp_path, 0) / layout.LIMITS).write_text("some,thing\n1,2\n")
    assert main(["draw", str(tmp_path), "-o", "p"]) == 0
    said = capsys.readouterr()
    assert "no picture of the target is drawn" in said.err
    assert "md.000.sys.000-by_step.png" in said.out
    assert "errors.png" not in said.out


@pytest.mark.parametrize("file", [layout.LIMITS, layout.CALIBRATION])
def test_a_damaged_table(tmp_path: Path, file: str) -> None:
    leave_rounds(tmp_path, 2)
    path = layout.select_dir(tmp_path, 1) / file
    path.write_text("some,thing\n1,2\n")
    with pytest.raises(InputError, match="is no table of"):
        read_rounds(tmp_path)


def test_a_table_is_named_with_the_column_that_it_lacks(tmp_path: Path) -> None:
    leave_rounds(tmp_path, 1)
    limits = layout.select_dir(tmp_path, 0) / layout.LIMITS
    whole = limits.read_text()
    limits.write_text(whole.replace("sigma", "s"))
    with pytest.raises(InputError, match=f"{limits}: is no table of limits: it has no column 's"):
        read_rounds(tmp_path)
    limits.write_text(whole)
    pairs = layout.appraise_dir(tmp_path, 0) / layout.TRAINING_PAIRS
    pairs.write_text(pairs.read_text().replace("rms_force", "rms"))
    with pytest.raises(InputError, match=f"{pairs}: .*: it has no column 'rms_force'"):
        read_rounds(tmp_path)


def test_without_labels_yet(tmp_path: Path) -> None:
    leave_rounds(tmp_path, 2)
    (tmp_path / "iter.0001" / layout.LABEL / "result" / layout.LABEL_ERROR).unlink()
    last = read_rounds(tmp_path)[1]
    assert len(last.fresh.pairs) == 0
    assert line_of(last) is not None
    assert read_rounds(tmp_path / "nothing") == []
