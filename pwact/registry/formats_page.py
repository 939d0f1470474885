"""Writes docs/formats.md from the registry: ``python -m pwact.registry.formats_page [FILE]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pwact.registry.formats import ALL_OR_NONE, FORMATS, DataFormat

PAGE = Path("docs/formats.md")
INTRO = """# Formats of data

This page is made by `python -m pwact.registry.formats_page` from `pwact/registry/formats.py`.
[to_pwdata](to_pwdata.md) reads all of these formats and writes some,
[gather_pwdata](gather_pwdata.md) writes the same. Formats of single structures have [a page of
their own](structures.md).

Whatever the format, a frame is the same: lengths in Å, the energy in eV, forces in eV/Å, the
virial in eV, minus the volume times the stress of ASE: positive diagonal elements where the
cell wants to expand. Energy and forces belong together: of several energies the one is taken
that the forces are derivatives of. A file that is damaged, or that cannot be understood, is
refused with its line or frame; what is left out on purpose is said.
"""
OTHERS = """## Other programs that train on extended XYZ

`pwact to_pwdata` and `pwact gather_pwdata` write extended XYZ under three sets of names. Energies
are in eV, forces in eV/Å, virials in eV, stresses in eV/Å³ with the sign of ASE (negative where the
cell wants to expand).

| `--names` | energy | forces | virial or stress |
| --- | --- | --- | --- |
| `pwact` | `energy` | `force` | `virial` |
| `ase` | `energy` | `forces` | `stress` |
| `mace` | `REF_energy` | `REF_forces` | `REF_stress` |

- MatPL: `pwact`, as in a campaign.
- MACE: `mace`. Where its defaults are other names, give it `--energy_key=REF_energy`,
  `--forces_key=REF_forces` and `--stress_key=REF_stress`.
- SevenNet: `ase`. In its input `data: {data_format: 'ase', load_trainset_path: ['train.xyz'],
  load_validset_path: ['valid.xyz']}`.
- NequIP, Allegro: `ase`. An `ASEDataModule` with `train_file_path` and `val_file_path`.
- Others that read by ASE: `ase`. Its `get_potential_energy`, `get_forces` and `get_stress` give the
  labels.
- GAP: `pwact`, with `energy_parameter_name=energy`, `force_parameter_name=force` and
  `virial_parameter_name=virial` of `gap_fit`.

MACE has names of its own because ASE moves `energy` and `forces` of a file into a calculator, where
they look like results of another model. Tests read files of all three sets back by ASE, those for
MACE and SevenNet by the loaders of these (0.3.16, 0.13.0), and folders of DeePMD-kit by dpdata and
DeePMD-kit: every number is the one that was written. The other programs are not run, so look at the
errors of a first short training.
"""
VIRIALS = """## Virials that PWact collected from PWmat

PWact kept PWmat's sign of the stress: in its `train.xyz` and `PWdata` of PWmat the diagonal of
a compressed solid is *negative*, the opposite of what VASP, CP2K and this program write.

- `check` warns of data sets whose pressure grows with the volume, which no stable solid does,
  and of virials in a `train.xyz` as PWact wrote it, where `dft_style` is pwmat.
- Taking over a campaign of PWact with PWmat says so: its labels keep their sign, new ones have
  the other.
- `pwact to_pwdata --virial-sign opposite` turns the virials on the way to a new data set.

It matters only where virials are trained (`train_virial`).
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRO, _overview(), *_sections(), OTHERS, VIRIALS])


def _overview() -> str:
    head = ["name", "also called", "written", "a data set is", "virial of"]
    head += ["may be periodic", "of a campaign"]
    rows = [
        (
            f"[`{name}`](#{_anchor(name)})",
            ", ".join(f"`{alias}`" for alias in one.aliases),
            "yes" if one.writes else "",
            "folders" if one.folder else "a file",
            "all frames or none" if one.virial == ALL_OR_NONE else one.virial,
            one.pbc,
            "yes" if one.campaign else "",
        )
        for name, one in FORMATS.items()
    ]
    return _table(head, rows) + _BELOW


_BELOW = """
"Virial of each frame": frames with and without may stand side by side; "all frames or none": if
a frame lacks it, the others of its data set lose theirs when it is written, with a warning. "Of
a campaign": it may be the `data_format` of a campaign. Moments, charges and kinds of atoms stay
with them in extxyz; of other formats it is said that they are not written. No format carries atomic
energies as labels.
"""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _sections() -> Iterator[str]:
    for name, one in FORMATS.items():
        yield f"## {name}\n"
        yield "\n".join(_section(one)) + "\n"


def _section(one: DataFormat) -> Iterator[str]:
    for sentence in one.reads:
        yield f"- {sentence}"
    for sentence in one.written:
        yield f"- Written: {sentence[0].lower()}{sentence[1:]}"
    for sentence in one.refused:
        yield f"- Refused: {sentence[0].lower()}{sentence[1:]}."


def _anchor(name: str) -> str:
    return name.replace("/", "")


def main(arguments: Sequence[str]) -> None:
    """Write the page to the file named first, or to its place below the working directory."""
    target = Path(arguments[0]) if arguments else PAGE
    target.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
