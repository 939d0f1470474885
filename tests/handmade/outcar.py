"""OUTCAR and CONTCAR in the layout of VASP 5.4.4."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units

from tests.handmade import matter

RULE = "-" * 104
HEAD = """\
 vasp.5.4.4.18Apr17-6-g9f103f2a35 (made by hand) complex

 executed on             LinuxIFC date 2026.11.29  12:00:00
 running on    1 total cores
 distrk:  each k-point on    1 cores,    1 groups
 distr:  one band on NCORES_PER_BAND=   1 cores,    1 groups


{rule}


 INCAR:
{potcars}
{sets}
 POSCAR: made by hand
  positions in direct lattice
  No initial velocities read in
 exchange correlation table for  LEXCH =        8
   RHO(1)=    0.500       N(1)  =     2000



{rule}


 ion  position               nearest neighbor table
{neighbours}


{rule}




 Dimension of arrays:
   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   {bands}
   number of dos      NEDOS =    301   number of ions     NIONS ={count:7d}
   non local maximal  LDIM  =      4   non local SUM 2l+1 LMDIM =      8
   ions per type =            {counts}
   NGX,Y,Z   is equivalent  to a cutoff of  15.96, 15.96, 15.96 a.u.

 SYSTEM =  unknown system
 POSCAR =  made by hand

 Startparameter for this run:
   NWRITE =      2    write-flag & timer
   PREC   = a         normal or accurate (medium, high low for compatibility)
   ISPIN  =      1    spin polarized calculation?
   LNONCOLLINEAR =      F non collinear calculations
   LSORBIT =      F    spin-orbit coupling

 Electronic Relaxation 1
   ENCUT  =  400.0 eV  29.40 Ry    5.42 a.u.  10.06 10.06 10.06*2*pi/ulx,y,z
   NELM   ={nelm:7d};   NELMIN=  2; NELMDL= -5     # of ELM steps
   EDIFF  = 0.1E-05   stopping-criterion for ELM
   LREAL  =      F    real-space projection
 Ionic relaxation
   EDIFFG = {ediffg}   stopping-criterion for IOM
   NSW    ={nsw:7d}    number of steps for IOM
   NBLOCK =      1;   KBLOCK =      3    inner block; outer block
   IBRION ={ibrion:7d}    ionic relax: 0-MD 1-quasi-New 2-CG
   ISIF   ={isif:7d}    stress and relaxation
   ISYM   =      0    0-nonsym 1-usesym 2-fastsym

   POTIM  = 2.0000    time-step for ionic-motion
   TEBEG  =  600.0;   TEEND  = 600.0 temperature during run
   estimated Nose-frequenzy (Omega)   =  0.10E-29 period in steps =****** mass=  -0.229E-26a.u.
   PSTRESS=    0.0 pullay stress

  Mass of Ions in am
   POMASS = {masses}
   NELECT =      40.0000    total number of electrons

   ISMEAR =     0;   SIGMA  =   0.05  broadening in eV -4-tet -1-fermi 0-gaus
   LORBIT       =      0    0 simple, 1 ext, 2 COOP (PROOUT), +10 PAW based schemes



{rule}


  energy-cutoff  :      400.00
  volume of cell :{volume:12.2f}
      direct lattice vectors                 reciprocal lattice vectors
{lattice}

  length of vectors
     4.000000000  4.000000000  4.000000000     0.250000000  0.250000000  0.250000000


 k-points in units of 2pi/SCALE and weight: read from INCAR
   0.00000000  0.00000000  0.00000000       1.000

 k-points in reciprocal lattice and weights: read from INCAR
   0.00000000  0.00000000  0.00000000       1.000

 position of ions in fractional coordinates (direct lattice)
{fractions}

 position of ions in cartesian coordinates  (Angst):
{places}



{rule}


 First call to EWALD:  gamma=   0.177
    FEWALD:  cpu time    0.0012: real time    0.0012


"""
SET = """\
 POTCAR:    PAW_PBE {name} 29Nov2026
   VRHFIN ={name}: made by hand
   LEXCH  = PE
   EATOM  =   100.0000 eV,    7.3499 Ry

   TITEL  = PAW_PBE {name} 29Nov2026
   LULTRA =        F    use ultrasoft PP ?
   POMASS ={mass:9.3f}; ZVAL   =   10.000    mass and valenz
   ENMAX  =  300.000; ENMIN  =  200.000 eV
   Description
     l       E           TYP  RCUT    TYP  RCUT
     0    -10.0000000     23  1.200
  local pseudopotential read in
    PAW grid and wavefunctions read in

   number of l-projection  operators is LMAX  =           4
"""
ELECTRONS = """\
{mark}


      LOOP:  cpu time    3.2664: real time    3.2707

 total energy-change (2. order) :{change}  ({other})
 number of electron      40.0000001 magnetization

 Free energy of the ion-electron system (eV)
  ---------------------------------------------------
  alpha Z        PSCENC =         0.89700515
  ---------------------------------------------------
  free energy    TOTEN  = {energy:20.8f} eV

  energy without entropy ={energy:18.8f}  energy(sigma->0) ={energy:18.8f}


