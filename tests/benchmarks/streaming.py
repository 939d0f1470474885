"""What it saves to label a system while others explore: one slow trajectory among ten systems.

    PYTHONPATH=. python tests/benchmarks/streaming.py

Ten systems on this machine, five jobs at once. Nine trajectories take 0.5 s, the tenth 8 s; each of
the 20 labels of a system takes 0.2 s. The same campaign is run twice, with `streaming` and without.
With a barrier the nine systems wait for the tenth; the labels of nine systems fill
9 x 20 x 0.2 s / 4 free places = 9 s, so all of the tenth's time could be used but the first 0.5 s.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pwact import engines
from pwact.io.journal import Journal
from pwact.workflow.active_learning import run_active_learning
from pwact.workflow.campaign import open_campaign
from tests.benchmarks.slurm import Explorer, Labeler
from tests.workflow.pairs import LOCAL, alloy, load, resources, run_param, write_files

SYSTEMS, LABELS, SLOW_S, QUICK_S, LABEL_S, PLACES = 10, 20, 8.0, 0.5, 0.2, 5


class SlowExplorer(Explorer):
    """One trajectory is slow."""

    def command(self, potential: Any) -> str:
        seconds = f'$(case "$PWD" in *sys.000*) echo {SLOW_S};; *) echo {QUICK_S};; esac)'
        return f"sleep {seconds}; {super().command(potential)}"


class SlowLabeler(Labeler):
    """A label takes its time."""

    def command(self, purpose: Any) -> str:
        return f"sleep {LABEL_S}; mv out.ready out.json"


def campaign(folder: Path, streaming: bool) -> tuple[float, dict[str, bytes]]:
    """Run one iteration; seconds from the first trajectory to the last label, and the data."""
    from pwact.formats.structures import write_structure  # noqa: PLC0415

    engines.TRAINERS["pod"] = "tests.benchmarks.slurm:Trainer"
    engines.EXPLORERS["lammps"] = f"{__name__}:SlowExplorer"
    engines.LABELERS["ase"] = f"{__name__}:SlowLabeler"
    write_files(folder, {"calculator": "emt"})
    for number in range(SYSTEMS):
        write_structure(folder / f"structures/{number}.poscar", alloy(), "vasp/poscar")
    param = run_param()
    (job,) = param["explore"]["md_jobs"][:1]
    job.update(sys_idx=list(range(SYSTEMS)), nsteps=2 * LABELS, trj_freq=1, select_sys=[LABELS])
    param["explore"].update(
        md_jobs=[job],
        sys_configs=[
            {"config": f"structures/{number}.poscar", "format": "vasp/poscar"}
            for number in range(SYSTEMS)
        ],
    )
    param["strategy"].update(lower_model_devi_f=0.0, upper_model_devi_f=1e9)
    param["streaming"] = streaming
    resource = {**resources(), "max_parallel_jobs": PLACES}
    for name in ("train", "explore", "DFT"):
        resource[name] = {**LOCAL, "command": "true"}
    pair = load(folder, param, resource)
    with open_campaign(folder, "run", 1) as opened:
        run_active_learning(pair.config, pair.resources, opened)
    events = Journal(folder / ".pwact" / "journal.jsonl").events()
    times = {(event["event"], event.get("name")): event["time"] for event in events}
    took = times["stage_done", "iter.0000/label"] - times["stage_started", "iter.0000/explore"]
    names = ("01.explore/select/candidate.csv", "02.label/result/train.xyz")
    return took, {name: (folder / "iter.0000" / name).read_bytes() for name in names}


def main() -> None:
    """Measure both."""
    with tempfile.TemporaryDirectory() as temporary:
        waited, expected = campaign(Path(temporary) / "barrier", False)
        streamed, data = campaign(Path(temporary) / "streaming", True)
    assert data == expected, "the data sets differ"
    usable = SLOW_S - QUICK_S
    print(
        f"barrier {waited:.1f} s, streaming {streamed:.1f} s: saved {waited - streamed:.1f} s, "
        f"{(waited - streamed) / usable:.2f} of the {usable:.1f} s that could be used; same data"
    )


if __name__ == "__main__":
    main()
