"""Texts of an OUTCAR of VASP 5.4.4; numbers that no reader needs are made up."""

from __future__ import annotations

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
