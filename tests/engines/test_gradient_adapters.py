"""Models of each library as they are differentiated: the library's own forces, and their slopes."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.engines.gradients.differentiable import loaded
from pwact.engines.gradients.rows import GradientRows, judging_vectors
from pwact.errors import TaskError
from tests.engines.gradient_models import crystal
from tests.engines.test_gradients_torch import agrees, drawn_places
from tests.requirements import need_module

NEP = {
    "cutoff_radial": 5.0,
    "cutoff_angular": 4.0,
    "n_max_radial": 2,
    "n_max_angular": 2,
    "basis_size_radial": 4,
    "basis_size_angular": 4,
    "l_max": [4, 2, 0],
    "neuron": 4,
    "num_types": 2,
    "type_names": ["Ag", "Au"],
}


def torchnep(place: Path, zbl: float = 0.0) -> tuple[Any, Any]:
    """A model of TorchNEP with weights at random, and its calculator."""
    need_module("torchnep")
    import torch  # noqa: PLC0415
    from torchnep import ase_calculator  # noqa: PLC0415
    from torchnep.model import NEPModel  # noqa: PLC0415

    torch.manual_seed(1)
    file = place / "nep.txt"
    made = NEPModel({**NEP, **({"zbl": zbl} if zbl else {})})
    made.save_nep_txt(str(file), 100, 100)
    return loaded("pwact.engines.torchnep.gradients", file), ase_calculator.NEP(str(file))


def torchnep_with_zbl(place: Path) -> tuple[Any, Any]:
    """With a repulsion that has no weights; the nearest atoms feel it."""
    return torchnep(place, zbl=3.0)


def sevennet(place: Path) -> tuple[Any, Any]:
    """SevenNet-0, whose weights are in the package."""
    del place
    need_module("sevenn")
    from sevenn.calculator import SevenNetCalculator  # noqa: PLC0415

    made = loaded("pwact.engines.sevennet.gradients", Path("7net-0"))
    return made, SevenNetCalculator("7net-0", device="cpu")


def mace(place: Path) -> tuple[Any, Any]:
    """A small model of MACE with weights at random."""
    need_module("mace")
    import torch  # noqa: PLC0415
    from mace import modules  # noqa: PLC0415
    from mace.calculators import MACECalculator  # noqa: PLC0415

    o3 = importlib.import_module("e3nn.o3")  # which reads its constants as MACE lets it

    torch.manual_seed(1)
    interaction = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    network = modules.ScaleShiftMACE(
        r_max=4.0,
        num_bessel=4,
        num_polynomial_cutoff=5,
        max_ell=1,
        interaction_cls=interaction,
        interaction_cls_first=interaction,
        num_interactions=1,
        num_elements=2,
        hidden_irreps=o3.Irreps("4x0e"),
        MLP_irreps=o3.Irreps("4x0e"),
        atomic_energies=np.zeros(2),
        avg_num_neighbors=12.0,
        atomic_numbers=[47, 79],
        correlation=2,
        gate=torch.nn.functional.silu,
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )
    torch.save(network.double(), place / "net.model")
    calculator = MACECalculator(str(place / "net.model"), device="cpu", default_dtype="float64")
    return loaded("pwact.engines.mace.gradients", place / "net.model"), calculator


@pytest.fixture(
    params=[
        pytest.param(torchnep, marks=pytest.mark.torch),
        pytest.param(torchnep_with_zbl, marks=pytest.mark.torch),
        pytest.param(sevennet, marks=pytest.mark.sevennet),
        pytest.param(mace, marks=pytest.mark.mace),
    ]
)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A model that is differentiated, and the library's calculator of it."""
    return request.param(tmp_path)


def test_forces_are_those_of_the_calculator(model: tuple[Any, Any]) -> None:
    made, calculator = model
    frames = [crystal(1), crystal(2, 2)]
    energies, forces = made.evaluate(frames)
    for energy, part, atoms in zip(energies, forces.split([4, 32]), frames):
        bare = atoms.copy()
        bare.calc = calculator
        assert float(energy.detach()) == pytest.approx(bare.get_potential_energy(), rel=1e-6)
        assert part.detach().numpy() == pytest.approx(bare.get_forces(), abs=1e-5)


def test_rows_are_finite_differences_of_the_forces(model: tuple[Any, Any]) -> None:
    """SevenNet computes in float32, so that its differences need wider steps and are less exact."""
    single = model[0].parameters()[0].element_size() == 4
    wide = {"size": 3e-3, "off": 3e-3} if single else {}
    agrees(model[0], crystal(3), drawn_places(model[0], 2), **wide)


def test_forces_follow_directions_of_the_weights_as_rows_say(model: tuple[Any, Any]) -> None:
    """And the weights are what they were; frames that moved are seen."""
    rows, frames = GradientRows(model[0]), [crystal(3), crystal(4, noise=0.3)]
    before = rows.identity
    directions = np.random.default_rng(1).normal(size=(2, rows.columns))
    found = rows.along(frames, directions)
    assert rows.identity == before
    single = model[0].parameters()[0].element_size() == 4
    vectors = judging_vectors(4, 0)[:3]
    for part, atoms in zip(np.split(found, 2, axis=1), frames):
        wanted = rows.of(atoms, vectors) @ directions.T
        assert (
            pytest.approx(wanted, abs=(0.02 if single else 1e-5) * np.abs(found).max())
            == part[:, 0].T
        )
    frames[0].positions[0] += 0.1
    assert np.abs(rows.along(frames, directions) - found)[:, :4].max() > 1e-6


def test_an_element_that_the_model_lacks_is_no_result(model: tuple[Any, Any]) -> None:
    atoms = crystal(1)
    atoms.symbols[0] = "Po"
    with pytest.raises(TaskError, match="Po"):
        model[0].evaluate([atoms])


def test_atoms_far_from_each_other_are_no_result(model: tuple[Any, Any]) -> None:
    lone = Atoms("Ag", positions=[(0, 0, 0)], cell=[30, 30, 30], pbc=True)
    with pytest.raises(TaskError, match="no atom has a neighbour"):
        model[0].evaluate([lone])
