"""Tasks of pw.x: what is written, what is refused, which outputs count. Without the program."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.atom_properties import KINDS, MOMENTS
from pwact.engines.labelers import Labeler, Purpose
from pwact.engines.qe import resume, task
from pwact.engines.qe.steps import read_steps
from pwact.errors import InputError
from pwact.fixed_atoms import fix
from pwact.formats.qe_input import PwInput
from pwact.registry.engines import LABELERS
from pwact.verdict import Outcome
from tests.engines.qe_inputs import MESH, head_only, labeler, pw_input, silicon, upf

DATA = Path(__file__).parents[1] / "data" / "qe"


def written(
    folder: Path, text: str, atoms: Atoms, purpose: Purpose = Purpose.SCF, seed: int = 3
) -> PwInput:
    """The input of a task, read back."""
    for element in ("Si", "Fe", "O"):
        head_only(folder, element, 8.0)
    made: Labeler = labeler(folder, text)
    made.validate(purpose, frozenset(atoms.get_chemical_symbols()))
    directory = folder / f"task {purpose.value}"
    directory.mkdir(exist_ok=True)
    made.write_input(directory, made.assign(atoms), purpose, seed)
    assert task.read_start(directory / "pw.in").get_chemical_symbols() == [
        *atoms.get_chemical_symbols()
    ]
    return PwInput(directory / "pw.in")


HERE = "pseudo_dir='./'"


def iron(*moments: float) -> Atoms:
    atoms = bulk("Fe", cubic=True)
    del atoms.arrays[MOMENTS]  # which ASE knows of iron
    if moments:
        atoms.set_array(MOMENTS, np.array(moments))
    return atoms


def test_the_structure_is_put_in_and_the_rest_stays(tmp_path: Path) -> None:
    atoms = silicon()
    root = written(tmp_path, pw_input(control=HERE), atoms)
    assert root.word("SYSTEM", "ibrav") == "0"
    assert root.entries("SYSTEM", "celldm") == []
    assert root.text("CONTROL", "prefix") == "pwact"
    assert root.text("CONTROL", "outdir") == "./out"
    assert root.switch("CONTROL", "tprnfor")
    assert root.switch("CONTROL", "tstress")
    found = task.read_start(root.path)
    np.testing.assert_array_equal(found.positions, atoms.positions)
    np.testing.assert_array_equal(found.cell.array, atoms.cell.array)
    text = root.render()
    for kept in ("! silicon / for pwact", "dt=40 ! 1.9 fs / step", "conv_thr = 1d-9", MESH):
        assert kept in text
    assert (root.path.parent / "Si.UPF").resolve() == (tmp_path / "Si.UPF").resolve()


def test_a_mesh_comes_from_kspacing_only_where_there_is_none(tmp_path: Path) -> None:
    head_only(tmp_path)
    made = labeler(tmp_path, pw_input(control=HERE, cards=""), kspacing=0.3)
    directory = tmp_path / "task"
    directory.mkdir()
    made.write_input(directory, silicon(), Purpose.SCF, 1)
    card = PwInput(directory / "pw.in").cards["K_POINTS"]
    assert (card.option, card.lines[0][1].split()[3:]) == ("automatic", ["0", "0", "0"])
    assert [int(one) > 3 for one in card.lines[0][1].split()[:3]] == [True] * 3


def test_the_velocities_of_an_md_come_from_the_seed(tmp_path: Path) -> None:
    text = pw_input("md", control=HERE)
    root = written(tmp_path, text, silicon().repeat(2), Purpose.AIMD)
    rows = [line.split() for _, line in root.cards["ATOMIC_VELOCITIES"].lines]
    velocities = np.array([row[1:] for row in rows], float)
    mass = 28.0855 * 1822.888486209 / 2
    np.testing.assert_allclose(velocities.sum(axis=0), 0, atol=1e-12)
    kinetic = mass * (velocities**2).sum() / 2  # Ry; 3 (N - 1) k T / 2
    assert kinetic == pytest.approx(3 * 15 * 600 / 157887.512404 / 2, rel=1e-9)
    assert root.word("IONS", "ion_velocities") == "from_input"
    assert root.word("IONS", "ion_temperature") == "not_controlled"
    again = written(tmp_path, text, silicon().repeat(2), Purpose.AIMD)
    assert again.render() == root.render()
    other = written(tmp_path, text, silicon().repeat(2), Purpose.AIMD, seed=4)
    assert other.cards["ATOMIC_VELOCITIES"].lines != root.cards["ATOMIC_VELOCITIES"].lines


def test_without_a_temperature_an_md_starts_at_rest(tmp_path: Path) -> None:
    text = pw_input("md", control=HERE).replace("ion_temperature='initial', tempw=600", "")
    assert "ATOMIC_VELOCITIES" not in written(tmp_path, text, silicon(), Purpose.AIMD).cards


@pytest.mark.parametrize(
    ("thermostat", "ours"),
    [
        ("'initial'", True),
        ("'rescale-V', nraise=2", True),
        ("'reduce_T', nraise=10, delta_t=-5", True),
        ("'rescale-v'", False),
        ("'rescaling'", False),
        ("'SVR', nraise=5", False),
        ("'berendsen', nraise=5", False),
    ],
)
def test_velocities_are_drawn_here_where_the_thermostat_lets_them(
    thermostat: str, ours: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = pw_input("md", control=HERE).replace("'initial'", thermostat)
    root = written(tmp_path, text, silicon(), Purpose.AIMD)
    assert ("ATOMIC_VELOCITIES" in root.cards) == ours
    assert (root.word("IONS", "ion_velocities") == "from_input") == ours
    assert ("pw.x draws velocities by its clock" in caplog.text) != ours


def test_wave_functions_are_written_where_a_release_else_writes_nothing(tmp_path: Path) -> None:
    root = written(tmp_path, pw_input(control=f"{HERE}, disk_io='nowf'"), silicon())
    assert root.word("CONTROL", "disk_io") == "low"


def test_held_atoms_have_no_velocity_and_are_held(tmp_path: Path) -> None:
    atoms = silicon()
    fix(atoms, np.array([True, False]))
    root = written(tmp_path, pw_input("md", control=HERE), atoms, Purpose.AIMD)
    lines = [line.split() for _, line in root.cards["ATOMIC_POSITIONS"].lines]
    assert [line[4:] for line in lines] == [["0", "0", "0"], ["1", "1", "1"]]
    still = root.cards["ATOMIC_VELOCITIES"].lines[0][1].split()[1:]
    assert [float(one) for one in still] == [0, 0, 0]
    single = written(tmp_path, pw_input(control=HERE), atoms)  # no label depends on it
    assert [len(line.split()) for _, line in single.cards["ATOMIC_POSITIONS"].lines] == [4, 4]


TWO = "Fe1 55.845 Fe.UPF\n  Fe2 55.845 Fe.UPF"
SPINS = "nspin=2"


def test_kinds_say_which_atom_is_of_which_species(tmp_path: Path) -> None:
    atoms = iron()
    atoms.set_array(KINDS, np.array([2, 1]))
    system = "nspin=2, starting_magnetization(1)=0.5, starting_magnetization(2)=-0.5"
    root = written(tmp_path, pw_input(species=TWO, system=system, control=HERE), atoms)
    labels = [line.split()[0] for _, line in root.cards["ATOMIC_POSITIONS"].lines]
    assert labels == ["Fe2", "Fe1"]
    assert root.word("SYSTEM", "starting_magnetization") == "-0.5"
    assert root.word("SYSTEM", "ntyp") == "2"


def test_species_without_kinds_are_refused(tmp_path: Path) -> None:
    head_only(tmp_path, "Fe", 8)
    made = labeler(tmp_path, pw_input(species=TWO, system=SPINS, control=HERE))
    with pytest.raises(InputError, match=r"found Fe1 Fe2, and atoms of Fe of kind 0"):
        made.assign(iron())


def test_moments_become_species(tmp_path: Path) -> None:
    text = pw_input(species="Fe 55.845 Fe.UPF", system="nspin=2, Hubbard_U(1)=4.5", control=HERE)
    root = written(tmp_path, text, iron(2.0, -2.0))
    labels = [line.split()[0] for _, line in root.cards["ATOMIC_POSITIONS"].lines]
    assert labels == ["Fe", "Fe1"]
    found = {one.key: float(one.value) for one in root.entries("SYSTEM") if one.indices}
    # 2 µB of 8 valence electrons
    assert found == {
        "starting_magnetization(1)": 0.25,
        "starting_magnetization(2)": -0.25,
        "hubbard_u(1)": 4.5,
        "hubbard_u(2)": 4.5,
    }
    assert [line.split() for _, line in root.cards["ATOMIC_SPECIES"].lines] == [
        ["Fe", "55.845", "Fe.UPF"],
        ["Fe1", "55.845", "Fe.UPF"],
    ]


def test_the_card_of_u_follows_the_species(tmp_path: Path) -> None:
    cards = f"{MESH}\nHUBBARD (ortho-atomic)\nU Fe-3d 4.5"
    text = pw_input(species="Fe 55.845 Fe.UPF", system=SPINS, control=HERE, cards=cards)
    root = written(tmp_path, text, iron(2.0, -2.0))
    lines = [line for _, line in root.cards["HUBBARD"].lines]
    assert lines == ["U Fe-3d 4.5", "U Fe1-3d 4.5"]
    assert root.cards["HUBBARD"].option == "ortho-atomic"


def test_moments_that_pw_would_not_use_are_refused(tmp_path: Path) -> None:
    head_only(tmp_path, "Fe", 8)
    species = "Fe 55.845 Fe.UPF"
    made = labeler(tmp_path, pw_input(species=species, control=HERE))
    with pytest.raises(InputError, match=r"&SYSTEM nspin: .*count with nspin = 2 alone"):
        made.assign(iron(2.0, 2.0))
    both = "nspin=2, starting_magnetization(1)=0.5"
    made = labeler(tmp_path, pw_input(species=species, system=both, control=HERE))
    with pytest.raises(InputError, match=r"stands here, and the structure has moments too"):
        made.assign(iron(2.0, 2.0))


def test_pseudopotentials_of_the_json_file_are_found_by_their_element(tmp_path: Path) -> None:
    oxide = Atoms("OSi", positions=[[0, 0, 0], [0, 0, 1.6]], cell=[4, 4, 4], pbc=True)
    pseudo = (head_only(tmp_path / "files", "O", 6), head_only(tmp_path / "files", "Si", 4))
    made = labeler(tmp_path, pw_input(), pseudo)
    made.validate(Purpose.SCF, frozenset({"O", "Si"}))
    directory = tmp_path / "task"
    directory.mkdir()
    made.write_input(directory, oxide, Purpose.SCF, 1)
    lines = PwInput(directory / "pw.in").cards["ATOMIC_SPECIES"].lines
    assert [line.split() for _, line in lines] == [
        ["Si", "28.0855", "Si.UPF"],
        ["O", "15.999000", "O.UPF"],
    ]
    assert (directory / "O.UPF").read_text() == upf("O", 6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"calculation": "nscf"}, "&CONTROL calculation: line 2: found nscf; expected scf"),
        ({"control": "disk_io='none'"}, "&CONTROL disk_io: line 4: found none, which leaves no"),
        ({"cards": "K_POINTS\n1\n0 0 0 1"}, "K_POINTS: line 24: found tpiba; expected automatic"),
        (
            {"cards": "K_POINTS crystal_b\n1\n0 0 0 1"},
            "found crystal_b; expected automatic, gamma, crystal: these are for bands",
        ),
        (
            {"cards": "k_points automatic\n2 2 2 0 0 0"},
            "K_POINTS: line 24: found k_points; expected K_POINTS: pw.x ignores cards in small",
        ),
        (
            {"cards": "K_POINTS{automatic}\n2 2 2 0 0 0"},
            "line 24: found 'K_POINTS{automatic}', which is no card of pw.x; did you mean K_POINTS",
        ),
        ({"cards": f"{MESH}\nHUBBART\nU Si-3p 1"}, "line 26: found 'HUBBART', which is no card"),
        ({"system": "Hubbard_V(1,2,1)=1.0"}, "&SYSTEM hubbard_v: line 8: names atoms by number"),
        ({"cards": "HUBBARD atomic\nV Fe-3d O-2p 1 2 1.0"}, "HUBBARD: line 25: V names atoms"),
        (
            {"cards": "ATOMIC_FORCES\nSi 0 0 1"},
            "ATOMIC_FORCES: line 24: this card is about",
        ),
        (
            {"species": "Si 28.0855"},
            "ATOMIC_SPECIES: line 20: found 'Si 28.0855'; expected",
        ),
        ({"species": "Si 28.0855 no.UPF"}, "ATOMIC_SPECIES: line 20: pseudopotential "),
        ({"species": "Si 28.0855 O.UPF"}, "O.UPF is of O, and Si is Si"),
        ({"species": "O 16 O.UPF"}, "ATOMIC_SPECIES: line 19: Si has no pseudopotential"),
        (
            {"electrons": "scf_must_converge=.FALSE."},
            "&ELECTRONS scf_must_converge: line 12: pw.x then calls converged what is not",
        ),
        (
            {"system": "nspin=2, constrained_magnetization='Atomic direction'"},
            "&SYSTEM constrained_magnetization: line 8: pw.x adds a penalty to the energy",
        ),
        ({"system": "space_group=227"}, "&SYSTEM space_group: line 8: the atoms come from pwact"),
    ],
)
def test_an_input_that_cannot_work_is_refused(
    change: dict[str, str], words: str, tmp_path: Path
) -> None:
    for element in ("Si", "O"):
        head_only(tmp_path, element)
    values = {"control": HERE, **change}
    if "control" in change:
        values["control"] += f"\n  {HERE}"
    made = labeler(tmp_path, pw_input(**values))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"my\.in") as caught:
        made.validate(Purpose.SCF, frozenset({"Si"}))
    assert words in str(caught.value)


def test_cards_that_are_replaced_may_be_in_small_letters(tmp_path: Path) -> None:
    text = pw_input(control=HERE)
    for name in ("ATOMIC_SPECIES", "ATOMIC_POSITIONS"):
        text = text.replace(name, name.lower())
    root = written(tmp_path, text, silicon())
    assert {card.written for card in root.cards.values()} == {
        *("ATOMIC_SPECIES", "ATOMIC_POSITIONS", "CELL_PARAMETERS", "K_POINTS")
    }


def test_an_md_with_symmetry_is_refused(tmp_path: Path) -> None:
    head_only(tmp_path)
    text = pw_input("md", control=HERE).replace("nosym=.true.", "")
    made = labeler(tmp_path, text)
    with pytest.raises(InputError, match=r"&SYSTEM nosym: an MD needs nosym = \.true\."):
        made.validate(Purpose.AIMD, frozenset({"Si"}))


@pytest.mark.parametrize("purpose", [Purpose.AIMD, Purpose.RELAX])
def test_each_purpose_has_its_calculations(purpose: Purpose, tmp_path: Path) -> None:
    head_only(tmp_path)
    made = labeler(tmp_path, pw_input(control=HERE))
    expected = {Purpose.AIMD: "md or vc-md", Purpose.RELAX: "relax or vc-relax"}[purpose]
    with pytest.raises(InputError, match=f"found scf; expected {expected} for {purpose.value}"):
        made.validate(purpose, frozenset({"Si"}))


def test_a_fingerprint_depends_on_input_files_and_spacing(tmp_path: Path) -> None:
    head_only(tmp_path)
    extra = head_only(tmp_path / "files", "O", 6)

    def key(text: str = pw_input(control=HERE), kspacing: float = 0.3) -> str:
        made = labeler(tmp_path, text, (extra,), kspacing)
        return repr(made.fingerprint(Purpose.SCF))

    first = key()
    assert key(pw_input(control=HERE, electrons="mixing_beta=0.3")) != first
    assert key(kspacing=0.4) != first
    extra.write_text(upf("O", 7))
    second = key()
    assert second != first
    (tmp_path / "Si.UPF").write_text(upf("Si", 5))
    assert key() not in (first, second)


def test_it_is_found_by_both_names() -> None:
    assert LABELERS.canonical("QE") == LABELERS.canonical("espresso") == "qe"


# outputs


def recorded(name: str, tmp_path: Path) -> Path:
    """A task as pw.x left it."""
    return Path(shutil.copytree(DATA / name, tmp_path / name))


PURPOSES = {
    "scf": Purpose.SCF,
    "smearing": Purpose.SCF,
    "spins": Purpose.SCF,
    "md": Purpose.AIMD,
    "relax": Purpose.RELAX,
    "vc-relax": Purpose.RELAX,
    "out-of-steps": Purpose.RELAX,
    "not-converged": Purpose.SCF,
}


@pytest.mark.parametrize("name", PURPOSES)
def test_recorded_tasks_are_judged(name: str, tmp_path: Path) -> None:
    made = labeler(tmp_path / "user", pw_input())
    verdict = made.check(recorded(name, tmp_path), PURPOSES[name])
    expected = Outcome.UNUSABLE if name == "not-converged" else Outcome.DONE
    assert verdict.outcome is expected, verdict.reason


@pytest.mark.parametrize("name", ["scf", "md", "relax"])
def test_an_output_whose_input_was_ignored_in_part_is_unusable(name: str, tmp_path: Path) -> None:
    directory = recorded(name, tmp_path)
    log = directory / "dft.log"
    said = "Warning: card K_POINTS AUTOMATIC ignored\nWarning: card 2 2 2 0 0 0 ignored\n"
    lines = log.read_text().splitlines(keepends=True)
    made = labeler(tmp_path / "user", pw_input())
    log.write_text("".join([*lines[:20], said.replace("K_POINTS", "&CELL"), *lines[20:]]))
    assert made.check(directory, PURPOSES[name]).done
    log.write_text("".join([*lines[:20], said, *lines[20:]]))
    verdict = made.check(directory, PURPOSES[name])
    assert verdict.outcome is Outcome.UNUSABLE
    assert "ignored the card K_POINTS" in verdict.reason


def in_two_starts(tmp_path: Path) -> Path:
    """The recorded MD as if it had been killed after two steps, and had gone on."""
    directory = recorded("md", tmp_path)
    text = (directory / "dft.log").read_text()
    head = text.partition("     Self-consistent Calculation")[0]
    cut = text.index("     Self-consistent Calculation", text.index("iteration =     2"))
    (directory / "dft.0.log").write_text(text[:cut])
    goes_on = "     Atomic positions from file used, from input discarded\n"
    rest = text[cut:].replace("iteration =     2", "iteration =     3")
    (directory / "dft.log").write_text(head + goes_on + rest)
    return directory


def test_steps_of_several_starts_are_one_md(tmp_path: Path) -> None:
    whole = read_steps(recorded("md", tmp_path / "whole"))
    directory = in_two_starts(tmp_path)
    found = read_steps(directory)
    assert [one.energy for one in found.usable] == [one.energy for one in whole.usable]
    for one, other in zip(found.usable, whole.usable):
        np.testing.assert_array_equal(one.positions, other.positions)
    made = labeler(tmp_path / "user", pw_input())
    assert made.check(directory, Purpose.AIMD).done


def test_a_start_that_took_its_input_again_is_not_the_same_md(tmp_path: Path) -> None:
    directory = in_two_starts(tmp_path)
    log = directory / "dft.log"
    log.write_text(log.read_text().replace("Atomic positions from file used", "no"))
    made = labeler(tmp_path / "user", pw_input())
    verdict = made.check(directory, Purpose.AIMD)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert "does not go on where the start before it stopped" in verdict.reason


def cut_off(tmp_path: Path, memory: int = 1) -> Path:
    """The recorded MD, killed in its second calculation, with what pw.x then remembers."""
    directory = recorded("md", tmp_path)
    log = directory / "dft.log"
    text = log.read_text()
    cut = text.index("     Self-consistent Calculation", text.index("iteration =     1\n"))
    log.write_text(text[: cut + 60])
    found = read_steps(directory)
    assert found.last is not None
    schema = directory / task.SCHEMA
    schema.parent.mkdir(parents=True)
    xml = (DATA / "scf" / "pwact.xml").read_text()
    head, _, tail = xml.rpartition("<atomic_positions>")
    rows = "".join(
        f'<atom name="Si" index="{number}">'
        + " ".join(f"{value / 0.529177210903:.15e}" for value in row)
        + "</atom>"
        for number, row in enumerate(found.last.moved[1], 1)
    )
    schema.write_text(f"{head}<atomic_positions>{rows}{tail[tail.index('</atomic_positions>') :]}")
    (directory / resume.MEMORY).write_text(f"  -15.6 {memory} 0 0 0\n")
    return directory


def test_a_cut_off_md_goes_on(tmp_path: Path) -> None:
    directory = cut_off(tmp_path)
    resume.prepare(directory)
    root = PwInput(directory / "pw.next.in")
    assert root.word("CONTROL", "restart_mode") == "restart"
    assert root.whole("CONTROL", "nstep", 0) == 2
    assert (directory / "dft.0.log").is_file()
    assert not (directory / "dft.log").exists()


@pytest.mark.parametrize("how", ["memory", "structure", "none", "log"])
def test_an_md_whose_memory_disagrees_begins_again(how: str, tmp_path: Path) -> None:
    directory = cut_off(tmp_path, memory=2 if how == "memory" else 1)
    schema = directory / task.SCHEMA
    if how == "structure":
        shutil.copyfile(DATA / "scf" / "pwact.xml", schema)
    elif how == "none":
        schema.unlink()
    elif how == "log":
        (directory / "dft.log").write_text("")
    resume.prepare(directory)
    root = PwInput(directory / "pw.next.in")
    assert root.word("CONTROL", "restart_mode") == ""
    assert root.whole("CONTROL", "nstep", 0) == 3
    assert not (directory / "out").exists()
    assert list(directory.glob("dft*.log")) == []


def test_an_md_that_stopped_behind_a_whole_step_is_not_done(tmp_path: Path) -> None:
    directory = recorded("md", tmp_path)
    log = directory / "dft.log"
    text = log.read_text()
    log.write_text(text[: text.index("     Self-consistent Calculation", text.index("=     2\n"))])
    made = labeler(tmp_path / "user", pw_input())
    assert len(made.read_result(directory, Purpose.AIMD)) == 2
    verdict = made.check(directory, Purpose.AIMD)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert "cut off after 2 complete evaluations of 3" in verdict.reason


def test_a_step_that_did_not_converge_is_no_frame(tmp_path: Path) -> None:
    directory = recorded("md", tmp_path)
    log = directory / "dft.log"
    words = "     convergence has been achieved in"
    failed = "     convergence NOT achieved after 100 iterations: stopping\n"
    text = log.read_text()
    place = text.rindex(words)
    log.write_text(text[:place] + failed + text[place:])
    made = labeler(tmp_path / "user", pw_input())
    assert made.check(directory, Purpose.AIMD).done
    assert len(made.read_result(directory, Purpose.AIMD)) == 2


def test_a_step_that_does_not_converge_ends_an_md_with_what_it_has(tmp_path: Path) -> None:
    directory = recorded("md", tmp_path)
    log = directory / "dft.log"
    text = log.read_text()
    cut = text.index("     Self-consistent Calculation", text.index("iteration =     2"))
    told = "     convergence NOT achieved after 100 iterations: stopping\n"
    log.write_text(f"{text[:cut]}     Self-consistent Calculation\n{told}   JOB DONE.\n")
    made = labeler(tmp_path / "user", pw_input())
    assert made.check(directory, Purpose.AIMD).done
    assert len(made.read_result(directory, Purpose.AIMD)) == 2
