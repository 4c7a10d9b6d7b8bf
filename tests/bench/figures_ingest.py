"""Figures of what collectors send: deltas, snapshots, streams, heartbeats, and what an unchanged host costs."""

import time

from figures import KIB, MIB, BareGateway, resident, say, settled

LOADED_HOSTS = 1000
# Until last-seen times are written over the places of older ones, and tables grow no more for them.
WARM_SECONDS = 240
# Between heartbeats of an unchanged host, as the controller asks by default.
HEARTBEAT_SECONDS = 30


def load(bench, controller, *options, seconds=None):
    """A fleet of 50 containers a host under load; fleet_sim's report of it, rates added."""
    with bench.simulate(controller, "loaded", "--hosts", LOADED_HOSTS, "--containers", 50, "--duration",
                        f"{seconds or bench.seconds}s", *options) as fleet:
        report = fleet.report(1200)
    part = report["load"]
    part["waiting"] = report["waiting"]
    for name in ("deltas_acknowledged", "snapshots_acknowledged", "heartbeats"):
        part[name + "_rate"] = part[name] / part["seconds"]
    if part["errors"] or part["slow_downs"] or part["dropped"]:
        say(f"errors {part['errors']}, slow-downs {part['slow_downs']}, dropped {part['dropped']}")
    return part


def deltas(bench, table):
    """Changes of one container each: the rate at a tenth more than the figure, the acknowledgement at the figure."""
    with BareGateway(bench.root) as bare:
        bare_rate = load(bench, bare, "--churn", 20000, seconds=5)["deltas_acknowledged_rate"]
    commits, latency = bench.commit_floor(clients=8)
    with bench.controller("deltas") as controller:
        part = load(bench, controller, "--churn", 1650)
    # How long it takes at the figure itself: above what is taken, any queue grows for ever.
    with bench.controller("deltas-at-figure") as controller:
        at_figure = load(bench, controller, "--churn", 1500)
    rate = part["deltas_acknowledged_rate"]
    kept_up = part["waiting"] <= rate
    table.add("changed-container deltas committed and acknowledged", "1,500/s",
              f"{bare_rate:,.0f}/s through a gateway that does nothing; {commits:,.0f}/s one-row commits, 8 clients",
              f"{rate:,.0f}/s of 1,650/s offered", f"{rate / bare_rate:.2f}", rate >= 1500 and kept_up)
    # From the change on, so that waiting for a turn counts.
    p99 = at_figure["change_ms"]["p99"]
    table.add("their acknowledgement at 1,500/s, p99", "500 ms", f"{latency:.1f} ms a one-row commit, 8 clients",
              f"{p99:.0f} ms (p50 {at_figure['change_ms']['p50']:.0f} ms); at 1,650/s offered {part['change_ms']['p99']:.0f} ms",
              f"{p99 / latency:.0f}", p99 <= 500)


def snapshots(bench, table):
    """Full snapshots of 50 containers, offered at a tenth more than the figure."""
    with BareGateway(bench.root) as bare:
        bare_rate = load(bench, bare, "--snapshots", 3000, seconds=5)["snapshots_acknowledged_rate"]
    with bench.controller("snapshots") as controller:
        part = load(bench, controller, "--snapshots", 330)
    rate = part["snapshots_acknowledged_rate"]
    table.add("full snapshots (50 containers) evaluated and committed", "300/s",
              f"{bare_rate:,.0f}/s through a gateway that does nothing",
              f"{rate:,.0f}/s of 330/s offered, p99 {part['change_ms']['p99']:.0f} ms", f"{rate / bare_rate:.2f}",
              rate >= 300 and part["waiting"] <= rate)


def idle_streams(bench, server, fleet):
    """Memory a stream of hosts that have nothing to say takes in `server`, and the heartbeats it then takes a second."""
    before = resident(server.process.pid)
    with bench.simulate(server, fleet, "--hosts", bench.streams, "--containers", 5, "--heartbeat-interval", "30s", "--duration",
                        "8s") as run:
        settled(run)
        time.sleep(5)
        grown = resident(server.process.pid) - before
        report = run.report(600)
    return grown / bench.streams, report["live"]


def beating(bench, server, fleet, seconds, warm=0, before=lambda: None, after=lambda: None):
    """A heartbeat a second of each; `before` after `warm` seconds and `after` when `seconds` more are nearly over."""
    with bench.simulate(server, fleet, "--hosts", bench.streams, "--containers", 5, "--heartbeat-interval", "1s", "--duration",
                        f"{warm + seconds}s") as run:
        settled(run)
        time.sleep(warm)
        before()
        time.sleep(seconds - 2)
        after()
        report = run.report(600)
    part = report["load"]
    part["heartbeats_rate"] = part["heartbeats"] / part["seconds"]
    return part


