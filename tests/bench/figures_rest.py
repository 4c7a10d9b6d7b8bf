"""Figures of the API over HTTPS."""

import json
import subprocess

import figures_fleet
from figures import BENCH

RATE = 200
SLOW = 2000


def load(bench, controller, rate, slow):
    """rest_load's answer, the controller held to one core."""
    command = [BENCH / "rest_load", controller.rest_port, controller.data / "admin.token", rate, bench.seconds, slow]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"rest_load: {done.stderr}")
    return json.loads(done.stdout)


def rest(bench, table):
    """Summaries over HTTPS at a fixed rate on one core, alone and beside slow clients."""
    figures_fleet.big(bench)
    with bench.controller(figures_fleet.DATABASE) as controller:
        figures_fleet.ready(bench, controller)
        subprocess.run(["taskset", "-a", "-p", "-c", "0", str(controller.process.pid)], check=True, capture_output=True)
        floor = bench.api(controller, "summary", 1000, 1)
        alone = load(bench, controller, RATE, 0)
        beside = load(bench, controller, RATE, SLOW)
    table.add(f"REST summary, {bench.hosts:,} hosts, {RATE}/s on one core", "p99 10 ms",
              f"p99 {floor['p99']:.2f} ms over gRPC, one after the other", f"p99 {alone['p99']:.2f} ms (p50 {alone['p50']:.2f} ms)",
              f"{alone['p99'] / floor['p99']:.1f}", alone["p99"] <= 10)
    table.add(f"the same beside {SLOW:,} slow clients", "p99 50 ms", f"p99 {alone['p99']:.2f} ms without them",
              f"p99 {beside['p99']:.2f} ms; {beside['slow']:,} were connected", f"{beside['p99'] / alone['p99']:.1f}",
              beside["p99"] <= 50 and beside["slow"] >= SLOW * 0.95)
