"""Makes the start structures of AIMD: relax, super cell, scale, perturb.

Every structure has one path that follows from its entry alone, so no step searches for files.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact import layout
from pwact.atom_properties import drop
from pwact.config.init_bulk import InitConfig
from pwact.config.init_entry import SystemEntry
from pwact.config.resources import ResourceBlock
from pwact.config.structure_file import StructureFile
from pwact.engines.labelers import Labeler, Purpose
from pwact.errors import TaskError
from pwact.fingerprint import settings_of
from pwact.formats.frames import ordered
from pwact.formats.starts import read_start
from pwact.formats.structures import write_structure
from pwact.geometry import flaw, perturb, scale, super_cell
from pwact.io import files
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.tasks.first_principles import Calculation, calculate
from pwact.workflow.tasks.origin import assigned, onto
from pwact.workflow.tasks.prepare import demand_all

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

DRAWS = 100  # of a random distortion, before its size is held to be absurd


@dataclass(frozen=True)
class Source:
    """A structure on its way to AIMD.

    Attributes
    ----------
    base
        The step that it comes from: ``0.9_scale``, ``super_cell``, ``relax`` or ``init``.
    """

    base: str
    file: StructureFile
    bare: bool = False

    def read(self) -> Atoms:
        """The structure; if `bare` periodic, and without what belongs to its atoms."""
        atoms = read_start(self.file.path, self.file.format, self.file.fix_atoms)
        if self.bare:
            drop(atoms)
            atoms.pbc = True
        return atoms


@dataclass(frozen=True)
class Places:
    """Where the structures of a chain are, and in which format.

    Attributes
    ----------
    temp
        ``temp_init_bulk_work``.
    postfix, format
        Of the structure files in between.
    bare
        Structures have no moments and charges, see `pwact.config.labeling.LabelConfig.bare_atoms`.
    """

    temp: Path
    postfix: str
    format: str
    bare: bool = False

    def made(self, step: str, entry: SystemEntry, name: str) -> StructureFile:
        """A structure that `step` makes of `entry`; `name` lacks the postfix."""
        folder = self.temp / step / layout.init_config(entry.index)
        return StructureFile(folder / f"{name}{self.postfix}", self.format)

    def _source(self, base: str, file: StructureFile) -> Source:
        return Source(base, file, self.bare)

    def relaxed(self, entry: SystemEntry) -> Source:
        """The relaxed structure, or the user's."""
        if not entry.relax:
            return self._source(layout.INIT_BASE, entry.structure)
        return self._source(layout.RELAX_BASE, self.made(layout.RELAX, entry, "relaxed"))

    def super_cell(self, entry: SystemEntry) -> Source:
        """The super cell, or what it would be made of."""
        if entry.super_cell is None:
            return self.relaxed(entry)
        base = layout.SUPER_CELL_BASE
        return self._source(base, self.made(layout.SUPER_CELL_SCALE, entry, base))

    def scaled(self, entry: SystemEntry) -> list[Source]:
        """The scaled structures in the order of the input, or what they would be made of."""
        if not entry.scale:
            return [self.super_cell(entry)]
        bases = [layout.scale_base(factor.text) for factor in entry.scale]
        return [
            self._source(base, self.made(layout.SUPER_CELL_SCALE, entry, base)) for base in bases
        ]

    def perturbed(self, entry: SystemEntry, source: Source) -> list[Source]:
        """The perturbed structures of one source; none if the entry asks for none."""
        names = [f"{source.base}/{layout.perturbed_name(k)}" for k in range(entry.perturb)]
        return [self._source(source.base, self.made(layout.PERTURB, entry, name)) for name in names]

    def final(self, entry: SystemEntry) -> list[Source]:
        """What AIMD starts from: factors as in the input, then perturbation number."""
        made = []
        for source in self.scaled(entry):
            made += self.perturbed(entry, source) or [source]
        return made


@dataclass(frozen=True)
class RelaxStage:
    """Relaxes the entries that ask for it.

    Attributes
    ----------
    labelers
        Place of an entry in sys_configs → its labeler.
    """

    config: InitConfig
    places: Places
    labelers: Mapping[int, Labeler]
    block: ResourceBlock

    name = layout.RELAX

    @property
    def directory(self) -> Path:
        """``temp_init_bulk_work/relax``."""
        return self.places.temp / layout.RELAX

    @property
    def _entries(self) -> list[SystemEntry]:
        return [entry for entry in self.config.systems if entry.relax]

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return ()

    def inputs(self) -> Mapping[str, Any]:
        """Structures and labelers."""
        return {
            layout.init_config(entry.index): {
                "structure": files.tree_hash(entry.structure.path),
                "format": entry.structure.format,
                "labeler": self.labelers[entry.index].fingerprint(Purpose.RELAX),
                **entry.structure.given,
            }
            for entry in self._entries
        }

    def work(self, services: Services) -> StageOutput:
        """Relax; every structure is needed."""
        calculations = [self._calculation(services, entry) for entry in self._entries]
        results = list(calculate(services, Purpose.RELAX, self.directory, calculations, self.block))
        demand_all(results, self.name)
        made = []
        for entry, one in zip(self._entries, calculations):
            atoms = one.labeler.read_result(one.directory, Purpose.RELAX)[-1]
            made.append(self.places.relaxed(entry).file)
            given = Source(layout.INIT_BASE, entry.structure, self.places.bare).read()
            onto(ordered(given), atoms, one.directory)
            write_structure(made[-1].path, atoms, made[-1].format)
        return StageOutput([file.path for file in made])

    def _calculation(self, services: Services, entry: SystemEntry) -> Calculation:
        labeler = self.labelers[entry.index]
        return Calculation(
            labeler,
            self.directory / layout.init_config(entry.index),
            partial(assigned, labeler, self.config.relax, entry.structure),
            services.seed("relax", entry.index),
        )


