"""ASE's configuration: how programs are started, by the settings of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PROFILE = "profile"


def configure(settings: Mapping[str, Any]) -> None:
    """Put the profile of the settings into ASE's configuration, in place of what it has.

    Raises
    ------
    ImportError
        ASE is older than 3.23 and has no configuration.
    """
    profile = settings.get(PROFILE)
    if not profile:
        return
    try:
        from ase.config import cfg  # noqa: PLC0415
    except ImportError as error:
        message = "profile needs ASE 3.23 or newer; give the command among the arguments instead"
        raise ImportError(message) from error
    name = str(settings["calculator"]).rpartition(":")[2].lower()
    values = {key: str(value).replace("$", "$$") for key, value in profile.items()}
    cfg.parser.read_dict({name: values})
