"""What every engine must do: output that can be read is not work that was done.

The contract stands in `pwact.engines`. A finished task of each engine (`contract_cases`) is
judged done. Then each of its files is damaged in every way in which a cut-off, a full disk or a
loss of power does it: the engine must see that the task is not done, or read the very same result.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import pytest
from ase import Atoms

from pwact.engines.md_task import MdTrajectory
from pwact.engines.trainers import TrainedModel
from pwact.errors import PwactError
from pwact.formats.labels import labels_of
from pwact.io.files import tree_hash
from pwact.registry.engines import EXPLORERS, LABELERS, TRAINERS
from pwact.verdict import Outcome
from tests.engines.contract_cases import CASES, Finished

WITHOUT_KPU = {"deepmd", "dpa"}  # whose optimizers keep no covariance of the weights
BY_GRADIENTS = {"sevennet", "mace", "torchnep"}  # which share one evaluator


def test_every_engine_has_a_case() -> None:
    registries = {"trainer": TRAINERS, "explorer": EXPLORERS, "labeler": LABELERS}
    known = {f"{kind} {name}" for kind, names in registries.items() for name in names}
    known |= {f"evaluator {name}" for name in TRAINERS if name not in WITHOUT_KPU | BY_GRADIENTS}
    known |= {f"evaluator {name}" for name, entry in TRAINERS.items() if entry.measures}
    known |= {"script md", "script direct", "evaluator gradients"}
    assert {case.engine for case in CASES.values()} == known


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Finished]:
    """The finished task of a case, made once."""
    found: dict[str, Finished] = {}

    def make(name: str) -> Finished:
        if name not in found:
            found[name] = CASES[name].make(tmp_path_factory.mktemp("contract") / "a $HOME")
        return found[name]

    return make


def digest(result: Any) -> Any:
    """All that later steps take from a result, to be compared."""
    if isinstance(result, TrainedModel):
        return {role: tree_hash(path) for role, path in result.files.items()}, result.valid
    if isinstance(result, MdTrajectory):
        steps = result.dump.steps()
        rows = (result.directory / "model_devi.out").exists()
        values = result.deviations().max_f.tolist() if rows else []
        return steps.tolist(), values, [_numbers(result.frame(int(step))) for step in steps]
    return [_numbers(one) if isinstance(one, Atoms) else one for one in result]


def _numbers(atoms: Atoms) -> list[Any]:
    if "forces" in atoms.arrays:
        forces = atoms.arrays["forces"].tolist()
        return [atoms.positions.tolist(), atoms.cell.array.tolist(), forces]
    found: list[Any] = [atoms.numbers.tolist(), atoms.positions.tolist(), atoms.cell.array.tolist()]
    if atoms.calc is not None:
        labels = labels_of(atoms)
        found += [labels.energy, labels.forces.tolist(), np.asarray(labels.virial).tolist()]
    return found


def result_of(finished: Finished, directory: Path) -> Any:
    """What is read of a directory that is judged done; None where it is not."""
    verdict = finished.check(directory)
    if verdict.done:
        return digest(finished.read(directory))
    assert verdict.reason, "an unfinished task must say why"
    return None


def last_line(content: bytes) -> bytes:
    return content[: content.rstrip(b"\n").rfind(b"\n") + 1]


DAMAGES: dict[str, Callable[[bytes], Optional[bytes]]] = {
    "missing": lambda _: None,
    "empty": lambda _: b"",
    "a quarter": lambda content: content[: len(content) // 4],
    "a half": lambda content: content[: len(content) // 2],
    "three quarters": lambda content: content[: 3 * len(content) // 4],
    "without its last line": last_line,
    "without its last sign": lambda content: content.rstrip()[:-1],
    "zeros": lambda content: bytes(len(content)),
    "half of it zeros": lambda content: content[: len(content) // 2].ljust(len(content), b"\0"),
}


def line_ends(content: bytes, most: int = 60) -> list[int]:
    """Behind each line but the last; of a long file the last lines, and others evenly."""
    ends = [
        place + 1 for place, byte in enumerate(content) if byte == 10 and place + 1 < len(content)
    ]
    if len(ends) <= most:
        return ends
    evenly = ends[: -most // 2 : max(1, 2 * len(ends) // most)]
    return [*evenly, *ends[-most // 2 :]]


def damaged(finished: Finished, directory: Path, how: str) -> Iterator[str]:
    """Copies of the task, each with one file damaged, which is named."""
    for name in finished.outputs():
        path = finished.copy(directory) / name
        content = DAMAGES[how](path.read_bytes())
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        yield name


@pytest.mark.parametrize("case", CASES)
def test_a_finished_task_is_done(case: str, made: Callable[[str], Finished]) -> None:
    finished = made(case)
    assert finished.check(finished.directory).done
    assert finished.outputs()
    assert digest(finished.read(finished.directory))


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("case", CASES)
def test_a_damaged_file_is_never_another_result(
    case: str, how: str, made: Callable[[str], Finished], tmp_path: Path
) -> None:
    finished = made(case)
    right = result_of(finished, finished.directory)
    wrong = []
    for name in damaged(finished, tmp_path / "copy", how):
        try:
            found = result_of(finished, tmp_path / "copy")
        except PwactError as error:  # done, and then it cannot be read
            found = str(error)
        if found is not None and found != right:
            wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_ends_at_any_line_is_never_another_result(
    case: str, made: Callable[[str], Finished], tmp_path: Path
) -> None:
    """Programs are killed, and disks are full, between two lines most of all."""
    finished = made(case)
    right = result_of(finished, finished.directory)
    copy = finished.copy(tmp_path / "copy")
    wrong = []

    def fewer(found: Any) -> bool:
        return CASES[case].open_ended and all(one in right or isinstance(one, str) for one in found)

    for name in finished.outputs():
        content = (copy / name).read_bytes()
        for end in line_ends(content):
            (copy / name).write_bytes(content[:end])
            try:
                found = result_of(finished, copy)
            except PwactError:  # done, and then it cannot be read
                found = [None]
            if found not in (None, right) and not fewer(found):
                wrong.append(f"{name}: {end} of {len(content)} bytes")
        (copy / name).write_bytes(content)
    assert wrong == []
    assert result_of(finished, copy) == right


@pytest.mark.parametrize("case", CASES)
def test_a_missing_file_asks_for_another_try(
    case: str, made: Callable[[str], Finished], tmp_path: Path
) -> None:
    """What came to nothing is unusable; what is not there may come late, or again."""
    finished = made(case)
    for how in ("missing", "empty"):
        for name in damaged(finished, tmp_path / "copy", how):
            verdict = finished.check(tmp_path / "copy")
            assert verdict.outcome is not Outcome.UNUSABLE, (how, name, verdict.reason)


@pytest.mark.parametrize("case", CASES)
def test_a_program_that_died_before_its_last_file_is_not_done(
    case: str, made: Callable[[str], Finished], tmp_path: Path
) -> None:
    """After each file that it wrote: what follows in time is not there, the last one is half."""
    finished = made(case)
    right = result_of(finished, finished.directory)
    names = finished.outputs()
    for count in range(len(names)):
        copy = finished.copy(tmp_path / "copy")
        for name in names[count + 1 :]:
            (copy / name).unlink()
        path = copy / names[count]
        for content in (path.read_bytes(), path.read_bytes()[: path.stat().st_size // 2]):
            path.write_bytes(content)
            found = result_of(finished, copy)
            assert found in (None, right), (names[count], len(content))
        shutil.rmtree(copy)


@pytest.mark.parametrize("case", [name for name, case in CASES.items() if case.proof])
def test_a_program_that_ended_with_an_error_is_not_believed(
    case: str, made: Callable[[str], Finished], tmp_path: Path
) -> None:
    """Whatever it left, which may look like all of it."""
    finished, proof = made(case), CASES[case].proof
    copy = finished.copy(tmp_path / "copy")
    (copy / proof).unlink()
    assert finished.check(copy).outcome is Outcome.INCOMPLETE
    if proof.startswith("train"):
        copy = finished.copy(tmp_path / "copy")
        (copy / "tag.train.failed").touch()
        assert finished.check(copy).outcome is Outcome.INCOMPLETE
        (copy / "tag.train.failed").unlink()
        assert finished.check(copy).done


@pytest.mark.parametrize("case", CASES)
def test_a_task_that_was_not_started_is_not_done(
    case: str, made: Callable[[str], Finished], tmp_path: Path
) -> None:
    finished = made(case)
    copy = finished.copy(tmp_path / "copy")
    for name in finished.outputs():
        (copy / name).unlink()
    assert finished.check(copy).outcome is Outcome.INCOMPLETE
