"""Disks that are full or read-only, through the command line, on the small real campaign."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pwact import layout
from pwact.errors import EXIT_DONE, EXIT_FAILED
from tests.faults import assert_read, fault
from tests.requirements import need_program, need_root
from tests.workflow import small_campaign

pytestmark = pytest.mark.slow

PWACT = str(Path(__file__).parents[2] / "bin" / "pwact")
FULL, FULL_JOURNAL = "full disk in the work directory", "full disk in the journal"
SPACE, A_PAGE = "size=64m", os.sysconf("SC_PAGE_SIZE")


class Disk:
    """A small file system in memory."""

    def __init__(self, place, options):
        need_root("a file system in memory")
        place.mkdir(parents=True, exist_ok=True)
        self.place = place
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)

    def change(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.place)], check=True)

    def used(self):
        """Bytes, in whole blocks."""
        now = os.statvfs(self.place)
        return (now.f_blocks - now.f_bfree) * now.f_frsize

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", str(self.place)], check=True)


def run(work_dir):
    done = subprocess.run(
        [sys.executable, PWACT, "run", "param.json", "resource.json"],
        cwd=work_dir,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@fault(FULL)
@fault(FULL_JOURNAL)
def test_full_disks(undisturbed, tmp_path):
    """One campaign meets them all: early and late in the work directory, then in the journal."""
    work_dir = tmp_path / "work"
    small_campaign.write_inputs(work_dir)
    journal_dir = work_dir / layout.STATE_DIR
    with Disk(work_dir / "iter.0000", "size=20k") as disk, Disk(journal_dir, SPACE) as journal:
        assert_fails(work_dir, FULL)
        disk.change("size=120k")
        assert_fails(work_dir, FULL)
        disk.change(SPACE)
        journal.change(f"size={journal.used() + 2 * A_PAGE}")  # of the lease and the lock
        assert_fails(work_dir, FULL_JOURNAL)
        journal.change(SPACE)
        status, said = run(work_dir)
        assert status == EXIT_DONE, said
        assert small_campaign.results(work_dir) == small_campaign.results(undisturbed)


def assert_fails(work_dir, row):
    status, said = run(work_dir)
    assert status == EXIT_FAILED, said
    assert_read(row, said)


@fault("read-only work directory")
def test_a_read_only_directory(tmp_path):
    need_program("lmp")
    work_dir = tmp_path / "work"
    with Disk(work_dir, "size=64m") as disk:
        small_campaign.write_inputs(work_dir / "inner")
        disk.change("ro")
        before = sorted(work_dir.rglob("*"))
        status, said = run(work_dir / "inner")
        assert status == EXIT_FAILED
        assert_read("read-only work directory", said)
        assert len(said.splitlines()) <= 2
        assert sorted(work_dir.rglob("*")) == before
