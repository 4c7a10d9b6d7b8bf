"""Figures that need a real Docker engine: from an event to the verdict, and what an idle collector costs."""

import http.client
import json
import socket
import statistics
import subprocess
import threading
import time

import engine as engines
from engine import wait_for
from figures import MIB, processor_seconds, resident, say

RUNS = 100
RULE = "5.04"


class Docker(http.client.HTTPConnection):
    """The engine's API over its socket."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None):
        self.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        reply = self.getresponse()
        text = reply.read()
        if reply.status >= 400:
            raise AssertionError(f"{method} {path}: {reply.status} {text[:300]}")
        return json.loads(text) if text else None


class Events:
    """Times of the engine's events, by container name and action, in seconds of the wall clock; and how late they came."""

    def __init__(self, path):
        self.times, self.late = {}, []
        connection = Docker(path)
        connection.request("GET", '/events?filters={"type":["container"]}')
        self.reply = connection.getresponse()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while line := self.reply.readline():
            event = json.loads(line)
            self.late.append(time.time() - event["timeNano"] / 1e9)
            self.times[event["Actor"]["Attributes"]["name"], event["Action"]] = event["timeNano"] / 1e9


class Watch:
    """When the API first named a container as failing, and when it no longer did; by api_load's poll."""

    def __init__(self, command):
        self.process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        self.since, self.now = {}, set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            nanoseconds, *objects = line.split()
            for name in set(objects) - self.now:
                self.since[name] = int(nanoseconds) / 1e9
            self.now = set(objects)

    def stop(self):
        self.process.kill()
        self.process.wait()


def event_runs(engine, docker, events, watch):
    """RUNS times `docker run --privileged`: [(event to verdict, verdict before start)]."""
    runs = []
    for number in range(RUNS):
        name = f"priv{number}"
        engine.start(name, "--privileged", "--network", "none")
        wait_for(lambda: name in watch.since and (name, "start") in events.times, f"verdict of {name}", 30)
        created, started, known = events.times[name, "create"], events.times[name, "start"], watch.since[name]
        runs.append((known - created, known < started))
        docker.ask("DELETE", f"/containers/{name}?force=1")
        wait_for(lambda: name not in watch.now, f"end of {name}", 30)
        # Slower than what a collector may send, so that no run waits for the one before.
        time.sleep(0.5)
    return runs


def events(bench, table):
    """From the engine's event to the verdict readable through the API, and whether that is before the start event."""
    with engines.Engine("bench") as engine, bench.controller("events") as controller:
        controller.agent(engine)
        wait_for(controller.evaluated_hosts, "first report", 60)
        host = controller.evaluated_hosts()[0]["id"]
        docker = Docker(engine.socket)
        heard = Events(engine.socket)
        watch = Watch(bench.api_command(controller, "watch", host, RULE, 600))
        try:
            runs = event_runs(engine, docker, heard, watch)
            engine.start("one")
            asked = []
            for _ in range(50):
                begin = time.monotonic()
                docker.ask("GET", "/containers/one/json")
                asked.append(time.monotonic() - begin)
        finally:
            watch.stop()
    floor = statistics.median(heard.late) * 1000 + statistics.median(asked) * 1000 + bench.commit_floor()[1]
    times = sorted(1000 * run[0] for run in runs)
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    table.add("event to the verdict readable through the API", "p50 25 ms, p99 150 ms", f"{floor:.1f} ms event, inspect and commit",
              f"p50 {p50:.1f} ms, p99 {p99:.0f} ms", f"{p50 / floor:.1f}", p50 <= 25 and p99 <= 150)
    known = sum(run[1] for run in runs)
    gap = statistics.median(heard.times[f"priv{i}", "start"] - heard.times[f"priv{i}", "create"] for i in range(RUNS))
    table.add("a privileged container's verdict, before its `start` event", "95 of 100", f"`start` {gap * 1000:.0f} ms after `create`",
              f"{known} of {RUNS}", "", known >= 0.95 * RUNS)


def collector_idle(bench, table):
    """Processor time over a minute, and memory, of a collector that watches 50 running containers."""
    with engines.Engine("idle") as engine, bench.controller("idle") as controller:
        for number in range(50):
            engine.start(f"c{number}", "--network", "none")
        agent = controller.agent(engine)
        wait_for(controller.evaluated_hosts, "first report", 60)
        time.sleep(30)
        before = processor_seconds(agent.pid)
        time.sleep(60)
        share = (processor_seconds(agent.pid) - before) / 60
        memory = resident(agent.pid)
        say(f"processor time in a minute: {share * 60 * 1000:.0f} ms")
    table.add("collector idle, 50 containers", "0.1 % of a core, 24 MiB", "0: nothing happens",
              f"{share * 100:.3f} %, {memory / MIB:.1f} MiB", "", share <= 0.001 and memory <= 24 * MIB)
