"""Where a trajectory stops to be physical; what comes after is not looked at.

A model that is wrong can drive an MD to atoms on top of each other or out of their cell. From there
on the frames belong to no material, and to label them teaches nothing. Honest frames, however hot
or dense, must stay: the limits of `Rules` lie beyond them, and what passes by mistake costs a label
that fails or is large. There is no upper limit of the uncertainty: that would throw away the rare
frames for which the loop is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np


@dataclass(frozen=True)
class Rules:
    """What no material does.

    Attributes
    ----------
    distance
        Smallest distance of two atoms, in units of the sum of their covalent radii (Cordero et al.,
        Dalton Trans. 2832 (2008)). Molecules have 0.75 to 1.2 (H₂ 1.19, N₂ 0.77). At
        200 GPa nearest neighbours of transition metals come to 0.8, of the softest ones, whose
        radii are the largest (Na, K, Cs), to 0.55–0.65. Collisions take 0.15 off: liquid copper has
        0.73 at 3000 K, 0.65 at 200 GPa and 5700 K (EMT). At 0.4 a pair of any
        elements costs tens of eV, which no temperature of a condensed phase pays.
    contraction, expansion
        Volume in units of that of the first frame. The softest solid, H₂, has 1/12 of its volume at
        200 GPa (Loubeyre et al., Nature 383, 702 (1996)). A critical fluid has three to five times
        the volume of its solid; beyond eight it is a gas, or the cell runs away.
    temperature
        Kinetic temperature in units of that of the thermostat (the largest, if it is ramped).
        Of a single diatomic molecule one frame in 10⁶ is above 10, and none of larger systems; a
        reaction that sets free its heat stays below 5.
    force
        Largest force on an atom, eV/Å. Melts at 3000 K have 5 to 15, bonds X–H at their turning
        points at 3000 K 20 to 30, liquid copper at 200 GPa and 5700 K up to 20.
    """

    distance: float = 0.4
    contraction: float = 1 / 32
    expansion: float = 8.0
    temperature: float = 10.0
    force: float = 100.0


DEFAULTS = Rules()


def first_unphysical(
    distances: np.ndarray,
    volumes: np.ndarray,
    temperatures: np.ndarray,
    forces: np.ndarray,
    rules: Rules = DEFAULTS,
) -> Optional[int]:
    """The first frame of a trajectory that no material has.

    Parameters
    ----------
    distances
        Of each frame the smallest distance of two atoms over the sum of their covalent radii, shape
        (n,); infinite for a lone atom. NaN is unphysical: a position is not a number.
    volumes
        Volume over that of the first frame, shape (n,); NaN where the cell has none, which is not
        looked at.
    temperatures
        Kinetic temperature over that of the thermostat, shape (n,); NaN where it is not known,
        which is not looked at.
    forces
        Largest force on an atom, eV/Å, shape (n,). NaN is unphysical.

    Returns
    -------
    int or None
        Its index; None if all are physical. A value that equals a limit is physical.
    """
    bad = np.any(list(_broken(distances, volumes, temperatures, forces, rules).values()), axis=0)
    return int(np.argmax(bad)) if bad.any() else None


def why_unphysical(
    distance: float, volume: float, temperature: float, force: float, rules: Rules = DEFAULTS
) -> str:
    """What is wrong with a frame, in words; "" for one that is physical.

    Parameters
    ----------
    distance, volume, temperature, force
        As in `first_unphysical`, of this frame.
    """
    values = np.array([[distance], [volume], [temperature], [force]])
    broken = _broken(values[0], values[1], values[2], values[3], rules)
    words = {
        "distance": f"two atoms are at {distance:.2f} of the sum of their covalent radii "
        f"(the least is {rules.distance:g})",
        "volume": f"the volume is {volume:.3g} times that of the first frame "
        f"({rules.contraction:.3g} to {rules.expansion:g})",
        "temperature": f"the temperature is {temperature:.3g} times that of the thermostat "
        f"(the most is {rules.temperature:g})",
        "force": f"a force is {force:.4g} eV/Å (the most is {rules.force:g})",
    }
    return "; ".join(words[name] for name, bad in broken.items() if bad[0])


def _broken(
    distances: np.ndarray,
    volumes: np.ndarray,
    temperatures: np.ndarray,
    forces: np.ndarray,
    rules: Rules,
) -> dict[str, np.ndarray]:
    """Name of each rule → which frames break it."""
    with np.errstate(invalid="ignore"):
        return {
            "distance": ~(np.asarray(distances) >= rules.distance),
            "volume": (volumes < rules.contraction) | (np.asarray(volumes) > rules.expansion),
            "temperature": np.asarray(temperatures) > rules.temperature,
            "force": ~(np.asarray(forces) <= rules.force),
        }
