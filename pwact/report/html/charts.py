"""The charts of the page, from values to SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Optional

import numpy as np

from pwact.report.html.facts import (
    CurvePoint,
    FrameMap,
    JobBar,
    LabelledFrame,
    Measured,
    StepCost,
)
from pwact.report.html.svg import Chart, Scale, decades, legend, linear
from pwact.report.records import IterationRow, SelectRecord
from pwact.report.status import duration

SHADES = 6  # colours of iterations, from the first to the last
MAP_SIZE = (460, 380)
BARS = 1500  # jobs that are drawn
LANES = 6  # jobs of one step beside each other
EV = "eV/Å"
_SPREAD = 20.0  # from this ratio on, errors are shown by decades


def learning_curve(points: Sequence[CurvePoint], target: Optional[float]) -> str:
    """Force errors against the number of labels, with their intervals; "" without any."""
    kinds: list[tuple[str, str, Callable[[CurvePoint], Optional[Measured]]]] = [
        ("valid", "validation data: mean of the models, smallest and largest", lambda p: p.valid),
        ("chosen", "new labels that were chosen, with 90 % interval", lambda p: p.chosen),
        ("control", "new labels drawn by lot (controls), with 90 % interval", lambda p: p.control),
    ]
    series = [
        (kind, words, [(float(p.labels), one) for p in points if (one := of(p))])
        for kind, words, of in kinds
    ]
    series = [one for one in series if one[2]]
    if not series:
        return ""
    ends = [end for _, _, found in series for _, m in found for end in (m.low, m.high)]
    ends += [] if target is None else [target]
    chart = Chart(
        linear([float(p.labels) for p in points]),
        _errors(ends),
        ("labelled frames that the models know", f"force error, RMSE ({EV})"),
        "Learning curve: force error against the number of labelled frames",
    )
    if target is not None:
        chart.limit(f"target {target:g}", y=target)
    for kind, words, found in series:
        if kind == "valid":  # the others are of other frames each time
            chart.line([(x, m.value) for x, m in found], f"line {kind}")
        for x, m in found:
            chart.bar(x, m.low, m.high, f"line {kind}")
        chart.dots(
            ((x, m.value, f"{x:g} labels: {_interval(m)}") for x, m in found), kind, radius=4
        )
        chart.named(kind, words)
    return chart.text()


def _errors(values: Sequence[float]) -> Scale:
    above = [value for value in values if value > 0]
    if above and max(above) / min(above) > _SPREAD:
        return decades(above)
    return linear(values, zero=True)


def _interval(one: Measured) -> str:
    return f"{one.value:.4g} {EV} ({one.low:.4g} to {one.high:.4g}, n = {one.count})"


def frame_map(found: FrameMap, frames: Sequence[LabelledFrame]) -> str:
    """All frames on the plane of the two components; labelled ones can be chosen."""
    if not found.dots:
        return ""
    x, y = (f"principal component {n + 1} ({100 * found.shares[n]:.0f} %)" for n in (0, 1))
    chart = Chart(
        linear([dot.x for dot in found.dots]),
        linear([dot.y for dot in found.dots]),
        (x, y),
        "Map of the frames by two principal components of their descriptors",
        MAP_SIZE,
    )
    quiet = {"explored": "explored, a sample", "training": "first data"}
    for kind, words in quiet.items():
        mine = [dot for dot in found.dots if dot.kind == kind]
        if mine:
            chart.dots(((dot.x, dot.y, "") for dot in mine), f"map {kind}", 2.2)
            chart.named(kind, f"{words} ({len(mine)})")
    labelled = [dot for dot in found.dots if dot.frame is not None]
    last = max((dot.iteration or 0 for dot in labelled), default=0)
    for dot in labelled:
        across, down = chart.place(dot.x, dot.y)
        number = dot.frame or 0
        control = " drawn" if frames[number].control else ""
        chart.raw(
            f'<circle class="pick shade{shade(dot.iteration or 0, last)}{control}" '
            f'data-frame="{number}" cx="{across}" cy="{down}" r="5">'
            f"<title>{escape(frames[number].title)}</title></circle>"
        )
    if labelled:
        chart.named("shade0", "labelled in iteration 0")
    if last:
        chart.named(f"shade{SHADES - 1}", f"labelled in iteration {last}")
    if any(frames[dot.frame or 0].control for dot in labelled):
        chart.named("ringed", "with a dark rim: drawn by lot")
    return chart.text()


def shade(iteration: int, last: int) -> int:
    """Which colour an iteration has."""
    return round((SHADES - 1) * iteration / last) if last else 0


def deviations(
    frames: Sequence[LabelledFrame],
    measure: str,
    limits: Sequence[tuple[str, float]],
    target: Optional[float],
) -> str:
    """The true error of each labelled frame against the uncertainty by which it was chosen."""
    known = [
        (one.uncertainty, one.error, one)
        for one in frames
        if one.uncertainty and one.error and one.uncertainty > 0 and one.error > 0
    ]
    if not known:
        return ""
    above = [target] if target else []
    errors = decades([*(pair[1] for pair in known), *above])
    lines = [value for _, value in limits if value > 0]
    measures = decades([*(pair[0] for pair in known), *lines])
    chart = Chart(
        measures,
        errors,
        (measure, f"true force error, RMSE of the frame ({EV})"),
        "True force error of each labelled frame against its uncertainty",
    )
    if EV in measure:  # others are no forces
        chart.diagonal("both are the same")
    for name, value in limits:
        chart.limit(f"{name} {value:.3g}", x=value)
    if target:
        chart.limit(f"target {target:g}", y=target)
    for kind, words, control in (
        ("chosen", "chosen", False),
        ("control", "drawn by lot (control)", True),
    ):
        mine = [(x, y, one.title) for x, y, one in known if one.control is control]
        if mine:
            chart.dots(mine, kind)
            chart.named(kind, f"{words} ({len(mine)})")
            beyond = sum(measures.below(x) or errors.below(y) for x, y, _ in mine)
            _name_beyond(chart, kind, beyond)
    return chart.text()


def parity(pairs: np.ndarray, what: str, unit: str) -> str:
    """What the models said against the labels; `pairs` has the shape (n, 2)."""
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    if not len(pairs):
        return ""
    both = linear(pairs.ravel().tolist())
    labels = (f"{what} of the label ({unit})", f"{what} of the model ({unit})")
    chart = Chart(both, both, labels, f"Parity: {what} of model and label")
    chart.diagonal()
    chart.dots(((x, y, "") for x, y in pairs.tolist()), "chosen small", 2.0)
    return chart.text()


def classes(rows: Sequence[IterationRow]) -> str:
    """Which share of the explored frames of each iteration was accurate, candidate, failed."""
    known = [(n, row.select) for n, row in enumerate(rows) if row.select and row.select.frames]
    if not known:
        return ""
    last = known[-1][0]
    chart = Chart(
        Scale(-0.6, last + 0.6, whole=True),
        Scale(0.0, 100.0),
        ("iteration", "explored frames (%)"),
        "Shares of explored frames that were accurate, candidates and failed",
    )
    for number, counts in known:
        below = 0.0
        for kind, part in _parts(counts):
            share = 100 * part / counts.frames
            left, bottom = chart.place(number - 0.4, below)
            right, top = chart.place(number + 0.4, below + share)
            chart.raw(
                f'<rect class="{kind}" x="{left}" y="{top}" width="{right - left:.1f}" '
                f'height="{max(bottom - top, 0):.1f}"><title>iteration {number}: {kind} {part} of '
                f"{counts.frames} ({share:.1f} %)</title></rect>"
            )
            below += share
    for kind, _ in _parts(known[0][1]):
        chart.named(kind, kind)
    return chart.text()


def _parts(counts: SelectRecord) -> list[tuple[str, int]]:
    parts = [("accurate", counts.accurate), ("candidate", counts.candidate)]
    return [*parts, ("failed", counts.failed)]


def error_by_temperature(frames: Sequence[LabelledFrame]) -> str:
    """The true error of each labelled frame against the temperature of its MD."""
    known = [(one.temp_k, one.error, one.title) for one in frames if one.temp_k and one.error]
    if len({temp for temp, _, _ in known}) < 2:
        return ""
    errors = _errors([error for _, error, _ in known])
    chart = Chart(
        linear([temp for temp, _, _ in known]),
        errors,
        ("temperature of the MD (K)", f"true force error, RMSE of the frame ({EV})"),
        "True force error of each labelled frame against the temperature of its MD",
    )
    chart.dots(((x, y, words) for x, y, words in known), "chosen")
    _name_beyond(chart, "chosen", sum(errors.below(error) for _, error, _ in known))
    return chart.text()


def _name_beyond(chart: Chart, kind: str, count: int) -> None:
    """Say in the legend how many dots lie below an axis."""
    if count:
        chart.named(kind, f"of these {count} below an axis, shown at its end")


def timeline(jobs: Sequence[JobBar], until: float) -> str:
    """Every job from its submission on, in lanes by step."""
    if not jobs:
        return ""
    shown = jobs if len(jobs) <= BARS else [jobs[n * len(jobs) // BARS] for n in range(BARS)]
    first = min(job.submitted for job in shown)
    lanes = _lanes(shown, until)
    rows = sum(lanes[step] for step in lanes)
    height = 60 + 9 * rows + 10 * len(lanes)
    unit, word = _unit(until - first)
    chart = Chart(
        Scale(0.0, max((until - first) / unit, 1e-9)),
        Scale(0.0, 1.0),
        (f"{word} since the first job", ""),
        "Timeline of jobs",
        (760, height),
    )
    parts, top = [], 16.0
    for step, count in lanes.items():
        parts.append(
            f'<text class="lane" x="54" y="{top + 4.5 * count + 4}" text-anchor="end">'
            f"{escape(step)}</text>"
        )
        parts += _bars(chart, [job for job in shown if job.step == step], (top, first, unit), until)
        top += 9 * count + 10
    chart.raw("".join(parts))
    svg = chart.text().replace("<figure>", '<figure class="wide">')
    words = [("waited", "waits in the queue"), ("worked", "works"), ("failed", "left tasks undone")]
    return svg.replace("</figure>", f"{legend(words)}</figure>")


def _unit(seconds: float) -> tuple[float, str]:
    for unit, word in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds > 3 * unit:
            return unit, word
    return 1.0, "seconds"


def _lanes(jobs: Sequence[JobBar], until: float) -> dict[str, int]:
    found: dict[str, int] = {}
    for step in dict.fromkeys(job.step for job in jobs):
        ends: list[float] = []
        for job in sorted((job for job in jobs if job.step == step), key=lambda job: job.submitted):
            _take(ends, job, until)
        found[step] = max(1, len(ends))
    return found


def _take(ends: list[float], job: JobBar, until: float) -> int:
    """The lane of a job: the first that is free, else the one that is free soonest."""
    free = next((n for n, end in enumerate(ends) if end <= job.submitted), None)
    if free is None and len(ends) < LANES:
        ends.append(0.0)
        free = len(ends) - 1
    place = ends.index(min(ends)) if free is None else free
    ends[place] = max(ends[place], job.ended or until)
    return place


def _bars(
    chart: Chart, jobs: Iterable[JobBar], origin: tuple[float, float, float], until: float
) -> list[str]:
    top, first, unit = origin
    ends: list[float] = []
    parts = []
    for job in sorted(jobs, key=lambda job: job.submitted):
        down = top + 9 * _take(ends, job, until)
        begin, end = job.works_from(until), job.ended or until
        times = [(one - first) / unit for one in (job.submitted, begin, end)]
        left, middle, right = (chart.place(max(one, 0.0), 0.0)[0] for one in times)
        kind = "failed" if job.state == "failed" else "worked"
        words = f"{job.stage}: {job.name}, {job.state}"
        waits = f'<rect class="waited" x="{left}" y="{down:g}" width="{_wide(middle - left)}"'
        works = f'<rect class="{kind}" x="{middle}" y="{down:g}" width="{_wide(right - middle)}"'
        parts.append(f"<g><title>{escape(words)}</title>")
        parts += [f'{waits} height="7"/>'] if middle - left > 0.5 else []
        parts.append(f'{works} height="7"/></g>')
    return parts


def _wide(value: float) -> str:
    return f"{max(value, 0.8):.1f}"


def costs(found: Sequence[StepCost]) -> str:
    """What each step took: hours in the queue, at work, and times cores."""
    if not found:
        return ""
    heads = ("step", "jobs", "in the queue", "at work", "core-hours")
    rows = [
        (
            one.step,
            str(one.jobs),
            duration(one.waited_s),
            duration(one.worked_s),
            "not recorded" if one.core_h is None else f"{one.core_h:.3g}",
        )
        for one in found
    ]
    return table(heads, rows)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Texts in a table; the first column names each row. Units stand below their headings."""
    two = [escape(head).replace(" (", "<br>(") for head in heads]
    top = "".join(f'<th scope="col">{head}</th>' for head in two)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    inner = f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="scroll"><table>{inner}</table></div>'
