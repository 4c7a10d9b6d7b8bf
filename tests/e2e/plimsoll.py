"""The programs under test, as their users run them."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

from engine import wait_for

BIN = pathlib.Path(os.environ.get("PLIMSOLL_BIN", "build")).resolve()


# Kept bound, never listening, so that nobody else is given these ports; servers that allow reuse may still listen.
_RESERVED = []


def free_port():
    """A port for a server on the loopback that stays free until this process ends."""
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    probe.bind(("127.0.0.1", 0))
    _RESERVED.append(probe)
    return probe.getsockname()[1]


def collect(engine, *options, socket=None):
    """One collection of `engine` (or of what listens on `socket`) into a file; returns its path."""
    out = engine.root / "facts.binpb"
    subprocess.run([BIN / "plimsoll-collector", "--once", "--out", out, "--docker-socket", socket or engine.socket,
                    *options], check=True, timeout=60)
    return out


def evaluate(facts, baseline="azure-docker"):
    """The report of a facts file: {rule id: verdict}."""
    done = subprocess.run([BIN / "plimsoll", "evaluate", "--facts", facts, "--baseline", baseline, "-o", "json"],
                          check=True, capture_output=True, text=True, timeout=60)
    # Libraries complain here when a text is not what it should be.
    if done.stderr:
        raise AssertionError(f"evaluate wrote to standard error: {done.stderr}")
    return {verdict["ruleId"]: verdict for verdict in json.loads(done.stdout)["verdicts"]}


class Agent(subprocess.Popen):
    """A running collector. Its log is in `log_file`, its state in `state`."""

    def __init__(self, command, log_file, state):
        with open(log_file, "wb") as log:
            super().__init__(command, stdout=log, stderr=subprocess.STDOUT)
        self.log_file = log_file
        self.state = state

    def wait(self, timeout=None):
        try:
            return super().wait(timeout)
        except subprocess.TimeoutExpired:
            log = self.log_file.read_text(errors="replace")
            raise AssertionError(f"the collector still runs after {timeout} s:\n{log[-3000:]}") from None


class Controller:
    """A controller with its embedded database, and a command line that is logged in to it."""

    def __init__(self, *options, address="127.0.0.1"):
        self.options = options
        self.address = address
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-controller-"))
        self.root.chmod(0o755)
        self.data = self.root / "data"
        self.collector_port = free_port()
        self.api_port = free_port()
        self.rest_port = free_port()
        self.process = None
        self.agents = []

    def __enter__(self):
        try:
            self.start()
            self.cli("login", "--server", f"localhost:{self.api_port}", "--ca", self.data / "pki" / "ca.pem",
                     "--token-file", self.data / "admin.token")
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        with open(self.root / "controller.log", "ab") as log:
            started_before = self.log_text().count("serving ")
            self.process = subprocess.Popen(
                [BIN / "plimsoll-controller", "--data-dir", self.data, "--listen-collectors",
                 f"{self.address}:{self.collector_port}", "--listen-api", f"127.0.0.1:{self.api_port}", "--rest-address",
                 f"127.0.0.1:{self.rest_port}", *self.options],
                stdout=log, stderr=log)
        wait_for(lambda: self.process.poll() is not None or self.log_text().count("serving ") > started_before,
                 "controller", 60)
        if self.process.poll() is not None:
            raise AssertionError("the controller ended:\n" + self.log_text())

    def log_text(self):
        return (self.root / "controller.log").read_text(errors="replace")

    def log_has(self, text):
        return text in self.log_text()

    def cli(self, *arguments, check=True):
        """Runs `plimsoll`; returns the finished process."""
        result = subprocess.run([BIN / "plimsoll", "--credentials", self.root / "credentials.yaml", *arguments],
                                capture_output=True, text=True, timeout=120)
        if check and result.returncode != 0:
            raise AssertionError(f"plimsoll {arguments}: {result.returncode}: {result.stderr}\n{self.log_text()[-3000:]}")
        return result

    def json(self, *arguments):
        return json.loads(self.cli(*arguments, "-o", "json").stdout)

    def _ask_database(self, program, *options):
        postgres = self.data / "postgres"
        named = postgres / "socket_dir"
        folder = named.read_text().strip() if named.exists() else postgres / "run"
        done = subprocess.run([program, *options, "-h", folder, "-p", "5432", "-U", "plimsoll", "-d", "plimsoll"],
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"{program}: {done.stderr}")
        return done.stdout

    def sql(self, statement):
        """Rows of `statement`, asked of the embedded database; one line a row, columns separated by "|"."""
        return self._ask_database("psql", "-X", "-At", "-c", statement).splitlines()

    def stored_bytes(self):
        """Everything the embedded database holds, as it is, and what is packed in it, unpacked."""
        dump = self._ask_database("pg_dump", "--data-only")
        columns = [bytes.fromhex(digits) for digits in re.findall(r"\\\\x((?:[0-9a-f]{2})+)", dump)]
        packed = b"".join(column for column in columns if column.startswith(b"\x28\xb5\x2f\xfd"))
        plain = subprocess.run(["zstd", "-dcq"], input=packed, stdout=subprocess.PIPE, check=True, timeout=60).stdout
        return b"\n".join([dump.encode(), *columns]), plain

    def token(self, *options):
        """A new enrolment token's file."""
        file = self.root / f"token-{len(list(self.root.glob('token-*')))}"
        self.cli("token", "create", "--out", file, *options)
        return file

    def agent(self, engine, *options, token=None, state=None, authority=None, prefix=()):
        """Starts a collector for `engine`, behind the command words `prefix`."""
        state = state or self.root / f"state-{len(self.agents)}"
        process = Agent(
            [*prefix, BIN / "plimsoll-collector", "--controller", f"localhost:{self.collector_port}", "--ca",
             authority or self.data / "pki" / "ca.pem", "--enroll-token-file", token or self.token(), "--state-dir", state,
             "--docker-socket", engine.socket, *options],
            self.root / f"collector-{len(self.agents)}.log", state)
        self.agents.append(process)
        return process

    def evaluated_hosts(self):
        return [host for host in self.json("hosts").get("hosts", []) if host["counts"]]

    def stop(self, kill=False):
        if self.process and self.process.poll() is None:
            self.process.kill() if kill else self.process.terminate()
            self.process.wait(60)

    def __exit__(self, *_):
        for agent in self.agents:
            if agent.poll() is None:
                agent.terminate()
                agent.wait(45)
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
