from __future__ import annotations

import pytest

from pwact.workflow import retention, views
from pwact.workflow.ledger import StageState


@pytest.fixture
def work_dir(tmp_path):
    work = tmp_path / "work"
    for name in ("iter/md/a/dump", "iter/md/b/dump", "iter/md/b/model_devi.out", "iter/keep"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/precious").write_text("x")
    (work / "iter/way_out").symlink_to(tmp_path / "outside")
    return work


def left(work_dir):
    return sorted(
        path.relative_to(work_dir).as_posix() for path in work_dir.rglob("*") if path.is_file()
    )


def state(*transient, done=True, files=()):
    return {
        "s": StageState("s", "k", done=done, transient=transient, files=dict.fromkeys(files, "h"))
    }


def test_only_what_is_listed_goes_and_twice_is_once(work_dir):
    stages = state("iter/md/a", "iter/md/b/dump", "iter/never_was")
    for _ in range(2):
        retention.clean(work_dir, stages, ["s", "unknown"])
        assert left(work_dir) == ["iter/keep", "iter/md/b/model_devi.out"]


def test_what_is_not_done_keeps_everything(work_dir):
    before = left(work_dir)
    retention.clean(work_dir, state("iter/md/a", done=False), ["s"])
    retention.clean(work_dir, state("iter/md/a"), [])
    assert left(work_dir) == before


@pytest.mark.parametrize(
    "listed",
    [
        "../outside",
        "../outside/precious",
        "",
        ".",
        "iter/way_out/precious",
        "iter/md/b",
        "iter/keep",
    ],
)
def test_never_outside_and_never_a_product(work_dir, listed):
    before = left(work_dir)
    stages = state(listed, files=["iter/keep", "iter/md/b/model_devi.out"])
    retention.clean(work_dir, stages, ["s"])
    retention.clean(work_dir, state(str(work_dir.parent / "outside")), ["s"])
    assert left(work_dir) == before
    assert (work_dir.parent / "outside/precious").exists()


def test_nothing_below_a_product_goes(work_dir):
    retention.clean(work_dir, state("iter/md/a/dump", files=["iter/md"]), ["s"])
    assert "iter/md/a/dump" in left(work_dir)


def test_a_link_is_deleted_not_what_it_leads_to(work_dir):
    retention.clean(work_dir, state("iter/way_out"), ["s"])
    assert not (work_dir / "iter/way_out").is_symlink()
    assert (work_dir.parent / "outside/precious").exists()


def test_record_as_pwact_writes_it(tmp_path):
    path = tmp_path / "al.record"
    views.write_record(path, [(0, 0), (0, 1), (0, 2), (1, 0)])
    assert path.read_text() == "\n0 0\n0 1\n0 2\n1 0"
    inode = path.stat().st_ino
    views.write_record(path, [(0, 0), (0, 1), (0, 2), (1, 0)])
    assert path.stat().st_ino == inode
    views.write_record(path, [(0, 0)])
    assert path.read_text() == "\n0 0"


def test_iter_result_and_its_link(tmp_path):
    for _ in range(2):
        views.write_iter_result(tmp_path, ["iter.0000  Total", "Number\n"])
        assert (tmp_path / "iter_select.txt").read_text() == "iter.0000  Total\nNumber\n"
    assert (tmp_path / "iter_select.txt").is_symlink()


def test_what_cannot_be_deleted_stays_and_is_named(work_dir, monkeypatch, caplog):
    remove = retention.files.remove

    def busy(path):
        if path.name == "a":
            raise OSError(16, "Device or resource busy", str(path / ".nfs0001"))
        remove(path)

    monkeypatch.setattr(retention.files, "remove", busy)
    retention.clean(work_dir, state("iter/md/a", "iter/md/b/dump"), ["s"])
    assert left(work_dir) == ["iter/keep", "iter/md/a/dump", "iter/md/b/model_devi.out"]
    assert f"{work_dir}/iter/md/a/.nfs0001: could not be deleted: Device or resource busy" in (
        caplog.text
    )


def test_a_tree_is_discarded_with_what_is_left_of_an_earlier_one(work_dir, monkeypatch, caplog):
    (work_dir / ".iter.trash").mkdir()
    retention.discard_tree(work_dir / "iter")
    assert list(work_dir.iterdir()) == []
    retention.discard_tree(work_dir / "iter")

    (work_dir / ".iter.trash").mkdir()
    (work_dir / "iter").mkdir()

    def busy(path):
        raise OSError(16, "Device or resource busy", str(path))

    monkeypatch.setattr(retention.files, "remove", busy)
    retention.discard_tree(work_dir / "iter")
    assert sorted(path.name for path in work_dir.iterdir()) == [".iter.trash", "iter"]
    assert "could not be deleted" in caplog.text
