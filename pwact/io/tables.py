"""What is wrong with a table of comma-separated values, in words."""

from __future__ import annotations


def flaw(error: Exception) -> str:
    """Why a table cannot be read, by what was raised when its rows were taken apart.

    Parameters
    ----------
    error
        KeyError for a column that is not there, TypeError for a row that is too short, and others,
        which speak for themselves.
    """
    if isinstance(error, KeyError):
        return f"it has no column {error}"
    if isinstance(error, TypeError):
        return "a row has too few columns"
    return str(error)
