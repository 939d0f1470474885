"""Stands in for a LAMMPS with MatPL's pair styles: the MD is real, only the model is not.

It reads ``in.lammps`` as strictly as LAMMPS would, exchanges the pair lines, lets the real program
run, and writes ``model_devi.out`` beside it as MatPL does. Run as
``python -m tests.stubs.matpl_lammps BUILD ARGUMENTS``; BUILD is ``lmp_mpi`` or ``lmp``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from pwact.errors import TaskError
from pwact.formats.lammps_dump import DumpTrajectory
from tests.stubs.pair_model import CUTOFF, PairModel, load

STYLES = {"lmp_mpi": {"matpl"}, "lmp": {"matpl/dp", "matpl/nep", "matpl/nep/kk"}}
EXCHANGED = "in.exchanged"
HEADER = (
    "#    step       avg_devi_f       min_devi_f       max_devi_f"
    "       avg_devi_e       min_devi_e       max_devi_e\n"
)


def main() -> int:
    build, *arguments = sys.argv[1:]
    place = arguments.index("-in") + 1
    lines = Path(arguments[place]).read_text().splitlines()
    models, out_freq = exchange(lines, build)
    arguments[place] = EXCHANGED
    lammps = os.environ.get("REAL_LAMMPS", "lmp")
    with subprocess.Popen([lammps, *(word for word in arguments if word != "kokkos")]) as real:
        if len(models) > 1:
            follow(real, models, out_freq)
        return real.wait()


def exchange(lines: list[str], build: str) -> tuple[list[PairModel], int]:
    """Write the input with a pair style that the real program has."""
    (style_place,) = (k for k, line in enumerate(lines) if line.startswith("pair_style"))
    (coeff_place,) = (k for k, line in enumerate(lines) if line.startswith("pair_coeff"))
    _, style, *words = lines[style_place].split()
    if style not in STYLES[build]:
        raise SystemExit(f"ERROR: Unknown pair style {style}")
    if style.endswith("/kk"):
        wanted = ["package kokkos neigh half comm device", "newton on"]
        if lines[:2] != wanted or "kokkos" not in sys.argv:
            raise SystemExit(f"ERROR: {style} needs {wanted} first")
    files = words[: words.index("out_freq")] if "out_freq" in words else words
    options = dict(zip(words[len(files) :: 2], words[len(files) + 1 :: 2]))
    if files and (len(files) > 1) != (set(options) == {"out_freq", "out_file"}):
        raise SystemExit(f"ERROR: {len(files)} models with {options}")
    models = [load(Path(name)) for name in files]
    kind = {"matpl/dp": "DP", "matpl/nep": "NEP", "matpl/nep/kk": "NEP"}
    if any(model.model_type != kind.get(style, model.model_type) for model in models):
        raise SystemExit(f"ERROR: {style} cannot read {files}")
    numbers = [int(word) for word in lines[coeff_place].split()[3:]]
    if any(set(numbers) - set(model.atom_type) for model in models):
        raise SystemExit(f"ERROR: pair_coeff {numbers} does not fit the models")
    for model in models:
        if model.model_type == "DP":  # it takes all declared types into its descriptor
            model.strength = 0.9 ** (len(numbers) - len(types_with_atoms(structure(lines))))
    first = models[0]
    lines[style_place] = f"pair_style lj/cut {CUTOFF}"
    lines[coeff_place] = f"pair_coeff * * {first.epsilon!r} {first.sigma}"
    text = "\n".join(line for line in lines if not line.startswith(("package", "newton")))
    Path(EXCHANGED).write_text(text + "\n")
    variables = dict(re.findall(r"^variable (\S+) index (\S+)$", text, re.MULTILINE))
    frequency = options.get("out_freq", "1")
    name = frequency.strip("${}")
    return models, int(variables[name] if frequency.startswith("$") else frequency)


def structure(lines: list[str]) -> Path:
    """The data file that an input reads."""
    (name,) = re.findall(r"\bread_data ([^\s\"]+)", "\n".join(lines))
    return Path(name)


def types_with_atoms(data: Path) -> set[str]:
    """Types that some atom of a data file has."""
    rows = data.read_text().partition("\nAtoms")[2].splitlines()[1:]
    return {row.split()[1] for row in rows if row.strip()}


def follow(real: subprocess.Popen[bytes], models: list[PairModel], out_freq: int) -> None:
    """Write the rows while the MD goes on; a restarted MD begins the file anew."""
    restart = "restart 1" in " ".join(sys.argv)
    begun = [int(path.suffix[1:]) for path in Path().glob("lmps.restart.*")] if restart else []
    done = max(begun, default=0) - 1
    types = Path("atom_type.txt").read_text().split()
    with Path("model_devi.out").open("w") as stream:
        stream.write(HEADER)
        stream.flush()
        ended = False
        while not ended:
            ended = real.poll() is not None
            try:
                dump = DumpTrajectory(Path("traj.lammpstrj"), types)
                steps = [step for step in dump.steps().tolist() if step > done]
            except TaskError:
                steps = []
            for step in steps[: None if ended else -1]:
                if step % out_freq == 0:
                    stream.write(row(step, [one.atomic(dump.frame(step)) for one in models]))
                    stream.flush()
                done = step
            if not ended:
                time.sleep(0.05)


def row(step: int, found: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """One line: deviations over the members by the formula of MatPL."""
    energies, forces = (np.array(one) for one in zip(*found))
    sigma_f = np.sqrt(((forces - forces.mean(0)) ** 2).sum(-1).mean(0))
    sigma_e = energies.std(0)
    values = [f(sigma) for sigma in (sigma_f, sigma_e) for f in (np.mean, np.min, np.max)]
    return f"{step:9d}" + "".join(f" {value:16.9f}" for value in values) + "\n"


if __name__ == "__main__":
    sys.exit(main())
