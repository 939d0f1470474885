"""P over the training data of a model, made at the end of its training, so that it is part of it.

With the rows g of `pwact.engines.gradients.rows`, K of each training frame, and m columns

    A = Σ_frames (1/K) Σ_k g gᵀ,   P = (A + λ tr(A)/min(m, 512) 1)⁻¹,   λ = 0.01,

the posterior covariance of the weights, in the directions that the sketch keeps and up to a factor,
of the model that is linear in them: a Laplace approximation with the Gauss–Newton matrix of the
forces (D. J. C. MacKay, Neural Comput. 4, 448 (1992)). The ridge is a part of the trace, so that
units and the number of frames do not count; it does not follow m beyond 512, for what P says of a
frame depends on products of rows, which a sketch keeps, and on the ridge alone.

K is 16, or what gives 8 m rows where the data have more frames than that; never less than 1.

Run inside the jobs, in the directory of a training:
``python -m pwact.engines.gradients.covariance ADAPTER MODEL DATA…`` writes ``kpu.npz``.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pwact.engines.gradients.differentiable import loaded
from pwact.engines.gradients.rows import GradientRows, Rows, training_vectors
from pwact.engines.worker import exit_status, python_module
from pwact.errors import TaskError
from pwact.formats.frames import read_frames
from pwact.io import files
from pwact.query.sketch import MOST

if TYPE_CHECKING:
    from ase import Atoms

GRADIENT_COVARIANCE = "kpu.npz"
RIDGE = 0.01
MOST_ROWS, ROWS_A_COLUMN = 16, 8
_MODULE = "pwact.engines.gradients.covariance"


@dataclass(frozen=True)
class Covariance:
    """P of a model.

    Attributes
    ----------
    factor
        L with LᵀL = P, float64, shape (m, m): u² of a row g is |L g|².
    identity
        Of the weights to which it belongs.
    """

    factor: np.ndarray
    identity: str


def covariance_step(
    adapter: str, python: str, model: str, data: Sequence[str], log: str = "kpu.log"
) -> str:
    """Shell text, a step of a training's command, that writes `GRADIENT_COVARIANCE`.

    Parameters
    ----------
    adapter
        Dotted name of a module with ``load``; see `pwact.engines.gradients.differentiable`.
    python
        Shell text that starts the Python that has the library.
    model, data
        Names in the directory of the training; the data are extxyz files.
    log
        Name of the log to which it adds what it says.
    """
    worker = python_module(_MODULE, adapter, model, *data, python=python)
    return f"{worker} >> {log} 2>&1"


def rows_a_frame(frames: int, columns: int) -> int:
    """K, how many rows each training frame gives."""
    return max(1, min(MOST_ROWS, ROWS_A_COLUMN * columns // max(frames, 1)))


def covariance_of(rows: Rows, frames: Sequence[Atoms], ridge: float = RIDGE) -> Covariance:
    """P over training frames, in float64.

    Raises
    ------
    TaskError
        There are no frames, or the forces of one do not depend on the weights in finite numbers.
    """
    total = np.zeros((rows.columns, rows.columns))
    count = rows_a_frame(len(frames), rows.columns)
    for made in _rows(rows, frames, count):
        total += made.T @ made / count
    mean = float(np.trace(total)) / min(rows.columns, MOST)
    if not mean > 0:
        raise TaskError(f"no force on {len(frames)} training frames depends on any weight")
    root = np.linalg.cholesky(total + ridge * mean * np.eye(rows.columns))
    return Covariance(np.linalg.inv(root), rows.identity)


def _rows(rows: Rows, frames: Iterable[Atoms], count: int) -> Iterator[np.ndarray]:
    for number, atoms in enumerate(frames):
        made = rows.of(atoms, training_vectors(number, len(atoms), count))
        if not np.isfinite(made).all():
            raise TaskError(f"training frame {number}: gradients of its forces are not finite")
        yield made


def write_covariance(path: Path, covariance: Covariance) -> None:
    """Write the file in one step."""
    with files.replacing(path) as aside, aside.open("wb") as stream:
        np.savez(stream, factor=covariance.factor, weights=np.array(covariance.identity))


def read_covariance(path: Path) -> Covariance:
    """Read P of a model.

    Raises
    ------
    TaskError
        It is not there, or is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            factor, identity = np.asarray(archive["factor"]), str(archive["weights"])
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise TaskError(
            f"{path}: the matrix P of this model, without which its KPU says nothing, cannot be "
            f"read; only a training with uncertainty KPU writes it: {error}"
        ) from error
    square = factor.ndim == 2 and factor.shape[0] == factor.shape[1]
    if not square or factor.dtype.kind != "f" or not np.isfinite(factor).all():
        raise TaskError(f"{path}: holds no square matrix of finite numbers")
    return Covariance(factor, identity)


def main(arguments: Sequence[str]) -> int:
    """Write P of a model in the current directory."""
    adapter, model, *data = arguments

    def work(directory: Path) -> None:
        frames = [one for name in data for one in read_frames(directory / name, "extxyz")]
        rows = GradientRows(loaded(adapter, directory / model))
        write_covariance(directory / GRADIENT_COVARIANCE, covariance_of(rows, frames))

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
