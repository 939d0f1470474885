"""A finished task of each kind of script of the user, for the contract."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from pwact.config.labeling import LabelConfig
from pwact.config.resources import ResourceBlock
from pwact.engines import run_labeler_for
from pwact.engines.labelers import Purpose
from pwact.engines.scripts.md import MdScript
from pwact.formats.extxyz import write_extxyz
from tests.engines import test_direct_script, test_label_script, test_user_scripts
from tests.engines.contract_task import Case, Finished, label, names_in, run

SCRIPT = """\
from tests.engines.test_label_script import labelled
from pwact.formats.extxyz import write_extxyz
from pathlib import Path
write_extxyz(Path("train.xyz"), labelled(Path()))
"""


def bigmodel(folder: Path) -> Finished:
    """Labels of a whole run."""
    folder.mkdir(exist_ok=True)
    script = folder / "label.py"
    script.write_text(SCRIPT)
    block = ResourceBlock(name="DFT", command=f"{shlex.quote(sys.executable)} label.py")
    made: Any = run_labeler_for(LabelConfig(style="bigmodel", bigmodel_script=script), block)
    task = folder / "task"
    task.mkdir()
    made.write_batch(task, test_label_script.frames(3))
    inputs = names_in(task)
    root = str(Path(__file__).parents[2])
    run(task, made.command(), PYTHONPATH=root)
    (task / "tag.bigmodel.success").touch()
    return Finished(task, made.check, inputs, made.read_batch)


def md(folder: Path) -> Finished:
    """MD by a script, in place of AIMD."""
    block = ResourceBlock(name="explore", command=test_user_scripts.COMMAND)
    made = MdScript(test_user_scripts.script(folder), block)
    task = folder / "task"
    task.mkdir()
    made.write_input(task, test_user_scripts.frames(1)[0], Purpose.AIMD, 7)
    inputs = names_in(task)
    write_extxyz(task / "traj.xyz", test_user_scripts.frames(3))
    (task / "tag.bigmodel.success").touch()
    return label(made, task, Purpose.AIMD, inputs)


def direct(folder: Path) -> Finished:
    """The choice of frames."""
    task = folder / "task"
    task.mkdir(parents=True)
    rig = test_direct_script.Rig(task)
    inputs = names_in(task)
    rig.choose(rig.pick([5, 1, 3]), [5, 1, 3])

    def read(directory: Path) -> Any:
        found = rig.script.read_result(directory)
        return [*found.frames, *map(str, found.indices)]

    return Finished(task, rig.script.check, inputs, read)


SCRIPTS: dict[str, Case] = {
    "bigmodel": Case("labeler bigmodel", bigmodel, proof="tag.bigmodel.success", open_ended=True),
    "md script": Case("script md", md, proof="tag.bigmodel.success", open_ended=True),
    "direct script": Case("script direct", direct, proof="tag.direct.success", open_ended=True),
}
