"""The input of DeePMD-kit's PyTorch backend, trained by its Kalman filter (optimizer LKF).

The Kalman filter trains on energies and forces, with constant prefactors of its own: learning rate
and loss do not matter to it. Its other parameters are fixed in DeePMD-kit: λ 0.98, ν 0.9987, p0 1,
and 24 atoms a step in groups of 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pwact.config.kinds import Real
from pwact.config.schema import Node
from pwact.engines.deepmd.keys import DESCRIPTOR, Place, Translation
from pwact.errors import InputError

OPTIMIZER = "optimizer"
# with DeePMD-kit's own prefactors, 1 and 1, a network learns nothing
PREFACTORS = {"e": 10.0, "f": 100.0}
_LEAST_FORCE_PREFACTOR = 10.0


class PytorchTranslation(Translation):
    """MatPL's training keys in the words of the PyTorch backend. See `Translation`."""

    def _finish(self) -> dict[str, Any]:
        made = super()._finish()
        if self.embedded:  # here it is a part of the descriptor
            del made["model"]["type_embedding"]
            self.sections[DESCRIPTOR]["tebd_dim"] = self.embedding_size
        return made


class LkfTranslation(PytorchTranslation):
    """The same for its Kalman filter."""

    optimizers = ("LKF",)
    places = {
        **Translation.places,
        OPTIMIZER: {
            "block_size": Place(OPTIMIZER, "kf_blocksize"),
            "pre_fac_etot": Place(OPTIMIZER, "kf_start_pref_e", Real(positive=True)),
            "pre_fac_force": Place(OPTIMIZER, "kf_start_pref_f", Real(positive=True)),
            "numb_steps": Translation.places[OPTIMIZER]["numb_steps"],
            "print_freq": Translation.places[OPTIMIZER]["print_freq"],
            "batch_size": Translation.places[OPTIMIZER]["batch_size"],
        },
    }
    ignored = Translation.ignored | frozenset(Translation.places[OPTIMIZER])
    ignored = ignored - frozenset(places[OPTIMIZER])

    def _sections(self) -> dict[str, dict[str, Any]]:
        made = super()._sections()
        kalman = {f"kf_start_pref_{letter}": value for letter, value in PREFACTORS.items()}
        made[OPTIMIZER] = {"type": "LKF", "kf_blocksize": 5120, **kalman}
        made["loss"].update({f"{when}_pref_v": 0.0 for when in ("start", "limit")})
        return made

    def _take_word(self, name: str, node: Node, value: Any) -> None:
        if name in ("train_energy", "train_force") and not value:
            raise node.error("the Kalman filter of DeePMD-kit trains energies and forces together")
        if name == "train_virial" and value:
            self.warnings.append(f"{node.key}: the Kalman filter trains no virials")
            return
        super()._take_word(name, node, value)

    def _finish(self) -> dict[str, Any]:
        made = super()._finish()
        kalman = self.sections[OPTIMIZER]
        for letter in PREFACTORS:
            kalman[f"kf_limit_pref_{letter}"] = kalman[f"kf_start_pref_{letter}"]
        return {**made, OPTIMIZER: kalman}


def check_native(document: Mapping[str, Any], file: Path) -> None:
    """Refuse a native input that is not trained by the Kalman filter.

    Raises
    ------
    InputError
        With file and key.
    """
    optimizer = document.get(OPTIMIZER)
    kind = optimizer.get("type") if isinstance(optimizer, dict) else None
    if kind != "LKF":
        raise InputError(f"found {kind!r}; KPU needs the optimizer LKF", file, f"{OPTIMIZER}.type")


def native_warnings(document: Mapping[str, Any], file: Path) -> Iterator[str]:
    """What of a native input will not do what the user means."""
    factor = document[OPTIMIZER].get("kf_start_pref_f", 1.0)
    if isinstance(factor, (int, float)) and factor < _LEAST_FORCE_PREFACTOR:
        yield (
            f"{file}: optimizer.kf_start_pref_f is {factor:g}; a network hardly learns forces with "
            f"less than {_LEAST_FORCE_PREFACTOR:g}, {PREFACTORS['f']:g} is a good value"
        )
    if document["model"].get("type_embedding"):
        yield f"{file}: model.type_embedding is not used by DeePMD-kit's PyTorch backend"
