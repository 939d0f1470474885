from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pwact.errors import InputError
from pwact.io.files import (
    link,
    log_tail,
    remove,
    replacing,
    synced_together,
    tree_hash,
    write_json,
    write_text,
)


def names(directory):
    return sorted(item.name for item in directory.iterdir())


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), replacing(path) as aside:  # noqa: PT012
        aside.write_text("half")
        assert aside.parent == tmp_path
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_full_disk_is_told_with_the_file(tmp_path):
    path = tmp_path / "f"
    with pytest.raises(OSError, match="No space") as caught, replacing(path):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(path)


def test_the_file_is_whole_before_it_gets_its_name(tmp_path, monkeypatch):
    path = tmp_path / "a"
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(path.exists()), real(fd)))
    write_text(path, "new ü\n")
    assert synced == [False, True]  # the content, then the directory
    assert path.read_bytes() == "new ü\n".encode()


def test_json_is_the_same_for_equal_content(tmp_path):
    write_json(tmp_path / "a", {"b": 1, "a": [1.5, None]})
    write_json(tmp_path / "b", {"a": [1.5, None], "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads((tmp_path / "a").read_text()) == {"a": [1.5, None], "b": 1}


def test_link_replaces_links_and_files(tmp_path):
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    link(tmp_path / "one", tmp_path / "l")
    link(tmp_path / "two", tmp_path / "l")
    assert (tmp_path / "l").read_text() == "2"
    assert (tmp_path / "one").read_text() == "1"
    (tmp_path / "file").write_text("3")
    link("one", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "1"
    assert names(tmp_path) == ["file", "l", "one", "two"]


def test_tree_hash_sees_names_contents_and_borders(tmp_path):
    def tree(name, files):
        for file, text in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tree_hash(tmp_path / name)

    trees = [
        tree("a", {"x": "1", "d/y": "2"}),
        tree("b", {"x": "2", "d/y": "1"}),
        tree("c", {"x": "1", "d/z": "2"}),
        tree("e", {"x": "1", "dy": "2"}),
    ]
    assert len(set(trees)) == len(trees)
    assert tree("f", {"d/y": "2", "x": "1"}) == trees[0]
    # sha256 of "1"
    assert tree_hash(tmp_path / "a" / "x").startswith("6b86b273ff34fce19d6b804eff5a3f57")


def test_log_tail(tmp_path):
    path = tmp_path / "log"
    assert log_tail(path) == ""
    path.write_bytes(b"first\n" * 100000 + b"a\nb \xff\nlast\n\n")
    assert log_tail(path, 3) == "a\nb \N{REPLACEMENT CHARACTER}\nlast"


def test_remove(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("")
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    link(tmp_path / "kept", tmp_path / "link")
    for name in ("tree", "link", "absent"):
        remove(tmp_path / name)
    assert names(tmp_path) == ["kept"]
    assert names(tmp_path / "kept") == ["file"]


def test_files_that_are_synced_together(tmp_path, monkeypatch):
    synced = []
    real = os.fsync

    def fsync(handle):
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with synced_together(tmp_path):
        write_text(tmp_path / "a", "1")
        write_json(tmp_path / "b", {})
        link(tmp_path / "elsewhere", tmp_path / "c")
        assert synced == []
    assert sorted(synced) == [str(tmp_path), str(tmp_path / "a"), str(tmp_path / "b")]
    write_text(tmp_path / "d", "1")
    assert len(synced) == 5


def test_a_pipe_is_no_file_and_nobody_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputError, match="pipe: is a pipe, not a file"):
            tree_hash(path)
    assert log_tail(tmp_path / "pipe") == ""
    with pytest.raises(FileNotFoundError):
        tree_hash(tmp_path / "nothing")
