"""Figures of a big fleet that is stored: start, lists, summaries, re-evaluation."""

import re
import time

import plimsoll
from engine import wait_for
from figures import MIB, resident, say

# Hosts ingested for real; all others are their copies.
TEMPLATES = 200
CONTAINERS = 10
DATABASE = "big"
REPOSITORY = plimsoll.pathlib.Path(__file__).resolve().parents[2]

# As ids look, different for every copy.
NEW_ID = "'h-' || substr(translate(md5(%s || k::text), '0189', 'wxyz'), 1, 26)"


def columns(bench, table):
    """Columns of a table that an INSERT may set."""
    return [row[0] for row in bench.cluster.sql(
        f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped "
        "AND attidentity = '' AND attgenerated = '' ORDER BY attnum", DATABASE)]


def multiply(bench, table, id_column, copies, **changed):
    """Copies the rows of every host `copies` times under new ids; `changed` are other columns' expressions."""
    names = columns(bench, table)
    values = [NEW_ID % id_column if name == id_column else changed.get(name, name) for name in names]
    bench.cluster.sql(f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM {table}, "
                      f"generate_series(1, {copies}) AS k", DATABASE)


def big(bench):
    """A stored fleet of bench.hosts hosts of 10 containers, made once. What the controller wrote for TEMPLATES hosts is
    multiplied; transitions, which none of these figures reads, are left as they are."""
    if DATABASE in bench.databases:
        return
    with bench.controller(DATABASE) as controller:
        bench.keep_keys(DATABASE, controller)
        with bench.simulate(controller, "templates", "--hosts", TEMPLATES, "--containers", CONTAINERS, "--duration", "1s") as run:
            if run.report()["live"] != TEMPLATES:
                raise AssertionError("the templates were not ingested")
    copies = bench.hosts // TEMPLATES - 1
    begin = time.monotonic()
    # Heard of from now on, so that they are not stale while the figures are taken.
    multiply(bench, "host", "id", copies, hostname="hostname || '-' || k", last_seen="now() + interval '1 day'",
             changed="pg_current_xact_id()", connected="false")
    for table in ("facts_snapshot", "host_report"):
        multiply(bench, table, "host_id", copies)
    bench.cluster.sql("VACUUM ANALYZE", DATABASE)
    bench.cluster.sql("CHECKPOINT", DATABASE)
    size = int(bench.cluster.sql("SELECT pg_database_size(current_database())", DATABASE)[0][0])
    say(f"{bench.hosts} hosts stored, {size / MIB:.0f} MiB, made in {time.monotonic() - begin:.0f} s")


def reading_floor(bench, statement):
    """Seconds that reading the same rows takes, thrown away by the server."""
    begin = time.monotonic()
    bench.cluster.sql(f"COPY ({statement}) TO PROGRAM 'cat >/dev/null'", DATABASE)
    return time.monotonic() - begin


def start(bench, table):
    """From the start of the process until the fleet can be asked about."""
    big(bench)
    floor = reading_floor(bench, "SELECT * FROM host JOIN host_report ON host_id = id")
    begin = time.monotonic()
    with bench.controller(DATABASE) as controller:
        wait_for(lambda: summary(controller).get("hostCount", 0) >= bench.hosts * 0.99, "the whole fleet", 300)
        took = time.monotonic() - begin
        say(f"controller takes {resident(controller.process.pid) / MIB:.0f} MiB")
    table.add(f"controller start with {bench.hosts:,} hosts stored", "10 s to ready", f"{floor:.1f} s to read the rows",
              f"{took:.1f} s", f"{took / floor:.1f}", took <= 10)


def summary(controller):
    done = controller.cli("summary", "-o", "json", check=False)
    return plimsoll.json.loads(done.stdout) if done.returncode == 0 else {}


def ready(bench, controller):
    wait_for(lambda: summary(controller).get("hostCount", 0) >= bench.hosts * 0.99, "the whole fleet", 300)


def summaries(bench, table):
    """Summaries over label selectors, both baselines by turns."""
    big(bench)
    with bench.controller(DATABASE) as controller:
        ready(bench, controller)
        floor = bench.api(controller, "bare", 2000)
        got = bench.api(controller, "summary", 3000, 1)
    table.add(f"summary for any label selector, {bench.hosts:,} hosts, both baselines", "p99 5 ms",
              f"p99 {floor['p99']:.2f} ms a call that does nothing",
              f"p99 {got['p99']:.2f} ms (p50 {got['p50']:.2f} ms, {got['rows'] / got['count']:,.0f} hosts on average)",
              f"{got['p99'] / floor['p99']:.1f}", got["p99"] <= 5)


def pages(bench, table):
    """Pages of 100, first and later ones, with and without selectors."""
    big(bench)
    with bench.controller(DATABASE) as controller:
        ready(bench, controller)
        floor = bench.api(controller, "bare", 2000)
        for kind in ("hosts", "findings"):
            got = bench.api(controller, kind, 1000, 1)
            table.add(f"a page of {kind}, {bench.hosts:,} hosts", "p99 50 ms", f"p99 {floor['p99']:.2f} ms a call that does nothing",
                      f"p99 {got['p99']:.1f} ms (p50 {got['p50']:.1f} ms, {got['rows'] / got['count']:.0f} rows a page)",
                      f"{got['p99'] / floor['p99']:.0f}", got["p99"] <= 50)


def new_versions(bench):
    """Both shipped baselines under another version: every host must be judged again."""
    files = []
    for name in ("azure-docker", "edge-docker"):
        text = (REPOSITORY / "controller" / "baselines" / f"{name}.yaml").read_text()
        text, count = re.subn(r"(?m)^version: .*$", 'version: "99.0"', text, count=1)
        assert count == 1
        file = bench.root / f"{name}.yaml"
        file.write_text(text)
        files.append(file)
    return files


def reevaluation(bench, table):
    """A controller starts with other documents and judges the whole fleet by them, while hosts go on sending."""
    big(bench)
    floor = reading_floor(bench, "SELECT content FROM facts_snapshot")
    begin = time.monotonic()
    bench.cluster.sql("BEGIN; UPDATE host_report SET statuses = statuses; ROLLBACK", DATABASE)
    floor += time.monotonic() - begin
    options = [word for file in new_versions(bench) for word in ("--baseline", file)]
    with bench.controller(DATABASE, *options) as controller:
        begin = time.monotonic()
        with bench.simulate(controller, "templates", "--hosts", TEMPLATES, "--containers", CONTAINERS, "--churn", 200,
                            "--duration", "45s") as run:
            took = finished(bench, begin)
            load = run.report()["load"]
    rate = load["deltas_acknowledged"] / load["seconds"]
    table.add(f"whole-fleet re-evaluation, {bench.hosts:,} hosts of {CONTAINERS} containers, both baselines",
              "60 s, ingestion goes on", f"{floor:.1f} s to read the facts and touch the reports",
              f"{took:.1f} s; meanwhile {rate:.0f} of 200 deltas/s, p99 {load['change_ms']['p99']:.0f} ms", f"{took / floor:.1f}",
              took <= 60 and rate >= 190)


def finished(bench, begin):
    """Seconds until no host is judged by an older document."""
    outdated = """SELECT count(*) FROM host_report r WHERE NOT EXISTS
        (SELECT FROM baseline b WHERE b.digest = r.baseline_digest AND b.version = '99.0')"""

    def done():
        time.sleep(0.4)
        left = int(bench.cluster.sql(outdated, DATABASE)[0][0])
        return left == 0

    wait_for(done, "re-evaluation", 900)
    return time.monotonic() - begin
