"""A PostgreSQL of a test's own, durable, that may be killed and started again."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

from engine import wait_for

BIN = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))[-1]
# As the embedded cluster has it, with room for two controllers.
SETTINGS = {
    "listen_addresses": "", "max_connections": "120", "shared_buffers": "64MB", "max_parallel_workers_per_gather": "0",
    "work_mem": "8MB", "maintenance_work_mem": "64MB", "max_wal_size": "512MB", "wal_compression": "on", "jit": "off",
    "timezone": "UTC", "log_timezone": "UTC", "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
}


class Cluster:
    """Use as a context manager. `root` is where it lives, e.g. a small tmpfs; `settings` change SETTINGS."""

    def __init__(self, root=None, **settings):
        self.own_root = root is None
        self.root = pathlib.Path(root or tempfile.mkdtemp(prefix="plimsoll-pg-"))
        self.settings = SETTINGS | settings
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.sockets = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-pgs-"))
        self.process = None

    def __enter__(self):
        self.root.mkdir(exist_ok=True)
        for folder in (self.root, self.sockets):
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
            folder.chmod(0o700)
        if not (self.root / "data").exists():
            self._run("initdb", "-D", self.root / "data", "-U", "plimsoll", "-A", "trust", "-E", "UTF8", "--locale=C",
                      "--no-sync", "--no-instructions")
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.sockets, ignore_errors=True)
        if self.own_root:
            shutil.rmtree(self.root, ignore_errors=True)

    def _command(self, program, *arguments):
        prefix = ["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--init-groups", "--"]
        return [*(prefix if os.geteuid() == 0 else []), str(BIN / program), *map(str, arguments)]

    def _run(self, program, *arguments):
        done = subprocess.run(self._command(program, *arguments), capture_output=True, text=True, cwd="/")
        if done.returncode != 0:
            raise AssertionError(f"{program}: {done.stderr}")
        return done.stdout

    def start(self):
        """Starts it, after a kill too, and waits until it answers."""
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        self.log = open(self.sockets / "log", "ab")
        self.process = subprocess.Popen(
            self._command("postgres", "-D", self.root / "data", "-k", self.sockets, *options),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd="/", start_new_session=True)
        self.log.close()

        def up():
            if self.process.poll() is not None:
                raise AssertionError("PostgreSQL ended:\n" + self.log_text()[-2000:])
            return self.answers()

        wait_for(up, "PostgreSQL", 60)

    def answers(self):
        return subprocess.run([BIN / "pg_isready", "-q", "-h", self.sockets]).returncode == 0

    def log_text(self):
        return (self.sockets / "log").read_text(errors="replace")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9 of all its processes at once; what was committed must be there after `start`."""
        if self.process is None:
            return
        for pid in self._processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(30)
        # The next start refuses while one of these holds the shared memory.
        wait_for(lambda: not self._processes(), "end of PostgreSQL's processes", 30)
        self.process = None

    def _processes(self):
        """The postmaster and everything it started, by their session: backends have their own groups."""
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except (OSError, IndexError):
                continue
            if fields[0] != "Z" and (int(stat.parent.name) == self.process.pid or self._is_child(stat.parent, fields)):
                found.append(int(stat.parent.name))
        return found

    def _is_child(self, process, fields):
        if int(fields[1]) == self.process.pid:
            return True
        try:
            return os.readlink(process / "cwd") == str(self.root / "data")
        except OSError:
            return False

    def create(self, name):
        """A new database; returns libpq's words for it."""
        self.sql(f'CREATE DATABASE "{name}"')
        return f"host={self.sockets} user=plimsoll dbname={name}"

    def sql(self, statement, database="postgres"):
        """Rows of a statement, as lists of texts."""
        done = subprocess.run(
            [BIN / "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", self.sockets, "-U", "plimsoll",
             "-d", database, "-c", statement], capture_output=True, text=True, cwd="/")
        if done.returncode != 0:
            raise AssertionError(f"{statement[:200]}: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]
