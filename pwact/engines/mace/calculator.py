"""MACE's calculator of ASE, on a GPU where there is one: by a name for input files of ours."""

from __future__ import annotations

import os
from typing import Any, Optional


def calculator(model: str, head: Optional[str] = None, dtype: str = "") -> Any:
    """The calculator of a model in a file.

    Parameters
    ----------
    head
        Of a model with several.
    dtype
        ``float32`` or ``float64``; that of the model by default.
    """
    # the files hold the whole model, which torch.load refuses otherwise since 2.6
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
    from mace.calculators import MACECalculator  # noqa: PLC0415

    more = {} if head is None else {"head": head}
    return MACECalculator(model_paths=[model], device=device(), default_dtype=dtype, **more)


def device() -> str:
    """``cuda`` where a GPU is visible, else ``cpu``."""
    import torch  # noqa: PLC0415

    return "cuda" if torch.cuda.is_available() else "cpu"
