"""``python -m tests.added.campaign``: what a user does, with nothing but what was added.

Everything happens in the current directory; what commands print goes to files there.
"""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from pathlib import Path

from pwact.cli.main import main
from pwact.formats.frames import write_frames
from tests.workflow.pairs import LOCAL, deep_update, labelled, run_param, write_files

CHANGES = {
    "init_data": ["init.toy.json"],
    "data_format": "toy/file",
    "train.engine": "toy",
    "train.patience": 5,
    "strategy.uncertainty": "force-size",
    "strategy.upper_model_devi_f": 0.3,
    "explore.sys_configs": [{"config": "structures/a.poscar", "format": "vasp/poscar"}],
    "DFT.dft_style": "toy",
}
COMMANDS = {
    "check": ["check", "param.json", "resource.json"],
    "run": ["run", "param.json", "resource.json"],
    "status": ["status"],
    "filter": ["filter", "-i", "iter.0000", "-l", "0.1", "-u", "0.3"],
    "draw": ["draw", "-o", "drawn", "--format", "svg"],
    "convert": ["to_pwdata", "-i", "init.toy.json", "-f", "toy/file", "-s", "made"],
    "gather": ["gather_pwdata", "-i", ".", "--valid", "0.5", "--output_format", "toy/file"],
}


def write_inputs() -> None:
    here = Path.cwd()
    write_files(here, {"calculator": "emt"})
    write_frames(here / "init.toy.json", labelled(3), "toy/file")
    param = deep_update(run_param(), CHANGES)
    param["explore"]["md_jobs"] = param["explore"]["md_jobs"][:1]
    block = {**LOCAL, "scheduler": "own", "poll_interval": 0.1, "command": "toy"}
    Path("param.json").write_text(json.dumps(param))
    Path("resource.json").write_text(json.dumps(dict.fromkeys(("train", "explore", "DFT"), block)))


def printed(name: str, words: list[str]) -> int:
    with Path(f"{name}.out").open("w", encoding="utf-8") as stream, redirect_stdout(stream):
        try:
            return main(words)
        except SystemExit as end:
            return int(end.code or 0)


if __name__ == "__main__":
    write_inputs()
    ends = {name: printed(name, words) for name, words in COMMANDS.items()}
    ends["help"] = printed("help", ["to_pwdata", "--help"])
    Path("ends.json").write_text(json.dumps(ends))
