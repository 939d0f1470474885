from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pwact import layout
from pwact.errors import InputError, LockedError, PwactError, StageChangedError, UsageError
from pwact.fingerprint import Settings
from pwact.io.journal import FORMAT, Journal
from pwact.workflow import ledger, master, opening
from pwact.workflow.campaign import CampaignOptions, open_campaign

ONE, TWO = "iter.0000/one", "iter.0000/two"


def events(work_dir):
    return Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events()


def test_a_finished_stage_is_not_done_again(chain):
    assert chain.go() == [ONE, TWO]
    assert chain.go() == []
    with open_campaign(chain.work_dir, "run") as campaign:
        assert campaign.run(chain.first) == {"worked": 1}
        assert campaign.finished(chain.second)


def test_what_was_put_off_is_done_in_order_before_the_campaign_ends(chain):
    done = []
    with open_campaign(chain.work_dir, "run") as campaign:
        for word in ("first", "second"):
            campaign.later(lambda word=word: done.append(word))
        campaign.run(chain.first)
        assert done == []
    assert done == ["first", "second"]


def test_what_was_put_off_may_fail(chain, caplog):
    done = []

    def draw():
        raise PermissionError(13, "Permission denied", "histogram.png")

    def no_library():
        raise ImportError("numpy.core.multiarray failed to import")

    with open_campaign(chain.work_dir, "run") as campaign:
        for work in (draw, no_library, lambda: done.append("deleted")):
            campaign.later(work)
        campaign.run(chain.first)
    assert done == ["deleted"]
    assert [record.levelname for record in caplog.records].count("WARNING") == 2
    assert "histogram.png" in caplog.text
    assert "numpy.core.multiarray failed to import" in caplog.text
    assert events(chain.work_dir)[-1]["how"] == "finished"


def test_a_stage_that_broke_off_goes_on(chain):
    def die(_services):
        raise RuntimeError("power cut")

    chain.second.during = die
    with pytest.raises(RuntimeError):
        chain.go()
    chain.second.during = None
    assert chain.go() == [TWO]
    assert [
        event["name"] for event in events(chain.work_dir) if event["event"] == "stage_started"
    ] == [
        ONE,
        TWO,
    ]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"a": {"b": [1, 3]}}, "a.b[1] was 2, is 3"),
        ({"a": {"b": [1]}}, "a.b had 2 entries, has 1"),
        ({"a": {"b": [1, 2]}, "c": "new"}, 'c was absent, is "new"'),
        ({"a": {}}, "a.b was [1, 2], is absent"),
        ({"a": {"b": [True, 2]}}, "a.b[0] was 1, is true"),
    ],
)
def test_changed_inputs_stop_and_say_what_changed(chain, given, named):
    chain.go()
    chain.first.given = given
    with pytest.raises(StageChangedError) as caught:
        chain.go()
    for part in (ONE, named, f"--redo {ONE}", "--keep-finished"):
        assert part in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_changed_seed_is_a_changed_input(chain):
    chain.go(seed=7)
    with pytest.raises(StageChangedError, match="seed was 7, is 8"):
        chain.go(seed=8)
    assert chain.go(seed=7) == []
    assert chain.go(seed=None) == []
    assert seeds(chain.work_dir) == [7]
    assert chain.go(seed=8, redo=("iter.0000",)) == [ONE, TWO]
    assert chain.go(seed=None) == []
    assert seeds(chain.work_dir) == [7, 8]


def seeds(work_dir):
    return [event["seed"] for event in events(work_dir) if event["event"] == "campaign_started"]


def state(work_dir):
    return {
        path.relative_to(work_dir): path.read_bytes() if path.is_file() else b""
        for path in work_dir.rglob("*")
    }


def test_a_refused_start_leaves_no_trace(chain):
    chain.go()
    before = state(chain.work_dir)
    chain.second.given = {"x": 2}
    for options in ({}, {"seed": 8}, {"redo": ("iter.0009",)}):
        with pytest.raises((StageChangedError, UsageError)):
            chain.go(**options)
        assert state(chain.work_dir) == before


def test_a_refused_first_start_leaves_nothing(chain):
    with pytest.raises(UsageError):
        chain.go(redo=("iter.0009",))
    chain.first.during = lambda _: None
    chain.first.inputs = refuse
    with pytest.raises(InputError):
        chain.go()
    assert list(chain.work_dir.iterdir()) == []


def refuse():
    raise InputError("is wrong")


def test_a_start_that_fails_otherwise_is_on_record(chain):
    chain.go()

    def die():
        raise RuntimeError("out of memory")

    chain.first.inputs = die
    with pytest.raises(RuntimeError):
        chain.go()
    assert [event["event"] for event in events(chain.work_dir)][-2:] == [
        "master_started",
        "master_ended",
    ]


