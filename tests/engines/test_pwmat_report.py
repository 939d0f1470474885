"""REPORT: when a run has ended and when its SCF is converged."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.engines.pwmat.report import ended, last_relax_step, not_converged
from pwact.errors import TaskError

HEAD = """\
 E_ERROR   = {e_error}
 RHO_ERROR = {rho_error}
 *********** end of etot.input report ********
 iter=   7   ave_lin=  1.1  iCGmth=   3
 dv_ave, drho_tot     = 0.0000E+00 0.7568E-01
 E_tot(eV)            = -.14356083220078E+05    -.1436E+05
 -------------------------------------------
 iter=   8   ave_lin=  4.0  iCGmth=   3
 dv_ave, drho_tot     = 0.4593E-07 {drho}
 E_tot(eV)            = -.14352618391141E+05    {de}
 -------------------------------------------
"""
TOL = " ending_scf_reason = tol Rho_err  5.000000000000000E-005\n"
NITER = " ending_scf_reason = niter reached\n"
LATER = " E_tot(eV)            = -.14352618391141E+05    0.1000E-20\n"


def report(folder: Path, end: str, **values: str) -> Path:
    given = {"e_error": "1.0E-6", "rho_error": "5.0E-05", "drho": "0.4E-02", "de": "-.3E-02"}
    (folder / "REPORT").write_text(HEAD.format(**{**given, **values}) + end)
    return folder


@pytest.mark.parametrize(
    ("end", "values", "converged"),
    [
        (TOL, {}, True),
        (NITER, {}, False),
        (NITER, {"de": "-.1E-05"}, True),  # exactly as small as asked for
        (NITER, {"de": "0.11E-05"}, False),
        (NITER, {"drho": "0.5000E-04"}, True),
        (NITER, {"drho": "0.5001E-04"}, False),
        (NITER, {"e_error": "0.0", "rho_error": "0", "de": "0.1E-30"}, False),
        (NITER + LATER, {}, False),  # what follows does not count
        ("", {"de": "0.1E-06"}, True),
        ("", {}, False),
        (NITER, {"de": "NaN", "drho": "NaN"}, False),
        (NITER, {"de": "********", "drho": "********"}, False),
        (NITER, {"e_error": "1.0D-2"}, True),
        (NITER, {"e_error": "1.0E-6\n E_ERROR   = 1.0"}, False),  # the first counts
    ],
)
def test_convergence(tmp_path: Path, end: str, values: dict[str, str], converged: bool) -> None:
    reason = not_converged(report(tmp_path, end, **values))
    assert (reason == "") is converged
    assert converged or "not converged: change of the energy" in reason


def test_the_reason_has_numbers(tmp_path: Path) -> None:
    assert not_converged(report(tmp_path, NITER)) == (
        "the SCF is not converged: change of the energy -0.003, asked for 1e-06; "
        "change of the density 0.004, asked for 5e-05"
    )


def test_a_report_without_numbers_is_no_proof(tmp_path: Path) -> None:
    (tmp_path / "REPORT").write_text("something\n")
    assert "energy unknown, asked for unknown" in not_converged(tmp_path)
    (tmp_path / "REPORT").unlink()
    with pytest.raises(TaskError, match="REPORT: cannot be read"):
        not_converged(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x\n total computation time = 5\n", True),
        ("x\n total computation time = 5\n\n", True),
        ("total computation time = 5\n x\n", False),
        ("", False),
        (None, False),
    ],
)
def test_the_end(tmp_path: Path, text: str, expected: bool) -> None:
    if text is not None:
        (tmp_path / "REPORT").write_text(text)
    assert ended(tmp_path) is expected


def test_the_last_step_of_a_relaxation(tmp_path: Path) -> None:
    assert last_relax_step(tmp_path) is None
    row = "It={:5d} CORR E= -0.10567E+06  Av_F=  0.52E-02 M_F=  {} dE=  0.26E-04 SCF=     3\n"
    path = tmp_path / "RELAXSTEPS"
    path.write_text(row.format(1, "0.30E+00") + row.format(12, "0.25E-01"))
    found = last_relax_step(tmp_path)
    assert found is not None
    assert (found.step, found.force) == (12, 0.025)
    path.write_text(row.format(1, "********"))
    assert last_relax_step(tmp_path) is None
