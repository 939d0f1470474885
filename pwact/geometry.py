"""Super cells, scaling, random distortion, and distances. Lengths in Å, lattice vectors as rows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.geometry import cell_to_cellpar

from pwact.atom_properties import hand_on
from pwact.errors import InputError
from pwact.fixed_atoms import any_fixed, fix, fixed_of, in_super_cell

PERTURB_STYLES = ("normal", "uniform")
ANGLES = (20.0, 160.0)  # degrees; a cell beyond them is a slip, or has collapsed
LEFT_HANDED = (
    "the cell is left-handed (the triple product of its vectors is negative); exchange its vectors "
    "b and c, and with them the second and the third fractional coordinate of every atom"
)
_EDGE = 1e-5  # fractions this close below 0 or 1 stay where they are, or become 0
_FEW_PAIRS = 30_000
_FIRST_CUTOFF = 3.0
_DENSE = 0.5  # Å


def super_cell(atoms: Atoms, matrix: Sequence[float], pbc: Sequence[int] = (1, 1, 1)) -> Atoms:
    """Repeat a cell.

    Parameters
    ----------
    atoms
        The structure; labels are not kept, properties of atoms are.
    matrix
        3 integers for the diagonal, or 9, row by row, of M; the new lattice is M · A.
    pbc
        Axes along which atoms are wrapped into the cell.

    Returns
    -------
    ase.Atoms
        det(M) times as many atoms, by ascending Z; those of one element keep their order.

    Raises
    ------
    InputError
        The matrix does not hold 3 or 9 integers, its determinant is not positive, or atoms that are
        held in part cannot be held so in this cell.
    """
    multiple = _matrix(matrix)
    count = round(float(np.linalg.det(multiple)))
    if count < 1:
        raise InputError(f"super_cell must have a positive determinant, not {count}")
    lattice = multiple @ atoms.cell.array
    lattice[np.abs(lattice) < 1e-12] = 0
    inverse = np.linalg.inv(multiple)
    corners = np.array(list(itertools.product((0, 1), repeat=3))) @ multiple
    ranges = [range(int(low), int(high) + 1) for low, high in zip(corners.min(0), corners.max(0))]
    points = np.array(list(itertools.product(*ranges)))
    inside = points @ inverse
    points = points[np.all((inside > -1e-10) & (inside < 1 - 1e-10), axis=1)]
    if len(points) != count:
        raise InputError(f"super_cell gives {len(points)} cells instead of {count}")
    original = atoms.cell.scaled_positions(atoms.positions)
    fractions = (points[:, None, :] + original[None, :, :]).reshape(-1, 3) @ inverse
    numbers = np.tile(atoms.numbers, count)
    order = np.argsort(numbers, kind="stable")
    made = Atoms(
        numbers[order],
        cell=lattice,
        scaled_positions=_wrapped(fractions[order], pbc),
        pbc=atoms.pbc,
    )
    made = hand_on(atoms, made, order % len(atoms))
    try:
        fix(made, in_super_cell(multiple, fixed_of(made)))
    except ValueError as error:
        raise InputError(f"super_cell {list(matrix)}: {error}") from error
    return made


def _matrix(values: Sequence[float]) -> np.ndarray:
    numbers = np.asarray(values, dtype=float).ravel()
    if numbers.size not in (3, 9) or not np.array_equal(numbers, np.round(numbers)):
        raise InputError(f"super_cell must be 3 or 9 integers, not {list(values)}")
    matrix: np.ndarray = np.diag(numbers) if numbers.size == 3 else numbers.reshape(3, 3)
    return matrix


def _wrapped(fractions: np.ndarray, pbc: Sequence[int]) -> np.ndarray:
    periodic = np.asarray(pbc, dtype=bool)
    wrapped = fractions - np.floor(fractions + _EDGE)
    return np.where(periodic, wrapped, fractions)


def scale(atoms: Atoms, factor: float) -> Atoms:
    """Multiply the lattice vectors by `factor`; fractional positions stay. Labels are not kept.

    Raises
    ------
    InputError
        The factor is not a positive number.
    """
    if not (factor > 0 and np.isfinite(factor)):
        raise InputError(f"a scale factor must be a positive number, not {factor}")
    scaled = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    scaled.set_cell(atoms.cell.array * factor, scale_atoms=True)
    return hand_on(atoms, scaled)


def perturb(
    atoms: Atoms,
    cell_fraction: float,
    distance: float,
    rng: np.random.Generator,
    style: str = "normal",
) -> Atoms:
    """Strain the cell and displace the atoms at random. Labels are not kept.

    Atoms that are held (`pwact.fixed_atoms`) keep their place in the cell, along the lattice
    vectors along which they are held: a substrate that shall not move in MD is not shaken before.

    Parameters
    ----------
    atoms
        The structure, with a right-handed cell.
    cell_fraction
        The strains e1 … e6 are uniform in ±cell_fraction; A' = A · E with
        E = [[1+e1, e6/2, e5/2], [e6/2, 1+e2, e4/2], [e5/2, e4/2, 1+e3]].
    distance
        ``normal``: each component is displaced by distance · N(0, 1)/√3, so that `distance` is the
        root-mean-square length; ``uniform``: each component uniformly in ±distance. Å.
    rng
        Source of the random numbers; six for the cell come first.
    style
        One of `PERTURB_STYLES`.

    Returns
    -------
    ase.Atoms
        Rotated so that the cell is lower triangular with a positive diagonal; not wrapped.

    Raises
    ------
    InputError
        A size is negative or not a number, the style is unknown, or the cell is left-handed.
    """
    for name, value in (("cell_pert_fraction", cell_fraction), ("atom_pert_distance", distance)):
        if not (value >= 0 and np.isfinite(value)):
            raise InputError(f"{name} must not be negative, but is {value}")
    if style not in PERTURB_STYLES:
        raise InputError(f"perturb_style must be one of {', '.join(PERTURB_STYLES)}, not {style!r}")
    e1, e2, e3, e4, e5, e6 = rng.uniform(-cell_fraction, cell_fraction, 6)
    strain = np.array(
        [[1 + e1, e6 / 2, e5 / 2], [e6 / 2, 1 + e2, e4 / 2], [e5 / 2, e4 / 2, 1 + e3]]
    )
    shape = (len(atoms), 3)
    if style == "normal":
        shifts = rng.standard_normal(shape) * (distance / np.sqrt(3))
    else:
        shifts = rng.uniform(-distance, distance, shape)
    positions = atoms.positions @ strain + _free(atoms, strain, shifts)
    cell, rotation = lower_triangular(atoms.cell.array @ strain)
    return hand_on(atoms, Atoms(atoms.numbers, positions @ rotation, cell=cell, pbc=atoms.pbc))


def _free(atoms: Atoms, strain: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Displacements without their parts along lattice vectors along which an atom is held."""
    if not any_fixed(atoms):
        return shifts
    cell = atoms.cell.array @ strain
    free: np.ndarray = (shifts @ np.linalg.inv(cell) * (1 - fixed_of(atoms))) @ cell
    return free


