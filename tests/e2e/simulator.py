"""fleet_sim in tests: a simulated fleet, and what the database must hold after it."""

import json
import os
import pathlib
import subprocess

import plimsoll

SIMULATOR = pathlib.Path(os.environ.get("PLIMSOLL_BENCH_BIN", plimsoll.BIN / "tests" / "bench")).resolve() / "fleet_sim"


class Simulator:
    """One run. `addresses` are collectors' ports; `root` keeps identities, journal and log of `name`."""

    def __init__(self, root, name, addresses, ca, token, *options, namespace=None):
        self.journal_file = pathlib.Path(root) / f"{name}.journal"
        self.log_file = pathlib.Path(root) / f"{name}.log"
        self.command = [
            *(["ip", "netns", "exec", namespace] if namespace else []), SIMULATOR, "--controller", ",".join(addresses),
            "--ca", ca, "--token-file", token, "--state", pathlib.Path(root) / f"{name}.state", "--report", "json",
            "--progress", "--journal", self.journal_file, *options]
        self.process = None

    def start(self):
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(list(map(str, self.command)), stdout=subprocess.PIPE, stderr=log)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def log_text(self):
        return self.log_file.read_text(errors="replace")

    def loaded(self):
        """All hosts came up, and the load has begun."""
        if self.process.poll() is not None:
            raise AssertionError("fleet_sim ended:\n" + self.log_text()[-2000:])
        return "under load" in self.log_text()

    def report(self, seconds=300):
        """Waits for the end; the report, with the exit status as `status`."""
        output, _ = self.process.communicate(timeout=seconds)
        if not output:
            raise AssertionError(f"fleet_sim ended with {self.process.returncode}:\n" + self.log_text()[-2000:])
        return json.loads(output) | {"status": self.process.returncode}

    def journal(self):
        """Acknowledged changes in order: (host, sequence, digest, observed microseconds, kind)."""
        entries = []
        for line in self.journal_file.read_text().splitlines():
            host, sequence, digest, observed, kind = line.split()
            entries.append((host, int(sequence), digest, int(observed), kind))
        return entries


SNAPSHOTS = """SELECT host_id, sequence, encode(digest, 'hex'), micros(observed), micros(recorded), is_full
FROM facts_snapshot ORDER BY host_id, recorded, sequence"""


def stored(cluster, database):
    """Rows of facts_snapshot by host, in the order they were recorded."""
    rows = {}
    for host, sequence, digest, observed, recorded, is_full in cluster.sql(SNAPSHOTS, database):
        rows.setdefault(host, []).append((int(sequence), digest, int(observed), int(recorded), is_full == "t"))
    return rows


def check_history(test, cluster, database, entries):
    """Every acknowledged change is in the database, in order, exactly once; returns how many were looked at."""
    rows = stored(cluster, database)
    check_order(test, rows)
    for host, sequence, digest, in_sequence in cluster_heads(cluster, database, rows):
        test.assertEqual((sequence, digest), (in_sequence[0], in_sequence[1]), f"newest facts of {host}")
    places = {host: {row[0]: row for row in of_host} for host, of_host in rows.items()}
    seen = set()
    for host, sequence, digest, observed, kind in entries:
        what = f"change {sequence} of {host}"
        test.assertNotIn((host, sequence), seen, f"{what} was acknowledged twice")
        seen.add((host, sequence))
        row = places.get(host, {}).get(sequence)
        test.assertIsNotNone(row, f"{what} was acknowledged and is lost")
        test.assertEqual((row[1], row[2]), (digest, observed), what)
        if kind == "delta":
            test.assertIn(sequence - 1, places[host], f"what {what} applies to is lost")
    return len(entries)


def check_order(test, rows):
    """Sequences grow as they were recorded, none twice, and none is missing where a delta needs it."""
    for host, of_host in rows.items():
        sequences = [row[0] for row in of_host]
        test.assertEqual(sequences, sorted(set(sequences)), f"order of changes of {host}")
        for before, row in zip(of_host, of_host[1:]):
            if not row[4]:
                test.assertEqual(row[0], before[0] + 1, f"a gap before a delta of {host}")


def cluster_heads(cluster, database, rows):
    """(host, sequence, digest, newest row) of every host with facts, as table host has them."""
    heads = cluster.sql("SELECT id, sequence, encode(facts_digest, 'hex') FROM host WHERE facts_digest IS NOT NULL", database)
    for host, sequence, digest in heads:
        yield host, int(sequence), digest, rows[host][-1]
