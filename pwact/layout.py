"""Every directory and file name of a campaign. Numbers become names here, never the reverse.

::

    work_dir/
      .pwact/{journal.jsonl,lock,labels/<h>/<hash>.json}  PID  pwact.log
      temp_init_bulk_work/                                  pwact init_bulk
        relax/init_config_<i>/relaxed.P
        super_cell_scale/init_config_<i>/{super_cell.P,<s>_scale.P}
        pertub/init_config_<i>/<base>/{<input structure>,0_pertub.P,1_pertub.P …}
        aimd/init_config_<i>/<base>/<k>_aimd/
        bigmodel/init_config_<i>/<base>/<k>_bigmodel/
        bigmodel/direct/
        scf/<n>/                                            n-th frame that DIRECT chose
        scf/init_config_<i>/<base>/<k>_{aimd,bigmodel}/<n>-scf/
        scf/init_config_<i>/<base>/<k>-scf/                 without MD: of the k-th structure
      collection/
        datapath.txt  left_out.csv
        init_config_<i>/{relaxed.P,super_cell.P,<s>_scale.P,<base>_pertub/,train.xyz|PWdata/,origin.csv}
        bigmodel/                                           as above
        bigmodel/direct/{train.xyz|PWdata/}  scf/{train.xyz|PWdata/}
      al.record  iter_result.txt  iter_select.txt           pwact run
      iter.0000/
        00.train/{train.000/ …,valid_error.csv}
        01.explore/md/md.000.sys.000/{md.000.sys.000.t.000[.p.000]/,model_devi_distribution.png}
        01.explore/md/md.000.sys.000/md.000.sys.000.lmps.000/   by a LAMMPS input of the user
        01.explore/kpu/md.000.sys.000/md.000.sys.000.t.000[.p.000]/kpu_model_devi.out
        01.explore/appraise/{training.csv,md/set.000/ …}        with a target alone
        01.explore/select/{accurate,candidate,candidate_delete,fail}.csv
        01.explore/select/{limits,calibration}.csv              with a target
        01.explore/direct/{candidate.xyz,select.xyz,select_idx.dat,select.csv}
        02.label/bigmodel/{select.xyz,train.xyz}            labels by a script
        02.label/scf/md.000.sys.000/md.000.sys.000.t.000[.p.000]/<step>-scf/
        02.label/scf/retry-<n>/md.000.sys.000/…               n-th further try of those
        02.label/{sources.json,inputs.json,structures.txt,parity.npz}
        02.label/result/{train.xyz|PWdata/,label_error.csv}
      iter.0003/                                            the last one
        00.train/  03.final/{train/,check/,check.extxyz}
      final/{model.json,README.txt,in.lammps,calculator.py,check.data,check.extxyz}

    output/                                               pwact label, with a .pwact of its own
      {train.xyz|PWdata/,left_out.csv}
      label/scf/<i>/<n>-scf/                                n-th frame of the i-th file
      label/{sources.json,inputs.json}

PWact up to 0.3 wrote ``train``, ``explore`` and ``label`` without the numbers; a step that it did
is found there.

``P`` is the postfix of structure files (``.config``, ``.poscar``), which the labeler knows. The
spelling ``pertub`` is that of PWact and stays.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

from pwact.registry.formats import FORMATS

STATE_DIR = ".pwact"
JOURNAL = "journal.jsonl"
LOCK = "lock"
LABEL_STORE = "labels"
LOG = "pwact.log"
PID = "PID"

AL_RECORD = "al.record"
OLD_RECORD = "si.al"  # of PWact up to 0.3
PWACT_WORK = "temp_run_iter_work"  # of PWact, in an iteration
ITER_RESULT = "iter_result.txt"
ITER_SELECT = "iter_select.txt"

TRAIN = "00.train"
EXPLORE = "01.explore"
LABEL = "02.label"
FINAL = "final"
FINAL_WORK = "03.final"  # of an iteration
VALID_ERROR = "valid_error.csv"
FINAL_MODEL = "model.json"
LABEL_ERROR = "label_error.csv"
PARITY = "parity.npz"
TRAINING_PAIRS = "training.csv"
LIMITS = "limits.csv"
CALIBRATION = "calibration.csv"
LEFT_OUT = "left_out.csv"
ORIGIN = "origin.csv"
SOURCES = "sources.json"
TASK_INPUTS = "inputs.json"
STRUCTURES = "structures.txt"
RETRIES = "retries.csv"
HISTOGRAM = "model_devi_distribution.png"
EXPLORED_START = "lmp.config"  # the structure from which an MD starts
MODEL_DEVI = "model_devi.out"
EARLIER_MODEL_DEVI = "model_devi.before.out"  # the earlier rows of a continued MD
MODEL_DEVI_FILES = "model_devi*.out"
KPU_MODEL_DEVI = "kpu_model_devi.out"
EXTRAPOLATION_GRADE = "extrapolation_grade.out"
FEATURES = "features.npy"

CANDIDATE = "candidate.csv"
TRAIN_XYZ = "train.xyz"
PWDATA = "PWdata"

LABEL_TASKS = "label"  # of pwact label

TEMP_INIT = "temp_init_bulk_work"
COLLECTION = "collection"
DATAPATH = "datapath.txt"
RELAX = "relax"
SUPER_CELL_SCALE = "super_cell_scale"
PERTURB = "pertub"
AIMD = "aimd"
BIGMODEL = "bigmodel"
DIRECT = "direct"
SCF = "scf"
APPRAISE = "appraise"
LINKED_WHILE_RUNNING = (SUPER_CELL_SCALE, PERTURB, AIMD, BIGMODEL, SCF)

STEPS_OF_CHAIN = (RELAX, *LINKED_WHILE_RUNNING)

RELAX_BASE = "relax"
SUPER_CELL_BASE = "super_cell"
INIT_BASE = "init"

OWN_NAMES = frozenset(
    {
        *(STATE_DIR, LOG, PID, ITER_RESULT, ITER_SELECT, TEMP_INIT, COLLECTION, FINAL),
        *LINKED_WHILE_RUNNING,
    }
)  # of the work directory


def iteration_name(iteration: int) -> str:
    """``iter.0000`` and so on."""
    return f"iter.{iteration:04d}"


def label_store(work_dir: Path) -> Path:
    """All labels of a campaign, by content."""
    return work_dir / STATE_DIR / LABEL_STORE


def iteration_dir(work_dir: Path, iteration: int) -> Path:
    """Everything of one iteration."""
    return work_dir / iteration_name(iteration)


def step_names(mark: str) -> tuple[str, str]:
    """Of a step of PWact's record (``train`` …) the directory in an iteration, by now and once."""
    name = next(name for name in (TRAIN, EXPLORE, LABEL) if old_step_name(name) == mark)
    return name, mark


