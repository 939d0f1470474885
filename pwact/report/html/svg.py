"""Plain charts as SVG: axes, marks and legends as text. Colours and fonts are those of the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Optional

WIDTH, HEIGHT = 420, 290
LEFT, RIGHT, TOP, BOTTOM = 60, 18, 14, 42
_WIDEST = 1e5  # ratio of the ends of a logarithmic axis
_LETTER = 6.4  # width of a digit
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """An axis: its ends, and whether it is logarithmic, or of whole numbers."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, from 0 at the lower end to 1 at the upper one.

        On a logarithmic axis all that lies below is at the lower end.
        """
        if self.log:
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def below(self, value: float) -> bool:
        """Whether a value lies below a logarithmic axis, at whose lower end it is shown."""
        return self.log and value < self.low

    def ticks(self) -> list[float]:
        """Round numbers between the ends."""
        found = _decades(self.low, self.high) if self.log else _even(self.low, self.high)
        return [one for one in found if one == int(one)] if self.whole else found


def linear(values: Iterable[float], zero: bool = False) -> Scale:
    """An axis for these values, from 0 on if `zero`."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    if zero:
        return Scale(min(0.0, low), high * 1.06 if high > 0 else 1.0)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return Scale(low - room, high + room)


def decades(values: Iterable[float]) -> Scale:
    """A logarithmic axis for what is above 0 of these values, over 5 decades at most."""
    known = [value for value in values if math.isfinite(value) and value > 0] or [1.0]
    high = 1.25 * max(known)
    return Scale(max(min(known) / 1.25, high / _WIDEST), high, log=True)


def _even(low: float, high: float) -> list[float]:
    raw = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * one for one in _STEPS if size * one >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    parts = (1.0, 2.0, 5.0) if high / low < 300 else (1.0,)
    found = [float(f"{part * 10.0**power:.3g}") for power in powers for part in parts]
    return [one for one in found if low <= one <= high]