def first_facts(bench, server, fleet):
    """All hosts send everything once, and keep still from then on."""
    with bench.simulate(server, fleet, "--hosts", bench.streams, "--containers", 5, "--duration", "1s") as run:
        say(f"first facts: {run.report(1800)['ramp']['seconds']:.0f} s")


def streams(bench, table):
    """Live TLS streams of hosts whose facts are stored already: memory, heartbeats, rows, storage."""
    with BareGateway(bench.root) as bare:
        first_facts(bench, bare, "bare-streams")
    with BareGateway(bench.root) as bare:
        floor_bytes, _ = idle_streams(bench, bare, "bare-streams")
        floor_rate = beating(bench, bare, "bare-streams", 10)["heartbeats_rate"]
    with bench.controller("streams") as controller:
        bench.keep_keys("streams", controller)
        first_facts(bench, controller, "streams")
    with bench.controller("streams") as controller:
        each, live = idle_streams(bench, controller, "streams")
        table.add("live TLS streams on one controller", f"{bench.streams:,}, 100 KiB each", f"{floor_bytes / KIB:.0f} KiB each, streams alone",
                  f"{live:,}, {each / KIB:.0f} KiB each", f"{each / max(floor_bytes, 1):.2f}",
                  live >= bench.streams and each <= 100 * KIB)
    with bench.controller("streams") as controller:
        marks = []
        mark = lambda: marks.append(storage(bench, "streams"))
        part = beating(bench, controller, "streams", 4 * bench.seconds, WARM_SECONDS, mark, mark)
    first, last = marks
    rate, seconds = part["heartbeats_rate"], last["time"] - first["time"]
    written = (last["rows"] - first["rows"]) / seconds
    touched = (last["touched"] - first["touched"]) / seconds
    table.add("heartbeats of unchanged hosts", f"{bench.streams:,}/s, no row but last-seen", f"{floor_rate:,.0f}/s (offered {bench.streams:,}/s)",
              f"{rate:,.0f}/s, {part['heartbeats_late']} late; {written:.1f} rows/s beside {touched:,.0f} last-seen/s",
              f"{rate / floor_rate:.2f}", rate >= 0.98 * floor_rate and rate >= 0.98 * bench.streams and written < 10)
    unchanged(bench, table, first, last)


def storage(bench, database):
    """Sizes and row counts of a database now."""
    sql = lambda text: bench.cluster.sql(text, database)
    sizes = {name: int(size) for name, size in sql(
        "SELECT relname, pg_relation_size(oid) + pg_relation_size(oid, 'fsm') + pg_relation_size(oid, 'vm') FROM pg_class "
        "WHERE relkind IN ('r', 'i', 't') AND NOT relisshared AND relnamespace::regnamespace::text IN ('public', 'pg_toast')")}
    touched, others = sql("""SELECT coalesce(sum(n_tup_upd) FILTER (WHERE relname = 'host'), 0),
        coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del) FILTER (WHERE relname NOT IN ('host', 'controller')), 0)
        + coalesce(sum(n_tup_ins) FILTER (WHERE relname = 'host'), 0) FROM pg_stat_user_tables""")[0]
    return {"time": time.monotonic(), "sizes": sizes, "touched": int(touched), "rows": int(others)}


def unchanged(bench, table, first, last):
    """A day of an unchanged host: what its last-seen times leave behind, and its share of the fleet's daily points."""
    beats = (last["touched"] - first["touched"]) / bench.streams
    days = beats * HEARTBEAT_SECONDS / 86400
    growth = {name: size - first["sizes"].get(name, 0) for name, size in last["sizes"].items()}
    say(f"grown, in bytes: {({name: size for name, size in growth.items() if size})}")
    grown = max(sum(growth.values()), 0) / bench.streams
    points = bench.cluster.sql("SELECT coalesce(sum(pg_column_size(d.*)), 0), count(*) FROM fleet_day d", "streams")[0]
    daily = int(points[0]) / bench.streams
    total = grown / max(days, 1e-9) + daily
    table.add("steady-state storage of an unchanged host", "1 KiB a day", "0: nothing new to keep",
              f"{total:.0f} B a day ({grown:.1f} B after {beats:.0f} last-seen, {daily:.1f} B in {points[1]} daily points)", "",
              beats > 0 and total <= KIB)
