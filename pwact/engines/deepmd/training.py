"""What the trainings of both backends of DeePMD-kit have in common: input, data, learning curve."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact.engines.deepmd.input import CURVE, DISP_FREQ, read_native, seeded, with_data, with_length
from pwact.engines.deepmd.keys import Translation
from pwact.engines.deepmd.results import read_curve, read_test
from pwact.engines.links import link_files
from pwact.engines.trainers import TrainingData, ValidError
from pwact.engines.training_task import TrainingTask, known_frames, plausible
from pwact.errors import TaskError
from pwact.formats.deepmd_npy import write_deepmd
from pwact.io.files import write_json, write_text

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.run import RunConfig

logger = logging.getLogger(__name__)

INPUT = "input.json"
LOG = "train.log"
TEST_LOG = "test.log"
ASK_TEST = "ask_for_test"  # its presence asks for `dp test`
MODEL_ROLE = "model"


class DeepmdTraining(TrainingTask):
    """The input of a training by the keys of the user, and what it leaves.

    Attributes
    ----------
    model, start
        Names of the model of a training, and of the link to the one that it starts from.
    kept
        How many checkpoints are kept unless the user says so; None leaves it to dp.
    translation
        From MatPL's keys to the backend's.
    """

    log = LOG
    model = ""
    start = ""
    kept: Optional[int] = None
    translation: type[Translation] = Translation

    def __init__(self, config: RunConfig, program: str) -> None:
        self.config = config
        self.types = tuple(config.train.atom_type)
        self.program = program.strip()
        self.epochs = 0
        self.descriptor_place = (config.file, "train.model.descriptor.network_size")
        self._input: Optional[dict[str, Any]] = None
        self._warnings: list[str] = []

    def native_warnings(self, document: Mapping[str, Any], file: Path) -> Iterator[str]:
        """What of an input file of the user is not used. Raises InputError for what cannot be."""
        raise NotImplementedError

    def document(self) -> dict[str, Any]:
        """A fresh copy of the input without data and seeds."""
        if self._input is None:
            self._input = self._native() or self._translated()
        return copy.deepcopy(self._input)

    def input_for(self, start_from: Optional[Path]) -> dict[str, Any]:  # noqa: ARG002
        """The input of a training that begins with this model, without data and seeds."""
        return self.document()

    def drawn(self, frames: list[Atoms], seed: int) -> list[Atoms]:  # noqa: ARG002
        """The frames that one model learns from."""
        return frames

    def warn(self) -> None:
        """Tell what cannot be honoured and is left out."""
        self.document()
        for message in self._warnings:
            logger.warning("%s", message)

    def write_input(
        self, directory: Path, data: TrainingData, seed: int, start_from: Optional[Path]
    ) -> None:
        """Write the data in deepmd/npy and the input file."""
        frames = self.drawn(self._frames(data.train, data.data_format), seed)
        if not frames:
            raise TaskError(f"{directory}: no training frames")
        train = write_deepmd(directory / "data" / "train", frames, self.types)
        checked = self._frames(data.valid, data.data_format)
        valid = write_deepmd(directory / "data" / "valid", checked, self.types) if checked else []
        document = seeded(self.input_for(start_from), seed)
        in_curve = with_data(document, directory, train, valid)
        in_curve = with_length(document, self.epochs, len(frames)) and in_curve
        if self.kept is not None:
            document["training"].setdefault("max_ckpt_keep", self.kept)
        write_json(directory / INPUT, document)
        if valid and not in_curve:
            write_text(directory / ASK_TEST, "")
        if start_from is not None:
            start = start_from / self.model if start_from.is_dir() else start_from
            link_files(directory, {self.start: start})

    def test_step(self, dp: str) -> str:
        """Shell text that tests the model where the learning curve does not hold the errors."""
        test = f"{dp} test -m {self.model} -s data/valid -n 0 > {TEST_LOG} 2>&1"
        return f"{{ [ ! -e {ASK_TEST} ] || {test}; }}"

    def valid_error(self, directory: Path) -> Optional[ValidError]:
        """Errors on the validation data, if there are any.

        Raises
        ------
        TaskError
            The training has not ended, or with numbers that are not finite.
        """
        curve = read_curve(directory / CURVE)
        demand_last_row(directory, curve)
        # virials are nan where the data have none
        judged = [value for name, value in curve.items() if not name.startswith("rmse_v")]
        if not plausible(judged):
            raise TaskError(f"the learning curve {directory / CURVE} ends with numbers not finite")
        if (directory / ASK_TEST).is_file():
            return read_test(directory / TEST_LOG)
        if "rmse_e_val" in curve and "rmse_f_val" in curve:
            return ValidError(curve["rmse_e_val"], curve["rmse_f_val"])
        return None

    def _native(self) -> Optional[dict[str, Any]]:
        file = self.config.train.input_file
        made = read_native(file, self.types) if file else None
        if file and made:
            self._warnings = list(self.native_warnings(made, file))
            self.descriptor_place = (file, "model.descriptor")
        return made

    def _translated(self) -> dict[str, Any]:
        file = self.config.file
        made = self.translation(self.config.train.settings, self.types, file)
        self.epochs = made.epochs
        self._warnings = [f"{file}: {message}" for message in made.warnings]
        return made.input

    def _frames(self, paths: Sequence[Path], data_format: str) -> list[Atoms]:
        return known_frames(paths, data_format, self.types, self.config.file)


def demand_last_row(directory: Path, curve: Mapping[str, float]) -> None:
    """Raise TaskError unless the learning curve has the last row that the input asks for.

    Where the input counts in epochs, nobody but dp knows the steps.
    """
    try:
        training = json.loads((directory / INPUT).read_text(encoding="utf-8"))["training"]
        steps, width = int(training["numb_steps"]), int(training.get("disp_freq", DISP_FREQ))
    except (OSError, ValueError, KeyError, TypeError):
        return
    last = steps - steps % width
    if curve.get("step", last) < last:
        raise TaskError(
            f"the training was cut off: {directory / CURVE} ends with step {curve['step']:g} of "
            f"{steps}"
        )
