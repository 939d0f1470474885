"""Input of ``pwact label``: of any param.json what says how to label, and where that runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pwact.config import run
from pwact.config.document import read_document
from pwact.config.init_bulk import load_scf
from pwact.config.labeling import LabelConfig, load_dft
from pwact.config.param import refuse_resource, resources_of, said_of, work_dir_of
from pwact.config.resources import ResourceBlock, Resources
from pwact.config.schema import Context, Node, only, read
from pwact.errors import InputError

_SETTINGS = tuple(
    key for key in run.KEYS if key.name in {"data_format", "reserve_scf_files", "work_dir"}
)
_OF_RUN = "dft"
_MARK_OF_INIT = "scf_input"


@dataclass(frozen=True)
class LabelInput:
    """How given frames are labelled.

    Attributes
    ----------
    label
        The section DFT of a run, or what ``scf_input`` of an init_bulk goes with.
    block
        Where it runs.
    work_dir
        That of param.json; its campaigns share their labels.
    reserve_scf_files
        Whether all files of the tasks are kept.
    warnings
        What is odd but does not stop the work.
    """

    label: LabelConfig
    block: ResourceBlock
    work_dir: Path
    data_format: str
    reserve_scf_files: bool
    warnings: Sequence[str] = field(default_factory=list)


def load_label(
    param_path: Path, resource_path: Path, launch_dir: Path, strict: bool = False
) -> LabelInput:
    """Read what says how to label from a param.json of run or init_bulk; the rest may be missing.

    Parameters
    ----------
    launch_dir, strict
        As for `pwact.config.param.load_pair`.

    Raises
    ------
    InputError
        What is read is wrong or missing; the message names the file and the key.
    """
    launch = launch_dir.absolute()
    document = read_document(launch / param_path)
    refuse_resource(document)
    context = Context(document.file, work_dir_of(document, launch), strict=strict)
    root = Node(document.root, "", context)
    of_run = root.members().get(_OF_RUN)
    if of_run is None and _MARK_OF_INIT not in root.members():
        message = f"neither DFT (of a run) nor {_MARK_OF_INIT} (of an init_bulk) is there"
        raise InputError(f"{message}: it does not say how to label", document.file)
    label = load_scf(root) if of_run is None else load_dft(of_run)
    values = read(only(root, _SETTINGS), _SETTINGS)
    resources, described = resources_of(launch, resource_path, context)
    return LabelInput(
        label,
        _block(resources, of_init=of_run is None),
        context.base,
        values["data_format"],
        values["reserve_scf_files"],
        said_of(context, described),
    )


def _block(resources: Resources, of_init: bool) -> ResourceBlock:
    found = (resources.scf if of_init else None) or resources.dft
    if found is None:
        message = "this block is required and missing; it is needed for labelling"
        raise InputError(message, resources.file, "DFT")
    return found
