"""What the figures of tests/bench/fleet share: programs under test, floors, and the table."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import plimsoll
import postgres
import simulator
from engine import wait_for

BENCH = simulator.SIMULATOR.parent
KIB, MIB = 1 << 10, 1 << 20


def say(text):
    load = os.getloadavg()[0]
    print(f"[{time.strftime('%H:%M:%S')} load {load:.1f}] {text}", file=sys.stderr, flush=True)


class Table:
    """Rows of figure, floor and what was measured; prints each as it comes."""

    def __init__(self):
        self.rows, self.missed = [], 0

    def add(self, what, limit, floor, measured, ratio, met):
        self.missed += not met
        row = f"| {what} | {limit} | {floor} | {measured} | {ratio} | {'yes' if met else '**no**'} |"
        self.rows.append(row)
        say(row)

    def __str__(self):
        return "\n".join(["| what | figure | floor | measured | ratio | met |", "| --- | --- | --- | --- | --- | --- |",
                          *self.rows])


def resident(pid):
    """Resident memory of a process, in bytes."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * KIB


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    """A durable PostgreSQL, and whatever a figure starts beside it. Use as a context manager."""

    def __init__(self, hosts, streams, seconds):
        # Size of the stored fleet, of the connected one, and how long a load lasts.
        self.hosts, self.streams, self.seconds = hosts, streams, seconds

    def __enter__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-bench-"))
        self.root.chmod(0o755)
        self.stack = contextlib.ExitStack()
        self.cluster = self.stack.enter_context(postgres.Cluster())
        self.databases = set()
        return self

    def __exit__(self, *_):
        self.stack.close()
        subprocess.run(["rm", "-rf", self.root], check=False)

    def database(self, name):
        """libpq's words for a database, made when it is new."""
        if name not in self.databases:
            self.cluster.create(name)
            self.databases.add(name)
        return f"host={self.cluster.sockets} user=plimsoll dbname={name}"

    def controller(self, name, *options):
        """A controller on database `name`; all of one name share their authority and their administrator."""
        made = plimsoll.Controller("--database-url", self.database(name), "--log-level", "info", *options)
        kept = self.root / f"keys-{name}"
        if kept.exists():
            subprocess.run(["cp", "-a", kept, made.data], check=True)
        return made

    def keep_keys(self, name, controller):
        """Lets the next controller on this database be the same one to hosts and people."""
        kept = self.root / f"keys-{name}"
        if not kept.exists():
            kept.mkdir(mode=0o700)
            subprocess.run(["cp", "-a", controller.data / "pki", controller.data / "admin.token", kept], check=True)

    def simulate(self, controller, fleet, *options):
        """A run of fleet_sim; `fleet` names its identities. Returns the running Simulator."""
        ca = controller.data / "pki" / "ca.pem" if hasattr(controller, "data") else controller.ca
        token = controller.token("--uses", "20000", "--lifetime", "12h")
        return simulator.Simulator(self.root, fleet, [f"localhost:{controller.collector_port}"], ca, token, "--connect-rate",
                                   "400", *options)

    def commit_floor(self, clients=1, seconds=4):
        """Durable commits of one row: (commits a second, average latency in ms)."""
        url = self.database("floor")
        self.cluster.sql("CREATE TABLE IF NOT EXISTS one (id bigserial PRIMARY KEY, t text)", "floor")
        script = self.root / "one.sql"
        script.write_text("INSERT INTO one (t) VALUES ('x');\n")
        done = subprocess.run(
            [postgres.BIN / "pgbench", "-n", "-f", script, "-c", str(clients), "-T", str(seconds), "-h", self.cluster.sockets,
             "-U", "plimsoll", url.rsplit("=", 1)[1]], capture_output=True, text=True, check=True)
        return (float(re.search(r"tps = ([\d.]+)", done.stdout)[1]),
                float(re.search(r"latency average = ([\d.]+) ms", done.stdout)[1]))

    def api(self, controller, *arguments):
        """api_load's answer."""
        done = subprocess.run(list(map(str, self.api_command(controller, *arguments))), capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"api_load {arguments}: {done.stderr}")
        return json.loads(done.stdout)

    def api_command(self, controller, *arguments):
        return [BENCH / "api_load", f"localhost:{controller.api_port}", controller.data / "pki" / "ca.pem",
                controller.data / "admin.token", *arguments]


class BareGateway:
    """bare_gateway, in the place of a controller."""

    def __init__(self, root, name="bare"):
        self.root = pathlib.Path(root) / name
        self.root.mkdir(mode=0o700, exist_ok=True)
        self.collector_port = plimsoll.free_port()
        self.ca = self.root / "ca.pem"

    def __enter__(self):
        self.process = subprocess.Popen([BENCH / "bare_gateway", f"127.0.0.1:{self.collector_port}", self.root],
                                        stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"serving\n":
            raise AssertionError("bare_gateway does not start")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def token(self, *_):
        return self.root / "token"


def settled(fleet, seconds=900):
    """Waits until all hosts of a running simulator are live and everything of theirs is acknowledged."""
    wait_for(fleet.loaded, "the fleet", seconds)