{rule}


"""
BANDS = """\


 E-fermi :   3.5950     XC(G=0):  -1.0103     alpha+bet : -0.2602


 k-point     1 :       0.0000    0.0000    0.0000
  band No.  band energies     occupation
      1     -24.7178      2.00000
      2      -0.4645      0.00000


{rule}


 pseudopotential strength for first ion, spin component:           1
 13.767 -16.875   0.094  -0.017   0.006  -0.115   0.020  -0.008


{dashes} aborting loop because EDIFF is reached {dashes}


    CHARGE:  cpu time    0.2170: real time    0.2172
    STRESS:  cpu time    0.3686: real time    0.3687

"""
THERMOSTAT = """\


{rule}


           RANDOM_SEED =         273936164                0                0
   IONSTEP:  cpu time    0.0020: real time    0.0045

  ENERGY OF THE ELECTRON-ION-THERMOSTAT SYSTEM (eV)
  ---------------------------------------------------
% ion-electron   TOTEN  = {energy:16.6f}  see above
  kinetic energy EKIN   = {kinetic:16.6f}
  kin. lattice  EKIN_LAT=         0.000000  (temperature  600.00 K)
  ---------------------------------------------------
  total energy   ETOTAL = {total:16.6f} eV

  maximum distance moved by ions :      0.14E-02

     LOOP+:  cpu time   69.5910: real time   69.7456


"""
END = """\

 total amount of memory used by VASP MPI-rank0   739137. kBytes
=======================================================================

   base      :      30000. kBytes



 General timing and accounting informations for this job:
 ========================================================

                  Total CPU time used (sec):      162.932
                            User time (sec):      155.084
                   Maximum memory used (kb):     1660936.
"""


@dataclass(frozen=True)
class Settings:
    """What the head says; `used` has the electronic steps of each ionic step."""

    used: Sequence[int]
    nelm: int
    nsw: int
    ibrion: int
    isif: int = 2


def fortran(number: float, digits: int) -> str:
    """A number as Fortran's format E writes it: 0.1E-05."""
    mantissa, power = f"{abs(number):.{digits - 1}E}".split("E")
    sign = "-" if number < 0 else " "
    return f"{sign}0.{mantissa.replace('.', '')}E{int(power) + 1 if number else 0:+03d}"


def columns(rows: np.ndarray, width: int, decimals: int) -> list[str]:
    """Numbers in fields of `width`."""
    return ["".join(f"{number:{width}.{decimals}f}" for number in row) for row in rows]


def kinds(atoms: Atoms) -> dict[str, int]:
    """How many of each element, in the order in which they stand."""
    names = atoms.get_chemical_symbols()
    return {name: names.count(name) for name in dict.fromkeys(names)}


def lattice(atoms: Atoms) -> str:
    """Both lattices side by side."""
    reciprocal = np.linalg.inv(atoms.cell.array).T
    pairs = zip(columns(atoms.cell.array, 13, 9), columns(reciprocal, 13, 9))
    return "\n".join(f"  {one}   {other}" for one, other in pairs)


def head(atoms: Atoms, settings: Settings) -> str:
    """Everything before the first electronic step."""
    counts = kinds(atoms)
    masses = {name: Atoms(name).get_masses()[0] for name in counts}
    return HEAD.format(
        rule=RULE,
        potcars="\n".join(f" POTCAR:    PAW_PBE {name} 29Nov2026" for name in counts),
        sets="".join(SET.format(name=name, mass=masses[name]) for name in counts),
        neighbours="\n".join(
            f"{number:4d}{row}-" for number, row in enumerate(columns(fractions(atoms), 7, 3), 1)
        ),
        bands="number of bands    NBANDS=     24",
        count=len(atoms),
        counts="".join(f"{count:4d}" for count in counts.values()),
        nelm=settings.nelm,
        ediffg="-.1E+00" if settings.ibrion == 2 else "0.1E-04",
        nsw=settings.nsw,
        ibrion=settings.ibrion,
        isif=settings.isif,
        masses=" ".join(f"{mass:6.2f}" for mass in masses.values()),
        volume=atoms.get_volume(),
        lattice=lattice(atoms),
        fractions="\n".join(columns(fractions(atoms), 13, 8)),
        places="\n".join(columns(atoms.positions, 13, 8)),
    )


def fractions(atoms: Atoms) -> np.ndarray:
    """Fractional coordinates within the cell."""
    return np.asarray(atoms.get_scaled_positions(wrap=True))


