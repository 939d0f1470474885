"""``dp --pt train`` and ``dp --pt test``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import torch

from tests.stubs.deepmd_pytorch import GOES, KILLED_AFTER, WAITS, WAITS_AFTER


def main(words: list[str]) -> None:
    """Do what the words ask for."""
    assert words[0] == "--pt"
    parser = argparse.ArgumentParser(prog="dp")
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("train")
    asked.add_argument("input", type=Path)
    asked.add_argument("--use-pretrain-script", action="store_true")
    begin = asked.add_mutually_exclusive_group()
    for name in ("--restart", "--init-model", "--finetune"):
        begin.add_argument(name, type=Path)
    train(parser.parse_args(words[1:]))


def train(asked: Any) -> None:
    """Train by the input, whose network must be said unless a model to begin with has it."""
    document = json.loads(asked.input.read_text())
    training, model = document["training"], document["model"]
    trained: list[int] = []
    source = asked.restart or asked.init_model or asked.finetune
    if source is not None:
        found = torch.load(source, "cpu", weights_only=True)
        weights = found.get("model", found)
        if asked.use_pretrain_script:
            model = weights["_extra_state"]["model_params"]
        trained = weights["trained"] if asked.restart else []
    if "descriptor" not in model:
        raise SystemExit("dargs.ArgumentKeyError: [at location `model`] key `descriptor`")
    kalman = document.get("optimizer", {}).get("type") == "LKF"
    optimizer = _filter() if kalman else Adam(asked.restart and found["optimizer"])
    first = max(0, max(trained, default=0) - 1)  # the step of the checkpoint once more
    run(training, model, optimizer, first, trained)


def run(training: Any, model: Any, optimizer: Any, first: int, trained: list[int]) -> None:
    """All steps from `first` on."""
    steps, shown, saved = training["numb_steps"], training["disp_freq"], training["save_freq"]
    print(f"train from step {first}")
    with Path(training["disp_file"]).open("a" if first else "w") as curve:
        curve.write("#  step rmse_e_val rmse_f_val lr\n")
        for step in range(first + 1, steps + 1):
            optimizer.step()
            trained = [*trained, step]
            if step % shown == 0 or step == 1:
                curve.write(f"{step:6d} 0.5 0.25 1e-3\n")
                curve.flush()
            if step == steps or (saved and step % saved == 0 and step != first + 1):
                save(training, model, optimizer, trained)
            interrupt(step)


def save(training: Any, model: Any, optimizer: Any, trained: list[int]) -> None:
    """Write the checkpoint, and lead the plain name to it."""
    weights = {"_extra_state": {"model_params": model}, "trained": trained}
    content = {"model": weights, "optimizer": optimizer.state_dict()}
    name = f"model.ckpt-{trained[-1]}.pt"
    torch.save(content, name)
    for path in sorted(Path().glob("model.ckpt-*.pt"), key=_step)[: -training["max_ckpt_keep"]]:
        path.unlink()
    Path("model.ckpt.pt").unlink(missing_ok=True)
    Path("model.ckpt.pt").symlink_to(name)


def _step(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def interrupt(step: int) -> None:
    """What may happen to a training after a step."""
    if os.environ.get(KILLED_AFTER) == str(step):
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get(WAITS_AFTER) == str(step) and not Path(os.environ[GOES]).exists():
        Path(WAITS).touch()
        time.sleep(3600)


class Adam:
    """Counts its steps."""

    def __init__(self, state: Any) -> None:
        self.steps = state["steps"] if state else 0

    def step(self) -> None:
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "state": {}}


def _filter() -> Any:
    from deepmd.pt.optimizer import LKFOptimizer  # noqa: PLC0415

    return LKFOptimizer(["weight"], 3)