def old_step_name(name: str) -> str:
    """``train`` for ``00.train`` and so on."""
    return name.partition(".")[2]


def _step_dir(work_dir: Path, iteration: int, name: str) -> Path:
    directory = iteration_dir(work_dir, iteration) / name
    old = directory.with_name(old_step_name(name))
    return old if old.is_dir() and not directory.exists() else directory


def train_dir(work_dir: Path, iteration: int) -> Path:
    """``00.train``."""
    return _step_dir(work_dir, iteration, TRAIN)


def explore_dir(work_dir: Path, iteration: int) -> Path:
    """``01.explore``."""
    return _step_dir(work_dir, iteration, EXPLORE)


def md_dir(work_dir: Path, iteration: int) -> Path:
    """Where the trajectories of an iteration are."""
    return explore_dir(work_dir, iteration) / "md"


def kpu_dir(work_dir: Path, iteration: int) -> Path:
    """Where the Kalman prediction uncertainty of the trajectories is computed."""
    return explore_dir(work_dir, iteration) / "kpu"


def evaluated(trajectory: Path) -> Path:
    """Where the uncertainty of a trajectory, of any tree, is computed: ``kpu`` beside ``md``."""
    system = trajectory.parent
    return system.parent.with_name("kpu") / system.name / trajectory.name


def appraise_dir(work_dir: Path, iteration: int) -> Path:
    """Where the models of an iteration are judged on what they were trained on."""
    return explore_dir(work_dir, iteration) / APPRAISE


def select_dir(work_dir: Path, iteration: int) -> Path:
    """Where the classes of frames are listed."""
    return explore_dir(work_dir, iteration) / "select"


def candidate_table(work_dir: Path, iteration: int) -> Path:
    """The frames that a selection hands on."""
    return select_dir(work_dir, iteration) / CANDIDATE


def direct_dir(work_dir: Path, iteration: int) -> Path:
    """Where a script chooses among the candidates."""
    return explore_dir(work_dir, iteration) / DIRECT


