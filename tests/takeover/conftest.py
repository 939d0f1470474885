"""Fixtures of the tests of takeovers."""

from __future__ import annotations

from tests.small_pictures import small_pictures

__all__ = ["small_pictures"]
