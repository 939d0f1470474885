"""The page of a campaign: one HTML file that needs nothing else."""

from __future__ import annotations

import hashlib
import json
import time
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from importlib import resources
from string import Template
from typing import Any, Optional
from urllib.parse import quote

import numpy as np

from pwact.report.html import charts
from pwact.report.html.charts import table
from pwact.report.html.facts import Facts, LabelledFrame, Parity, Rows, Structure
from pwact.report.table import iteration_cells

Elements = Mapping[int, tuple[str, tuple[int, int, int], float]]
_TOP = 32_000  # of a coordinate in 16 bits


def page_text(facts: Facts, elements: Elements) -> str:
    """The whole page.

    Parameters
    ----------
    elements
        Atomic number → symbol, colour (0 to 255 each) and radius (Å) of the elements that occur.
    """
    parts = [part for part in _parts(facts) if part[2]]
    style, script = (_asset(name) for name in ("page.css", "page.js"))
    return Template(_asset("page.html")).substitute(
        title=escape(facts.title),
        state=escape(facts.status.state),
        verdict=escape(facts.verdict),
        version=escape(facts.version),
        made=escape(f"{facts.status.directory}, as it was on {moment(facts.made_at)}"),
        tabs="".join(_tab(name, words) for name, words, _ in parts),
        panels="".join(_panel(name, words, text) for name, words, text in parts),
        data=_json(_data(facts, elements)),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def moment(time_s: float) -> str:
    """A time in words, UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time_s))


def _asset(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What the page's own rule for its contents calls this text: nothing else may run."""
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(value: Any) -> str:
    """JSON that cannot end the element in which it stands."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("&", "\\u0026")


def _tab(name: str, words: str) -> str:
    return (
        f'<button type="button" role="tab" id="tab-{name}" data-name="{name}" '
        f'aria-controls="panel-{name}" aria-selected="false">{escape(words)}</button>'
    )


def _panel(name: str, words: str, text: str) -> str:
    return (
        f'<section role="tabpanel" id="panel-{name}" aria-labelledby="tab-{name}">'
        f'<div class="grid">{text}</div></section>'
    )


def _parts(facts: Facts) -> list[tuple[str, str, str]]:
    """Name, words and content of each part."""
    return [
        ("overview", "Overview", _overview(facts)),
        ("frames", "Frames", _frames(facts)),
        ("errors", "Errors", _errors(facts)),
        ("jobs", "Jobs", _jobs(facts)),
        ("origin", "Inputs and versions", _origin(facts)),
    ]


def _card(heading: str, content: str, whole: bool = False) -> str:
    if not content:
        return ""
    kind = "card all" if whole else "card"
    return f'<div class="{kind}"><h2>{escape(heading)}</h2>{content}</div>'


def _note(words: str) -> str:
    return f'<p class="note">{escape(words)}</p>' if words else ""


def _overview(facts: Facts) -> str:
    curve = charts.learning_curve(facts.curve, facts.target)
    cells = iteration_cells(facts.rows)
    heads = [f"{name} ({unit})" if unit else name for name, unit in zip(cells[0], cells[1])]
    return "".join(
        (
            _card("What is wrong, and what to do", _advice(facts), whole=True),
            _card("The force field", _force_field(facts)),
            _card("Learning curve", curve and curve + _note(facts.lots)),
            _card("Explored frames", charts.classes(facts.rows)),
            _card("Iterations", table(heads, cells[2:]) if facts.rows else "", whole=True),
        )
    )


def _force_field(facts: Facts) -> str:
    """What is known of the model that is handed on, and where it is."""
    if not facts.force_field:
        return ""
    target = f"{quote(facts.folder)}/"
    link = f'<p>In <a href="{target}">{escape(facts.folder)}/</a>; <a href="{target}README.txt">'
    return f"{link}README.txt</a> says how to load it.</p>{_pairs(facts.force_field)}"


def _advice(facts: Facts) -> str:
    items = "".join(
        f'<li class="{escape(one.weight)}"><b>{escape(one.fact)}</b>{escape(one.advice)}</li>'
        for one in facts.advice
    )
    found = f'<ul class="advice">{items}</ul>' if items else "<p>Nothing is known to be wrong.</p>"
    return found + "".join(
        f'<h3>{escape(one.what)}</h3><p class="note">{escape(one.why)} — {escape(one.log)}</p>'
        for one in facts.status.failures[-5:]
    )


def _frames(facts: Facts) -> str:
    picture = charts.frame_map(facts.map, facts.frames)
    notes = "".join(_note(words) for words in facts.map.notes)
    shown = _card("Map of the frames", picture + notes) if picture or notes else ""
    return shown + (_VIEWER if facts.frames else "")


_VIEWER = (
    '<div class="card"><h2>A labelled frame</h2><div class="buttons">'
    '<button type="button" id="before">before</button>'
    '<button type="button" id="after">next</button>'
    '<button type="button" id="worst">largest error</button>'
    '<select id="frame" aria-label="labelled frame"></select></div><div class="viewer"><div>'
    '<canvas id="canvas" tabindex="0" role="img" aria-label="structure of the frame"></canvas>'
    '<p class="note" id="hint"></p></div><dl id="story" aria-live="polite"></dl></div></div>'
)


def _errors(facts: Facts) -> str:
    cards = [
        _card(
            "True error against uncertainty",
            charts.deviations(facts.frames, facts.measure, facts.limits, facts.target),
        ),
        _card("True error by temperature", charts.error_by_temperature(facts.frames)),
    ]
    explored = "The model is the one that explored, before it saw these labels."
    cards += _parities("new labels", facts.parity, explored)
    cards += _parities("validation data", facts.valid_parity, "The model is the force field.")
    for heading, rows in (
        ("Errors on new labels, by kind", facts.errors),
        ("Errors of the force field on the validation data, by kind", facts.valid_errors),
    ):
        if rows is not None:
            cards.append(_card(heading, table(*rows), whole=True))
    return "".join(cards)


def _parities(on: str, parity: Optional[Parity], model: str) -> list[str]:
    if parity is None:
        return []
    cards = []
    for pairs, words, unit, total in (
        (parity.forces, "force component", charts.EV, parity.of[0]),
        (parity.energies, "energy per atom", "eV", parity.of[1]),
    ):
        picture = charts.parity(pairs, words, unit)
        some = f"{len(pairs)} of {total}, by lot. " if len(pairs) < total else ""
        heading = f"{words[0].upper()}{words[1:]} on {on}"
        cards.append(_card(heading, picture and picture + _note(f"{some}{model}")))
    return cards


def _jobs(facts: Facts) -> str:
    until = facts.until
    return "".join(
        (
            _card("Timeline", charts.timeline(facts.jobs, until), whole=True),
            _card("What each step took", charts.costs(facts.costs)),
            _card("Notes", "".join(_note(words) for words in facts.notes)),
        )
    )


def _origin(facts: Facts) -> str:
    return "".join(_card(heading, _pairs(rows)) for heading, rows in facts.provenance if rows)


def _pairs(rows: Rows) -> str:
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return f"<dl>{items}</dl>"


def _data(facts: Facts, elements: Elements) -> dict[str, Any]:
    errors = [one.error if one.error is not None else -1.0 for one in facts.frames]
    return {
        "frames": [_frame(one) for one in facts.frames],
        "shared": {str(number): rows for number, rows in facts.shared.items()},
        "worst": int(np.argmax(errors)) if errors else 0,
        "elements": {str(z): known for z, known in elements.items()},
    }


def _frame(one: LabelledFrame) -> dict[str, Any]:
    stored = _packed(one.structure)
    return {"t": one.title, "i": one.iteration, "s": one.story, **({"a": stored} if stored else {})}


def _packed(structure: Optional[Structure]) -> Optional[dict[str, Any]]:
    """Positions as 16-bit integers around the middle of the atoms; all that the page draws."""
    if structure is None or not len(structure.numbers):
        return None
    middle = structure.positions.mean(axis=0)
    around = structure.positions - middle
    unit = max(float(np.abs(around).max()) / _TOP, 0.001)
    whole = np.rint(around / unit).astype("<i2")
    return {
        "z": b64encode(structure.numbers.astype("u1").tobytes()).decode(),
        "p": b64encode(whole.tobytes()).decode(),
        "u": unit,
        "c": _rounded(structure.cell.ravel()),
        "o": _rounded(-middle),
        "l": structure.left_out,
    }


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 3) for value in values]
