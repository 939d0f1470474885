"""Starts each program of the resource blocks once where it will run: ``pwact check --try``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Callable, Union

from pwact.config.init_bulk import InitConfig
from pwact.config.param import LoadedPair
from pwact.config.resources import ResourceBlock, Resources
from pwact.config.run import RunConfig
from pwact.config.structure_file import StructureFile
from pwact.engines.batch import BatchLabeler
from pwact.engines.labelers import Labeler, Purpose
from pwact.errors import InputError, QuorumError
from pwact.executors import executor_for, programs
from pwact.executors.base import Task
from pwact.executors.dispatcher import Dispatcher
from pwact.executors.script import quote
from pwact.formats.frames import ordered
from pwact.verdict import DONE, Verdict, incomplete
from pwact.workflow.checks import trials
from pwact.workflow.checks.probes import Probes
from pwact.workflow.init_bulk.chain import chain_of
from pwact.workflow.systems import systems_of
from pwact.workflow.tasks.first_principles import Calculation, task_of
from pwact.workflow.tasks.origin import assigned
from pwact.workflow.turn import engines_of

_FOUND = "found.txt"
_PROBE = """\
echo "host=$HOSTNAME"
for word in @WORDS@; do
    path=$(command -v -- "$word") || { echo "missing=$word"; continue; }
    version=$(timeout 20 "$word" --version < /dev/null 2>&1) ||
        version=$(timeout 20 "$word" -h < /dev/null 2>&1)
    version=$(grep -v ERROR <<< "$version" | grep -m 1 '[0-9]')
    echo "path=$word=$path=${version:0:120}"
    case "$word" in *mpirun|*mpiexec|*mpiexec.hydra)
        timeout 20 "$word" --version < /dev/null 2>&1 | head -n 3 | sed 's/^/launcher=/' ;;
    *) ldd "$path" 2> /dev/null | grep -iE 'libmpi|libopen-|libmpich' | sed 's/^/linked=/' ;;
    esac
    case "${word##*/}" in python*)
        "$word" -c 'import importlib.util as u; print("packages=" + " ".join(
            name for name in ("ase", "numpy", "torch", "mpi4py", "gpaw", "chgnet", "deepmd",
            "sevenn", "mace", "torchnep")
            if u.find_spec(name)))' ;;
    esac
