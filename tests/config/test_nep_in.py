"""The input of TorchNEP: keys of ours, and a ``nep.in`` of the user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pwact.config.nep_in import OF_TORCHNEP, read_nep_in
from pwact.config.schema import Context, Node
from pwact.config.training import TrainConfig, load_train
from pwact.errors import InputError

OWN = """\
type 2 Ag Au      # elements
version 4
cutoff 6 4.5 5 4
epoch 40

Zbl 1.5
l_max 4 1
"""


def load(folder: Path, section: dict[str, Any]) -> TrainConfig:
    context = Context(folder / "param.json", folder)
    made = load_train(Node({"engine": "torchnep", **section}, "train", context))
    assert [str(one) for one in context.unknown] == context.warnings == []
    return made


def native(folder: Path, text: str) -> Path:
    file = folder / "my nep.in"
    file.write_text(text)
    return file


def test_a_file_of_the_user_replaces_the_section(tmp_path: Path) -> None:
    native(tmp_path, OWN)
    made = load(tmp_path, {"train_input_file": "my nep.in", "neuron": 5})
    assert (made.model_type, made.atom_type, made.cutoff) == ("NEP", ("Ag", "Au"), 6.0)
    given = {"cutoff": [6, 4.5, 5, 4], "epoch": 40, "zbl": 1.5, "l_max": [4, 1]}
    assert made.settings == {**OF_TORCHNEP, **given}  # what it does not say is TorchNEP's


def test_a_file_may_be_json_as_well(tmp_path: Path) -> None:
    native(tmp_path, '{"atom_type": ["Cu"], "cutoff": [6, 5]}')
    made = load(tmp_path, {"train_input_file": "my nep.in"})
    assert (made.atom_type, made.settings) == (("Cu",), {"cutoff": [6.0, 5.0]})


def test_keys_of_ours_in_any_case(tmp_path: Path) -> None:
    made = load(tmp_path, {"atom_type": [29], "N_Max": [6, 4], "LR_scheduler": "Plateau"})
    assert made.settings == {"n_max": [6, 4], "lr_scheduler": "plateau"}
    assert made.cutoff == 5.0


@pytest.mark.parametrize(
    ("line", "key", "words"),
    [
        ("epochs 3", "epochs", "line 2: TorchNEP knows no such word; did you mean epoch?"),
        ("generation 100", "generation", "line 2: TorchNEP knows no such word; it is one of GPUMD"),
        ("precision float64", "precision", "line 2: TorchNEP knows no such word"),
        ("type 2 Cu", "type", "line 2: the word is there twice"),
        ("epoch", "epoch", "line 2: a value is missing"),
        ("version 3", "version", 'line 2: found "3"; TorchNEP has NEP4 only'),
        ("epoch 0", "epoch", "found 0; expected an integer >= 1"),
        ("epoch many", "epoch", 'found "many"'),
        ("zbl zbl.in", "zbl", 'found "zbl.in"; expected a number from 1 to 3'),
        ("cutoff 5", "cutoff", "found 5; expected a list"),
        ("n_max 4", "n_max", "found 4; expected a list of 2"),
        ("lr nan", "lr", "found NaN"),
    ],
)
def test_a_line_that_cannot_be(tmp_path: Path, line: str, key: str, words: str) -> None:
    file = native(tmp_path, f"type 1 Cu\n{line}\n")
    with pytest.raises(InputError) as caught:
        load(tmp_path, {"train_input_file": "my nep.in"})
    assert (caught.value.file, caught.value.key) == (file, key)
    assert words in caught.value.message


@pytest.mark.parametrize("line", ["type 2 Cu", "type Cu", "type 0 Cu Ag"])
def test_elements_are_counted(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match="expected the number of elements, and the elements"):
        read_nep_in(native(tmp_path, line))


def test_a_file_without_elements_leaves_them_to_the_section(tmp_path: Path) -> None:
    native(tmp_path, "epoch 3\n")
    assert load(tmp_path, {"train_input_file": "my nep.in", "atom_type": 29}).atom_type == ("Cu",)
    with pytest.raises(InputError, match="required and missing"):
        load(tmp_path, {"train_input_file": "my nep.in"})
