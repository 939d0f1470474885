"""Every label that a campaign has computed, kept by content, so that none is computed twice.

One JSON file a label below ``.pwact/labels``. Its name is the hash of the structure and of the
labeler; it holds the hash of its content, so that one that was edited or cut off is noticed and
left alone. Floats are written so that they are read back bit by bit. All of it may be deleted at
any time: what is missing is computed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.fingerprint import text_of, without_defaults
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.same_frame import same_frame
from pwact.io import durable, files

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)
_VERSION = 1


def label_key(structure: str, fingerprint: Mapping[str, Any]) -> str:
    """The name of a label (32 hex digits).

    Parameters
    ----------
    structure
        Hash of the frame, as `pwact.formats.same_frame.structure_key` makes it.
    fingerprint
        What the labeler depends on, for single points; a default that is written down and one
        that is not are the same.
    """
    text = text_of([structure, without_defaults(fingerprint)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class LabelStore:
    """The labels below one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, key: str) -> Path:
        """Where the label with this key is kept."""
        return self.directory / key[:2] / f"{key}.json"

    def get(self, key: str, frame: Atoms) -> Optional[Atoms]:
        """The labelled frame as it was put there; None if there is none that can be used.

        Parameters
        ----------
        frame
            The structure that is asked for; a label of another one is not given.
        """
        path = self.path(key)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            label = stored["label"]
            if (stored["version"], stored["hash"]) != (_VERSION, _hash(key, label)):
                raise ValueError("its content is not what was written")
            found = _frame(label)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            logger.warning("%s cannot be used (%s): this label is computed again", path, error)
            return None
        if not same_frame(frame, found):
            logger.warning("%s is of another structure: this label is computed again", path)
            return None
        return found

    def first(self, keys: Sequence[str]) -> int:
        """Which of these names has a label, the first one; 0 if none has."""
        return next((number for number, key in enumerate(keys) if self.path(key).exists()), 0)

    def put(self, key: str, frame: Atoms) -> None:
        """Keep a label, unless it is none: what is not finite is refused by who writes data."""
        path, label = self.path(key), _label(frame)
        numbers = [label["energy"], *np.ravel(label["forces"]), *np.ravel(label["virial"] or 0.0)]
        if not np.isfinite(numbers).all():
            return
        document = {"version": _VERSION, "hash": _hash(key, label), "label": label}
        text = _text(document) + "\n"
        if path.exists() and path.read_bytes() == text.encode():
            return
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            for above in (self.directory, self.directory.parent):
                durable.sync_directory(above)
        files.write_text(path, text)


def _label(frame: Atoms) -> dict[str, Any]:
    """Everything that data sets hold of a frame."""
    labels = labels_of(frame)
    virial = None if labels.virial is None else labels.virial.tolist()
    return {
        "numbers": frame.numbers.tolist(),
        "positions": frame.positions.tolist(),
        "cell": frame.cell.array.tolist(),
        "pbc": [bool(one) for one in frame.pbc],
        "energy": labels.energy,
        "forces": labels.forces.tolist(),
        "virial": virial,
    }


def _frame(label: Mapping[str, Any]) -> Atoms:
    from ase import Atoms  # noqa: PLC0415

    frame = Atoms(label["numbers"], label["positions"], cell=label["cell"], pbc=label["pbc"])
    virial = None if label["virial"] is None else np.array(label["virial"])
    set_labels(frame, label["energy"], np.array(label["forces"]), virial)
    return frame


def _hash(key: str, label: Mapping[str, Any]) -> str:
    return hashlib.sha256(f"{key} {_text(label)}".encode()).hexdigest()


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
