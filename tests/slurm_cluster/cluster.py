"""A real SLURM on this host: four virtual nodes, own munge, loopback only, no accounting.

Everything lies below one directory and is started and stopped by pid file.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from pwact.executors.processes import read_process

CONF = """\
ClusterName=pwacttest
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
MailProg=/bin/true
AuthType=auth/munge
AuthInfo=socket={dir}/munge/socket,cred_expire=10
CredType=cred/munge
SlurmctldPort={port}
SlurmctldPidFile={dir}/slurmctld.pid
SlurmdPidFile={dir}/slurmd-%n.pid
SlurmdSpoolDir={dir}/spool/%n
StateSaveLocation={dir}/state
SlurmctldLogFile={dir}/slurmctld.log
SlurmdLogFile={dir}/slurmd-%n.log
CommunicationParameters=NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=1
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,sched_min_interval=100000,bf_interval=2,batch_sched_delay=0
PriorityType=priority/basic
MinJobAge=300
MaxJobCount=20000
MaxArraySize=10001
KillWait=2
InactiveLimit=0
MessageTimeout=3
SlurmctldTimeout=30
SlurmdTimeout=30
BatchStartTimeout=10
CompleteWait=0
PropagateResourceLimits=NONE
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
NodeName=DEFAULT CPUs=16 Boards=1 SocketsPerBoard=1 CoresPerSocket=16 ThreadsPerCore=1 \
RealMemory=16000 State=UNKNOWN
{nodes}
PartitionName=DEFAULT MaxTime=INFINITE DefaultTime=60 State=UP OverSubscribe=NO
PartitionName=cpu Nodes=c1,c2,c3 Default=YES
PartitionName=gpu Nodes=g1
"""
NODES = ("c1", "c2", "c3", "g1")


def free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """Start it, break it, stop it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.conf = directory / "slurm.conf"
        self.environment = {**os.environ, "SLURM_CONF": str(self.conf)}

    def start(self) -> None:
        self._write()
        munge = self.directory / "munge"
        self.run(
            "/usr/sbin/munged",
            f"--key-file={munge}/key",
            f"--socket={munge}/socket",
            f"--pid-file={munge}/pid",
            f"--log-file={munge}/log",
            f"--seed-file={munge}/seed",
        )
        self.start_controller()
        for node in NODES:
            (self.directory / "spool" / node).mkdir(parents=True)
            self.run("/usr/sbin/slurmd", "-N", node)
        self.wait(lambda: sum(self.node_is_up(node) for node in NODES) == len(NODES))

    def _write(self) -> None:
        for name in ("munge", "spool", "state", "dev"):
            (self.directory / name).mkdir(parents=True)
        (self.directory / "munge").chmod(0o755)
        key = self.directory / "munge" / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        port, *ports = free_ports(len(NODES) + 1)
        lines = [
            f"NodeName={node} NodeHostname={node} NodeAddr=127.0.0.1 Port={node_port}"
            + (" Gres=gpu:4" if node == "g1" else "")
            for node, node_port in zip(NODES, ports)
        ]
        host = socket.gethostname().partition(".")[0]
        text = CONF.format(host=host, dir=self.directory, port=port, nodes="\n".join(lines))
        self.conf.write_text(text)
        for index in range(4):
            (self.directory / "dev" / f"gpu{index}").touch()
        (self.directory / "gres.conf").write_text(
            f"NodeName=g1 Name=gpu File={self.directory}/dev/gpu[0-3]\n"
        )

    def run(self, *words: str) -> str:
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def wait(self, condition, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the cluster did not do what it was asked for"
            time.sleep(0.05)

    def node_is_up(self, node: str) -> bool:
        with contextlib.suppress(AssertionError):
            return self.run("sinfo", "-h", "-n", node, "-o", "%t").split()[:1] in (
                ["idle"],
                ["mix"],
                ["alloc"],
                ["comp"],
            )
        return False

    def start_controller(self, *words: str) -> None:
        self.run("/usr/sbin/slurmctld", *words)
        self.wait(self.answers)

    def signal_controller(self, number: int) -> None:
        os.kill(int((self.directory / "slurmctld.pid").read_text()), number)

    def kill_node(self, node: str) -> None:
        """End slurmd, not what it started, and tell the controller that the node is gone."""
        self._end(self.directory / f"slurmd-{node}.pid", signal.SIGKILL)
        self.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")

    def start_node(self, node: str) -> None:
        self.run("/usr/sbin/slurmd", "-N", node)
        self.resume_node(node)

    def resume_node(self, node: str) -> None:
        if not self.node_is_up(node):
            self.run("scontrol", "update", f"nodename={node}", "state=resume")
        self.wait(lambda: self.node_is_up(node))

    def answers(self) -> bool:
        with contextlib.suppress(AssertionError):
            return "UP" in self.run("scontrol", "ping")
        return False

    def stop_controller(self, number: int = signal.SIGTERM) -> None:
        self._end(self.directory / "slurmctld.pid", number)

    def stop(self) -> None:
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.run("scancel", "--user=root")
            self.wait(lambda: not self.run("squeue", "-h"), 5.0)
        for node in NODES:  # before the controller: they would wait for it
            self._end(self.directory / f"slurmd-{node}.pid")
        self._end(self.directory / "slurmctld.pid")
        self._end(self.directory / "munge" / "pid")
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self, pid_file: Path, number: int = signal.SIGTERM) -> None:
        try:
            pid = int(pid_file.read_text())
            os.kill(pid, number)
        except (OSError, ValueError):
            return
        end = time.monotonic() + 15
        while read_process(pid):  # a zombie is dead enough
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                end += 5
            time.sleep(0.02)
        pid_file.unlink(missing_ok=True)