class Chart:
    """Axes on which marks are put one after the other.

    Parameters
    ----------
    labels
        Of the two axes; an axis without one has no numbers either.
    about
        What the chart shows, in words.
    """

    def __init__(
        self,
        x: Scale,
        y: Scale,
        labels: tuple[str, str],
        about: str,
        size: tuple[int, int] = (WIDTH, HEIGHT),
    ) -> None:
        self._x, self._y = x, y
        self._labels, self._about = labels, about
        self.width, self.height = size
        ticks = [f"{tick:g}" for tick in y.ticks()] if labels[1] else []
        self._left = max(LEFT, round(24 + _LETTER * max(map(len, ticks), default=0)))
        self._marks: list[str] = []
        self._legend: list[tuple[str, str]] = []

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a pair of values lies, in units of the picture."""
        across = self._left + self._x.share(x) * (self.width - self._left - RIGHT)
        down = TOP + (1 - self._y.share(y)) * (self.height - TOP - BOTTOM)
        return round(across, 1), round(down, 1)

    def dots(
        self, points: Iterable[tuple[float, float, str]], kind: str, radius: float = 3.0
    ) -> None:
        """Dots with the words that are shown beside the pointer."""
        for x, y, words in points:
            across, down = self.place(x, y)
            title = f"<title>{escape(words)}</title>" if words else ""
            dot = f'<circle class="{kind}" cx="{across}" cy="{down}" r="{radius:g}"'
            self._marks.append(f"{dot}>{title}</circle>" if title else f"{dot}/>")

    def line(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        """A line through points."""
        if len(points) > 1:
            path = " ".join(f"{x},{y}" for x, y in (self.place(*one) for one in points))
            self._marks.append(f'<polyline class="{kind}" points="{path}"/>')

    def bar(self, x: float, low: float, high: float, kind: str) -> None:
        """The interval of a value."""
        across, bottom = self.place(x, low)
        top = self.place(x, high)[1]
        ends = "".join(f"M{across - 3},{end}h6" for end in (bottom, top))
        self._marks.append(f'<path class="{kind}" d="M{across},{bottom}V{top}{ends}"/>')

    def limit(self, words: str, x: Optional[float] = None, y: Optional[float] = None) -> None:
        """A dashed line across, named at its end, where it lies within the axes."""
        value, scale = (x, self._x) if x is not None else (y, self._y)
        if value is None or not scale.low <= value <= scale.high:
            return
        low, high = self.place(self._x.low, self._y.low), self.place(self._x.high, self._y.high)
        if x is not None:
            across = self.place(x, self._y.low)[0]
            path, spot, turn = f"M{across},{low[1]}V{high[1]}", (across - 4, high[1] + 18), -90
        else:
            down = self.place(self._x.low, value)[1]
            path, spot, turn = f"M{low[0]},{down}H{high[0]}", (high[0] - 4, down - 4), 0
        rotated = f' transform="rotate({turn} {spot[0]} {spot[1]})"' if turn else ""
        text = f'<text class="limit" x="{spot[0]}" y="{spot[1]}" text-anchor="end"{rotated}>'
        self._marks.append(f'<path class="limit" d="{path}"/>{text}{escape(words)}</text>')

    def diagonal(self, words: str = "") -> None:
        """A line where both values are the same, and its name, where it lies within the axes."""
        low = max(self._x.low, self._y.low)
        high = min(self._x.high, self._y.high)
        if low >= high:
            return
        self.line([(low, low), (high, high)], "diagonal")
        if words:
            self.named("diagonal", words)

    def raw(self, mark: str) -> None:
        """A mark that is SVG already."""
        self._marks.append(mark)

    def named(self, kind: str, words: str) -> None:
        """A line of the legend, which is put under the chart."""
        self._legend.append((kind, words))

    def text(self) -> str:
        """The chart as HTML: a figure with its legend."""
        picture = (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(self._about)}">{self._frame()}{"".join(self._marks)}</svg>'
        )
        return f"<figure>{picture}{legend(self._legend)}</figure>"

    def _frame(self) -> str:
        low, high = self.place(self._x.low, self._y.low), self.place(self._x.high, self._y.high)
        parts = []
        for value in self._x.ticks():
            across = self.place(value, self._y.low)[0]
            parts.append(f'<path class="grid" d="M{across},{low[1]}V{high[1]}"/>')
            parts.append(
                f'<text x="{across}" y="{low[1] + 15}" text-anchor="middle">{value:g}</text>'
            )
        for value in self._y.ticks() if self._labels[1] else ():
            down = self.place(self._x.low, value)[1]
            parts.append(f'<path class="grid" d="M{low[0]},{down}H{high[0]}"/>')
            parts.append(
                f'<text x="{low[0] - 6}" y="{down + 4}" text-anchor="end">{value:g}</text>'
            )
        middle = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)
        spots = (
            (f'x="{middle[0]}" y="{self.height - 8}"', self._labels[0]),
            (f'x="11" y="{middle[1]}" transform="rotate(-90 11 {middle[1]})"', self._labels[1]),
        )
        axis = f'<path class="axis" d="M{low[0]},{high[1]}V{low[1]}H{high[0]}"/>'
        return (
            "".join(parts)
            + axis
            + "".join(
                f'<text class="label" {spot} text-anchor="middle">{escape(words)}</text>'
                for spot, words in spots
                if words
            )
        )


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Names of marks with their colours, "" without any."""
    if not entries:
        return ""
    dot = (
        '<svg viewBox="0 0 12 12" aria-hidden="true"><circle class="{}" cx="6" cy="6" r="4"/></svg>'
    )
    items = (f"<li>{dot.format(kind)}{escape(words)}</li>" for kind, words in entries)
    return f'<figcaption><ul class="legend">{"".join(items)}</ul></figcaption>'