@dataclass(frozen=True)
class SuperCellScaleStage:
    """Makes super cells and scales them."""

    config: InitConfig
    places: Places

    name = layout.SUPER_CELL_SCALE

    @property
    def directory(self) -> Path:
        """``temp_init_bulk_work/super_cell_scale``."""
        return self.places.temp / layout.SUPER_CELL_SCALE

    @property
    def _entries(self) -> list[SystemEntry]:
        return [entry for entry in self.config.systems if entry.super_cell or entry.scale]

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return [
            f"{layout.init_config(entry.index)}.structure" for entry in self._entries if entry.relax
        ]

    def inputs(self) -> Mapping[str, Any]:
        """Structures, cells and factors."""
        return {
            layout.init_config(entry.index): {
                "structure": files.tree_hash(self.places.relaxed(entry).file.path),
                "super_cell": entry.super_cell,
                "pbc": entry.pbc,
                "scale": [settings_of(factor) for factor in entry.scale],
                **entry.structure.given,
            }
            for entry in self._entries
        }

    def work(self, services: Services) -> StageOutput:
        """Write the structures."""
        return StageOutput([path for entry in self._entries for path in self._make(entry)])

    def _make(self, entry: SystemEntry) -> list[Path]:
        atoms, made = self.places.relaxed(entry).read(), []
        if entry.super_cell is not None:
            atoms = super_cell(atoms, entry.super_cell, entry.pbc)
            made.append(_write(self.places.super_cell(entry).file, atoms))
        if entry.scale:
            for factor, source in zip(entry.scale, self.places.scaled(entry)):
                made.append(_write(source.file, scale(atoms, factor.value)))
        return made


@dataclass(frozen=True)
class PerturbStage:
    """Distorts cells and displaces atoms at random."""

    config: InitConfig
    places: Places

    name = layout.PERTURB

    @property
    def directory(self) -> Path:
        """``temp_init_bulk_work/pertub``."""
        return self.places.temp / layout.PERTURB

    @property
    def _entries(self) -> list[SystemEntry]:
        return [entry for entry in self.config.systems if entry.perturb]

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return [
            f"{layout.init_config(entry.index)}.structures"
            for entry in self._entries
            if entry.relax or entry.super_cell is not None or entry.scale
        ]

    def inputs(self) -> Mapping[str, Any]:
        """Structures and sizes of the distortion."""
        return {
            layout.init_config(entry.index): {
                "structures": [
                    files.tree_hash(source.file.path) for source in self.places.scaled(entry)
                ],
                "perturb": entry.perturb,
                "cell_pert_fraction": entry.cell_pert_fraction,
                "atom_pert_distance": entry.atom_pert_distance,
                "perturb_style": self.config.perturb_style,
                **entry.structure.given,
            }
            for entry in self._entries
        }

    def work(self, services: Services) -> StageOutput:
        """Write the structures, each beside a copy of what it was made of."""
        made: list[Path] = []
        for entry in self._entries:
            for number, source in enumerate(self.places.scaled(entry)):
                made += self._make(services, entry, number, source)
        return StageOutput(made, lasting=[self.directory])

    def _make(
        self, services: Services, entry: SystemEntry, number: int, source: Source
    ) -> list[Path]:
        atoms, made = source.read(), []
        for k, target in enumerate(self.places.perturbed(entry, source)):
            rng = services.rng("perturb", entry.index, number, k)
            distorted = self._distort(atoms, entry, rng)
            made.append(_write(target.file, distorted))
        shutil.copyfile(source.file.path, made[0].parent / source.file.path.name)
        return made

    def _distort(self, atoms: Atoms, entry: SystemEntry, rng: np.random.Generator) -> Atoms:
        """Draw until no two atoms sit on top of each other."""
        sizes = (entry.cell_pert_fraction, entry.atom_pert_distance)
        for _ in range(DRAWS):
            distorted = perturb(atoms, *sizes, rng, self.config.perturb_style)
            problem = flaw(distorted, self.config.aimd.min_distance)
            if not problem:
                return distorted
        raise TaskError(
            f"{layout.init_config(entry.index)}: none of {DRAWS} distortions is physical, the "
            f"last because {problem}; sys_configs[{entry.index}].atom_pert_distance or "
            "cell_pert_fraction is too large"
        )


def _write(file: StructureFile, atoms: Atoms) -> Path:
    file.path.parent.mkdir(parents=True, exist_ok=True)
    write_structure(file.path, atoms, file.format)
    return file.path