def electrons(ion: int, used: int, nelm: int, energy: float) -> str:
    """The electronic steps; where they ran out, the last change is as large as the others."""
    parts = []
    for number in range(1, used + 1):
        done = number == used < nelm
        change = -3.9e-7 if done else -(10.0 ** (2 - number % 6))
        parts.append(
            ELECTRONS.format(
                rule=RULE,
                mark=f"{'-' * 41} Iteration{ion:5d}({number:4d})  {'-' * 39}",
                change=fortran(change, 7),
                other=fortran(change / 3, 7),
                energy=energy - (0.0 if number == used else change),
            )
        )
    return "".join(parts) + BANDS.format(rule=RULE, dashes="-" * 24)


def stress(atoms: Atoms) -> str:
    """The table of contributions: Total in eV, the row below in kB."""
    virial = matter.virial(atoms)
    row = np.array([*np.diag(virial), virial[0, 1], virial[1, 2], virial[2, 0]])
    shift = np.array([[37.5, 36.25, 38.75, -2.5, 1.25, 0.5]])
    pressure = row / atoms.get_volume() / units.GPa * 10

    def line(name: str, numbers: np.ndarray, decimals: int = 5) -> str:
        return f"  {name:8}{columns(numbers[None, :], 12, decimals)[0]}"

    return "\n".join(
        [
            "  FORCE on cell =-STRESS in cart. coord.  units (eV):",
            "  Direction    XX          YY          ZZ          XY          YZ          ZX",
            f"  {'-' * 86}",
            line("Alpha Z", np.full(3, 0.89701)),
            line("Ewald", shift[0]),
            line("Kinetic", row - shift[0]),
            line("Fock", np.zeros(6)),
            f"  {'-' * 85}",
            line("Total", row),
            line("in kB", pressure),
            f"  external pressure ={pressure[:3].mean():12.2f} kB  Pullay stress =        0.00 kB",
            "",
            "  kinetic pressure (ideal gas correction) =      7.00 kB",
            f"  total pressure  ={pressure[:3].mean() + 7:10.2f} kB",
            line("Total+kin.", pressure + [7, 7, 7, 0, 0, 0], 3),
            "",
            "",
        ]
    )


def ions(atoms: Atoms) -> str:
    """Cell, forces and the energy of an ionic step."""
    energy = matter.energy(atoms)
    pairs = zip(columns(atoms.positions, 13, 5), columns(atoms.get_forces(), 14, 6))
    return "\n".join(
        [
            " VOLUME and BASIS-vectors are now :",
            f" {'-' * 77}",
            "  energy-cutoff  :      400.00",
            f"  volume of cell :{atoms.get_volume():12.2f}",
            "      direct lattice vectors                 reciprocal lattice vectors",
            lattice(atoms),
            "\n  length of vectors",
            "     4.000000000  4.000000000  4.000000000     0.250000000  0.250000000  0.250000000",
            "\n\n FORCES acting on ions",
            f"    electron-ion (+dipol)            ewald-force\n {'-' * 95}",
            *["   -.133E+02 -.440E+02 0.707E+00   0.164E+02 0.891E+02 -.876E+01"] * len(atoms),
            f" {'-' * 95}\n\n",
            " POSITION                                       TOTAL-FORCE (eV/Angst)",
            f" {'-' * 83}",
            *(f"{place}   {force}" for place, force in pairs),
            f" {'-' * 83}",
            "    total drift:                               -0.005850     -0.002026      0.008629",
            f"\n\n{RULE}\n\n\n",
            "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)",
            "  ---------------------------------------------------",
            f"  free  energy   TOTEN  ={energy:20.8f} eV",
            "",
            f"  energy  without entropy={energy + 0.013:18.8f}"
            f"  energy(sigma->0) ={energy + 0.0065:18.8f}",
            "",
        ]
    )


def write_outcar(path: Path, frames: Iterable[Atoms], settings: Settings, end: str = "") -> None:
    """Write one ionic step for each of `frames`, which may be one object that changes."""
    text = ""
    for number, (atoms, used) in enumerate(zip(frames, settings.used), 1):
        energy = matter.energy(atoms)
        text = text or head(atoms, settings)
        text += electrons(number, used, settings.nelm, energy)
        text += (stress(atoms) if settings.isif else "") + ions(atoms)
        if settings.ibrion == 0:
            kinetic = float(atoms.get_kinetic_energy())
            text += THERMOSTAT.format(
                rule=RULE, energy=energy, kinetic=kinetic, total=energy + kinetic
            )
    path.write_text(text + end + END)


def write_contcar(path: Path, atoms: Atoms) -> None:
    """Write the structure and the velocities behind it, in direct coordinates."""
    counts = kinds(atoms)
    velocities = atoms.get_velocities() * units.fs
    lines = ["made by hand", "   1.00000000000000"]
    lines += [f" {row}" for row in columns(atoms.cell.array, 22, 16)]
    lines.append("".join(f"{name:>5}" for name in counts))
    lines.append("".join(f"{count:6d}" for count in counts.values()))
    lines += ["Direct", *columns(fractions(atoms), 20, 16), ""]
    lines += ["".join(f"{fortran(number, 8):>16}" for number in row) for row in velocities]
    path.write_text("\n".join([*lines, "", "    1", "   2.000000000000000", ""]))
