"""ML-POD (Nguyen and Rohskopf, J. Comput. Phys. 480, 112030), fitted inside LAMMPS.

The fit is linear, hence unique: the members of a committee differ by the seeded bootstrap of
the frames they are fitted to, and there is nothing that a warm start could improve. One model with
its Kalman prediction uncertainty is fitted to all frames.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.config.train_keys import defaults
from pwact.engines.lammps.program import ended_well, lammps_heading, lammps_program
from pwact.engines.pod import files as pod_files
from pwact.engines.pod import fit as pod_fit
from pwact.engines.pod.fit import FACTOR
from pwact.engines.pod.kpu import ROLE, PodKpu, read_factor
from pwact.engines.potential import Potential, pair_sets
from pwact.engines.trainers import TrainedModel, Trainer, TrainingData
from pwact.engines.training_end import ENDED, record_end
from pwact.engines.training_task import TrainingTask, known_frames
from pwact.errors import InputError, TaskError
from pwact.fingerprint import Settings
from pwact.formats.labels import labels_of
from pwact.registry.uncertainties import UNCERTAINTIES
from pwact.verdict import Verdict, incomplete

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.resources import ResourceBlock
    from pwact.config.run import RunConfig

logger = logging.getLogger(__name__)

PARAMETER_ROLE = "param"
COEFFICIENT_ROLE = "coefficients"


class PodTrainer(TrainingTask):
    """Writes and reads ``fitpod`` tasks. See `pwact.engines.trainers.Trainer`."""

    log = pod_files.LOG
    begins_with_models = False  # a linear fit has one solution

    def __init__(self, config: RunConfig, train: ResourceBlock, explore: ResourceBlock) -> None:
        self._config = config
        self._alone = UNCERTAINTIES[config.strategy.uncertainty].single
        self.heading = None if self._alone else lammps_heading(pod_files.LOG)
        self._settings = settings_of(config)
        self._types = tuple(config.train.atom_type)
        self._program = lammps_program(train.command)
        self._explore_program = lammps_program(explore.command)
        self._said = False
        self._draws = not self._alone

    def whole(self) -> Optional[Trainer]:
        """A fit without bootstrap, unless that is what every fit is."""
        if not self._draws:
            return None
        made = copy.copy(self)
        made._draws = False
        return made

    def validate(self) -> None:
        """Refuse what a linear fit inside LAMMPS cannot honour."""
        config = self._config
        refused = [
            (config.strategy.compress, "strategy.compress", "no compression"),
            (
                bool(config.init_model_list),
                "init_model_list",
                "no start models (its fit is linear)",
            ),
        ]
        for wrong, key, what in refused:
            if wrong:
                raise InputError(f"the engine pod knows {what}", config.file, key)
        if self._settings["rin"] >= self._settings["rcut"]:
            raise InputError("must be smaller than train.rcut", config.file, "train.rin")

    def fingerprint(self) -> dict[str, Any]:
        """The engine, the order of elements and all settings."""
        settings = self._settings
        if not self._alone:
            settings = {key: settings[key] for key in settings if key not in pod_files.KALMAN}
        declared = Settings(settings, defaults("pod"))
        return {"engine": "pod", "atom_type": list(self._types), "settings": declared}

    def write_input(
        self,
        directory: Path,
        data: TrainingData,
        seed: int,
        start_from: Optional[Path],
    ) -> None:
        """Write the frames, bootstrapped for a committee, and the input files."""
        train = self._frames(data.train, data.data_format)
        valid = self._frames(data.valid, data.data_format)
        if not train:
            raise TaskError(f"{directory}: no training frames")
        rcut = float(self._settings["rcut"])
        fitted, judged = (
            [pod_files.frame_text(frame, rcut) for frame in frames] for frames in (train, valid)
        )
        pod_files.write_parameters(directory / pod_files.PARAMETERS, self._types, self._settings)
        if self._alone:
            pod_fit.write_input(directory, fitted, judged)
            return
        if self._draws:
            picks = np.random.default_rng(seed).integers(0, len(train), len(train))
            fitted = [fitted[pick] for pick in picks]
        pod_files.write_fit(directory, self._settings, fitted, judged)

    def command(self) -> str:
        """Shell text that runs the fit: by fitpod, or by us where P is needed as well."""
        run = f"{self._program} -in {pod_files.INPUT} > {pod_files.LOG}"
        if self._alone:
            run = f"{pod_fit.command(self._program, self._settings)} > {pod_files.LOG} 2>&1"
        models = [pod_files.COEFFICIENTS, *([FACTOR] if self._alone else [])]
        ended = record_end(*models, pod_files.LOG, perhaps=(pod_files.ERRORS,))
        return f"rm -f {ENDED} && {run} && {ended}"

    def check(self, directory: Path) -> Verdict:
        """Whether the fit ended and left all coefficients."""
        if not ended_well(directory / pod_files.LOG):
            return incomplete(f"{pod_files.LOG} does not end with the wall time")
        return super().check(directory)

    def read_result(self, directory: Path) -> TrainedModel:
        """The descriptor and its coefficients, with the errors on the validation frames."""
        coefficients = directory / pod_files.COEFFICIENTS
        pod_files.read_coefficients(coefficients)
        with_valid = (directory / pod_files.VALID_FOLDER).is_dir()
        files = {
            PARAMETER_ROLE: directory / pod_files.PARAMETERS,
            COEFFICIENT_ROLE: coefficients,
        }
        if self._alone:
            files[ROLE] = directory / FACTOR
            read_factor(files[ROLE])
        return TrainedModel(
            directory=directory,
            files=files,
            valid=pod_files.read_errors(directory / pod_files.ERRORS) if with_valid else None,
        )

    def kpu(self) -> PodKpu:
        """Exactly, from the descriptors of the frames."""
        return PodKpu(self._program)

    def potential(self, models: Sequence[TrainedModel]) -> Potential:
        """One set of pair lines a model."""
        links = {}
        for number, model in enumerate(models):
            links[f"{number}_{pod_files.PARAMETERS}"] = model.files[PARAMETER_ROLE]
            links[f"{number}_{pod_files.COEFFICIENTS}"] = model.files[COEFFICIENT_ROLE]
        sets = [pod_files.pair_lines(number, self._types) for number in range(len(models))]
        return pair_sets(self._types, links, sets)

    def _frames(self, paths: Sequence[Path], data_format: str) -> list[Atoms]:
        # fitpod would take strange elements for whatever stood in its memory
        frames = known_frames(paths, data_format, self._types, self._config.file)
        for frame in frames:
            if not self._said and labels_of(frame).virial is not None:
                self._said = True
                logger.warning("fitpod fits energies and forces; virials of the data are not used")
        return frames


def settings_of(config: RunConfig) -> dict[str, Any]:
    """All settings of fitpod, in its own words, with the defaults filled in."""
    return {**defaults("pod"), **config.train.settings}
