"""The page of a campaign in a browser: every part, at three widths, light and dark, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pwact.tools.report.page import write_report
from tests.report.browser import Page, chromium
from tests.requirements import need_program

PARTS = ["overview", "frames", "errors", "jobs", "origin"]
SELECTED = "document.querySelector('[role=tab][aria-selected=true]').dataset.name"
SHOWN = "[...document.querySelectorAll('section')].filter(one => !one.hidden).map(one => one.id)"
PAPER = "getComputedStyle(document.body).backgroundColor"
TEXTS = "[...document.querySelectorAll('section:not([hidden]) svg text')]"
HEIGHT = "one => one.getBBox().height * Math.hypot(one.getCTM().a, one.getCTM().b)"
SMALLEST = f"{TEXTS}.length ? Math.min(...{TEXTS}.map({HEIGHT})) : null"
PICTURE = "document.querySelector('#canvas').toDataURL()"


@pytest.fixture(scope="module")
def page(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    place = tmp_path_factory.mktemp("a page")
    path = place / "a report.html"
    write_report(finished_run, path, 1.8e9)
    with chromium(need_program("chromium"), place / "profile") as browser:
        browser.open(path)
        yield browser


@pytest.fixture(autouse=True)
def quiet(page: Page) -> Iterator[None]:
    """Whatever is done, the page complains of nothing and asks nobody for anything."""
    yield
    assert page.complaints == []
    assert [one for one in page.asked if not one.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 800, 1920])
def test_nothing_is_wider_than_the_window(page: Page, width: int, scheme: str) -> None:
    page.size(width)
    page.prefer(scheme)
    for part in PARTS:
        page.value(f"document.querySelector('#tab-{part}').click()")
        assert page.value("document.documentElement.scrollWidth") <= width
        assert page.value(SHOWN) == [f"panel-{part}"]
        assert page.value(SMALLEST) is None or page.value(SMALLEST) > 8
    light = sum(map(int, page.value(PAPER)[4:-1].split(",")))
    assert (light > 600) is (scheme == "light")


def test_the_switch_overrules_the_system(page: Page) -> None:
    page.prefer("light")
    before = page.value(PAPER)
    page.value("document.querySelector('#theme').click()")
    assert page.value(PAPER) != before
    assert page.value("document.querySelector('#theme').textContent") == "light"
    page.value("document.querySelector('#theme').click()")
    assert page.value(PAPER) == before


def test_the_parts_by_keyboard(page: Page) -> None:
    page.value("document.querySelector('#tab-overview').click()")
    page.value("document.querySelector('#tab-overview').focus()")
    seen = []
    for key in ("ArrowRight", "ArrowRight", "End", "ArrowRight", "ArrowLeft", "Home"):
        page.press(key)
        seen.append(page.value(SELECTED))
        assert page.value("document.activeElement.dataset.name") == seen[-1]
    assert seen == ["frames", "errors", "origin", "overview", "origin", "overview"]


def test_frames_one_after_the_other_and_on_the_map(page: Page) -> None:
    page.value("document.querySelector('#tab-frames').click()")
    page.value("document.querySelector('#worst').click()")
    story = "document.querySelector('#story').textContent"
    first = page.value(story)
    worst = page.value("JSON.parse(document.querySelector('#data').textContent).worst")
    assert page.value("Number(document.querySelector('#frame').value)") == worst
    page.value("document.querySelector('#after').click()")
    assert page.value(story) != first
    page.value(
        f"document.querySelector('.pick[data-frame=\"{worst}\"]').dispatchEvent("
        "new MouseEvent('click'))"
    )
    assert page.value(story) == first
    assert page.value("document.querySelectorAll('.pick.on').length") == 1


def test_the_structure_turns_by_keys_and_by_dragging(page: Page) -> None:
    page.size(800)
    page.value("document.querySelector('#tab-frames').click()")
    page.value("document.querySelector('#canvas').scrollIntoView()")
    page.value("document.querySelector('#canvas').focus()")
    pictures = [page.value(PICTURE)]
    blank = page.value(
        "(c => { c.width = c.height = document.querySelector('#canvas').width; "
        "return c.toDataURL() })(document.createElement('canvas'))"
    )
    page.press("ArrowLeft")
    pictures.append(page.value(PICTURE))
    page.press("+")
    pictures.append(page.value(PICTURE))
    page.drag("#canvas", 40)
    pictures.append(page.value(PICTURE))
    assert len({*pictures, blank}) == 5
