"""A Slurm of one node on loopback, with accounting or without: what the cluster tests run on. Also by hand, on Debian:

    apt-get install slurmctld slurmd slurm-client munge slurmdbd slurm-wlm-basic-plugins mariadb-server-core \
        mariadb-client-core
    python -m tests.reliability.slurm_node up .slurm        # or: up .slurm --no-accounting
    . .slurm/env
    snakemake --cores 2 --workflow-profile workflow/profiles/slurm
    python -m tests.reliability.slurm_node down .slurm

Nothing outside the folder is written, no port but loopback's is opened, and no daemon of the machine is touched: munge
has a key and a socket of its own, MariaDB a data folder. It needs no systemd and no control groups; memory is watched
by accounting's own measurement, once a second.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path

PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo"]
FOR_ACCOUNTING = ["mariadbd", "mariadb-install-db", "slurmdbd", "sacct", "sacctmgr"]
# In the order of their start; they stop in the other.
DAEMONS = ["munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd"]
PATIENCE_SECONDS = 120
ACCOUNT = "preimage"
_started = []

DATABASE_DAEMON = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={dbd}
CommunicationParameters=NoInAddrAny
SlurmUser={user}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={mariadb}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""
CLUSTER = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmdPort={d}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=1
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=100000,bf_interval=2,batch_sched_delay=0,sched_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/none
MinJobAge=3600
DefMemPerCPU=512
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""
ACCOUNTING = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
AccountingStoragePass={folder}/munge.socket
AccountingStorageEnforce=associations
AccountingStoreFlags=job_comment
"""


def missing(accounting=True):
    """Return the programs that a node needs and this machine has not."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return [name for name in PROGRAMS + FOR_ACCOUNTING * accounting if shutil.which(name, path=path) is None]


def environment(folder):
    """Return what finds this Slurm, as variables.

    Snakemake's job step drops every SLURM_* variable before it calls srun, so SLURM_CONF alone is not enough: the
    commands here put it back.
    """
    folder = Path(folder).resolve()
    return {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


@contextmanager
def slurm_node(folder, accounting=True):
    """Give the variables that find a running node; it stops when the block ends."""
    try:
        yield up(folder, accounting)
    finally:
        down(folder)


def up(folder, accounting=True):
    """Start what isn't running, wait until the node takes jobs, and return the variables that find it."""
    folder = Path(folder).resolve()
    for name in ("", "bin", "state", "spool", "database"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # munge's clients must be able to reach its socket
    if not (folder / "slurm.conf").exists():
        configure(folder, accounting)
    found = environment(folder)
    start(folder, "munged", munge(folder), lambda: (folder / "munge.socket").exists())
    if accounting:
        start_accounting(folder, found)
    start(folder, "slurmctld", ["slurmctld", "-D"], lambda: "UP" in said(found, "scontrol", "ping"))
    start(folder, "slurmd", ["slurmd", "-D"], lambda: said(found, "sinfo", "-h", "-o", "%T") in ("idle", "mixed"))
    return found


def down(folder):
    """Stop what runs, the last started first."""
    for name in reversed(DAEMONS):
        pid = running(folder, name)
        if pid is None:
            continue
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 15
        while running(folder, name) and time.monotonic() < until:
            time.sleep(0.05)
        if running(folder, name):
            os.kill(pid, signal.SIGKILL)
        pid_file(folder, name).unlink(missing_ok=True)
    for process in _started:
        process.poll()  # or Python would warn of children that nobody asked after


def configure(folder, accounting):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 - 1024
    values = {
        "folder": folder, "host": socket.gethostname().partition(".")[0], "user": getuser(), "cpus": os.cpu_count(),
        "memory": memory, "password": secrets.token_hex(16),
        **dict(zip(("ctld", "d", "dbd", "mariadb"), ports(4), strict=True)),
    }  # fmt: skip
    (folder / "munge.key").write_bytes(secrets.token_bytes(1024))
    (folder / "munge.key").chmod(0o400)
    if accounting:
        (folder / "slurmdbd.conf").touch(0o600)
        (folder / "slurmdbd.conf").write_text(DATABASE_DAEMON.format(**values))
    (folder / "slurm.conf").write_text((CLUSTER + ACCOUNTING * accounting).format(**values))
    commands = ["srun", "sbatch", "squeue", "scontrol", "scancel", "sinfo", *(["sacct", "sacctmgr"] * accounting)]
    for name in commands:
        command = folder / "bin" / name
        command.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which(name)} "$@"\n')
        command.chmod(0o755)
    (folder / "env").write_text(f'export SLURM_CONF={folder}/slurm.conf\nexport PATH={folder}/bin:"$PATH"\n')


