"""The commands about data sets: gather them, make them of trajectories."""

from __future__ import annotations

import logging
from argparse import Namespace
from pathlib import Path
from typing import Callable

from pwact.cli import console, logs
from pwact.cli.signals import ending_signals_raise
from pwact.errors import EXIT_DONE, EXIT_FAILED, UsageError
from pwact.formats.results import find_results
from pwact.tools.data.convert import (
    Conversion,
    Converted,
    convert,
    label_names,
    output_format_of,
)
from pwact.tools.data.first_data import demand_labels, first_data
from pwact.tools.data.gather import Gathered, Wanted, gather, sources_of
from pwact.tools.data.labelled import check_labelled_format
from pwact.tools.data.split import share_of

logger = logging.getLogger(__name__)

NOBODY_VALIDATES = "to validate: no frame, since there are too few structures for that share"
FIRST_UNKNOWN = (
    "the first data (init_data) are not on record, so only labels are copied; --param param.json "
    "says which they are, --no-init leaves them out"
)


def gather_pwdata(options: Namespace) -> int:
    """Copy the data of a campaign to ``./final_pwdata``."""
    source = Path(options.input_dir)
    results = find_results(source)
    demand_labels(source)
    if not results:
        console.say(f"no labelled data in {source}")
        return EXIT_DONE
    output = output_format_of(options.output_format) if options.output_format else ""
    share = share_of(options.train, options.valid)
    wanted = Wanted(output, options.names, share, options.seed)
    with ending_signals_raise(), logs.logging_to_screen():
        param = Path(options.param) if options.param else None
        first = None if options.no_init else first_data(source.absolute(), param)
        if first is None and not options.no_init:
            logger.warning("%s: %s", source, FIRST_UNKNOWN)
        sources = sources_of(results, first)
        with console.progress("copying", len(sources)) as bar:
            made = gather(sources, Path.cwd(), wanted, bar.update if bar else lambda: None)
    console.say(gathered_text(made, share is not None))
    return EXIT_DONE


def gathered_text(made: Gathered, parted: bool) -> str:
    """The data sets that were collected, as they are pasted into ``init_data``."""
    if not parted:
        return quoted(made.train)
    valid = ["to validate:", quoted(made.valid)] if made.valid else [NOBODY_VALIDATES]
    return "\n".join(["to train:", quoted(made.train), *valid])


def to_pwdata(options: Namespace) -> int:
    """Make data sets of trajectories."""
    base = Path(options.work_dir)
    if not base.is_dir():
        raise UsageError(f"{base} is not a directory")
    input_format = check_labelled_format(options.format)
    keys = (options.energy_key, options.forces_key, options.virial_key, options.type_names)
    share = share_of(options.train, options.valid)
    if share is not None and (options.train_valid_ratio is not None or options.data_shuffle):
        raise UsageError(
            "--train and --valid part by content; -o and -r by order: take one of them"
        )
    settings = Conversion(
        inputs=[base / name for name in options.input],
        input_format=input_format,
        savepath=base / options.savepath,
        output_format=output_format_of(options.output_format),
        ratio=options.train_valid_ratio if share is None else share,
        seed=options.seed if options.data_shuffle else None,
        by_content=options.seed if share is not None else None,
        strict=options.strict,
        virial_factor=-1 if options.virial_sign == "opposite" else 1,
        merge=options.merge,
        gap=options.gap,
        names=label_names(input_format, *keys),
        written=options.names,
    )
    inputs = len(settings.inputs)
    with (
        ending_signals_raise(),
        logs.logging_to_screen(),
        console.progress("reading frames", None) as bar,
    ):
        made = convert(settings, _ticker(bar, inputs) if bar else lambda number: None)
    console.say(conversion_summary(made, inputs))
    for line in made.unread:
        console.show_error(line)
    return EXIT_FAILED if made.unread else EXIT_DONE


def _ticker(bar: console.Bar, inputs: int) -> Callable[[int], None]:
    """Counts frames on a bar whose title tells the input that is read."""
    present = 0

    def tick(number: int) -> None:
        nonlocal present
        if number != present:
            present = number
            bar.set_description(f"reading frames of input {number} of {inputs}")
        bar.update()

    return tick


def conversion_summary(made: Converted, inputs: int) -> str:
    """The last words of ``pwact to_pwdata``: how many frames there are, and where."""
    left_out = f"; {made.unconverged} not converged, left out" if made.unconverged else ""
    if made.unread:
        left_out += f"; {_counted(len(made.unread), 'input')} cannot be read, left out"
    lines = [f"{_counted(made.frames, 'frame')} of {_counted(inputs, 'input')}{left_out}"]
    if made.valid:
        lines += [f"to train ({_counted(made.trained, 'frame')}):", quoted(made.train)]
        validated = _counted(made.frames - made.trained, "frame")
        lines += [f"to validate ({validated}):", quoted(made.valid)]
    else:
        lines.append(quoted(made.train))
    return "\n".join(lines)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def quoted(paths: list[Path]) -> str:
    """Paths as they are pasted into ``init_data``: in double quotes, with a comma, one a line."""
    return "\n".join(f'"{path}",' for path in paths)
