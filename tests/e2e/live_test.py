"""A fleet that is watched: changes arrive by themselves, survive disconnections, and are judged when they were seen."""

import pathlib
import shutil
import signal
import time
import unittest

import engine as engines
import plimsoll
from engine import wait_for


class Spool:
    """What a collector that is cut off has written down."""

    QUIET_SECONDS = 3

    def __init__(self, state):
        self.file = state / "spool" / "spool"
        self.size = self.file.stat().st_size

    def wait_for_more(self):
        """Until something is written and then, one change being several events, nothing for a while."""
        changed = None

        def settled():
            nonlocal changed
            size = self.file.stat().st_size
            if size != self.size:
                self.size, changed = size, time.monotonic()
            return changed is not None and time.monotonic() - changed > self.QUIET_SECONDS

        wait_for(settled, "changes in the spool", 20)


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(engines.Engine("live"))

    def setUp(self):
        self.controller = self.enterContext(plimsoll.Controller())
        self.addCleanup(self.remove_containers)

    def remove_containers(self):
        ids = self.engine.docker("ps", "-aq").stdout.split()
        if ids:
            self.engine.docker("rm", "-f", *ids)

    def connect(self, *options, **named):
        agent = self.controller.agent(self.engine, *options, **named)
        wait_for(self.controller.evaluated_hosts, "first report", 60)
        return agent

    def privileged(self):
        """Names of the containers that rule 5.04 finds."""
        found = self.controller.json("findings", "--rule", "5.04", "--baseline", "azure-docker").get("findings", [])
        return {f["finding"]["object"].split(" ")[0] for f in found}

    def seconds_until(self, condition, what):
        """From now until the database had what makes `condition` hold; the command line that asks takes its own time."""
        start = time.time()
        wait_for(condition, what, 20)
        return float(self.controller.sql("SELECT extract(epoch FROM max(recorded)) FROM facts_snapshot")[0]) - start

    def status(self, rule):
        host = self.controller.evaluated_hosts()[0]["id"]
        return next(v for v in self.controller.json("host", host)["verdicts"] if v["ruleId"] == rule)["status"]

    def test_changes_of_the_engine_are_judged_at_once(self):
        self.connect()
        self.engine.start("bad", "--privileged")
        self.assertLess(self.seconds_until(lambda: self.privileged() == {"bad"}, "finding"), 2)
        self.engine.docker("rename", "bad", "worse")
        self.assertLess(self.seconds_until(lambda: self.privileged() == {"worse"}, "new name"), 2)
        self.engine.docker("rm", "-f", "worse")
        self.assertLess(self.seconds_until(lambda: self.privileged() == set(), "end of the finding"), 2)

    def test_a_violation_is_known_before_it_runs(self):
        self.connect()
        self.engine.docker("create", "--privileged", "--name", "planned", "bb", "sleep", "1")
        self.assertLess(self.seconds_until(lambda: self.privileged() == {"planned"}, "finding"), 2)

    def test_changes_of_files_are_judged_at_once(self):
        self.engine.write("/etc/docker/daemon.json", "{}", 0o644)
        self.connect()
        self.assertEqual(self.status("3.18"), "PASS")
        self.engine.run("chmod", "0666", "/etc/docker/daemon.json")
        self.assertLess(self.seconds_until(lambda: self.status("3.18") == "FAIL", "mode"), 2)
        # An editor writes another file and renames it.
        self.engine.run("bash", "-c", "echo '{}' > /etc/docker/new && chmod 0644 /etc/docker/new && "
                                      "mv /etc/docker/new /etc/docker/daemon.json")
        self.assertLess(self.seconds_until(lambda: self.status("3.18") == "PASS", "replacement"), 2)
        self.engine.run("rm", "/etc/docker/daemon.json")

    def test_a_restarted_engine_is_judged_anew(self):
        self.connect()
        self.assertEqual(self.status("2.02"), "PASS")
        self.engine.stop_daemon()
        wait_for(lambda: self.status("5.04") == "UNKNOWN", "engine gone", 20)
        self.engine.flags = ["--log-level=debug"]
        try:
            self.engine.start_daemon()
            wait_for(lambda: self.status("2.02") == "FAIL", "new flags", 20)
        finally:
            self.engine.stop_daemon()
            self.engine.flags = []
            self.engine.start_daemon()

    def test_a_burst_is_few_deltas(self):
        agent = self.connect("--interval", "10m")
        before = int(self.controller.sql("SELECT sequence FROM host")[0])
        script = "for i in $(seq 40); do docker -H unix:///run/docker.sock create --name burst-$i bb sleep 1 & done; wait"
        # However slow the machine makes them, they come to the collector as a burst.
        agent.send_signal(signal.SIGSTOP)
        try:
            self.engine.run("bash", "-c", script)
        finally:
            agent.send_signal(signal.SIGCONT)
        wait_for(lambda: self.controller.evaluated_hosts()[0]["containerCount"] == 40, "all containers", 20)
        self.assertLess(int(self.controller.sql("SELECT sequence FROM host")[0]) - before, 40)

    def test_an_unchanged_host_costs_no_row(self):
        self.connect("--interval", "10s")
        self.engine.start("quiet")
        wait_for(lambda: self.controller.evaluated_hosts()[0]["containerCount"] == 1, "container", 20)
        self.controller.cli("scan", "--all", "--wait")
        count = lambda: self.controller.sql("SELECT count(*) FROM facts_snapshot UNION ALL SELECT count(*) FROM transition")
        seen = lambda: self.controller.sql("SELECT last_seen FROM host")
        rows, first = count(), seen()
        wait_for(lambda: seen() != first, "sign of life", 60)
        self.assertEqual(count(), rows)

    def test_what_was_seen_while_cut_off_is_told_with_its_time(self):
        agent = self.connect()
        self.controller.stop()
        spool = Spool(agent.state)
        self.engine.start("bad", "--privileged")
        spool.wait_for_more()
        self.engine.docker("rm", "-f", "bad")
        # The collector itself is killed in between: what it saw is on disk.
        spool.wait_for_more()
        agent.kill()
        agent.wait(10)
        back = time.time()
        self.controller.start()
        self.controller.agent(self.engine, state=agent.state)
        host = self.controller.evaluated_hosts()[0]["id"]

        def transitions():
            page = self.controller.json("history", host, "--rule", "5.04", "--baseline", "azure-docker")
            return [t for t in page.get("transitions", []) if t["cause"] == "FACTS"]

        wait_for(lambda: len(transitions()) >= 2, "history", 30)
        newest, oldest = transitions()[0], transitions()[1]
        self.assertEqual((oldest["to"], newest["from"]), ("FAIL", "FAIL"))
        for transition in (oldest, newest):
            observed = self.controller.sql(f"SELECT extract(epoch FROM '{transition['observedTime']}'::timestamptz)")[0]
            recorded = self.controller.sql(f"SELECT extract(epoch FROM '{transition['recordedTime']}'::timestamptz)")[0]
            self.assertLess(float(observed), back)
            self.assertGreater(float(recorded), back)

    def test_silent_hosts_become_stale_and_leave_the_percentages(self):
        self.controller.stop()
        self.controller.options = ("--stale-after", "3s", "--heartbeat-interval", "1s")
        self.controller.start()
        agent = self.connect()
        wait_for(lambda: self.controller.json("summary")["evaluatedHostCount"] == 1, "the host", 30)
        agent.send_signal(signal.SIGSTOP)
        try:
            def stale():
                summary = self.controller.json("summary")
                return summary if summary.get("staleHostCount") == 1 else None

            summary = wait_for(stale, "stale", 30)
            self.assertEqual((summary.get("evaluatedHostCount", 0), summary.get("hostCount")), (0, 1))
            self.assertNotIn("complianceLower", summary)
            self.assertIn("stale", self.controller.cli("hosts").stdout.lower())
        finally:
            agent.send_signal(signal.SIGCONT)
        wait_for(lambda: self.controller.json("summary").get("evaluatedHostCount") == 1, "back", 30)

    def test_cloned_machines_are_quarantined(self):
        first = self.connect()
        clone_state = pathlib.Path(f"{first.state}-clone")
        shutil.copytree(first.state, clone_state)
        boot_id = self.controller.root / "boot_id"
        boot_id.write_text("00000000-1111-2222-3333-444444444444\n")
        other = ["unshare", "--mount", "bash", "-c",
                 f'mount --bind {boot_id} /proc/sys/kernel/random/boot_id && exec "$0" "$@"']
        clone = self.controller.agent(self.engine, state=clone_state, prefix=other)
        wait_for(lambda: self.controller.json("hosts")["hosts"][0]["connection"] == "QUARANTINED", "quarantine", 60)
        host = self.controller.json("hosts")["hosts"][0]
        self.assertIn("boot", host["quarantineReason"])
        self.assertEqual(self.controller.json("summary").get("quarantinedHostCount"), 1)
        self.assertIsNone(first.poll())
        # The clone is taken off; the host is let in again.
        clone.terminate()
        clone.wait(30)
        self.controller.cli("hosts", "--release", host["id"])
        first.terminate()
        first.wait(30)
        self.controller.agent(self.engine, state=first.state)
        wait_for(lambda: self.controller.json("hosts")["hosts"][0]["connection"] == "CONNECTED", "release", 60)

    def test_removed_hosts_leave_and_their_history_stays(self):
        agent = self.connect("--reconnect-max", "2s")
        host = self.controller.evaluated_hosts()[0]["id"]
        self.controller.cli("hosts", "--remove", host, "--reason", "scrapped")
        self.assertEqual(agent.wait(60), 3)
        wait_for(lambda: self.controller.json("hosts").get("hosts", []) == [], "removal", 30)
        self.assertTrue(self.controller.json("history", host)["transitions"])

    def test_a_schedule_scans(self):
        self.connect()
        self.controller.cli("schedule", "create", "every-minute", "--cron", "* * * * *", "--all")
        runs = lambda: self.controller.json("schedule", "runs", "every-minute").get("runs", [])
        wait_for(runs, "first run", 90)
        scan = self.controller.json("scan", "--show", runs()[0]["scanId"])
        self.assertEqual(scan["progress"]["targeted"], 1)
        self.controller.cli("schedule", "pause", "every-minute")
        self.assertNotIn("nextRunTime", self.controller.json("schedule", "show", "every-minute"))


if __name__ == "__main__":
    unittest.main()