def label_dir(work_dir: Path, iteration: int) -> Path:
    """``02.label``."""
    return _step_dir(work_dir, iteration, LABEL)


def parity(work_dir: Path, iteration: int) -> Path:
    """The new labels beside what the exploring model said."""
    return label_dir(work_dir, iteration) / PARITY


def final_work_dir(work_dir: Path, iteration: int) -> Path:
    """Where the force field is fitted to all frames and tried, before it is handed on."""
    return iteration_dir(work_dir, iteration) / FINAL_WORK


def final_dir(work_dir: Path) -> Path:
    """The force field, as it can be handed on."""
    return work_dir / FINAL


def scf_dir(work_dir: Path, iteration: int) -> Path:
    """Where the labelling tasks run."""
    return label_dir(work_dir, iteration) / "scf"


def result_dir(work_dir: Path, iteration: int) -> Path:
    """Where the labelled frames of an iteration are."""
    return label_dir(work_dir, iteration) / "result"


def member_name(member: int) -> str:
    """``train.000`` …: one model of the committee."""
    return f"train.{member:03d}"


def member_dir(work_dir: Path, iteration: int, member: int) -> Path:
    """Where one model of the committee is trained."""
    return train_dir(work_dir, iteration) / member_name(member)


def system_name(md: int, system: int) -> str:
    """All trajectories of one structure of one md dict: ``md.000.sys.000``."""
    return f"md.{md:03d}.sys.{system:03d}"


def trajectory_name(md: int, system: int, temp_idx: int, press_idx: Optional[int] = None) -> str:
    """``md.000.sys.000.t.000``, for NPT ``md.000.sys.000.t.000.p.000``."""
    name = f"{system_name(md, system)}.t.{temp_idx:03d}"
    return name if press_idx is None else f"{name}.p.{press_idx:03d}"


def lammps_trajectory_name(md: int, system: int, input_idx: int) -> str:
    """``md.000.sys.000.lmps.000``: by the `input_idx`-th input of the user."""
    return f"{system_name(md, system)}.lmps.{input_idx:03d}"


def scf_name(step: int) -> str:
    """Task that labels the frame of MD step `step`: ``820-scf``."""
    return f"{step}-scf"


def retry_dir(number: int) -> str:
    """``retry-1`` …: labels whose SCF did not converge, tried again with changes."""
    return f"retry-{number}"


def first_try(task: str) -> str:
    """The task of the first try of a label, by that of any try.

    >>> first_try("iter.0000/02.label/scf/retry-2/md.000.sys.000/4-scf")
    'iter.0000/02.label/scf/md.000.sys.000/4-scf'
    """
    return re.sub(r"(?<=/)retry-\d+(/|$)", "", task)


def labelled(directory: Path, data_format: str) -> Path:
    """The data set of frames in `directory`: ``train.xyz``, or the folder ``PWdata``."""
    folder = FORMATS[data_format].folder
    return directory / (PWDATA if folder else part_of_data("train", data_format))


def part_of_data(part: str, data_format: str) -> str:
    """Name of the data set of one part: ``train.xyz``, or the folder ``train``."""
    return f"{part}{FORMATS[data_format].ending}"


def init_config(index: int) -> str:
    """``init_config_0`` …: one entry of sys_configs."""
    return f"init_config_{index}"


def part_prefix(number: int) -> str:
    """``added-1/`` …: entries of an init_bulk that came after others; "" for those before."""
    return f"added-{number}/" if number else ""


def scale_base(factor: str) -> str:
    """``0.9_scale`` for a factor as it is written in the input."""
    return f"{factor}_scale"


def perturbed_name(number: int) -> str:
    """``0_pertub`` …, without postfix."""
    return f"{number}_pertub"


def perturbed_folder(base: str) -> str:
    """``0.9_scale_pertub`` …: the perturbed structures of `base` in the collection."""
    return f"{base}_pertub"


def md_name(number: int, word: str) -> str:
    """``0_aimd``, ``0_bigmodel`` …: one MD of an entry."""
    return f"{number}_{word}"


_ERROR_TAGS = ("md", "direct")  # these two call their failed tag "error"


def success_tag(kind: str) -> str:
    """``tag.bigmodel.success``: what a task leaves whose program ended well."""
    return f"tag.{kind}.success"


def failed_tag(kind: str) -> str:
    """``tag.train.failed``: what a task leaves whose program ended with an error."""
    return f"tag.{kind}.{'error' if kind in _ERROR_TAGS else 'failed'}"
