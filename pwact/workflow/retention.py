"""Deletes what a finished iteration does not keep, and nothing that the journal does not list."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from pwact.io import files
from pwact.workflow.ledger import StageState, place_of

logger = logging.getLogger(__name__)


def clean(work_dir: Path, stages: Mapping[str, StageState], names: Iterable[str]) -> None:
    """Delete the transient files of the stages called `names`; done again, it changes nothing.

    A stage that is not done keeps everything. While a label is lost nothing is deleted: to try it
    again the trajectories are needed. A path outside the work directory, or one that holds
    a product of any stage, is left alone with a warning.

    Parameters
    ----------
    stages
        All stages by name.
    """
    products = {PurePosixPath(name) for state in stages.values() for name in state.files}
    kept = products | {parent for product in products for parent in product.parents}
    chosen = list(names)
    for name in chosen:
        if place_of(name)[1] == "label" and name in stages and stages[name].lost:
            text = "%s: its trajectories and label files are kept while tasks are to be tried again"
            logger.info(text, name.rpartition("/")[0])
            return
    for name in chosen:
        state = stages.get(name)
        if state is None or not state.done:
            continue
        for transient in state.transient:
            relative = PurePosixPath(transient)
            if relative in kept or products & set(relative.parents):
                logger.warning("%s: not deleted, a result lies there", transient)
                continue
            _delete(work_dir, work_dir / relative)


def _delete(work_dir: Path, path: Path) -> None:
    if not (path.exists() or path.is_symlink()):
        return
    place = path.parent.resolve()
    if work_dir.resolve() not in (place, *place.parents):
        logger.warning("%s: not deleted, it lies outside the work directory", path)
        return
    remove_if_possible(path)


def remove_if_possible(path: Path) -> None:
    """Delete what nobody needs any more; what cannot be deleted is named and stays."""
    try:
        files.remove(path)
    except OSError as error:
        place = error.filename or path
        logger.warning("%s: could not be deleted: %s", place, error.strerror or error)


def discard_tree(tree: Path) -> None:
    """Delete a tree that is not needed any more, and what an earlier try left of it.

    It is renamed first: a tree that is half deleted after a kill would look like damage.
    """
    trash = tree.with_name(f".{tree.name}.trash")
    remove_if_possible(trash)
    if tree.exists() and not trash.exists():
        tree.rename(trash)
        remove_if_possible(trash)
