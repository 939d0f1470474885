"""docs/formats.md says what the registry says."""

from __future__ import annotations

from pathlib import Path

from pwact.registry.formats import FORMATS
from pwact.registry.formats_page import PAGE, main, page

ROOT = Path(__file__).parents[1]


def test_the_page_is_current() -> None:
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == page(), "run python -m pwact.registry.formats_page"


def test_main_writes_the_page(tmp_path: Path) -> None:
    main([str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page()


def test_every_format_says_what_is_read_written_and_refused() -> None:
    for name, one in FORMATS.items():
        assert one.reads, name
        assert one.refused, name
        assert bool(one.written) == one.writes, name
        assert all(text.endswith(".") for text in (*one.reads, *one.written)), name
        assert not any(text.endswith(".") for text in one.refused), name
