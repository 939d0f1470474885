"""Models of NEP as text, ``nep.txt``: the form that GPUMD, its LAMMPS interface and TorchNEP read.

The head says what the model is, below it stands one number a line. A number too few or too many is
no error of a program that reads it: with another head the same numbers are another potential.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pwact.errors import TaskError

_LONGEST_HEAD = 20  # lines
_ORDERS = 7  # fields of l_max, of which older programs write fewer


@dataclass(frozen=True)
class NepModel:
    """A model, its head in the words of the file.

    Attributes
    ----------
    version
        ``nep4``, ``nep5`` …, without ``_zbl``.
    types
        Elements, in the order of the weights.
    zbl
        What follows ``zbl``, in Å; empty without that repulsion.
    cutoff
        Radial and angular, or these two of each type, in Å.
    n_max, basis_size
        Radial and angular.
    l_max
        Largest order of the three-body terms, and whether there are terms of more bodies.
    neuron
        Of the hidden layer.
    numbers
        Weights and scales.
    """

    version: str
    types: tuple[str, ...]
    zbl: tuple[float, ...]
    cutoff: tuple[float, ...]
    n_max: tuple[int, ...]
    basis_size: tuple[int, ...]
    l_max: tuple[int, ...]
    neuron: int
    numbers: tuple[float, ...]

    @property
    def asked(self) -> int:
        """Count of numbers that the head asks for; 1 where the version is another than 4 or 5.

        After Song et al., Nat. Commun. 15, 10208 (NEP4).
        """
        radial, angular = (one + 1 for one in self.n_max)
        size = radial + angular * (self.l_max[0] + sum(self.l_max[1:]))
        bias = {"nep4": 0, "nep5": 1}.get(self.version)
        if bias is None:
            return 1
        networks = len(self.types) * ((size + 2) * self.neuron + bias) + 1
        basis_radial, basis_angular = (one + 1 for one in self.basis_size)
        basis = radial * basis_radial + angular * basis_angular
        return networks + len(self.types) ** 2 * basis + size


def orders(l_max: Sequence[int]) -> tuple[int, ...]:
    """``l_max`` in one form: programs write 1 or 2 for the same terms, or leave zeros out."""
    given = [l_max[0], *(int(one > 0) for one in l_max[1:])]
    return tuple(given + [0] * (_ORDERS - len(given)))


def read_nep(path: Path) -> NepModel:
    """Read a model.

    Raises
    ------
    TaskError
        It cannot be read, its head is none, or a number is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise TaskError(f"{path}: cannot be read: {error}") from error
    begins = (k for k, line in enumerate(lines[:_LONGEST_HEAD]) if line.split()[:1] == ["ANN"])
    place = next(begins, None)
    if place is None:
        raise TaskError(f"{path}: no whole head of a NEP model")
    try:
        head = {words[0]: words[1:] for words in map(str.split, lines[: place + 1]) if words}
        return _model(lines[0].split(), head, lines[place + 1 :])
    except (KeyError, ValueError, IndexError) as error:
        raise TaskError(f"{path}: holds what is no NEP model: {error}") from error


def _model(
    first: Sequence[str], head: Mapping[str, Sequence[str]], rows: Sequence[str]
) -> NepModel:
    count = int(first[1])
    cutoff = tuple(map(float, head["cutoff"]))
    of_types = count > 1 and len(cutoff) == 2 * count + 2  # then two counts of neighbours
    return NepModel(
        version=first[0].partition("_")[0],
        types=tuple(first[2 : 2 + count]),
        zbl=tuple(map(float, head.get("zbl", ()))),
        cutoff=cutoff[: 2 * count if of_types else 2],
        n_max=_two(head["n_max"]),
        basis_size=_two(head["basis_size"]),
        l_max=orders([int(word) for word in head["l_max"]]),
        neuron=int(head["ANN"][0]),
        numbers=tuple(map(float, rows)),
    )


def _two(words: Sequence[str]) -> tuple[int, ...]:
    first, second, *_ = map(int, words)
    return first, second
