"""What `make tracking-server` does: an MLflow server on PostgreSQL, with its artifacts, in one folder.

Usage: python workflow/tracking_server.py --folder results/.server --port 5000 [--auth] [-- anything for mlflow server]

Both listen on this machine alone (127.0.0.1): other machines come through a proxy, which has the certificates. Clients
hand artifacts to the server and need no access to its disk. The database's password is made here and stays in the
folder, which only its owner may read.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 120
PR_SET_PDEATHSIG = 1
USER, DATABASE = "mlflow", "postgres"
ADMIN = "admin"
HOST = "127.0.0.1"
# What is made up here, and nothing that was cut short.
SECRET_BYTES, SECRET = 24, re.compile(r"[A-Za-z0-9_-]{32}")
# What an administrator may have put in its place.
CHOSEN = re.compile(r"[^\x00-\x1f]{4,}")
INSTALL = "PostgreSQL is not installed: on Debian, `apt install postgresql` (its own service need not run)"
NO_AUTH = "--auth needs Flask-WTF: .venv/bin/python -m pip install Flask-WTF"


class ServerError(RuntimeError):
    """A server that can't be had, and why, in one message."""


class Program:
    """A program that is kept running: started until it is ready, stopped by a signal.

    Attributes:
        log: where it writes what it has to say.
    """

    def __init__(
        self, command: Sequence[Any], log: Path, ready: Callable[[], bool], stop: signal.Signals, **options: Any
    ) -> None:
        self.command, self.log, self.ready, self.by, self.options = [str(c) for c in command], log, ready, stop, options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True, **self.options
            )
        until = time.monotonic() + PATIENCE_SECONDS
        while not self.ready():
            if not self.running or time.monotonic() > until:
                said = self.log.read_text(errors="replace").strip().splitlines()[-5:]
                self.stop(signal.SIGKILL)
                raise ServerError(f"{Path(self.command[0]).name} did not start; {self.log} ends: " + " | ".join(said))
            time.sleep(0.1)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, by: signal.Signals | None = None) -> None:
        """Stop it and its children, by force after ten seconds."""
        for name in (by or self.by, signal.SIGKILL):
            if self.process is None or self.process.poll() is not None:
                return
            os.killpg(self.process.pid, name)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                continue


def free_port() -> int:
    with socket.socket() as s:
        s.bind((HOST, 0))
        return int(s.getsockname()[1])


def in_use(port: int) -> bool:
    with socket.socket() as s:
        return s.connect_ex((HOST, port)) == 0


# -- the database ------------------------------------------------------------------------------------------------------