def test_a_master_is_on_record_before_it_works(chain):
    chain.go()
    names = []
    chain.second.during = lambda _: names.extend(one["event"] for one in events(chain.work_dir))
    forget_last_stage(chain.work_dir)
    chain.go()
    assert names[-1] == "master_started"


def forget_last_stage(work_dir):
    """As if the master had died at work in it."""
    path = work_dir / layout.STATE_DIR / layout.JOURNAL
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))


def test_the_seed_of_a_start_that_an_older_version_refused_is_not_taken(chain):
    chain.go(seed=None)
    drawn = seeds(chain.work_dir)[0]
    with (chain.work_dir / layout.STATE_DIR / layout.JOURNAL).open("a") as journal:
        journal.write(json.dumps({**events(chain.work_dir)[0], "seed": 7}) + "\n")
    assert seeds(chain.work_dir) == [drawn, 7]
    assert chain.go(seed=None) == []


def test_redo_keeps_the_old_directory_and_what_follows_is_done_again(chain):
    chain.go()
    old = chain.first.product.read_text()
    chain.first.given = {"a": "other"}
    assert chain.go(redo=(ONE,)) == [ONE, TWO]
    assert (chain.work_dir / "iter.0000/one-bk-1/product.txt").read_text() == old
    assert "other" in chain.second.product.read_text()
    assert chain.go() == []
    assert chain.go(redo=("iter.0000",)) == [ONE, TWO]
    assert (chain.work_dir / "iter.0000/one-bk-2").is_dir()
    assert (chain.work_dir / "iter.0000/two-bk-2").is_dir()


def test_redo_with_the_same_result_leaves_later_stages_alone(chain):
    chain.go()
    assert chain.go(redo=(ONE,)) == [ONE]
    chain.second.given = {"x": 2}
    with pytest.raises(StageChangedError):  # the redo is over, this change is another one
        chain.go()


def test_a_stage_is_redone_once_in_a_start(chain):
    chain.go()
    with open_campaign(chain.work_dir, "run", 7, CampaignOptions(redo=(ONE,))) as campaign:
        campaign.run(chain.first)
        campaign.run(chain.first)
    assert len(chain.first.worked) == 2
    assert not (chain.work_dir / "iter.0000/one-bk-2").exists()


def test_redo_that_is_cut_short_goes_on_without_the_option(chain):
    chain.go()
    chain.first.given = {"a": "other"}
    with open_campaign(chain.work_dir, "run", 7, CampaignOptions(redo=(ONE,))) as campaign:
        campaign.run(chain.first)
    assert chain.go() == [TWO]


@pytest.mark.parametrize("moved", [False, True])
def test_killed_between_the_record_of_a_move_and_its_end(chain, moved):
    chain.go()
    path = chain.work_dir / layout.STATE_DIR / layout.JOURNAL
    journal = Journal(path)
    journal.append(ledger.ASIDE, name=ONE, directory=ONE, to=f"{ONE}-bk-1")
    journal.close()
    if moved:
        chain.first.directory.rename(chain.work_dir / f"{ONE}-bk-1")
    else:
        (chain.first.directory / "old").touch()
    worked = chain.go()
    assert worked == [ONE]
    assert (chain.work_dir / f"{ONE}-bk-1").is_dir()
    assert not (chain.work_dir / f"{ONE}-bk-2").exists()
    assert not (chain.first.directory / "old").exists()


def test_redo_of_what_was_never_begun_is_wrong_use(chain):
    chain.go()
    with pytest.raises(UsageError, match=ONE):
        chain.go(redo=("iter.0009",))


def test_keep_finished_accepts_a_change_for_good(chain):
    chain.go()
    chain.first.given = {"a": "other"}
    assert chain.go(keep_finished=True) == []
    assert chain.go() == []


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (lambda path: path.write_text("edited"), "product.txt was altered"),
        (lambda path: path.unlink(), "product.txt is missing"),
    ],
)
def test_a_damaged_product_stops(chain, harm, named):
    chain.go()
    harm(chain.second.product)
    with pytest.raises(StageChangedError, match=named):
        chain.go()
    assert chain.go(redo=(TWO,)) == [TWO]


def test_a_product_edited_on_purpose_can_be_kept(chain):
    chain.go()
    chain.second.product.write_text("edited")
    assert chain.go(keep_finished=True) == []
    assert chain.go() == []
    assert chain.second.product.read_text() == "edited"


