"""What frames are judged by, in words: for summaries, findings and the axes of pictures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """How people read the values of an uncertainty.

    Attributes
    ----------
    words
        What it is called in ``select_summary.txt``.
    noun
        One value: ``deviation``.
    axis
        What an axis shows: ``largest force deviation``.
    keys
        The two keys of ``strategy`` that hold its limits.
    unit
        Of the values; "" where they have none, or are known up to a factor only.
    relative
        Whether each system has limits of its own: the first is then multiplied by what the system
        starts with, and the second multiplies the first. The values do not compare with errors.
    decades
        Whether the values spread over decades, so that their axis is logarithmic.
    axis_in_full
        `axis` without abbreviations, where it has some.
    """

    words: str
    noun: str
    axis: str
    keys: tuple[str, str]
    unit: str = ""
    relative: bool = False
    decades: bool = False
    axis_in_full: str = ""

    @property
    def with_unit(self) -> str:
        """The label of an axis."""
        return self._of(self.axis)

    @property
    def of_a_frame(self) -> str:
        """The label of an axis on which each frame counts once."""
        return self._of(f"{self.axis_in_full or self.axis} of a frame")

    def text(self, value: float) -> str:
        """A limit with its unit."""
        return f"{value:g} {self.unit}".rstrip()

    def limits_text(self, lower: float, upper: float) -> str:
        """Two limits in one line."""
        if self.relative:
            return f"{self.keys[0]} {lower:g}, {self.keys[1]} {upper:g}"
        return f"lower limit {self.text(lower)}, upper limit {self.text(upper)}"

    def _of(self, label: str) -> str:
        return f"{label} ({self.unit})" if self.unit else label
