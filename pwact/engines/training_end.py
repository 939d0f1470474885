"""How a training's command records its good end, and when that counts.

No output of a training program tells that it ended well: models, checkpoints and tables have their
final names from the first epoch on. So the last step of each command writes ``train.ended``, with
the check sums of what was made (POSIX ``cksum``), and only then the training counts.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from pwact.errors import TaskError
from pwact.layout import failed_tag, success_tag

ENDED = "train.ended"
_PIECE = 1 << 20
_BITS_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def record_end(*names: str, perhaps: tuple[str, ...] = ()) -> str:
    """Shell text, the last of a command, that records its good end.

    Parameters
    ----------
    perhaps
        Files that count if they are there.
    """
    more = f" $(ls {' '.join(perhaps)} 2> /dev/null)" if perhaps else ""
    return f"cksum {' '.join(names)}{more} > {ENDED}"


def unless_ended(mark: str, product: str, step: str) -> str:
    """Shell text for a step that is left out where its product is there as the step left it.

    `mark` names the file with the size of the product.
    """
    size = f"wc -c < {product}"
    ended = f'[ -s {mark} ] && [ -s {product} ] && [ "$(cat {mark})" = "$({size})" ]'
    return f"{{ {{ {ended}; }} || {{ rm -f {mark} {product}; {step} && {size} > {mark}; }}; }}"


def demand_end(directory: Path) -> None:
    """Raise TaskError unless a training ended well, and its files are as its command left them.

    Trainings of earlier versions, and of PWact, have the tag of success alone.
    """
    tag, path = directory / failed_tag("train"), directory / ENDED
    if tag.exists():
        raise TaskError(f"the training ended with an error ({tag})")
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError) as error:
        if not isinstance(error, FileNotFoundError):
            raise TaskError(f"{path}: cannot be read: {error}") from error
        lines = []
    if not lines and (path.exists() or not (directory / success_tag("train")).exists()):
        raise TaskError(f"the training was cut off, or did not start: no {ENDED} in {directory}")
    for line in lines:
        words = line.split(maxsplit=2)
        if len(words) != 3 or not words[0].isdigit() or not words[1].isdigit():
            raise TaskError(f"{path}: the line {line!r} is no check sum of a file")
        if check_sum(directory / words[2]) != (int(words[0]), int(words[1])):
            raise TaskError(f"{directory / words[2]} is not what the training left")


def check_sum(path: Path) -> tuple[int, int]:
    """Check sum and size of a file as ``cksum`` prints them (POSIX.1-2017); zeros without it.

    Its polynomial is zlib's, with the bits of every byte turned round.
    """
    try:
        with path.open("rb") as stream:
            value, size = 0xFFFFFFFF, 0  # zlib begins with its complement, 0
            while piece := stream.read(_PIECE):
                value, size = zlib.crc32(piece.translate(_BITS_TURNED), value), size + len(piece)
    except (OSError, ValueError):  # a name with a zero byte, in a damaged list
        return 0, 0
    length = size.to_bytes((size.bit_length() + 7) // 8, "little")
    value = zlib.crc32(length.translate(_BITS_TURNED), value) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2) ^ 0xFFFFFFFF, size
