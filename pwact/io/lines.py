"""Outputs of first-principles codes, read line by line; every error names file and line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Optional

import numpy as np

from pwact.errors import CutOffError, InputError, TaskError
from pwact.io.arrays import BEYOND, UNUSABLE, are_usable
from pwact.io.texts import DAMAGED, open_text


class Lines:
    """The complete lines of a text file, one after the other, in bounded memory.

    A last line without line end was cut off while it was written, so it is not given out: its
    last number may lack digits. Use it in a ``with`` block.

    Attributes
    ----------
    number
        Of the line that was given out last, from 1.
    cut_off
        Whether the last line had no end and was left out.
    rest
        What there was of that line.

    Raises
    ------
    TaskError
        The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        self.cut_off = False
        self.rest = ""
        try:
            self._stream = open_text(path, newline="\n")
        except OSError as error:
            raise TaskError(f"{path}: cannot be read: {error.strerror}") from error
        except InputError as error:
            raise TaskError(str(error)) from error

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self._stream.readline()
        except DAMAGED as error:
            raise CutOffError(f"{self.path}: is compressed, and damaged: {error}") from error
        if not line.endswith("\n"):
            self.cut_off, self.rest = bool(line), line
            raise StopIteration
        self.number += 1
        return line.rstrip("\r\n")

    def take(self) -> str:
        """The next line, which must be there.

        Raises
        ------
        CutOffError
            The file ends here.
        """
        line = next(self, None)
        if line is None:
            raise CutOffError(f"{self.path}, after line {self.number}: the file is cut off")
        return line

    def accept_rest(self) -> None:
        """Count the last line as complete, since nothing can be missing from it."""
        self.cut_off = False

    def error(self, message: str) -> TaskError:
        """An error at the line that was given out last."""
        return TaskError(f"{self.path}, line {self.number}: {message}")

    def numbers(self, words: Sequence[str]) -> list[float]:
        """Words of the line that was given out last as finite numbers.

        Raises
        ------
        TaskError
            One is no finite number, such as the ``****`` of Fortran.
        """
        made = []
        for word in words:
            try:
                value = float(word)
            except ValueError:
                raise self.error(f"{word!r} is not a number") from None
            if not abs(value) < BEYOND:
                raise self.error(f"{word} is {UNUSABLE}")
            made.append(value)
        return made

    def number_in(self, words: Sequence[str], place: int) -> float:
        """One word of the line that was given out last as a finite number.

        Raises
        ------
        TaskError
            There is no such word, or it is no finite number.
        """
        try:
            word = words[place]
        except IndexError:
            raise self.error("a number is missing") from None
        return self.numbers([word])[0]

    def table(self, rows: int, columns: slice, width: int) -> np.ndarray:
        """The numbers of the next lines.

        Parameters
        ----------
        rows
            How many lines.
        columns
            Which words of each line.
        width
            How many words that must give.

        Returns
        -------
        numpy.ndarray
            Shape (rows, width), float.

        Raises
        ------
        CutOffError
            The file ends before.
        TaskError
            A line holds fewer words, or one that is no finite number.
        """
        before, made = self.number, []
        for _ in range(rows):
            words = self.take().split()[columns]
            if len(words) != width:
                raise self.error(f"{len(words)} numbers where {width} are expected")
            made.append(words)
        try:
            table = np.array(made, dtype=float).reshape(rows, width)
        except ValueError:
            table = np.full((rows, width), np.nan)
        if not are_usable(table):
            for self.number, words in enumerate(made, before + 1):  # the first of them complains
                self.numbers(words)
        return table
