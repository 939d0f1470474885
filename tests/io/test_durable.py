from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pwact.io.durable import settle


@pytest.fixture
def synced(monkeypatch):
    found = []
    real = os.fsync

    def fsync(handle):
        found.append(Path(f"/proc/self/fd/{handle}").readlink())
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_files_trees_and_the_names_that_lead_to_them(tmp_path, synced):
    top = tmp_path / "work"
    (top / "a" / "b" / "inner").mkdir(parents=True)
    (top / "a" / "b" / "inner" / "deep").write_text("1")
    (top / "a" / "b" / "link").symlink_to("inner")
    os.mkfifo(top / "a" / "b" / "pipe")  # would wait for a writer for ever
    (top / "c").mkdir()
    (top / "c" / "file").write_text("1")
    (top / "c" / "other").write_text("not asked for")
    settle([top / "a" / "b", top / "c" / "file", top / "absent"], top)
    names = ("", "a", "a/b", "a/b/inner", "a/b/inner/deep", "c", "c/file")
    assert sorted(synced) == sorted(top / name for name in names)


def test_a_link_counts_with_what_it_points_at(tmp_path, synced):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("1")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "tree").symlink_to("../elsewhere")
    (tmp_path / "links" / "dangling").symlink_to("nowhere")
    settle([tmp_path / "links" / "tree", tmp_path / "links" / "dangling"], tmp_path)
    places = {path.relative_to(tmp_path).as_posix() for path in synced}
    assert places == {".", "links", "elsewhere", "elsewhere/file"}


def test_a_disk_that_refuses_is_told_with_the_file(tmp_path, monkeypatch):
    def refuse(handle):
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "file").write_text("1")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output error") as caught:
        settle([tmp_path / "file"], tmp_path)
    assert caught.value.filename == str(tmp_path / "file")
