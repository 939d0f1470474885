"""A real SGE on this host: one execution host with sixteen slots and four GPUs, loopback only.

Everything lies below one directory and is started and stopped by pid file. The programs are those
of Debian's packages gridengine-master, gridengine-exec and gridengine-client.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from pwact.executors.processes import read_process
from tests.slurm_cluster.cluster import free_ports

SHARE = Path("/usr/share/gridengine")
PROGRAMS = Path("/usr/lib/gridengine")
BOOTSTRAP = """\
admin_user              root
default_domain          none
ignore_fqdn             true
spooling_method         classic
spooling_lib            libspoolc
spooling_params         {spool}
binary_path             {programs}
qmaster_spool_dir       {directory}/qmaster
security_mode           none
listener_threads        2
worker_threads          2
scheduler_threads       1
"""
ENVIRONMENT = """\
pe_name            mpi
slots              999
user_lists         NONE
xuser_lists        NONE
start_proc_args    NONE
stop_proc_args     NONE
allocation_rule    $fill_up
control_slaves     FALSE
job_is_first_task  TRUE
urgency_slots      min
accounting_summary FALSE
qsort_args         NONE
"""
HOST = """\
hostname          localhost
load_scaling      NONE
complex_values    slots=16,gpu=4
user_lists        NONE
xuser_lists       NONE
projects          NONE
xprojects         NONE
usage_scaling     NONE
report_variables  NONE
"""
REPORTING = "accounting=true reporting=false flush_time=00:00:01 accounting_flush_time=00:00:00"


class Cluster:
    """Start it, break it, stop it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        ports = free_ports(2)
        self.environment = {
            "SGE_ROOT": str(directory / "root"),
            "SGE_CELL": "default",
            "SGE_QMASTER_PORT": str(ports[0]),
            "SGE_EXECD_PORT": str(ports[1]),
        }

    def start(self) -> None:
        self._write()
        self.start_master()
        self.run("qconf", "-as", "localhost")
        scheduler = {
            "schedule_interval": "0:0:1",
            "flush_submit_sec": "1",
            "flush_finish_sec": "1",
            "job_load_adjustments": "NONE",
        }
        self._load("-Msconf", _changed(self.run("qconf", "-ssconf"), scheduler))
        self._load("-Mc", self.run("qconf", "-sc") + "gpu gpu INT <= YES JOB 0 0\n")
        self._load("-Ae", HOST)
        self._load("-Ap", ENVIRONMENT)
        queue = {
            "qname": "all.q",
            "hostlist": "localhost",
            "slots": "16",
            "pe_list": "mpi",
            "load_thresholds": "NONE",
        }
        self._load("-Aq", _changed(self.run("qconf", "-sq"), queue))
        self.run(str(PROGRAMS / "sge_execd"))
        self.wait(lambda: "lx-" in self.run("qhost", "-h", "localhost").splitlines()[-1])

    def _write(self) -> None:
        root, common = self.directory / "root", self.directory / "root/default/common"
        spool = f"{common};{self.directory}/qmaster"
        for folder in (common, self.directory / "qmaster/job_scripts", self.directory / "execd"):
            folder.mkdir(parents=True)
        (root / "util").symlink_to(SHARE / "util")
        architecture = self.run(str(SHARE / "util/arch")).strip()
        for name in ("bin", "utilbin", "lib"):
            (root / name).mkdir()
            (root / name / architecture).symlink_to(PROGRAMS)
        (common / "act_qmaster").write_text("localhost\n")
        (common / "host_aliases").write_text(f"localhost {socket.gethostname()}\n")
        (common / "bootstrap").write_text(
            BOOTSTRAP.format(spool=spool, programs=PROGRAMS, directory=self.directory)
        )
        configuration = {
            "execd_spool_dir": str(self.directory / "execd"),
            "min_uid": "0",
            "min_gid": "0",
            "reporting_params": REPORTING,
        }
        conf = self.directory / "conf"
        conf.write_text(_changed((SHARE / "default-configuration").read_text(), configuration))
        self.run(str(PROGRAMS / "spoolinit"), "classic", "libspoolc", spool, "init")
        resources = SHARE / "util/resources"
        for words in (
            ("configuration", str(conf)),
            ("complexes", str(resources / "centry")),
            ("usersets", str(resources / "usersets")),
            ("managers", "root"),
        ):
            self.run(str(PROGRAMS / "spooldefaults"), *words)

    def start_master(self) -> None:
        self.run(str(PROGRAMS / "sge_qmaster"))
        self.wait(lambda: self._status("qconf", "-sh") == 0)

    def stop_master(self) -> None:
        self._end(self.directory / "qmaster/qmaster.pid")

    def stop(self) -> None:
        self._status("qdel", "-u", "root")
        for path in self.directory.glob("execd/*/execd.pid"):
            self._end(path)
        self.stop_master()

    def _end(self, pid_file: Path) -> None:
        pid = int(pid_file.read_text()) if pid_file.exists() else 0
        if pid and read_process(pid) is not None:
            os.kill(pid, signal.SIGTERM)
            for _ in range(40):
                if read_process(pid) is None:
                    return
                time.sleep(0.05)
            os.kill(pid, signal.SIGKILL)

    def _load(self, option: str, text: str) -> None:
        path = self.directory / f"qconf{option}"
        path.write_text(text)
        self.run("qconf", option, str(path))

    def _status(self, *words: str) -> int:
        environment = {**os.environ, **self.environment}
        return subprocess.run(
            words, env=environment, capture_output=True, check=False, timeout=60
        ).returncode

    def run(self, *words: str) -> str:
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{words}: {done.stdout} {done.stderr}"
        return done.stdout

    @staticmethod
    def wait(condition, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "SGE does not start"
            time.sleep(0.1)


def _changed(text: str, values: dict[str, str]) -> str:
    """A table of SGE, ``key value`` a line, with other values."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    words = (line.split(maxsplit=1) for line in lines if line.strip())
    return "".join(f"{key} {values.get(key, *rest)}\n" for key, *rest in words)
