"""Checks the data sets of a run: what they hold, and what they lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pwact.config.run import RunConfig
from pwact.config.train_keys import ENGINES
from pwact.errors import InputError, UsageError
from pwact.formats.frames import format_found
from pwact.formats.results import find_results
from pwact.workflow.checks.data_sets import DataSets, Place, elements_of
from pwact.workflow.checks.virials import collected_by_pwact, growing_words

if TYPE_CHECKING:
    from ase import Atoms

_NAMED = 3  # data sets in one message


def check_known(strange: set[str], config: RunConfig, key: str, path: Path) -> None:
    """Refuse elements of a file that the models will not know."""
    if strange:
        names = " ".join(sorted(strange))
        message = f"{path} holds {names}, which train.atom_type does not list"
        raise InputError(message, config.file, key)


def check_data(
    config: RunConfig, explored: Mapping[str, tuple[str, Path]], strict: bool
) -> list[str]:
    """Read all data sets; return warnings about labels that cannot be right.

    Parameters
    ----------
    explored
        Element → key and file of the first structure to explore that holds it.
    strict
        Whether such labels are refused.

    Raises
    ------
    InputError
        A data set cannot be read or used, or an element is explored that no data set holds.
    """
    if not config.init_data:
        message = "exploring with init_model_list before any training is not available yet"
        raise InputError(message, config.file, "init_data")
    data = DataSets()
    elements = _read(config, "init_data", config.init_data, data)
    end = len(data)
    _read(config, "valid_data", config.valid_data, data)
    warnings = [
        InputError(words, config.file, key)
        for key, words in (
            *(("init_data", words) for words in data.warnings(range(end))),
            *(("valid_data", words) for words in data.warnings(range(end, len(data)))),
            ("valid_data", data.shared(range(end), range(end, len(data)))),
            *(("", words) for words in data.without_forces()),
            ("init_data", growing_words(data.growing())),
        )
        if words
    ]
    if strict and warnings:
        raise warnings[0]
    few = _batches(config, end, len(data) - end)
    few += collected_by_pwact(config)
    return [*map(str, warnings), *few, *_without_data(config, explored, elements)]


def _batches(config: RunConfig, frames: int, valid: int) -> list[str]:
    """Refuse a batch that the data do not fill, where the program leaves out such a batch.

    Where it takes the frames that there are, warn.
    """
    train, size = config.train, config.train.needed_frames
    file = train.input_file or config.file
    engine = ENGINES[train.engine]
    key = f"{'' if train.input_file else 'train.'}{engine.batch}"
    if frames < size and not _labelled(config.work_dir):
        message = (
            f"found {size}, but init_data has {frames} frames: {train.engine} leaves out a batch "
            f"that is not full, so it would train nothing; at most {frames}"
        )
        raise InputError(message, file, key)
    if not engine.whole_batches and frames < train.batch_size:
        message = (
            f"found {train.batch_size}, but init_data has {frames} frames: {train.engine} then "
            f"takes {engine.smaller_batches} at each step"
        )
        return [str(InputError(message, file, key))]
    if 0 < valid < size:
        message = (
            f"found {size}, but valid_data has {valid} frames: {train.engine} leaves out a batch "
            "that is not full, so no errors on valid_data will be known"
        )
        return [str(InputError(message, file, key))]
    return []


def _read(config: RunConfig, key: str, paths: Sequence[Path], data: DataSets) -> set[str]:
    """Read data sets; return the elements."""
    known, found = set(config.train.atom_type), set[str]()

    def look(place: Place, atoms: Atoms) -> None:
        elements = set(atoms.get_chemical_symbols())
        check_known(elements - known, config, key, place.path)
        found.update(elements)
        if not atoms.cell.volume > 0:
            message = f"{place.path}: the cell of frame {place.index} has no volume"
            raise InputError(message, config.file, key)

    for path in paths:
        try:
            data.read(path, config.data_format, look)
        except InputError as error:
            if error.file == config.file:
                raise
            raise InputError(str(error), config.file, key) from error
    return found


def _without_data(
    config: RunConfig, explored: Mapping[str, tuple[str, Path]], elements: set[str]
) -> list[str]:
    """Refuse to explore elements that no data set holds, unless the models know them already."""
    absent = explored.keys() - elements
    if absent and not config.init_model_list:
        absent -= _labelled_elements(config.work_dir)
    if not absent:
        return []
    key, path = explored[min(absent)]
    names = " ".join(sorted(one for one in absent if explored[one] == (key, path)))
    paths = [str(one) for one in config.init_data[:_NAMED]]
    more = len(config.init_data) - len(paths)
    data = ", ".join(paths) + (f" and {more} more" if more else "")
    message = f"{path} holds {names}, which no data set of init_data holds ({data})"
    if config.init_model_list:
        message += "; that is right only if the models of init_model_list were trained with it"
        return [str(InputError(message, config.file, key))]
    message += (
        "; of an element without data models may agree though all are wrong: add labelled frames "
        "with it to init_data, or leave the structure out"
    )
    raise InputError(message, config.file, key)


def _labelled_elements(work_dir: Path) -> set[str]:
    """Elements of what this campaign has labelled already."""
    found: set[str] = set()
    for path in _labelled(work_dir):
        found |= elements_of([path], format_found(path))
    return found


def _labelled(work_dir: Path) -> Sequence[Path]:
    """Data sets that this campaign has labelled already."""
    try:
        return find_results(work_dir)
    except UsageError:
        return []
