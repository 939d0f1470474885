"""Stands in for the program MatPL: same commands, files and refusals, another model.

Run as ``python -m tests.stubs.matpl train train.json`` and so on.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from tests.stubs.pair_model import PairModel, epoch_of, has_p_matrix, load

RECORD = Path("model_record")
CHECKPOINTS = {"DP": "dp_model.ckpt", "NEP": "nep_model.ckpt"}
COUNTED = "STUB_COUNTS_EPOCHS_IN"  # environment variable: a file that gets a line an epoch
FAILED = "STUB_FAILS_IN"  # environment variable: the command that torch's caution ends
NEW_PWDATA = "STUB_HAS_A_NEW_PWDATA"  # environment variable
KILLED_AFTER = "STUB_KILLED_AFTER_EPOCH"  # environment variable: as if a time limit struck
WAITS_AFTER = "STUB_WAITS_AFTER_EPOCH"  # environment variable: until something ends it
WAITS, GOES = (
    "waits",
    "STUB_GOES_WHERE",
)  # says so in this file; unless that of this variable is there
TOP: dict[str, type | tuple[type, ...]] = {
    "model_type": str,
    "atom_type": list,
    "seed": int,
    "precision": str,
    "recover_train": bool,
    "model_load_file": str,
    "nep_txt_file": str,
    "max_neigh_num": int,
    "data_shuffle": bool,
    "format": str,
    "train_data": list,
    "valid_data": list,
    "type_embedding": bool,
    "save_p_matrix": bool,
    "save_step": int,
    "max_save_num": int,
    "batch_max_types": int,
    "optimizer": dict,
    "model": dict,
}
OPTIMIZERS = {
    "LKF": {"block_size", "p0_weight", "kalman_lambda", "kalman_nue"},
    "GKF": {"p0_weight", "kalman_lambda", "kalman_nue"},
    **dict.fromkeys(
        ("ADAM", "ADAMW", "SGD"), {"learning_rate", "stop_lr", "stop_step", "decay_step"}
    ),
}


def main() -> None:
    print("MatPL (a stand-in): banner of the program")
    parser = argparse.ArgumentParser(prog="MatPL")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("train").add_argument("input", type=Path)
    compress = commands.add_parser("compress")
    compress.add_argument("checkpoint", type=Path)
    compress.add_argument("-d", type=float, required=True)
    compress.add_argument("-o", type=int, choices=(3, 5), required=True)
    compress.add_argument("-s", type=Path, required=True)
    script = commands.add_parser("script")
    script.add_argument("checkpoint", type=Path)
    script.add_argument("result", type=Path)
    kpu = commands.add_parser("kpu")
    for letter in ("-m", "-c", "-s"):
        kpu.add_argument(letter, type=Path, required=True)
    kpu.add_argument("-f", required=True)
    kpu.add_argument("-d", action="store_true")
    kpu.add_argument("-a", nargs="+", required=True)
    asked = parser.parse_args()
    if asked.command in ("compress", "script") and FAILED in os.environ:
        with Path("calls").open("a") as stream:
            stream.write(f"{asked.command}\n")
    if os.environ.get(FAILED) == asked.command:
        raise SystemExit("_pickle.UnpicklingError: Weights only load failed (weights_only)")
    if asked.command == "train":
        train(json.loads(asked.input.read_text()))
        return
    if asked.command == "kpu":
        if os.environ.get(NEW_PWDATA):
            raise SystemExit("TypeError: object of type 'numpy.int64' has no len()")
        table = kalman(asked.m, asked.c, asked.f, asked.a)
        table.save(asked.s)
        if asked.d:
            np.save("force_kpu_detail.npy", np.array(table.detail))
        return
    model = load(asked.checkpoint)
    if model.model_type != "DP":
        raise SystemExit(f"{asked.command} is for DP, not {model.model_type}")
    if asked.command == "compress":
        model.compressed = True
        model.save_checkpoint(asked.s, p_matrix=False)
    else:
        model.save(asked.result)


def train(asked: dict[str, Any]) -> None:
    """Check the input as the program does, and leave its files."""
    for key, value in asked.items():
        if key not in TOP:
            raise SystemExit(f"KeyError: {key!r} in train.json")
        if not isinstance(value, TOP[key]):
            raise SystemExit(f"TypeError: {key} is {value!r}")
    if not all(isinstance(number, int) for number in asked["atom_type"]):
        raise SystemExit("TypeError: atom_type holds something else than numbers")
    if asked["model_type"] not in ("DP", "NEP"):
        raise SystemExit(f"unknown model_type {asked['model_type']}")
    optimizer = check_optimizer(asked["optimizer"])
    frames = sum(count(Path(path), asked) for path in asked["train_data"])
    valid = [count(Path(path), asked) for path in asked["valid_data"]]
    if not frames:
        raise SystemExit("no training data")
    if asked["model_type"] == "DP" and not valid:
        raise SystemExit("AttributeError: 'NoneType' object has no attribute 'max'")
    model, first = start_of(asked)
    RECORD.mkdir(exist_ok=True)
    epochs, size = (optimizer.setdefault(*one) for one in (("epochs", 30), ("batch_size", 1)))
    Path("std_input.json").write_text(json.dumps(asked))
    used = {"train": frames >= size}  # an incomplete batch is left out
    if sum(valid) >= size:
        used["valid"] = True
    for epoch in range(first, epochs + 1):
        if os.environ.get(COUNTED):
            with Path(os.environ[COUNTED]).open("a") as stream:
                stream.write(f"{Path.cwd().name} {epoch}\n")
        for which, trained in used.items():
            curve(RECORD / f"epoch_{which}.dat", epoch, len(model.history) if trained else 0)
        save(model, asked.get("save_p_matrix", False), epoch)
        interrupt(epoch)


def interrupt(epoch: int) -> None:
    """What may happen to a training after an epoch."""
    if os.environ.get(KILLED_AFTER) == str(epoch):
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get(WAITS_AFTER) == str(epoch) and not Path(os.environ[GOES]).exists():
        Path(WAITS).touch()
        time.sleep(3600)


def save(model: PairModel, p_matrix: bool, epoch: int) -> None:
    """Write checkpoint and model, as the program does after every epoch."""
    name = CHECKPOINTS[model.model_type]
    model.save_checkpoint(RECORD / name, p_matrix, epoch)
    if model.model_type == "NEP":
        model.save_text(RECORD / "nep5.txt")


def check_optimizer(optimizer: dict[str, Any]) -> dict[str, Any]:
    word = optimizer.get("optimizer", "LKF")
    if word not in OPTIMIZERS:
        raise SystemExit("Error: Unsupported optimizer!")
    foreign = set().union(*OPTIMIZERS.values()) - OPTIMIZERS[word]
    if foreign & set(optimizer):
        raise SystemExit(f"{word} does not know {sorted(foreign & set(optimizer))}")
    if optimizer.get("p0_weight", 0.01) > 1:
        raise SystemExit("p0_weight must not be larger than 1")
    return optimizer


def count(path: Path, asked: dict[str, Any]) -> int:
    """Frames of a data set, which must be labelled and hold known elements only."""
    if not path.exists():
        raise SystemExit(f"FileNotFoundError: {path}")
    known = set(asked["atom_type"])
    if asked["format"] == "extxyz":
        from ase.io import read  # noqa: PLC0415 (most commands need it not, and it takes long)

        frames = read(path, ":")
        for atoms in frames:
            atoms.get_potential_energy()
            if "force" not in atoms.arrays and "forces" not in atoms.arrays:
                raise SystemExit(f"{path} holds a frame without forces")
            if set(atoms.numbers.tolist()) - known:
                raise SystemExit(f"{path} holds an element that atom_type lacks")
        return len(frames)
    if asked["format"] != "pwmlff/npy":
        raise SystemExit(f"unknown format {asked['format']}")
    folders = sorted(found.parent for found in path.rglob("energies.npy"))
    for folder in folders:
        if np.load(folder / "atom_type.npy").ndim != 2:
            raise SystemExit(f"IndexError: atom_type.npy of {folder} has one axis")
        if set(np.load(folder / "image_type.npy").ravel().tolist()) - known:
            raise SystemExit(f"{folder} holds an element that atom_type lacks")
        np.load(folder / "forces.npy")
    return sum(len(np.load(folder / "energies.npy")) for folder in folders)


def start_of(asked: dict[str, Any]) -> tuple[PairModel, int]:
    """The model to train, which knows the seeds of all its trainings, and the first epoch.

    A checkpoint in ``model_record`` is gone on from; DP prefers `model_load_file`, which a training
    of NEP ignores.
    """
    kind, types = asked["model_type"], asked["atom_type"]
    given = asked.get("model_load_file") if asked.get("recover_train") else None
    place = Path(given) if kind == "DP" and given else RECORD / CHECKPOINTS[kind]
    if kind == "DP" and given and not place.exists():
        raise SystemExit(f"FileNotFoundError: {given}")
    model, first = PairModel(kind, types, []), 1
    if place.exists():
        model = load(place)
        print(f"=> loaded checkpoint '{place}' (epoch {epoch_of(place)})")
        if not asked["optimizer"].get("reset_epoch"):
            return model, epoch_of(place) + 1
    else:
        print(f"=> no checkpoint found at '{place}'")
        if kind == "NEP" and asked.get("nep_txt_file"):
            model = load(Path(asked["nep_txt_file"]))
    if (model.model_type, model.atom_type) != (kind, types):
        raise SystemExit(f"the start is a {model.model_type} model of {model.atom_type}")
    return PairModel(kind, types, [*model.history, asked["seed"]]), first


class Table:
    """What ``MatPL kpu`` writes."""

    def __init__(self, rows: list[list[float]], detail: list[np.ndarray]) -> None:
        self.rows = rows
        self.detail = detail

    def save(self, path: Path) -> None:
        header = "    step        etot_kpu      f_kpu_mean       f_kpu_max       f_kpu_min"
        shape = ["%10d", *["%15.2f"] * 4]
        np.savetxt(path, np.array(self.rows), fmt=shape, delimiter=" ", header=header)


def kalman(checkpoint: Path, folder: Path, frame_format: str, atom_type: list[str]) -> Table:
    """Uncertainty of half of the atoms: of each component F, P (dF/d epsilon)^2 with P = 1000."""
    model = load(checkpoint)
    if model.model_type != "DP" or model.compressed:
        raise SystemExit(f"{checkpoint} is no plain DP model")
    if not has_p_matrix(checkpoint):
        raise SystemExit(f"{checkpoint} holds no P (the program itself would go on without)")
    if Path(atom_type[0]).is_file():
        atom_type = Path(atom_type[0]).read_text().splitlines()[0].split()
    if {chemical_symbols.index(name) for name in atom_type} - set(model.atom_type):
        raise SystemExit(f"atom_type {atom_type} does not fit the model")
    if not folder.is_dir():
        raise SystemExit(f"{folder} is no directory")
    rows, detail = [], []
    for path in sorted(folder.glob("*"), key=lambda path: int(path.name.split(".")[0])):
        atoms = FORMATS[frame_format](path, atom_type) if frame_format in FORMATS else None
        if atoms is None:
            raise SystemExit(f"AssertionError: pwdata does not know the format {frame_format}")
        energy, forces = model.atomic(atoms)
        of_forces = 1000 * (forces[: len(atoms) // 2] / model.epsilon) ** 2
        of_energy = 1000 * (energy.sum() / model.epsilon) ** 2 / len(atoms) ** 4
        numbered = np.column_stack([np.arange(len(of_forces)), of_forces])
        detail.append(numbered)  # by mistake, the program takes in the numbers of the atoms
        values = [of_energy, numbered.mean(), numbered.max(), numbered.min()]
        rows.append([int(path.name.split(".")[0]), *values])
    if not rows:
        raise SystemExit(f"{folder} is empty")
    return Table(rows, detail)


def read_config(path: Path, atom_type: list[str]) -> Atoms:
    """One ``atom.config``."""
    lines = path.read_text().splitlines()
    count = int(lines[0].split()[0])
    if "lattice" not in lines[1].lower() or "position" not in lines[5].lower():
        raise SystemExit(f"{path} is no atom.config")
    if len(lines) != 6 + count:
        raise SystemExit(f"Error! the image num in {path} is not 1!")
    cell = [[float(word) for word in line.split()[:3]] for line in lines[2:5]]
    rows = [line.split() for line in lines[6:]]
    fractions = [[float(word) for word in row[1:4]] for row in rows]
    return Atoms([int(row[0]) for row in rows], scaled_positions=fractions, cell=cell, pbc=True)


def read_dump(path: Path, atom_type: list[str]) -> Atoms:
    """One frame of a dump, as MatPL 2025.3 reads it."""
    if len(atom_type) == 1:
        raise SystemExit("IndexError: too many indices for array (atom_type of one element)")
    from ase.io import read  # noqa: PLC0415

    (atoms,) = read(path, ":", format="lammps-dump-text")
    atoms.numbers = [chemical_symbols.index(atom_type[number - 1]) for number in atoms.numbers]
    return atoms


FORMATS = {"pwmat/config": read_config, "lammps/dump": read_dump}


def curve(path: Path, epoch: int, trainings: int) -> None:
    """Add the row of an epoch."""
    error = 1.0 / (epoch * trainings) if trainings else 0.0
    head = "" if path.exists() else "# epoch loss RMSE_Etot(eV/atom) RMSE_F(eV/Å) time(s)\n"
    with path.open("a", encoding="utf-8") as stream:
        stream.write(f"{head}{epoch:6d} {error:.3e} {error / 10:.3e} {error:.3e} 0.1\n")


if __name__ == "__main__":
    sys.exit(main())
