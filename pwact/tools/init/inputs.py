"""Input files of a new campaign, from a few answers: three JSON files and what labels need."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from pwact.engines.presets import LabelFiles, Wanted, label_files
from pwact.errors import InputError
from pwact.io.durable import sync_directory
from pwact.registry.presets import LABEL_PRESETS, trainer_presets
from pwact.registry.schedulers import EXECUTORS
from pwact.tools.init.structures import REPEATED_FORMAT, FirstStructure, first_structure

INIT_PARAM, RUN_PARAM, RESOURCE = "init_param.json", "run_param.json", "resource.json"
SEED = 2025
_LIGHT, _HEAVY = 1.0, 2.0  # fs: time steps with hydrogen and without
_STEPS, _INTERVAL = 20, 5  # of the AIMD
_MD_STEPS, _MD_EVERY = 1000, 10
_MAX_ITERATIONS = 8
_SCALES = [0.98, 1.0, 1.02]


@dataclass(frozen=True)
class Wish:
    """What the user answered.

    Attributes
    ----------
    temperatures
        In K, in the order in which they are explored.
    target
        The force error that is needed, in eV/Å.
    shortest
        Cells are repeated until their heights are at least so long, in Å.
    """

    structures: Sequence[str]
    train: str
    label: str
    scheduler: str
    temperatures: Sequence[float]
    target: float
    queue: str = ""
    ensemble: str = ""
    pseudo: Sequence[str] = ()
    data: Optional[str] = None
    cutoff_ry: Optional[float] = None
    cpus: int = 1
    command: str = ""
    shortest: float = 10.0


@dataclass(frozen=True)
class FirstInputs:
    """Texts by file name; what the user must supply; what is said about them."""

    texts: Mapping[str, str]
    to_supply: Sequence[str]
    warnings: Sequence[str]


def first_inputs(wish: Wish, here: Path) -> FirstInputs:
    """Make all texts; nothing is written.

    Raises
    ------
    InputError
        A structure cannot be read, the labels need what is not there, or a file is there already.
    """
    systems = [first_structure(name, here, wish.shortest) for name in wish.structures]
    elements = tuple(dict.fromkeys(symbol for one in systems for symbol in one.elements))
    timestep = _LIGHT if "H" in elements else _HEAVY
    labels = label_files(wish.label, _wanted(wish, elements, here, timestep))
    trainer = json.loads(trainer_presets()[wish.train].read_text(encoding="utf-8"))
    texts = dict(labels.texts)
    for one in systems:
        if one.explored != one.name:
            _demand_new(one.explored, texts)
            texts[one.explored] = one.text()
    texts[INIT_PARAM] = as_json(_init_param(systems, labels))
    texts[RUN_PARAM] = as_json(_run_param(wish, systems, labels, (trainer, elements, timestep)))
    texts[RESOURCE] = as_json(_resource(wish, labels, trainer))
    for name in texts:
        if (here / name).exists() or (here / name).is_symlink():
            raise InputError("is there already, and is not overwritten", here / name)
    sizes = [f"{one.explored}: {len(one.atoms)} atoms to explore" for one in systems]
    return FirstInputs(texts, labels.to_supply, sizes)


def write(made: FirstInputs, here: Path) -> None:
    """Write all files; where one cannot be written, none stays. Never overwrites."""
    written: list[Path] = []
    try:
        for name, text in made.texts.items():
            with (here / name).open("x", encoding="utf-8") as stream:
                written.append(here / name)
                stream.write(text)
        sync_directory(here)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _demand_new(name: str, texts: Mapping[str, str]) -> None:
    if name in texts:
        raise InputError(f"two structures would become {name}; give one of them another name")


def _wanted(wish: Wish, elements: tuple[str, ...], here: Path, timestep: float) -> Wanted:
    return Wanted(
        elements=elements,
        here=here,
        temperature_k=wish.temperatures[0],
        timestep_fs=timestep,
        steps=_STEPS,
        interval=_INTERVAL,
        pseudo=tuple(wish.pseudo),
        data=Path(wish.data) if wish.data else None,
        cutoff_ry=wish.cutoff_ry,
        cpus=wish.cpus,
    )


def _control(labels: LabelFiles, purpose: str) -> dict[str, Any]:
    """A control file of one purpose, with its k-points."""
    kspacing = labels.preset.kspacing.get(purpose)
    made: dict[str, Any] = {"input": labels.preset.inputs[purpose]}
    return made if kspacing is None else {**made, "kspacing": kspacing}


def _init_param(systems: Sequence[FirstStructure], labels: LabelFiles) -> dict[str, Any]:
    return {
        "_": "pwact init_bulk: the first data. Keys that begin with _ are comments.",
        "seed": SEED,
        "dft_style": labels.preset.labeler,
        **labels.keys,
        "relax_input": _control(labels, "relax"),
        "aimd_input": _control(labels, "aimd"),
        "_sys_configs": "relax, repeat, scale, perturb, then a short AIMD of each",
        "sys_configs": [_entry(one) for one in systems],
    }


def _entry(one: FirstStructure) -> dict[str, Any]:
    return {
        "config": one.name,
        "format": one.format,
        "relax": True,
        "super_cell": list(one.multiple),
        "scale": _SCALES,
        "perturb": 1,
        "cell_pert_fraction": 0.02,
        "atom_pert_distance": 0.05,
        "aimd": True,
    }


def _run_param(
    wish: Wish,
    systems: Sequence[FirstStructure],
    labels: LabelFiles,
    fixed: tuple[Mapping[str, Any], tuple[str, ...], float],
) -> dict[str, Any]:
    trainer, elements, timestep = fixed
    first = [f"collection/init_config_{number}/train.xyz" for number in range(len(systems))]
    return {
        "_": "pwact run: the loop. Begin it when init_bulk has made init_data.",
        "seed": SEED,
        "init_data": first,
        "_valid_data": "data that is never trained on, to measure the models by; none yet",
        "valid_data": [],
        "train": {**trainer["train"], "atom_type": list(elements)},
        "strategy": {
            "uncertainty": trainer["uncertainty"],
            "_target_force_error": "eV/Å: the limits are found from it, and the loop ends by it",
            "target_force_error": wish.target,
            "max_iterations": _MAX_ITERATIONS,
        },
        "explore": {
            "sys_configs": [_explored(one) for one in systems],
            "_md_jobs": "conditions, one after the other, each until the error is small enough",
            "md_jobs": [_md_job(wish, systems, one, timestep) for one in wish.temperatures],
        },
        "DFT": {"dft_style": labels.preset.labeler, **labels.keys, **_control(labels, "scf")},
    }


def _explored(one: FirstStructure) -> dict[str, str]:
    own = one.explored == one.name
    return {"config": one.explored, "format": one.format if own else REPEATED_FORMAT}


def _md_job(
    wish: Wish, systems: Sequence[FirstStructure], temperature: float, timestep: float
) -> dict[str, Any]:
    usual = "nvt" if any(one.is_open for one in systems) else "npt-iso"
    ensemble = wish.ensemble or usual
    return {
        "sys_idx": list(range(len(systems))),
        "ensemble": ensemble,
        "temps": [temperature],
        **({"press": [0]} if ensemble.startswith("npt") else {}),
        "nsteps": _MD_STEPS,
        "md_dt": timestep / 1000,
        "trj_freq": _MD_EVERY,
    }


def _resource(wish: Wish, labels: LabelFiles, trainer: Mapping[str, Any]) -> dict[str, Any]:
    """Local jobs are short programs that several tasks share; elsewhere each task has its job."""
    queue = {"queue_name": wish.queue} if wish.queue else {}
    programs = trainer["commands"]
    env = {"env_list": trainer["env_list"]} if trainer["env_list"] else {}
    return {
        "_": "where the jobs run: command, CPUs, modules (module_list) and header lines "
        "(custom_flags) of each kind of task",
        "scheduler": wish.scheduler,
        **queue,
        "train": {"command": programs["train"], **env},
        "explore": {"command": programs["explore"], **env},
        "DFT": {
            "command": wish.command or _label_command(wish),
            "cpu_per_node": wish.cpus,
            "group_size": 1 if EXECUTORS[wish.scheduler].directive else 4,
            "env_list": ["export OMP_NUM_THREADS=1"],
        },
    }


def _label_command(wish: Wish) -> str:
    preset = LABEL_PRESETS[wish.label]
    launch = f"mpirun -np {wish.cpus} " if preset.parallel and wish.cpus > 1 else ""
    return f"{launch}{preset.command}"


def as_json(value: Any) -> str:
    """JSON as people write it: what fits into a line of 100 characters stands in one."""
    return _laid_out(value, "") + "\n"


def _laid_out(value: Any, indent: str) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or (indent and _is_short(value, flat)):
        return flat
    inner = f"{indent}  "
    if isinstance(value, list):
        rows = [_laid_out(one, inner) for one in value]
        return "[\n" + ",\n".join(inner + row for row in rows) + f"\n{indent}]"
    rows = [
        f"{json.dumps(name, ensure_ascii=False)}: {_laid_out(one, inner)}"
        for name, one in value.items()
    ]
    return "{\n" + ",\n".join(inner + row for row in rows) + f"\n{indent}}}"


def _is_short(value: Any, flat: str) -> bool:
    return len(flat) <= 100 and '"_' not in flat
