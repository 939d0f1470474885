"""Checks frames that are to be labelled, before anything is written."""

from __future__ import annotations

from pathlib import Path

from pwact.atom_properties import in_words
from pwact.engines.batch import BatchLabeler
from pwact.engines.labelers import Purpose
from pwact.engines.ladder import ladder_of
from pwact.errors import InputError
from pwact.executors import check_block
from pwact.workflow.checks.check_open import check_frame_open
from pwact.workflow.labels.campaign import GivenStage
from pwact.workflow.labels.given import GivenFrame


def check_given(stage: GivenStage) -> list[str]:
    """What the program is given of the atoms, one line for equal frames of a file.

    Raises
    ------
    InputError
        The labeler cannot label these frames, or the data set cannot hold them.
    """
    check_block(stage.config.block)
    labeler = stage.labeler
    elements = frozenset(
        symbol for one in stage.frames for symbol in one.atoms.get_chemical_symbols()
    )
    ladder_of(labeler, stage.config.label)
    if isinstance(labeler, BatchLabeler):
        labeler.validate(elements)
    else:
        labeler.validate(Purpose.SCF, elements)
    computed = False if isinstance(labeler, BatchLabeler) else labeler.open_axes
    said = []
    for one in stage.frames:
        _check_cell(one)
        place = Path(f"{one.file_path}, frame {one.number}")
        check_frame_open(one.atoms, place, computed, stage.config.data_format)
        if words := in_words(one.atoms):
            said.append(f"{one.file_path}: its labels get {words}")
    return list(dict.fromkeys(said))


def _check_cell(one: GivenFrame) -> None:
    if not one.atoms.cell.volume > 0:
        raise InputError(f"frame {one.number}: the cell has no volume", Path(one.file_path))
