"""A real SLURM on this host: four virtual nodes, own munge, loopback only, on wish with slurmdbd.

Everything lies below one directory and is started and stopped by pid file.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import stat
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
{accounting}
JobCompType=jobcomp/none
NodeName=DEFAULT CPUs=16 Boards=1 SocketsPerBoard=1 CoresPerSocket=16 ThreadsPerCore=1 \
RealMemory=16000 State=UNKNOWN
{nodes}
PartitionName=DEFAULT MaxTime=INFINITE DefaultTime=60 State=UP OverSubscribe=NO
PartitionName=cpu Nodes=c1,c2,c3 Default=YES
PartitionName=gpu Nodes=g1
"""
NO_ACCOUNTING = "AccountingStorageType=accounting_storage/none"
ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={dir}/munge/socket
AccountingStorageEnforce=limits,qos
Licenses=vasp:1"""
DAEMON_CONF = """\
AuthType=auth/munge
AuthInfo=socket={dir}/munge/socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
PidFile={dir}/slurmdbd.pid
LogFile={dir}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
CommitDelay=1
"""
DATABASE = (
    "create database slurm_acct_db; create user 'slurm'@'localhost' identified by 'slurm'; "
    "grant all on slurm_acct_db.* to 'slurm'@'localhost';"
)
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

    def __init__(self, directory: Path, accounting: bool = False) -> None:
        self.directory = directory
        self.accounting = accounting
        self.conf = directory / "slurm.conf"
        self.environment = {**os.environ, "SLURM_CONF": str(self.conf)}
        self._database: subprocess.Popen[bytes] | None = None

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
        if self.accounting:
            self._start_accounting()
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
        port, daemon_port, *ports = free_ports(len(NODES) + 2)
        lines = [
            f"NodeName={node} NodeHostname={node} NodeAddr=127.0.0.1 Port={node_port}"
            + (" Gres=gpu:4" if node == "g1" else "")
            for node, node_port in zip(NODES, ports)
        ]
        host = socket.gethostname().partition(".")[0]
        names = {"host": host, "dir": self.directory}
        accounting = ACCOUNTING.format(port=daemon_port, **names)
        text = CONF.format(
            port=port,
            nodes="\n".join(lines),
            accounting=accounting if self.accounting else NO_ACCOUNTING,
            **names,
        )
        self.conf.write_text(text)
        daemon_conf = self.directory / "slurmdbd.conf"
        daemon_conf.touch(mode=0o600)
        daemon_conf.write_text(DAEMON_CONF.format(port=daemon_port, **names))
        for index in range(4):
            null = os.makedev(1, 3)  # of a plain file SLURM tells no job its number
            os.mknod(self.directory / "dev" / f"gpu{index}", 0o666 | stat.S_IFCHR, null)
        (self.directory / "gres.conf").write_text(
            f"NodeName=g1 Name=gpu File={self.directory}/dev/gpu[0-3]\n"
        )

    def _start_accounting(self) -> None:
        """Start a database of its own and slurmdbd, and let root use the account ``mat``."""
        place = self.directory / "db"
        place.mkdir()
        shutil.chown(place, "mysql", "mysql")
        socket_path = f"--socket={place}/socket"
        own = ("--no-defaults", "--user=mysql", f"--datadir={place}/data", f"--tmpdir={place}")
        self.run("mariadb-install-db", *own, "--skip-test-db")
        with (self.directory / "mariadbd.log").open("wb") as log:
            self._database = subprocess.Popen(
                ["/usr/sbin/mariadbd", *own, socket_path, "--skip-networking"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        client = ("mariadb", "--no-defaults", socket_path)
        self.wait(lambda: self.succeeds(*client, "-e", "select 1"))
        self.run(*client, "-e", DATABASE)
        self.environment["MYSQL_UNIX_PORT"] = f"{place}/socket"
        self.run("/usr/sbin/slurmdbd")
        self.wait(lambda: self.succeeds("sacctmgr", "-n", "show", "cluster"))
        for words in ("cluster pwacttest", "account mat", "user root account=mat"):
            self.run("sacctmgr", "-i", "add", *words.split())

    def succeeds(self, *words: str) -> bool:
        with contextlib.suppress(AssertionError):
            self.run(*words)
            return True
        return False

    def run(self, *words: str) -> str:
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def wait(self, condition, seconds: float = 180.0) -> None:
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
        self._end(self.directory / "slurmdbd.pid")
        if self._database:
            self._database.terminate()
            self._database.wait(30)
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
