"""What data sets hold before models are trained on them: elements, labels that cannot be right.

Of each frame a few numbers stay in memory, so that there may be many.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

import numpy as np

from pwact.config.elements import SYMBOLS
from pwact.formats.frames import iterate_frames
from pwact.formats.labels import labels_as_read
from pwact.formats.same_frame import structure_key
from pwact.formats.zero_forces import ZeroForces
from pwact.query.outliers import Labelled, Outliers, outliers
from pwact.workflow.checks.frozen import must_feel, same_energies
from pwact.workflow.checks.virials import grows_with_volume

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.formats.labels import Labels

SHOWN = 10  # numbers of frames in one line
SAME_ENERGY = 1e-3  # eV per atom, and
SAME_FORCE = 0.02  # eV/Å in the mean: labels that differ by less are the same
_NUMBERS = 9  # kept of a frame, see `DataSets.add`
_GRID = 1e-6  # Å, to which two structures are the same, whatever format they went through


@dataclass(frozen=True)
class Place:
    """Where a frame stands: its single data set, and its number there, from 0 on."""

    path: Path
    index: int

    def __str__(self) -> str:
        return f"{self.path}: frame {self.index}"


class DataSets:
    """A few numbers of every frame of several data sets."""

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._starts: list[int] = []
        self._numbers = array("d")
        self._compositions: list[tuple[tuple[int, int], ...]] = []
        self._known: dict[tuple[tuple[int, int], ...], int] = {}
        self._kinds = array("l")
        self._traces = array("d")
        self._seen: dict[str, int] = {}
        self._twins: list[tuple[int, int]] = []
        self._contradictions: list[tuple[int, int]] = []
        self._open: list[int] = []
        self._forceless: list[int] = []
        self._zeros: dict[Path, ZeroForces] = {}

    def __len__(self) -> int:
        return len(self._kinds)

    def read(
        self,
        path: Path,
        data_format: str,
        look: Callable[[Place, Atoms], None] = lambda place, atoms: None,
    ) -> None:
        """Take in the frames of a data set; `look` sees each before that.

        Raises
        ------
        InputError
            As `read_frames`, and what `look` raises.
        """
        for single, index, atoms in iterate_frames(path, data_format):
            look(Place(single, index), atoms)
            if index == 0:
                self._paths.append(single)
                self._starts.append(len(self))
            self._zeros.setdefault(single, ZeroForces()).add(atoms)
            self.add(atoms)

    def add(self, atoms: Atoms) -> None:
        """Take in one frame."""
        labels = labels_as_read(atoms)
        number = len(self)
        self._kinds.append(self._kind(atoms))
        strength = np.linalg.norm(labels.forces, axis=1)
        virial = np.nan if labels.virial is None else np.abs(labels.virial).max()
        self._traces.append(np.nan if labels.virial is None else np.trace(labels.virial))
        self._numbers.extend(
            [labels.energy, strength.max(), strength.mean(), abs(atoms.cell.volume), virial]
        )
        self._numbers.extend(_probe(labels))
        if not all(atoms.pbc):
            self._open.append(number)
        if not strength.any() and must_feel(atoms):
            self._forceless.append(number)
        first = self._seen.setdefault(structure_key(atoms, _GRID), number)
        if first != number:
            differ = self._differ(first, number)
            (self._contradictions if differ else self._twins).append((first, number))

    def without_forces(self) -> list[str]:
        """Data sets in which the same atoms feel no force in all of several frames, in words."""
        return [f"{path}: {one}" for path, zeros in self._zeros.items() for one in zeros.words(2)]

    def growing(self) -> list[str]:
        """Formulas of compositions whose pressure, by the virials, grows with the volume."""
        if not len(self):
            return []
        volumes = np.frombuffer(self._numbers, dtype=float).reshape(-1, _NUMBERS)[:, 3]
        kinds = grows_with_volume(np.array(self._kinds), volumes, np.array(self._traces))
        return [
            "".join(f"{SYMBOLS[element - 1]}{count}" for element, count in composition)
            for composition in map(self._compositions.__getitem__, kinds)
        ]

    def _kind(self, atoms: Atoms) -> int:
        elements, counts = np.unique(atoms.numbers, return_counts=True)
        composition = tuple(zip(elements.tolist(), counts.tolist()))
        if composition not in self._known:
            self._known[composition] = len(self._compositions)
            self._compositions.append(composition)
        return self._known[composition]

    def _row(self, number: int) -> np.ndarray:
        return np.array(self._numbers[_NUMBERS * number : _NUMBERS * (number + 1)])

    def _atoms(self, number: int) -> int:
        return sum(count for _, count in self._compositions[self._kinds[number]])

    def _differ(self, first: int, second: int) -> bool:
        apart = np.abs(self._row(first) - self._row(second))
        atoms = self._atoms(first)
        # a probe is a sum of forces, each times a random number: its mean square is theirs
        force = np.sqrt(np.mean(apart[5:] ** 2) / atoms)
        return bool(apart[0] > SAME_ENERGY * atoms or force > SAME_FORCE)

    def place(self, number: int) -> Place:
        """Where a frame stands."""
        which = int(np.searchsorted(self._starts, number, side="right")) - 1
        return Place(self._paths[which], number - self._starts[which])

    def shared(self, first: range, second: range) -> str:
        """Which frames of `second` have the structure of one of `first`, in words; "" if none.

        Those with other labels are named by `warnings`.
        """
        found = [(one, two) for one, two in self._twins if one in first and two in second]
        if not found:
            return ""
        one, two = found[0]
        return (
            f"{len(found)} of {len(second)} frames have the structure of a frame of init_data "
            f"({self.place(two)} that of {self.place(one)}): models learn it, so errors on it say "
            "nothing of structures that they did not see; take other frames"
        )

    def warnings(self, shown: range, beside: Optional[range] = None) -> list[str]:
        """Labels that cannot be right, and frames that are not periodic: a sentence each.

        Parameters
        ----------
        shown
            Numbers of the frames that are named.
        beside
            Numbers of the frames with which their values are compared: by default themselves. Two
            labels of one structure are found among all frames.
        """
        if not shown:
            return []
        rows = np.frombuffer(self._numbers, dtype=float).reshape(-1, _NUMBERS)
        found = self._outliers(rows, shown if beside is None else beside)
        return [
            *self._named(found.force, shown, self._force_words(rows)),
            *self._named(found.energy, shown, self._energy_words(rows, found)),
            *self._named(found.virial, shown, self._virial_words(rows)),
            *self._contradicting(shown, rows),
            *self._frozen(shown, rows),
            *self._named_numbers(
                [number for number in self._open if number in shown],
                lambda number: "is not periodic in all directions; models and MD are",
            ),
        ]

    def _outliers(self, rows: np.ndarray, beside: range) -> Outliers:
        part = slice(beside.start, beside.stop)
        found = outliers(Labelled(self._counts()[part], *rows[part, :5].T))
        around = (beside.start, len(rows) - beside.stop)
        return Outliers(
            *(
                np.pad(values, around)
                for values in (found.energy, found.force, found.virial, found.off)
            )
        )

    def _counts(self) -> np.ndarray:
        elements = sorted({element for kind in self._compositions for element, _ in kind})
        table = np.zeros((len(self._compositions), len(elements)), dtype=int)
        for row, kind in enumerate(self._compositions):
            for element, count in kind:
                table[row, elements.index(element)] = count
        counts: np.ndarray = table[np.array(self._kinds)]
        return counts

    def _force_words(self, rows: np.ndarray) -> Callable[[int], str]:
        usual = float(np.median(rows[:, 1]))
        return lambda number: (
            f"has a force of {rows[number, 1]:.6g} eV/Å, which cannot be right beside the others "
            f"(the largest force of a frame is {usual:.3g} eV/Å in the median)"
        )

    def _energy_words(self, rows: np.ndarray, found: Outliers) -> Callable[[int], str]:
        return lambda number: (
            f"has an energy of {rows[number, 0]:.10g} eV, "
            f"{abs(found.off[number]):.6g} eV per atom "
            f"{'above' if found.off[number] > 0 else 'below'} what the other frames let expect"
        )

    def _virial_words(self, rows: np.ndarray) -> Callable[[int], str]:
        return lambda number: (
            f"has a virial of {rows[number, 4]:.6g} eV, that is "
            f"{160.2177 * rows[number, 4] / rows[number, 3]:.4g} GPa, "
            "which cannot be right beside the others"
        )

    def _contradicting(self, shown: range, rows: np.ndarray) -> Iterator[str]:
        pairs = {second: first for first, second in self._contradictions if second in shown}
        return self._named_numbers(
            list(pairs),
            lambda number: (
                f"holds the same structure as {self.place(pairs[number])} with other labels "
                f"(energies {rows[number, 0]:.10g} and {rows[pairs[number], 0]:.10g} eV)"
            ),
        )

    def _frozen(self, shown: range, rows: np.ndarray) -> Iterator[str]:
        """Labels that do not follow the structure."""
        yield from self._named_numbers(
            [number for number in self._forceless if number in shown],
            lambda number: (
                "has forces of exactly 0 on all atoms, whose neighbours do not pull to all sides "
                "alike: none were computed"
            ),
        )
        part = slice(shown.start, shown.stop)
        kinds = np.array(self._kinds)[part]
        for found in same_energies(kinds, rows[part, 0], rows[part, 1], SAME_FORCE):
            first = shown.start + int(found[0])
            every = int(np.sum(kinds == kinds[found[0]]))
            yield (
                f"{self.place(first)} and {len(found) - 1} more, of {every} of these atoms, have "
                f"the very same energy of {rows[first, 0]:.10g} eV beside different forces"
            )

    def _named(self, which: np.ndarray, shown: range, words: Callable[[int], str]) -> Iterator[str]:
        return self._named_numbers([n for n in np.flatnonzero(which).tolist() if n in shown], words)

    def _named_numbers(self, numbers: Sequence[int], words: Callable[[int], str]) -> Iterator[str]:
        """One line a data set: its first frame in words, the others by their numbers."""
        by_path: dict[Path, list[int]] = {}
        for number in numbers:
            by_path.setdefault(self.place(number).path, []).append(number)
        for first, *others in by_path.values():
            line = f"{self.place(first)} {words(first)}"
            yield line + _and_others([self.place(number).index for number in others])


def _and_others(indices: Sequence[int]) -> str:
    if not indices:
        return ""
    more = ", …" if len(indices) > SHOWN else ""
    named = ", ".join(map(str, indices[:SHOWN])) + more
    return f"; the same of {len(indices)} more: {named}"


def _probe(labels: Labels) -> np.ndarray:
    """Four sums of all components of the forces, each times a fixed random number."""
    flat = labels.forces.ravel()
    sums: np.ndarray = _random(len(flat)) @ flat
    return sums


@lru_cache(maxsize=32)
def _random(count: int) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((4, count))


def elements_of(paths: Iterable[Path], data_format: str) -> set[str]:
    """Symbols of all elements in these data sets. Raises InputError."""
    return {
        symbol
        for path in paths
        for _, _, atoms in iterate_frames(path, data_format)
        for symbol in set(atoms.get_chemical_symbols())
    }