def ports(count):
    """Return ports of loopback that are free now, all different."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return found


def munge(folder):
    files = {"key-file": "munge.key", "socket": "munge.socket", "log-file": "munged.log", "seed-file": "munge.seed"}
    own = [f"--{option}={folder / name}" for option, name in files.items()]
    return ["munged", "--foreground", *own, f"--pid-file={folder / 'munge.pid'}"]


def start_accounting(folder, found):
    data, where = folder / "database", ["--no-defaults", f"--socket={folder / 'database.socket'}"]
    options = dict(line.split("=", 1) for line in (folder / "slurmdbd.conf").read_text().split())
    if not (data / "mysql").exists():
        install = ["--no-defaults", f"--user={getuser()}", f"--datadir={data}", "--skip-test-db"]
        call("mariadb-install-db", *install, "--auth-root-authentication-method=normal")
    server = [f"--user={getuser()}", f"--datadir={data}", "--bind-address=127.0.0.1", "--skip-log-bin"]
    server += [f"--port={options['StoragePort']}", f"--pid-file={folder / 'mariadb.pid'}", "--skip-name-resolve"]
    server += ["--innodb-buffer-pool-size=128M", "--innodb-lock-wait-timeout=900"]
    client = ["mariadb", *where, "-uroot", "-e"]
    ready = lambda: subprocess.run([*client, "select 1"], capture_output=True).returncode == 0  # noqa: E731
    start(folder, "mariadbd", ["mariadbd", *where, *server], ready)
    user = f"'slurm'@'127.0.0.1' identified by '{options['StoragePass']}'"
    call(*client, f"create database if not exists slurm; create user if not exists {user}; "
                  "grant all on slurm.* to 'slurm'@'127.0.0.1'")  # fmt: skip
    start(folder, "slurmdbd", ["slurmdbd", "-D"], lambda: "Cluster" in said(found, "sacctmgr", "show", "cluster"))
    if ACCOUNT not in said(found, "sacctmgr", "-nP", "show", "account", "format=account").split():
        sacctmgr = [str(folder / "bin" / "sacctmgr"), "-i", "add"]
        call(*sacctmgr, "cluster", "loopback", env={**os.environ, **found})
        call(*sacctmgr, "account", ACCOUNT, "cluster=loopback", env={**os.environ, **found})
        call(*sacctmgr, "user", getuser(), f"account={ACCOUNT}", env={**os.environ, **found})


def start(folder, name, command, ready):
    """Start a daemon in the background unless it runs, and wait until it answers."""
    if running(folder, name) is None:
        path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
        with (folder / f"{name}.out").open("ab") as out:
            process = subprocess.Popen(
                [shutil.which(command[0], path=path), *command[1:]], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, env={**os.environ, "SLURM_CONF": str(folder / "slurm.conf")},
            )  # fmt: skip
        _started.append(process)
        pid_file(folder, name).write_text(str(process.pid))
    until = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        if running(folder, name) is None or time.monotonic() > until:
            raise RuntimeError(f"{name} does not answer; see {folder / name}.out and .log")
        time.sleep(0.1)


def pid_file(folder, name):
    return Path(folder) / f"{name}.running"


def running(folder, name):
    """Return the process of a daemon that `start` started; None where it runs no more."""
    try:
        pid = int(pid_file(folder, name).read_text())
        # A zombie has ended; a number that another program has by now is not ours.
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except (OSError, ValueError):
        return None
    return pid if stat[2].split()[0] != "Z" and name[:15] in stat[0] else None


def call(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")


def said(found, command, *arguments):
    done = subprocess.run([command, *arguments], capture_output=True, text=True, env={**os.environ, **found})
    return done.stdout.strip()


if __name__ == "__main__":
    word, where = sys.argv[1:3]
    if word == "up":
        if lacking := missing("--no-accounting" not in sys.argv):
            sys.exit(f"not installed: {', '.join(lacking)}")
        up(where, "--no-accounting" not in sys.argv)
        print(f"a Slurm of one node is up:  . {where}/env")
    else:
        down(where)
