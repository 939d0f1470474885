"""Each stage alone, with toy engines: what it asks for, what it leaves, what it bears."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pwact import layout
from pwact.config.run import RunConfig
from pwact.engines.potential import Potential, calculators
from pwact.errors import QuorumError
from pwact.fingerprint import canonical, differences
from pwact.formats.frames import read_frames, write_frames
from pwact.formats.labels import labels_of
from pwact.report.parity import read_parity
from pwact.uncertainties.committee import CommitteeDeviation
from pwact.workflow.reports import ExploreReport
from pwact.workflow.stages.explore import ExploreStage
from pwact.workflow.stages.label import LabelStage
from pwact.workflow.stages.select import SelectStage
from pwact.workflow.stages.train import ReuseStage, TrainStage
from pwact.workflow.systems import systems_of
from pwact.workflow.tasks.prepare import prepare
from tests.workflow.pairs import deep_update, labelled, load, resources, run_param, write_files
from tests.workflow.toys import (
    BROKEN,
    MODEL_ERROR,
    UNCONVERGED,
    DrawingTrainer,
    ToyExplorer,
    ToyLabeler,
    ToyServices,
    ToyTrainer,
)


class Rig:
    """One configuration with its toy engines."""

    def __init__(self, work_dir: Path, **changes: Any) -> None:
        write_files(work_dir, {"calculator": "emt"})
        pair = load(work_dir, deep_update(run_param(), changes), resources())
        assert isinstance(pair.config, RunConfig)
        self.config = pair.config
        self.block = pair.resources.dft
        self.trainer = ToyTrainer(pair.config, None, None)
        self.explorer = ToyExplorer(None)
        self.labeler = ToyLabeler(None, 0, None)
        self.services = ToyServices(pair.config.work_dir)
        self.work_dir = pair.config.work_dir

    def train(self, iteration: int = 0, **options: Any) -> Any:
        labelled = options.pop("labelled", ())
        stage = TrainStage(
            self.config, self.trainer, self.block, iteration, labelled, options.pop("previous", ())
        )
        return self.services.run(stage)

    def models(self, iteration: int = 0) -> Any:
        members = range(self.config.strategy.model_num)
        return [
            self.trainer.read_result(layout.member_dir(self.work_dir, iteration, member))
            for member in members
        ]

    def explore(self, iteration: int = 0) -> Any:
        self.train(iteration)
        potential = self.trainer.potential(self.models(iteration))
        return self.services.run(
            ExploreStage(self.config, self.explorer, potential, self.block, iteration)
        )

    def select(self, iteration: int = 0) -> Any:
        paths = ExploreReport.from_json(self.explore(iteration).report).paths
        return self.services.run(SelectStage(self.config, CommitteeDeviation(), iteration, paths))

    def label_stage(self, iteration: int = 0) -> LabelStage:
        return LabelStage(self.config, self.labeler, self.explorer, self.block, iteration)

    def label(self, iteration: int = 0) -> Any:
        self.select(iteration)
        return self.services.run(self.label_stage(iteration))

    def json(self, *parts: str) -> Any:
        return json.loads(self.work_dir.joinpath(*parts).read_text())


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_task_directory_appears_whole_and_is_then_left_alone(tmp_path: Path) -> None:
    def broken(directory: Path) -> None:
        (directory / "half").touch()
        raise RuntimeError

    def good(directory: Path) -> None:
        (directory / "whole").touch()

    with pytest.raises(RuntimeError):
        prepare(tmp_path / "task", broken)
    assert not (tmp_path / "task").exists()
    prepare(tmp_path / "task", good)
    prepare(tmp_path / "task", broken)
    assert [path.name for path in tmp_path.rglob("*")] == ["task", "whole"]


def test_members_differ_by_seed_and_go_on_from_their_own_previous_model(tmp_path: Path) -> None:
    rig = Rig(tmp_path, valid_data=["init.xyz"])
    output = rig.train()
    first = [rig.json("iter.0000/00.train", f"train.00{i}", "train.json") for i in range(3)]
    assert len({member["seed"] for member in first}) == 3
    assert [member["start"] for member in first] == [None] * 3
    assert output.report["valid_rmse_f"] == pytest.approx(1 / 3)
    errors = rows_of(tmp_path / "iter.0000/00.train/valid_error.csv")
    assert [row["model"] for row in errors] == ["train.000", "train.001", "train.002"]
    assert float(errors[0]["rmse_force"]) == pytest.approx(1 / 3)
    assert tmp_path / "iter.0000/00.train/train.002/model" in output.files

    rig.train(1, labelled=[tmp_path / "init.xyz"], previous=rig.models())
    second = [rig.json("iter.0001/00.train", f"train.00{i}", "train.json") for i in range(3)]
    assert [member["start"] for member in second] == ["train.000", "train.001", "train.002"]
    assert second[0]["frames"] == [3, 3]
    assert not {member["seed"] for member in first} & {member["seed"] for member in second}


def test_without_use_pre_model_every_training_starts_from_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, use_pre_model=False)
    rig.train()
    rig.train(1, previous=rig.models())
    assert rig.json("iter.0001/00.train/train.000/train.json")["start"] is None


def test_a_training_depends_on_the_content_of_its_data_only(tmp_path: Path) -> None:
    inputs = {}
    for name in ("one", "two"):
        rig = Rig(tmp_path / name)
        inputs[name] = TrainStage(rig.config, rig.trainer, rig.block, 0, ()).inputs()
    assert inputs["one"] == inputs["two"]
    with (tmp_path / "two/init.xyz").open("a") as stream:
        stream.write("\n")
    changed = TrainStage(rig.config, rig.trainer, rig.block, 0, ()).inputs()
    assert [key for key in changed if changed[key] != inputs["two"][key]] == ["init_data"]


@pytest.mark.parametrize(
    ("strategy", "draws"),
    [
        ({"target_force_error": 0.02}, [False, True, True]),
        ({"lower_model_devi_f": 0.1, "upper_model_devi_f": 5.0}, [True] * 3),
    ],
)
def test_with_a_target_the_first_member_sees_all_frames(
    tmp_path: Path, strategy: dict[str, float], draws: list[bool]
) -> None:
    """Without one everything is as it was, with the same inputs on record."""
    rig = Rig(tmp_path, strategy=strategy)
    parts = rig.config, DrawingTrainer(rig.config, None, None), rig.block, 0, ()
    stage = TrainStage(*parts)
    rig.services.run(stage)
    seen = [rig.json("iter.0000/00.train", f"train.00{n}", "draws.json") for n in range(3)]
    assert seen == draws
    usual = TrainStage(rig.config, rig.trainer, *parts[2:]).inputs()
    assert stage.inputs() == {**usual, **({} if draws[0] else {"first_by_all": True})}


def test_every_member_is_needed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.services.spoil = {"train.001": BROKEN}
    with pytest.raises(QuorumError, match="1 of 3 tasks failed\nno model"):
        rig.train()


def test_models_are_kept_when_nothing_was_labelled(tmp_path: Path) -> None:
    rig = Rig(tmp_path, valid_data=["init.xyz"])
    rig.train()
    ran = list(rig.services.ran)
    output = rig.services.run(ReuseStage(rig.config, rig.trainer, 1, rig.models()))
    assert rig.services.ran == ran
    link = tmp_path / "iter.0001/00.train/train.001"
    assert not Path(link.readlink()).is_absolute()
    assert link.samefile(tmp_path / "iter.0000/00.train/train.001")
    assert output.report["valid_rmse_f"] == pytest.approx(1 / 3)


def test_systems_are_numbered_over_all_files_and_limited_by_their_entry(tmp_path: Path) -> None:
    single = {"config": "structures/a.poscar", "format": "vasp/poscar"}
    job = run_param()["explore"]["md_jobs"][0]
    other = {**job, "sys_idx": [1]}
    del other["select_sys"]
    entries = [*run_param()["explore"]["sys_configs"], single]
    changes = {
        "explore.sys_configs": entries,
        "explore.md_jobs.0": [{**job, "sys_idx": [1, 0], "select_sys": [5, 3]}, other],
    }
    rig = Rig(tmp_path, **changes)
    found = [(one.name, one.structure.path.name, one.limit) for one in systems_of(rig.config, 0)]
    assert found == [
        ("md.000.sys.000", "a.poscar", 5),
        ("md.000.sys.001", "a.poscar", 3),
        ("md.000.sys.002", "b.poscar", 3),
        ("md.001.sys.000", "a.poscar", 100),
    ]


@pytest.mark.parametrize(
    ("md", "names", "pressures"),
    [
        ({"ensemble": "nvt", "temps": [100, 200]}, ["t.000", "t.001"], [None, None]),
        ({"ensemble": "nve", "temps": [100], "press": [1]}, ["t.000"], [None]),
        (
            {"ensemble": "npt", "temps": [100], "press": [1, 5]},
            ["t.000.p.000", "t.000.p.001"],
            [1.0, 5.0],
        ),
    ],
)
def test_every_temperature_and_pressure_has_its_trajectory(
    tmp_path: Path, md: dict[str, Any], names: list[str], pressures: list[Any]
) -> None:
    job = {**run_param()["explore"]["md_jobs"][0], **md}
    rig = Rig(tmp_path, **{"explore.md_jobs.0": job})
    output = rig.explore()
    assert output.report["temps_k"] == tuple(float(temp) for temp in md["temps"])
    places = [
        f"iter.0000/01.explore/md/md.000.sys.00{number}/md.000.sys.00{number}.{name}"
        for number in (0, 1)
        for name in names
    ]
    assert [entry["directory"] for entry in output.report["paths"]] == places
    inputs = [rig.json(place, "md.json") for place in places]
    assert [stored["press"] for stored in inputs] == pressures * 2
    assert len({stored["seed"] for stored in inputs}) == len(places)
    assert sorted(output.transient) == sorted(tmp_path / place / "traj" for place in places)


def test_one_lost_trajectory_is_tolerated_unless_it_may_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path / "tolerant")
    rig.services.spoil = {"sys.000.t.000": BROKEN}
    output = rig.explore()
    assert [entry["usable"] for entry in output.report["paths"]] == [False, True]
    named = "iter.0000/explore: nothing of md.000.sys.000 (a.poscar) succeeded, so nothing of it"
    assert named in caplog.text
    strict = Rig(tmp_path / "strict", **{"strategy.lmps_tolerance": False})
    strict.services.spoil = {"sys.000.t.000": BROKEN}
    with pytest.raises(QuorumError, match="lmps_tolerance"):
        strict.explore()


def test_an_exploration_begun_with_all_types_goes_on(tmp_path: Path) -> None:
    """Versions before declared types without atoms, and recorded nothing of it."""
    rig = Rig(tmp_path)
    for words, recorded in (({"Cu": "29"}, {"types"}), ({}, set())):
        potential = Potential(("Cu",), {}, ("pair_coeff * * 29",), own_types=words)
        inputs = canonical(ExploreStage(rig.config, rig.explorer, potential, rig.block, 0).inputs())
        begun = {name: value for name, value in inputs.items() if name != "types"}
        assert set(inputs) - set(begun) == recorded
        assert not list(differences(begun, inputs))
        if words:
            assert list(differences({**begun, "types": "others"}, inputs))


def test_an_exploration_depends_on_every_calculator(tmp_path: Path) -> None:
    """One alone is recorded as before there were several."""
    rig = Rig(tmp_path)

    def inputs(*models: str) -> Any:
        named = [{"calculator": model, "arguments": {}} for model in models]
        potential = calculators(("Cu",), {}, named)
        return ExploreStage(rig.config, rig.explorer, potential, rig.block, 0).inputs()

    assert inputs("emt")["calculator"] == {"calculator": "emt", "arguments": {}}
    assert "judges" not in inputs("emt")
    assert inputs("emt", "a:B")["judges"] == [{"calculator": "a:B", "arguments": {}}]
    assert inputs("emt", "a:B") != inputs("emt", "a:C")


def test_an_exploration_of_which_nothing_succeeded_has_failed(tmp_path: Path) -> None:
    single = {"config": "structures/a.poscar", "format": "vasp/poscar"}
    changes = {"explore.sys_configs": [single]}
    for number, spoil in enumerate(("md.000", "sys.000.t.000")):
        rig = Rig(tmp_path / str(number), **changes if number else {})
        rig.services.spoil = {spoil: BROKEN}
        with pytest.raises(QuorumError, match=r"(only task|2 tasks) failed.*\nno model_devi"):
            rig.explore()
        rig.services.spoil = {}
        assert rig.explore().report["ended_normally"]


def test_trajectories_that_die_early_say_where_and_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    rig.explorer.early = "the MD ended early: it died after step 20 of 40: atoms were lost"
    report = rig.select().report
    assert report["frames"] == 10
    place = "iter.0000/01.explore/md/md.000.sys.001/md.000.sys.001.t.000"
    where = f"iter.0000/explore: {place} (b.poscar at 100 K, 0.001 ps a step)"
    assert f"{where}: {rig.explorer.early}; the frames until" in caplog.text
    listed = (tmp_path / "iter.0000/01.explore/select/error_traj.log").read_text()
    assert f"\n{place}: {rig.explorer.early}\n" in listed


@pytest.mark.parametrize(("lost", "stops"), [(10, False), (11, True)])
def test_a_tenth_of_the_trajectories_may_be_lost(tmp_path: Path, lost: int, stops: bool) -> None:
    """Of 100; the limit is exact, so that nobody changes it unseen."""
    job = {**run_param()["explore"]["md_jobs"][0], "temps": [float(t) for t in range(100, 150)]}
    rig = Rig(tmp_path, **{"explore.md_jobs.0": job})
    rig.services.spoil = {f"sys.000.t.0{number:02d}": BROKEN for number in range(lost)}
    if stops:
        with pytest.raises(QuorumError, match="11 of 100 tasks failed"):
            rig.explore()
        return
    usable = [entry["usable"] for entry in rig.explore().report["paths"]]
    assert (len(usable), sum(usable)) == (100, 90)


def test_reserved_trajectories_are_not_given_up(tmp_path: Path) -> None:
    assert Rig(tmp_path, reserve_md_traj=True).explore().transient == []


def test_labels_their_errors_and_their_places(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    output = rig.label()
    # rows 0..4 have deviations 0, 0.1 … 0.4: three candidates a system, limit 2
    rows = rows_of(tmp_path / "iter.0000/01.explore/select/candidate.csv")
    assert len(rows) == 4
    frames = read_frames(tmp_path / "iter.0000/02.label/result/train.xyz", "extxyz")
    assert [frame.get_chemical_symbols() for frame in frames] == [["Ag", "Ag", "Au", "Au"]] * 4
    for row, frame in zip(rows, frames):
        explored = rig.explorer.read_result(tmp_path / row["file_path"]).frame(
            int(row["config_index"])
        )
        expected = explored.positions[[1, 3, 0, 2]]
        assert np.allclose(frame.positions, expected, atol=1e-7)
        assert np.allclose(labels_of(frame).forces, -2 * expected, atol=1e-6)
        task = Path(row["file_path"]).relative_to("iter.0000/01.explore/md")
        step = row["config_index"]
        stored = rig.json("iter.0000/02.label/scf", str(task), f"{step}-scf", "in.json")
        assert stored["step"] == int(step)
    errors = rows_of(tmp_path / "iter.0000/02.label/result/label_error.csv")
    assert [row["file_path"] for row in errors] == [row["file_path"] for row in rows]
    assert [float(row["rmse_force"]) for row in errors] == pytest.approx([MODEL_ERROR] * 4)
    assert [float(row["max_force"]) for row in errors] == pytest.approx([MODEL_ERROR * 3**0.5] * 4)
    assert output.report["rmse_f"] == pytest.approx(MODEL_ERROR)
    assert output.report["data"] == "iter.0000/02.label/result/train.xyz"
    assert {path.name for path in output.transient} == {"in.json"}
    assert output.report["entry"] == (
        "Number of converged files: 4, number of non-converged files: 0\n"
    )


def test_labels_are_kept_beside_what_the_exploring_model_said(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    output = rig.label()
    frames = read_frames(tmp_path / "iter.0000/02.label/result/train.xyz", "extxyz")
    errors = rows_of(tmp_path / "iter.0000/02.label/result/label_error.csv")
    compared = read_parity(tmp_path / "iter.0000/02.label/parity.npz")
    assert [one.trajectory for one in compared] == [row["file_path"] for row in errors]
    for one, frame in zip(compared, frames):
        assert one.symbols.tolist() == frame.get_chemical_symbols()
        assert np.allclose(one.label_forces, labels_of(frame).forces, atol=1e-6)
        assert np.allclose(one.force_error, MODEL_ERROR, atol=1e-6)
        assert one.energies[0] == pytest.approx(labels_of(frame).energy)
        assert np.isnan(one.energies[1])  # the toys' logs have none
        temp = rig.json(one.trajectory, "md.json")["temp"]  # what its MD was given
        assert one.temp_k == temp
    groups = {(one["kind"], one["name"]): one for one in output.report["errors"]}
    assert {kind for kind, _ in groups} == {"all", "structure", "temperature", "element"}
    assert groups["all", ""]["frames"] == 4
    assert groups["element", "Ag"]["rmse_f"] == pytest.approx(MODEL_ERROR)


def test_labelling_can_be_worked_again_after_a_kill(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    first = rig.label()
    (tmp_path / "iter.0000/02.label/result/half").touch()
    ran = len(rig.services.ran)
    again = rig.services.run(rig.label_stage())
    assert len(rig.services.ran) == ran
    assert again.report == first.report
    assert not (tmp_path / "iter.0000/02.label/result/half").exists()


def test_labels_as_npy(tmp_path: Path) -> None:
    write_frames(tmp_path / "npy", labelled(3), "pwmlff/npy")
    rig = Rig(tmp_path, data_format="pwmlff/npy", init_data=["npy"])
    output = rig.label()
    assert output.report["data"] == "iter.0000/02.label/result/PWdata"
    assert len(read_frames(tmp_path / output.report["data"], "pwmlff/npy")) == 4


def test_unconverged_frames_are_dropped_and_listed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.services.spoil = {"scf/md.000.sys.001": UNCONVERGED}
    output = rig.label()
    assert output.report["labelled"] == 2
    assert output.report["failed"] == 2
    assert "number of non-converged files: 2" in output.report["entry"]
    assert "iter.0000/02.label/scf/md.000.sys.001/md.000.sys.001.t.000/" in output.report["entry"]
    frames = read_frames(tmp_path / "iter.0000/02.label/result/train.xyz", "extxyz")
    assert len(frames) == 2


def test_too_many_failed_labels_stop_the_run(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.services.spoil = {"scf/md.000.sys.001": BROKEN}
    with pytest.raises(QuorumError, match="2 of 4"):
        rig.label()
    rig.services.spoil = {}
    assert rig.services.run(rig.label_stage()).report["labelled"] == 4


def test_a_labelling_of_which_nothing_succeeded_has_failed(tmp_path: Path) -> None:
    for number, (spoil, next_step) in enumerate(
        ((BROKEN, "give the same command again"), (UNCONVERGED, "--redo iter.0000/label"))
    ):
        rig = Rig(tmp_path / str(number))
        rig.services.spoil = {"scf/": spoil}
        with pytest.raises(QuorumError, match=rf"all 4 tasks failed[\s\S]*{next_step}"):
            rig.label()


def test_colliding_atoms_are_not_labelled(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.explorer.collisions = (10, 20, 30)
    with pytest.raises(QuorumError, match="all 4 structures are left out.*apart") as caught:
        rig.label()
    assert str(tmp_path / "iter.0000/02.label/left_out.csv") in str(caught.value)
    assert not (tmp_path / "iter.0000/02.label/result/train.xyz").exists()
    listed = rows_of(tmp_path / "iter.0000/02.label/left_out.csv")
    candidates = rows_of(tmp_path / "iter.0000/01.explore/select/candidate.csv")
    places = [(row["file_path"], row["config_index"]) for row in listed]
    assert places == [(row["file_path"], row["config_index"]) for row in candidates]
    assert "only 0.17 Å apart" in listed[0]["reason"]
    assert not any("scf" in name for name in rig.services.ran)


def test_the_files_of_a_label_that_failed_are_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.services.spoil = {"scf/md.000.sys.001": UNCONVERGED}
    output = rig.label()
    assert output.report["failed"] > 0
    deleted = {path.parent.parent.parent.name for path in output.transient}
    assert deleted == {"md.000.sys.000"}


def test_reserved_scf_files_are_not_given_up(tmp_path: Path) -> None:
    assert Rig(tmp_path, reserve_scf_files=True).label().transient == []