def postgres_programs() -> Path | None:
    """Return the folder of initdb and postgres, the newest where Debian has several; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path))
    return found[-1].resolve().parent if found else None


def unprivileged() -> dict[str, Any]:
    """Return who runs PostgreSQL, which refuses root: arguments of a subprocess."""
    if os.getuid() != 0:
        return {}
    known = {p.pw_name: p for p in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def database(folder: Path, settings: Sequence[str] = ()) -> tuple[Program, str]:
    """Return PostgreSQL on a folder's data, not yet started, and its address; the data is made if there is none.

    Args:
        settings: of PostgreSQL, "name=value" each.

    Raises ServerError where PostgreSQL is not installed, or can't work in the folder.
    """
    import psycopg2

    programs, who = postgres_programs(), unprivileged()
    if programs is None:
        raise ServerError(INSTALL)
    home = folder / "postgres"  # of PostgreSQL's user; the folder itself stays of its owner
    home.mkdir(parents=True, exist_ok=True)
    if who:
        os.chown(home, who["user"], who["group"])
    data, (password, renewed) = home / "data", _secret(folder / "database.password")
    if not (data / "PG_VERSION").exists():
        _initialise(programs, home, password, who)
    else:
        _end_left(programs, data, who)
        if renewed:
            _set_password(programs, data, password, who)
    port = free_port()

    def ready() -> bool:
        try:
            psycopg2.connect(host=HOST, port=port, user=USER, dbname=DATABASE, password=password).close()
            return True
        except psycopg2.OperationalError:
            return False

    listen = ["-h", HOST, "-p", port, "-c", "unix_socket_directories="]
    command = [programs / "postgres", "-D", data, *listen, *(part for s in settings for part in ("-c", s))]
    program = Program(command, folder / "postgres.log", ready, signal.SIGINT, cwd=home, **who)
    return program, f"postgresql://{USER}:{password}@{HOST}:{port}/{DATABASE}"


def _end_left(programs: Path, data: Path, who: Mapping[str, Any]) -> None:
    """Stop the database where a server that was killed has left it at work, and remove what it left half written."""
    left = data / "postmaster.pid"
    if left.exists():
        subprocess.run(
            [programs / "pg_ctl", "-D", data, "stop", "-m", "fast"], capture_output=True, cwd=data.parent, **who
        )
    if left.exists() and not left.read_text(errors="replace").partition("\n")[0].strip().isdigit():
        left.unlink()  # PostgreSQL refuses to start beside it


def _set_password(programs: Path, data: Path, password: str, who: Mapping[str, Any]) -> None:
    """Give the database a new password, its own being lost. Raises ServerError."""
    made = subprocess.run(
        [programs / "postgres", "--single", "-D", data, DATABASE], input=f"ALTER USER {USER} PASSWORD '{password}';\n",
        capture_output=True, text=True, cwd=data.parent, check=False, **who,
    )  # fmt: skip
    if made.returncode or "ERROR" in made.stderr:
        said = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ServerError(f"database.password was damaged, and PostgreSQL takes no new one: {said}")
    print("tracking server: database.password was damaged; the database has a new one", file=sys.stderr)


def _initialise(programs: Path, home: Path, password: str, who: Mapping[str, Any]) -> None:
    made_in = home / "data.new"
    for left in (home / "data", made_in):  # of an attempt that was cut short
        shutil.rmtree(left, ignore_errors=True)
    given = home / "first.password"
    given.touch(mode=0o600)
    given.write_text(password)
    if who:
        os.chown(given, who["user"], who["group"])
    command = [programs / "initdb", "-D", made_in, "-U", USER, "-A", "scram-sha-256", "--pwfile", given]
    made = subprocess.run(
        [*command, "-E", "UTF8", "--locale=C"], capture_output=True, text=True, cwd=home, check=False, **who
    )
    given.unlink()
    if made.returncode:
        said = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ServerError(f"PostgreSQL can't keep its data in {home}: {said}")
    made_in.rename(home / "data")


def _secret(path: Path, whole: re.Pattern[str] = SECRET) -> tuple[str, bool]:
    """Return the secret that a file holds, and whether it was made up now, where none was whole."""
    found = path.read_text(errors="replace").strip() if path.is_file() else ""
    if whole.fullmatch(found):
        return found, False
    made, temporary = secrets.token_urlsafe(SECRET_BYTES), path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(made)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    return made, True


# -- MLflow ------------------------------------------------------------------------------------------------------------


def mlflow_server(folder: Path, backend: str, port: int, auth: bool = False, more: Sequence[str] = ()) -> Program:
    """Return an MLflow server, not yet started.

    Args:
        backend: the database's address; it goes by the environment, which other users can't see.
        auth: whether clients must give a name and a password.
        more: further arguments of `mlflow server`.
    """

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", port]
    command += ["--artifacts-destination", folder / "artifacts", "--workers", "1"]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    environment = {
        **kept,
        "MLFLOW_BACKEND_STORE_URI": backend,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    if auth:
        command += ["--app-name", "basic-auth"]
        environment |= _auth(folder)
    log = folder / "mlflow.log"
    return Program([*command, *more], log, ready, signal.SIGTERM, cwd=folder, env=environment)


def _auth(folder: Path) -> dict[str, str]:
    """Write the settings of MLflow's basic auth; return what goes with them in the environment."""
    settings, (password, renewed) = folder / "auth.ini", _secret(folder / "admin.password", CHOSEN)
    if renewed and (folder / "users.db").exists():
        _set_admin_password(folder / "users.db", password)
    database = f"sqlite:///{folder.resolve()}/users.db"
    function = "mlflow.server.auth:authenticate_request_basic_auth"
    settings.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {database}\nadmin_username = {ADMIN}\n"
        f"authorization_function = {function}\n"
    )
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(settings.resolve()),
        "MLFLOW_AUTH_ADMIN_PASSWORD": password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": _secret(folder / "session.key")[0],
    }


