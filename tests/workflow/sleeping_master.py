"""A campaign whose one stage runs a job that lasts for ever: started as a child by test_kill."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pwact.cli.signals import ending_signals_raise
from pwact.config.resources import ResourceBlock
from pwact.executors.base import Task
from pwact.verdict import incomplete
from pwact.workflow.campaign import open_campaign
from pwact.workflow.stage import Services, StageOutput

# the program is a wrapper whose child must die, too, even where it ignores a gentle signal
COMMAND = 'python3 -c \'import subprocess; subprocess.run(["bash", "stubborn.sh"])\''
STUBBORN = "trap '' TERM HUP\ntouch started\nwhile true; do sleep 0.2; done\n"


class Sleeping:
    name = "iter.0000/sleep"

    def __init__(self, work_dir: Path) -> None:
        self.directory = work_dir / "iter.0000" / "a 'b"

    def inputs(self) -> Mapping[str, Any]:
        return {}

    def work(self, services: Services) -> StageOutput:
        (self.directory / "t").mkdir(exist_ok=True)
        (self.directory / "t" / "stubborn.sh").write_text(STUBBORN)
        task = Task(self.directory / "t", COMMAND, lambda _: incomplete("asleep"), "log")
        list(services.dispatch("toy", self.directory, [task], block(self.directory)))
        return StageOutput()


def block(directory: Path) -> ResourceBlock:
    return ResourceBlock(
        name="toy",
        command="",
        queue_name="",
        group_size=1,
        parallel_num=1,
        number_node=1,
        gpu_per_node=0,
        cpu_per_node=1,
        custom_flags=(),
        source_list=(),
        module_list=(),
        env_list=(),
        scheduler="local",
        poll_interval=None,
        max_jobs_in_queue=None,
        use_array="auto",
        max_parallel_jobs=1,
        file=directory / "resource.json",
    )


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    work_dir = Path(sys.argv[1])
    with ending_signals_raise(), open_campaign(work_dir, sys.argv[2], 1) as campaign:
        campaign.run(Sleeping(work_dir))


if __name__ == "__main__":
    main()
