"""Modules of this package that jobs run."""

from __future__ import annotations

import os
import subprocess

from pwact.engines.worker import python_module


def test_a_module_of_this_package_runs_from_anywhere(tmp_path):
    command = python_module("pwact.executors.script", "a b", "$x")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0
    assert command.endswith(" -m pwact.executors.script 'a b' '$x'")