def _set_admin_password(users: Path, password: str) -> None:
    """Give MLflow's administrator a new password, the file with the old one being lost."""
    from werkzeug.security import generate_password_hash

    with contextlib.closing(sqlite3.connect(users)) as store, store:
        store.execute(
            "UPDATE users SET password_hash = ? WHERE username = ?", (generate_password_hash(password), ADMIN)
        )
    print(f"tracking server: admin.password was damaged; '{ADMIN}' has a new one", file=sys.stderr)


def _end_with_parent(by: signal.Signals) -> None:
    """Ask Linux to send this process a signal when the one that started it is gone, killed perhaps."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(by))


@contextmanager
def running(*programs: Program) -> Iterator[None]:
    """Start programs in their order; stop them in the other when the block ends."""
    try:
        for program in programs:
            program.start()
        yield
    finally:
        for program in reversed(programs):
            program.stop()


# -- the command -------------------------------------------------------------------------------------------------------


def serve(folder: Path, port: int, auth: bool, more: Sequence[str]) -> None:
    """Keep a server up until a signal ends it. Raises ServerError."""
    if auth:
        from importlib.util import find_spec

        if find_spec("flask_wtf") is None:
            raise ServerError(NO_AUTH)
    if in_use(port):
        raise ServerError(f"port {port} of this machine is in use: choose another with PORT=...")
    _keep_private(folder)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServerError(f"another server is at work in {folder}") from None
        store, backend = database(folder)
        server = mlflow_server(folder, backend, port, auth, more)
        for program in (store, server):
            program.options["preexec_fn"] = partial(_end_with_parent, program.by)
        # SIGINT too: a shell has it ignored by what it starts in the background.
        for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(name, signal.default_int_handler)
        try:
            with running(store, server):
                _say(folder, port, auth)
                while store.running and server.running:
                    time.sleep(1)
                stopped = server if store.running else store
                raise ServerError(f"a part of the server has stopped: see {stopped.log}")
        except KeyboardInterrupt:
            print("tracking server stopped; its data stays in", folder)


def _keep_private(folder: Path) -> None:
    """Let nobody but the owner read what the server keeps, from now on and of what is there; where that is root,
    PostgreSQL's user may pass through the folder to its own."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    os.umask(0o077)
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)
    if who := unprivileged():
        os.chown(folder, -1, who["group"])
    folder.chmod(0o710 if who else 0o700)


def _say(folder: Path, port: int, auth: bool) -> None:
    print(f"tracking server on PostgreSQL is ready, its data in {folder}; Ctrl-C stops it. For runs on this machine:")
    print(f"  export MLFLOW_TRACKING_URI=http://{HOST}:{port}")
    if auth:
        print(f'  export MLFLOW_TRACKING_USERNAME={ADMIN} MLFLOW_TRACKING_PASSWORD="$(cat {folder}/admin.password)"')
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description="An MLflow server on PostgreSQL, for this machine.")
    parser.add_argument("--folder", type=Path, default=Path("results/.server"))
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--auth", action="store_true", help="ask clients for a name and a password")
    parser.add_argument("more", nargs="*", help="after --: further arguments of `mlflow server`")
    asked = parser.parse_args()
    try:
        serve(asked.folder.absolute(), asked.port, asked.auth, asked.more)
    except (ServerError, OSError) as error:
        sys.exit(f"preimage: {error}")


if __name__ == "__main__":
    main()
