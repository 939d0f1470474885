from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pwact.engines.md_task import MdTrajectory
from pwact.engines.pod import files as pod_files
from pwact.engines.pod.trainer import PodTrainer
from pwact.errors import InputError, TaskError
from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.verdict import Outcome
from pwact.workflow.seeds import Seeds
from tests.engines.pod_helpers import (
    BLOCK,
    STILL,
    alloy,
    config,
    data_set,
    driven_alone,
    explore,
    fit,
    labelled,
    thermo,
    trainer,
)


def test_errors_agree_with_the_model_in_lammps(committee: Any, tmp_path: Path) -> None:
    """Also for cells that fitpod by itself would not find the neighbours of."""
    pod, data, models = committee
    potential = driven_alone(pod.potential(models))
    energies, forces = [], []
    for number, frame in enumerate(read_frames(data.valid[0], "extxyz")):
        directory = tmp_path / str(number)
        assert explore(directory, frame, potential, STILL) == 0
        got = MdTrajectory(directory).frame(0)
        rotation = np.linalg.solve(frame.cell.array, got.cell.array)
        labels = labels_of(frame)
        energies.append((thermo(directory)["PotEng"] - labels.energy) / len(frame))
        error = got.arrays["forces"] - labels.forces @ rotation
        copies = np.prod(pod_files._copies(pod_files._fit_for_search(frame)[0], 5.0))
        forces += [error.ravel()] * int(copies)
    rmse_e, rmse_f = (np.sqrt(np.mean(np.square(x))) for x in (energies, np.concatenate(forces)))
    assert rmse_e > 1e-4
    assert models[0].valid.rmse_e == pytest.approx(rmse_e, abs=2e-6)
    assert models[0].valid.rmse_f == pytest.approx(rmse_f, abs=2e-6)


def test_the_model_learns(committee: Any) -> None:
    _, data, models = committee
    forces = [labels_of(frame).forces.ravel() for frame in read_frames(data.valid[0], "extxyz")]
    scale = np.sqrt(np.mean(np.concatenate(forces) ** 2))
    assert all(model.valid.rmse_f < scale / 5 for model in models)
    assert len({model.valid.rmse_f for model in models}) == 3


def test_seed_makes_the_bootstrap(committee: Any, tmp_path: Path) -> None:
    pod, data, models = committee
    again, other = (fit(pod, tmp_path / str(seed), data, seed) for seed in (2, 9))
    content = [model.files["coefficients"].read_bytes() for model in (models[2], again, other)]
    assert content[0] == content[1] != content[2]
    drawn = (tmp_path / "2" / "train" / "frames.xyz").read_text().count("Lattice")
    assert drawn == 12


def test_members_stay_different_over_the_iterations(tmp_path: Path) -> None:
    """Each starts from itself on growing data; others, trained at once, differ as much."""
    pod, seeds, frames = trainer(), Seeds(1), [labelled(alloy(seed)) for seed in range(14)]
    grown = [data_set(tmp_path / str(n), frames[:n], []) for n in (8, 11, 14)]
    members: list[Any] = [None] * 4
    for iteration, data in enumerate(grown):
        for number, before in enumerate(members):
            place = tmp_path / f"{iteration}-{number}"
            seed = seeds.seed(iteration, "train", number)
            members[number] = fit(pod, place, data, seed, before.directory if before else None)
    others = [fit(pod, tmp_path / f"other{n}", grown[-1], 100 + n) for n in range(4)]
    spreads = []
    for name, models in (("grown", members), ("others", others)):
        place = tmp_path / name
        assert explore(place, alloy(60), pod.potential(models), STILL) == 0
        spreads.append(float(MdTrajectory(place).deviations().max_f[0]))
    assert spreads[0] >= 0.5 * spreads[1] > 0.001


def test_order_of_elements_is_that_of_atom_type(committee: Any, tmp_path: Path) -> None:
    """LAMMPS does not look at the names in pair_coeff; the type numbers must be right."""
    pod, data, models = committee
    frame = alloy(60)
    swapped = trainer(("Au", "Ag"))
    model = fit(swapped, tmp_path / "fit", data, 0)
    runs = {
        "as it is": pod.potential(models),
        "other names": replace(
            pod.potential(models),
            pair_lines=(
                "pair_style pod",
                "pair_coeff * * 0_param.pod 0_pod_coefficients.pod Au Ag",
            ),
        ),
        "other types": swapped.potential([model]),
    }
    energies = []
    for name, potential in runs.items():
        assert explore(tmp_path / name, frame, driven_alone(potential), STILL) == 0
        energies.append(thermo(tmp_path / name)["PotEng"])
        symbols = MdTrajectory(tmp_path / name).frame(0).get_chemical_symbols()
        assert symbols == frame.get_chemical_symbols()
    assert energies[0] == energies[1] == pytest.approx(energies[2], abs=1e-5)
    assert abs(energies[0] - labelled(frame).get_potential_energy()) < 0.2


def test_potential(committee: Any) -> None:
    pod, _, models = committee
    potential = pod.potential(models)
    assert potential.types == ("Ag", "Au")
    assert sorted(potential.links) == sorted(
        f"{member}_{name}" for member in range(3) for name in ("param.pod", "pod_coefficients.pod")
    )
    assert potential.links["2_pod_coefficients.pod"] == models[2].files["coefficients"]
    assert potential.pair_lines == (
        "pair_style pod",
        "pair_coeff * * 0_param.pod 0_pod_coefficients.pod Ag Au",
    )