def lower_triangular(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotate a cell so that a lies along x and b in the xy plane.

    Parameters
    ----------
    cell
        Lattice vectors as rows, shape (3, 3), right-handed.

    Returns
    -------
    tuple
        The lower-triangular cell L with positive diagonal, and the rotation R with L = cell · R.

    Raises
    ------
    InputError
        The cell has no volume or is left-handed.
    """
    cell = np.asarray(cell, dtype=float)
    a, b, c = cell
    volume = float(np.dot(np.cross(a, b), c))
    if not volume > 0:
        kind = LEFT_HANDED if volume < 0 else "the cell has no volume"
        raise InputError(kind)
    if not np.any(np.triu(cell, 1)) and np.all(np.diagonal(cell) > 0):
        return cell.copy(), np.eye(3)  # is of that form: keep every bit
    lx = float(np.linalg.norm(a))
    xy = float(np.dot(b, a)) / lx
    ly = float(np.linalg.norm(np.cross(a, b))) / lx
    xz = float(np.dot(c, a)) / lx
    yz = (float(np.dot(b, c)) - xy * xz) / ly
    lower = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, volume / (lx * ly)]])
    return lower, np.linalg.solve(cell, lower)


def right_handed(cell: np.ndarray) -> np.ndarray:
    """Lattice vectors of the same lattice, as rows, for programs that take no left-handed cell.

    All three are reversed where need be: they span the same lattice, atoms stay where they are.
    """
    return -cell if np.linalg.det(cell) < 0 else cell


def shortest_distance(atoms: Atoms) -> float:
    """Smallest distance between two atoms, periodic images included, in Å.

    0 when a position is not finite, infinity for a lone atom without periodic images.
    """
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return 0.0
    if len(atoms) < 2 and not atoms.pbc.any():
        return float("inf")
    # along a periodic axis an atom is no farther from its own image than the lattice vector is long
    repeats = np.linalg.norm(atoms.cell.array, axis=1)[atoms.pbc]
    cutoff = float(min([_FIRST_CUTOFF, *(repeats[repeats > 0] * (1 + _EDGE))]))
    largest = 2 * _reach(atoms)
    while True:
        found = _distances(atoms, cutoff)
        if len(found):
            return float(found.min())
        if cutoff > largest:
            return float("inf")
        cutoff *= 2


def _distances(atoms: Atoms, cutoff: float) -> np.ndarray:
    """Distances of all pairs that are at most `cutoff` apart, in Å.

    Few atoms are compared with all images at once, which is many times as fast as a neighbour list.
    """
    cell, positions = atoms.cell.array, atoms.positions
    if atoms.pbc.all() and np.linalg.det(cell) > 0:
        inverse = np.linalg.inv(cell)
        span = np.floor(cutoff * np.linalg.norm(inverse, axis=0) + 0.5)
        if np.prod(2 * span + 1) * len(atoms) ** 2 <= _FEW_PAIRS:
            images = np.stack(
                np.meshgrid(*(np.arange(-count, count + 1) for count in span)), axis=-1
            ).reshape(-1, 3)
            apart = (positions[:, None] - positions) @ inverse
            apart -= np.round(apart)
            lengths = np.linalg.norm((apart[:, :, None] + images) @ cell, axis=-1)
            itself = np.eye(len(atoms), dtype=bool)[:, :, None] & ~images.any(axis=1)
            return np.asarray(lengths[(lengths <= cutoff) & ~itself])
    from ase.neighborlist import primitive_neighbor_list  # noqa: PLC0415  (takes 0.2 s)

    return np.asarray(primitive_neighbor_list("d", atoms.pbc, cell, positions, cutoff))


def _reach(atoms: Atoms) -> float:
    """A length within which every atom that has a neighbour at all has one."""
    extent = np.ptp(atoms.positions, axis=0)
    return float(np.linalg.norm(extent) + np.linalg.norm(atoms.cell.array, axis=1).sum())


def narrowest(atoms: Atoms) -> float:
    """Smallest distance of two opposite faces of the cell along a periodic axis, in Å.

    Infinity where no axis is periodic.
    """
    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    return float(min(heights[np.asarray(atoms.pbc, dtype=bool)], default=np.inf))


def cell_angles(atoms: Atoms) -> np.ndarray:
    """Angles alpha, beta, gamma between the lattice vectors, in degrees, shape (3,)."""
    return np.asarray(cell_to_cellpar(atoms.cell.array)[3:], dtype=float)


def flaw(atoms: Atoms, min_distance: float) -> str:
    """Why no first-principles code should get a frame, in words; "" if it may have it.

    Parameters
    ----------
    min_distance
        Smallest distance of two atoms, periodic images included, that is let through; Å.
    """
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return "a position or a lattice vector is not finite"
    if problem := _cell_flaw(atoms):
        return problem
    if (spread := _widest(atoms)) < min(min_distance, _DENSE):  # each pair is one of thousands
        return (
            f"{len(atoms)} atoms in {atoms.cell.volume:.3g} Å³ are at most {spread:.2f} Å apart "
            f"(min_distance is {min_distance:g})"
        )
    distance = shortest_distance(atoms)
    if distance < min_distance:
        return f"two atoms are only {distance:.2f} Å apart (min_distance is {min_distance:g})"
    return ""


def _widest(atoms: Atoms) -> float:
    """How far apart the nearest atoms of a crystal can be: those of a close packing, in Å.

    No packing of spheres is denser than the face-centred cubic one (Kepler; Hales 2005), whose
    nearest atoms are (√2 V / N)^(1/3) apart.
    """
    if not atoms.pbc.all() or not len(atoms):
        return float("inf")
    return float((np.sqrt(2) * abs(atoms.cell.volume) / len(atoms)) ** (1 / 3))


def _cell_flaw(atoms: Atoms) -> str:
    volume = float(np.linalg.det(atoms.cell.array))
    if volume < 0:
        return LEFT_HANDED
    if not volume > 0:
        return "the cell has no volume"
    low, high = ANGLES
    for name, angle in zip(("alpha", "beta", "gamma"), cell_angles(atoms)):
        if not low <= angle <= high:
            return f"the cell angle {name} is {angle:.1f}°, outside {low:g}° to {high:g}°"
    return ""