def test_a_deleted_directory_is_worked_again(chain):
    chain.go()
    for path in sorted(chain.second.directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    chain.second.directory.rmdir()
    assert chain.go() == [TWO]


def test_a_begun_stage_with_changed_inputs(chain):
    def ask(services):
        asked = {"name": "x", "kind": "toy", "group": 0, "directory": TWO, "scheduler": "local"}
        services.journal.append("job_asked", **asked)
        raise RuntimeError

    def die(_services):
        raise RuntimeError

    chain.second.during = die
    with pytest.raises(RuntimeError):
        chain.go()
    chain.second.given = {"x": 2}  # no job was asked for: nothing can be lost
    chain.second.during = ask
    with pytest.raises(RuntimeError):
        chain.go()
    chain.second.given = {"x": 3}
    with pytest.raises(StageChangedError, match="begun: x was 2, is 3"):
        chain.go()


def test_a_moved_work_directory_resumes(chain, tmp_path_factory):
    chain.go()
    target = tmp_path_factory.mktemp("moved") / "there"
    chain.work_dir.rename(target)
    assert type(chain)(target).go() == []


def test_seeds_depend_on_root_and_place_only(tmp_path):
    numbers = {}
    for name, root in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        with open_campaign(tmp_path / name, "run", root) as campaign:
            numbers[name] = [
                campaign.seed(*key) for key in [(0, "md", 1), (0, "md", 2), (1, "md", 1)]
            ]
            draws = campaign.rng("select", 0).integers(0, 1000, 3).tolist()
            numbers[name] += draws
    assert numbers["a"] == numbers["b"] != numbers["c"]
    assert len(set(numbers["a"][:3])) == 3
    assert all(1 <= number < 2**31 for number in numbers["a"][:3])


def test_a_drawn_seed_is_drawn_once_for_each_command(tmp_path):
    seeds = []
    for command in ("run", "init_bulk", "run"):
        with open_campaign(tmp_path, command) as campaign:
            seeds.append(campaign.seed(0))
    assert seeds[0] == seeds[2] != seeds[1]
    begun = [event for event in events(tmp_path) if event["event"] == "campaign_started"]
    assert [event["command"] for event in begun] == ["run", "init_bulk"]
    assert begun[0]["campaign"] == begun[1]["campaign"]
    assert {"version", "seed"} <= begun[0].keys()


def test_pid_file_lives_as_long_as_the_master(tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    (tmp_path / ".PID.0123abcd.tmp").touch()
    with open_campaign(tmp_path, "run"):
        assert not list(tmp_path.glob(".PID*"))
        assert (tmp_path / "PID").read_text() == f"pid {os.getpid()}"
    assert not (tmp_path / "PID").exists()
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    with open_campaign(tmp_path, "run"):
        assert (tmp_path / "PID").read_text() == f"pid {os.getpid()} job 4711"


@pytest.mark.parametrize(
    ("text", "pid", "job"),
    [("pid 12", 12, None), ("pid 12 job 99_1\n", 12, "99_1"), ("34\n", 34, None)],
)
def test_pid_files_of_all_ages(tmp_path, text, pid, job):
    (tmp_path / "PID").write_text(text)
    found = master.read_pid(tmp_path)
    assert (found.pid, found.job) == (pid, job)


@pytest.mark.parametrize("text", ["", "pid", "pid -1", "pid 0", "rubbish", "pid 1 2"])
def test_a_garbled_pid_file_is_refused(tmp_path, text):
    (tmp_path / "PID").write_text(text)
    with pytest.raises(PwactError, match="PID"):
        master.read_pid(tmp_path)


HOLD = """
import sys
from pathlib import Path
from pwact.workflow.campaign import open_campaign
with open_campaign(Path(sys.argv[1]), "run", 1):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_master_is_refused_and_a_dead_one_replaced(tmp_path, caplog):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(LockedError) as caught, open_campaign(tmp_path, "init_bulk"):
        pass
    assert str(holder.pid) in str(caught.value)
    assert os.uname().nodename in str(caught.value)
    assert (tmp_path / "PID").read_text() == f"pid {holder.pid}"  # the refused one left it alone
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with caplog.at_level(logging.WARNING), open_campaign(tmp_path, "run"):
        assert (tmp_path / "PID").read_text() == f"pid {os.getpid()}"
    assert str(holder.pid) in caplog.text


def test_start_mark_of_a_dead_process():
    child = subprocess.Popen([sys.executable, "-c", ""])
    assert master.start_mark(os.getpid()) == master.start_mark(os.getpid())
    child.wait()
    assert master.start_mark(child.pid) is None


def test_a_release_may_add_a_key_with_its_default(chain):
    old = dict(chain.first.given)
    chain.go()
    chain.first.given = Settings({**old, "nested": Settings({"new": 1}, {"new": 1})})
    assert chain.go() == []
    chain.first.given = Settings({**old, "new": [1]}, {"new": [1]})
    assert chain.go() == []
    keys = {event["key"] for event in events(chain.work_dir) if event.get("name") == ONE}
    assert len(keys) == 1  # the recorded key stays
    chain.first.given = Settings({**old, "new": [2]}, {"new": [1]})
    with pytest.raises(StageChangedError, match=r"new\[0\] was 1, is 2"):
        chain.go()


def test_a_release_may_drop_a_key_that_had_its_default(chain):
    old = dict(chain.first.given)
    chain.first.given = {**old, "dropped": True}
    chain.go()
    chain.first.given = Settings(old, {"dropped": True})
    assert chain.go() == []
    chain.first.given = Settings(old, {"dropped": False})
    with pytest.raises(StageChangedError, match="dropped was true, is false"):
        chain.go()


def test_a_begun_stage_goes_on_under_a_release_with_another_key(chain):
    def die(services):
        asked = {"name": "x", "kind": "toy", "group": 0, "directory": TWO, "scheduler": "local"}
        services.journal.append("job_asked", **asked)
        raise RuntimeError

    chain.second.during = die
    with pytest.raises(RuntimeError):
        chain.go()
    chain.second.during = None
    chain.second.given = Settings({**chain.second.given, "new": 1}, {"new": 1})
    assert chain.go() == [TWO]
    told = [event["event"] for event in events(chain.work_dir) if event.get("name") == TWO]
    assert told == ["stage_started", "stage_done"]


def test_the_journal_names_version_and_format_and_so_does_a_refusal(chain, monkeypatch):
    monkeypatch.setattr(opening, "__version__", "7.8.9")
    chain.go()
    begun = [event for event in events(chain.work_dir) if event["event"].endswith("_started")]
    marks = {
        (event["version"], event["journal_format"])
        for event in begun
        if event["event"] != "master_started"
    }
    assert marks == {("7.8.9", FORMAT)}
    chain.first.given = {"a": "other"}
    with pytest.raises(StageChangedError, match=r"begun by pwact 7\.8\.9"):
        chain.go()


def test_a_journal_of_a_newer_format_is_refused(chain):
    chain.go()
    path = chain.work_dir / layout.STATE_DIR / layout.JOURNAL
    line = {"event": "stage_started", "version": "9.1", "journal_format": FORMAT + 1}
    path.write_text(path.read_text() + json.dumps(line) + "\n")
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"pwact 9\.1 wrote this journal in format"):
        chain.go()
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", [layout.LOCK, layout.JOURNAL])
def test_links_in_the_state_are_not_followed(chain, name):
    chain.go()
    before = state(chain.work_dir)
    precious = chain.work_dir.with_name(f"precious {name}")
    precious.write_text("precious")
    path = chain.work_dir / layout.STATE_DIR / name
    path.unlink()
    path.symlink_to(precious)
    with pytest.raises(PwactError, match=f"{name}: is a symbolic link"):
        chain.go()
    assert precious.read_text() == "precious"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(PwactError, match=f"{name}: is not a plain file"):
        chain.go()
    path.unlink()
    path.write_bytes(before[path.relative_to(chain.work_dir)])
    assert chain.go() == []


def test_a_state_of_somebody_else_is_not_entered(chain, tmp_path):
    chain.go()
    (chain.work_dir / layout.STATE_DIR).rename(tmp_path / "state")
    (chain.work_dir / layout.STATE_DIR).symlink_to("state")
    with pytest.raises(PwactError, match="is a symbolic link"):
        chain.go()


def test_a_log_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / layout.LOG).symlink_to("precious")
    with pytest.raises(PwactError, match="is a symbolic link"):
        opening.own_log(tmp_path)


def test_a_redo_of_a_later_step_lets_no_change_of_an_earlier_one_pass(chain):
    chain.go()
    assert chain.go(redo=(TWO,)) == [TWO]
    chain.first.given = {"a": "other"}
    with pytest.raises(StageChangedError, match=ONE):
        chain.go()
    assert not list(chain.work_dir.glob("iter.0000/one-bk-*"))


def test_a_changed_setting_is_refused_where_the_results_before_it_are_the_same(chain):
    chain.go()
    chain.second.given = {"x": 2}
    with pytest.raises(StageChangedError, match=f"{TWO}.*x was 1, is 2"):
        chain.go(redo=(ONE,))


def test_init_bulk_and_run_do_not_follow_from_each_other(chain):
    chain.go()
    relax = type(chain.first)("relax", chain.work_dir / "relax", {"r": 1})
    collection = type(chain.first)("collection", chain.work_dir / "collection", {"c": 1})
    for redo in ((), ("relax",)):
        options = CampaignOptions(redo=redo)
        with open_campaign(chain.work_dir, "init_bulk", 7, options) as campaign:
            campaign.run(relax)
            campaign.run(collection)
    chain.second.source = None
    with pytest.raises(StageChangedError, match=TWO):  # not: done again since relax was
        chain.go()
