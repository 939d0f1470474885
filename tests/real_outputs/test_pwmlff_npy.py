"""A data set in pwmlff/npy of a first-principles MD."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact.formats.frames import composition_name, read_frames
from pwact.formats.labels import labels_of

pytestmark = pytest.mark.real_outputs


def test_a_data_set(samples: Path) -> None:
    found = read_frames(samples / "pwmlff_npy", "pwmlff/npy")
    assert len(found) == 187
    assert {composition_name(atoms) for atoms in found} == {"Li1Si24"}
    labels = labels_of(found[3])
    energies = np.load(samples / "pwmlff_npy" / "Li1Si24" / "energies.npy")
    assert labels.energy == energies[3, 0]
    assert np.abs(labels.forces.sum(axis=0)).max() < 0.05
    assert min(found[3].get_all_distances(mic=True)[np.triu_indices(25, 1)]) > 2