def test_an_element_that_the_structure_lacks_changes_nothing(
    committee: Any, tmp_path: Path
) -> None:
    """All of atom_type are LAMMPS types, whatever the structure holds."""
    pod, _, models = committee
    potential = pod.potential(models[:1])
    silver = alloy(20)
    silver.symbols[:] = "Ag"
    lines = tuple(line.replace(" Ag Au", " Ag") for line in potential.pair_lines)
    energies = []
    for name, given in (
        ("all", potential),
        ("own", replace(potential, types=("Ag",), pair_lines=lines)),
    ):
        assert explore(tmp_path / name, silver, given, STILL) == 0
        energies.append(thermo(tmp_path / name)["PotEng"])
    assert energies[0] == energies[1]


@pytest.mark.parametrize(
    ("section", "change", "key"),
    [
        ("strategy", {"compress": True}, "strategy.compress"),
        (None, {"init_model_list": (Path("a"),)}, "init_model_list"),
        ("settings", {"rin": 5.0}, "train.rin"),
    ],
)
def test_what_a_linear_fit_cannot_do(section: str, change: dict[str, Any], key: str) -> None:
    wrong = config()
    PodTrainer(wrong, BLOCK, BLOCK).validate()
    if section == "settings":
        wrong.train.settings.update(change)
    else:
        (wrong.strategy if section else wrong).__dict__.update(change)
    with pytest.raises(InputError) as caught:
        PodTrainer(wrong, BLOCK, BLOCK).validate()
    assert caught.value.key == key


def test_unknown_element(tmp_path: Path) -> None:
    data = data_set(tmp_path, [labelled(alloy(1))], [])
    with pytest.raises(InputError, match="the data hold Au"):
        trainer(("Ag",)).write_input(tmp_path, data, 1, None)


def test_virials_are_not_dropped_silently(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frame = labelled(alloy(1))
    labels = labels_of(frame)
    set_labels(frame, labels.energy, labels.forces, np.eye(3))
    pod = trainer()
    with caplog.at_level(logging.WARNING):
        for name in "ab":
            pod.write_input(tmp_path, data_set(tmp_path / name, [frame], []), 1, None)
    assert [record.message for record in caplog.records if "virials" in record.message] == [
        "fitpod fits energies and forces; virials of the data are not used"
    ]


def absurd(text: str, word: str) -> str:
    """The coefficients with another third one."""
    lines = text.split("\n")
    return "\n".join([*lines[:3], word, *lines[4:]])


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("train.log", lambda text: text[:-40]),
        ("train.log", None),
        ("pod_coefficients.pod", lambda text: text[: len(text) // 2]),
        ("pod_coefficients.pod", None),
        ("pod_coefficients.pod", lambda text: text[: text.index("\n")] + "\nnan" * 10),
        *[
            ("pod_coefficients.pod", lambda text, word=word: absurd(text, word))
            for word in ("1e308", "-1e308", "inf", "nan", "1e30", "-2e12")
        ],
        ("pod_coefficients.pod", lambda _: "model_coefficients: 0 0 0\n"),
        ("pod_test_errors.pod", lambda text: text[:300]),
        ("pod_test_errors.pod", lambda _: "All files 1 4 nan nan nan nan\n"),
        ("pod_test_errors.pod", lambda _: "All files 1 4 1e300 1e300 1 1\n"),
        ("pod_test_errors.pod", None),
    ],
)
def test_check_believes_files_only(committee: Any, tmp_path: Path, name: str, damage: Any) -> None:
    pod, _, models = committee
    directory = shutil.copytree(models[0].directory, tmp_path / "copy")
    assert pod.check(directory).done
    text = (directory / name).read_text()
    (directory / name).unlink()
    if damage:
        (directory / name).write_text(damage(text))
    verdict = pod.check(directory)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert verdict.reason
    if name != "train.log":
        with pytest.raises(TaskError):
            pod.read_result(directory)


def test_no_validation_data(committee: Any, tmp_path: Path) -> None:
    pod, data, _ = committee
    assert fit(pod, tmp_path / "fit", replace(data, valid=())).valid is None


def test_settings() -> None:
    pod = trainer(rcut=6.0)
    settings = pod.fingerprint()["settings"]
    assert settings["rcut"] == 6.0
    assert settings["rin"] == 1.0
    assert pod.fingerprint() != trainer(rcut=6.5).fingerprint()
    assert pod.fingerprint() != trainer(("Au", "Ag"), rcut=6.0).fingerprint()


@pytest.mark.parametrize("command", ["mpirun -np 2 lmp", "mpirun -np 2 lmp -in in.lammps > x"])
def test_command(command: str) -> None:
    pod = PodTrainer(config(), SimpleNamespace(command=command), BLOCK)  # type: ignore[arg-type]
    fit = "mpirun -np 2 lmp -in in.fitpod > train.log"
    assert pod.command() == (
        f"rm -f train.ended && {fit} && cksum pod_coefficients.pod train.log "
        "$(ls pod_test_errors.pod 2> /dev/null) > train.ended"
    )