done
echo "gpus=${CUDA_VISIBLE_DEVICES-none are set}"
command -v nvidia-smi > /dev/null && timeout 20 nvidia-smi -L | sed 's/^/gpu=/'
true"""


def _ignore(kind: str, seconds: float) -> None:
    del kind, seconds


def rehearse(
    pair: LoadedPair, took: Callable[[str, float], object] = _ignore, whole: bool = False
) -> Iterator[str]:
    """Try the programs and one label; yield a line for each as it ends.

    Everything happens in a directory that is deleted in the end.

    Parameters
    ----------
    took
        Is given the kind (``scf``, ``train``, ``md``) and the seconds of each task that was done.
    whole
        Whether a run also trains one model and runs one MD with it.

    Raises
    ------
    QuorumError
        A program is missing, or a task came to nothing.
    """
    journal = trials.begin(pair.config.work_dir)
    place = journal.path.parent.parent
    try:
        dispatcher = Dispatcher(journal, str(place), executor_for)
        yield from _tried(pair, Probes(place, dispatcher), dispatcher, whole, took)
    finally:
        trials.end(journal)


def _tried(
    pair: LoadedPair,
    probes: Probes,
    dispatcher: Dispatcher,
    whole: bool,
    took: Callable[[str, float], object],
) -> Iterator[str]:
    errors = []
    for block in blocks_of(pair):
        directory = probes.place / block.name / "probe"
        directory.mkdir(parents=True)
        task = Task(directory, f"{{ {_probe(block)}\n}} > {_FOUND}", _has_found, _FOUND)
        for result in dispatcher.run("probe", directory.parent, [task], block):
            lines, wrong = _words_of(block, directory / _FOUND)
            errors += wrong or ([] if result.verdict.done else [result.explanation])
            yield from lines
    yield _label(pair, probes)
    if whole and isinstance(pair.config, RunConfig) and not errors:
        yield from probes.of_run(pair.config, engines_of(pair.config, pair.resources))
    for kind, seconds in probes.seconds.items():
        took(kind, seconds)
    errors += probes.errors
    if errors:
        raise QuorumError("\n".join(["the trial shows what would fail:", *errors]))


def blocks_of(pair: LoadedPair) -> list[ResourceBlock]:
    """The resource blocks that a pair uses."""
    config, resources = pair.config, pair.resources
    if isinstance(config, RunConfig):
        engines = engines_of(config, resources)
        used = [engines.train, engines.explore, engines.dft]
        return [*used, engines.direct.block] if engines.direct else used
    chain = chain_of(config, resources)
    asked: tuple[tuple[object, Callable[[], ResourceBlock]], ...] = (
        (chain.relax or chain.aimd, lambda: chain.dft_block),
        (chain.bigmodel, lambda: chain.explore_block),
        (chain.direct, lambda: chain.direct_block),
        (chain.scf, lambda: chain.scf_block),
    )
    found = [block() for wanted, block in asked if wanted]
    return list({block.name: block for block in found}.values())


def command_warnings(pair: LoadedPair) -> list[str]:
    """Warnings about the commands of blocks that run on this machine.

    Raises
    ------
    InputError
        A program is not here, and no line of its block could bring it.
    """
    warnings = []
    for block in blocks_of(pair):
        if not block.here:
            continue
        brought = programs.brought(block)
        for word in programs.missing(block.command):
            if not brought:
                message = f"{word} is not found on this machine (not in PATH, or not executable)"
                raise InputError(message, block.file, f"{block.name}.command")
            warnings.append(
                f"{block.file}: {block.name}.command: {word} is not in PATH here; "
                "source_list, module_list or env_list must bring it (--try tells)"
            )
        words = "" if brought else programs.mismatch(block.command)
        if words:
            warnings.append(f"{block.file}: {block.name}.command: {words}")
    return warnings


def _probe(block: ResourceBlock) -> str:
    """Shell text that looks for the programs of a block and asks what they are."""
    found = programs.programs_of(block.command)
    words = [word for word in (found.launcher, found.program) if word] if found else []
    return _PROBE.replace("@WORDS@", " ".join(quote(word) for word in words))


def _has_found(directory: Path) -> Verdict:
    found = directory / _FOUND
    there = found.is_file() and "gpus=" in found.read_text(encoding="utf-8", errors="replace")
    return DONE if there else incomplete("the programs could not be looked for")


def _words_of(block: ResourceBlock, path: Path) -> tuple[list[str], list[str]]:
    """What a probe found, in words, and what is wrong with it."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return [f"{block.name}: the job did not run"], []
    facts = [(key, value) for key, _, value in (line.partition("=") for line in lines)]
    host = next((value for key, value in facts if key == "host"), "?")
    rows, wrong = [f"{block.name} ({block.scheduler}, on {host}): {block.command}"], []
    for key, value in facts:
        if key == "path":
            word, found, version = value.split("=", 2)
            rows.append(f"  {word}: {found}" + (f" ({version.strip()})" if version else ""))
        elif key == "packages":
            rows.append(f"  Python packages: {value or 'none of those that pwact knows'}")
        elif key == "gpu" or (key == "gpus" and block.gpu_per_node):
            rows.append(f"  GPU: {value}")
        elif key == "missing":
            wrong.append(f"{block.file}: {block.name}.command: {value} is not found on {host}")
    text = {name: "\n".join(v for k, v in facts if k == name) for name in ("launcher", "linked")}
    launcher, linked = programs.launched_by(text["launcher"]), programs.linked_with(text["linked"])
    if linked:
        rows.append(f"  MPI: the program is linked with {linked}")
    if launcher and linked and not programs.fits(launcher, linked):
        words = programs.mismatch_words(
            f"its launcher is of {launcher}", f"the program of {linked}"
        )
        wrong.append(f"{block.file}: {block.name}.command: {words}")
    return rows, wrong


def _label(pair: LoadedPair, probes: Probes) -> str:
    """Label the first structure; what came of it."""
    try:
        labeler, block, structure = _labelled(pair.config, pair.resources)
        atoms = ordered(assigned(labeler, None, structure, moving=False))
        labeler.validate(Purpose.SCF, frozenset(atoms.get_chemical_symbols()))
    except (LookupError, InputError) as error:
        return f"one label: not tried ({error})"
    place = probes.place / "label"
    place.mkdir()
    calculation = Calculation(labeler, place / "one", lambda: atoms)
    result = probes.run("scf", task_of(calculation, Purpose.SCF, block), block)
    if not result.verdict.done:
        return f"one label: failed ({structure.path})"
    return f"one label: done, {probes.seconds['scf']:.1f} s ({structure.path})"


def _labelled(
    config: Union[RunConfig, InitConfig], resources: Resources
) -> tuple[Labeler, ResourceBlock, StructureFile]:
    """The labeler, its block, and the first structure that it will see."""
    if isinstance(config, RunConfig):
        engines = engines_of(config, resources)
        if isinstance(engines.labeler, BatchLabeler):
            raise LookupError("a script labels all frames at once")
        return engines.labeler, engines.dft, _first_explored(config)
    chain = chain_of(config, resources)
    found = [(one, chain.scf_block, index) for index, one in chain.scf.items()]
    found += [(one, chain.dft_block, index) for index, one in chain.aimd.items()]
    if not found:
        raise LookupError("nothing is labelled")
    labeler, block, index = found[0]
    return labeler, block, config.systems[index].structure


def _first_explored(config: RunConfig) -> StructureFile:
    return systems_of(config, 0)[0].structure
