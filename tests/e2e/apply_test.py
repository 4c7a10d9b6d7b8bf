"""Policy in files, applied to a real controller over a real engine; labels, saved selectors, and what uses them."""

import datetime
import json
import pathlib
import re
import textwrap
import unittest

import engine as engines
import plimsoll
from engine import wait_for

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "deploy/examples/policy"
SECRET = "a secret of sixteen bytes or more"
EXPIRY, SOONER = ((datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%dT00:00:00Z")
                  for days in (90, 60))


class Apply(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(engines.Engine("apply"))

    def setUp(self):
        self.controller = self.enterContext(plimsoll.Controller())
        self.addCleanup(self.remove_containers)
        self.controller.agent(self.engine, "--label", "env=prod", "--label", "tier=web")
        wait_for(self.controller.evaluated_hosts, "first report", 60)
        self.host = self.controller.evaluated_hosts()[0]["id"]
        self.folder = self.controller.root / "policy"
        self.folder.mkdir()

    def remove_containers(self):
        ids = self.engine.docker("ps", "-aq").stdout.split()
        if ids:
            self.engine.docker("rm", "-f", *ids)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(textwrap.dedent(text).replace("EXPIRY", EXPIRY))
        path.chmod(0o600)
        return path

    def apply(self, *options, check=True):
        return self.controller.cli("apply", "-f", self.folder, *options, check=check)

    def plan(self, *options):
        done = self.controller.cli("apply", "-f", self.folder, "--dry-run", "-o", "json", *options, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return json.loads(done.stdout)

    def second(self, *arguments):
        """Runs `plimsoll` as another person."""
        token = self.controller.root / "second.token"
        if not token.exists():
            self.controller.cli("api-token", "create", "second", "--role", "admin", "--out", token)
        return self.controller.cli("--token-file", token, *arguments)

    def actions(self, plan):
        return {f"{o['kind']}/{o['name']}": o["action"] for o in plan["objects"] if o["action"] != "none"}

    def write_policy(self):
        self.write("selectors.yaml", """\
            kind: Selector
            metadata: {name: live}
            spec: {expression: "env=prod,!canary"}
            """)
        self.write("rest.yaml", """\
            kind: Labels
            metadata: {name: owners}
            spec:
              selector: {expression: "@live"}
              set: {owner: shop}
            ---
            kind: Schedule
            metadata: {name: nightly}
            spec:
              cron: "0 2 * * *"
              timeZone: Europe/Berlin
              selector: {expression: "@live"}
              timeout: 300s
            ---
            kind: Tailoring
            metadata: {name: quiet}
            spec:
              baseline: azure-docker
              selector: {labels: {role: build}}
              rules: [{rule: container-not-privileged, severity: LOW}]
            ---
            kind: Waiver
            metadata: {name: devices}
            spec:
              rules: [{baseline: azure-docker, rule: container-not-privileged}]
              selector: {labels: {role: backup}}
              reason: needs devices
              owner: storage
              expireTime: EXPIRY
            ---
            kind: NotificationChannel
            metadata: {name: oncall}
            spec:
              webhook: {url: "https://example.com/hook", secretFile: hook.key}
              selector: "@live"
            """)
        self.write("hook.key", SECRET)

    def test_files_applied_twice_changed_and_pruned(self):
        self.write_policy()
        dry = self.apply("--dry-run", check=False)
        self.assertEqual(dry.returncode, 1, dry.stderr)
        self.assertIn("+ Selector live", dry.stdout)
        self.assertIn("Would be: 5 created, 1 changed, 0 pruned; 0 unchanged.", dry.stdout)
        self.assertNotIn(SECRET, dry.stdout + dry.stderr)
        self.assertEqual(self.controller.json("schedule", "list").get("schedules", []), [])
        self.apply()
        self.assertEqual(self.labels()["owner"], "shop")
        again = self.apply()
        self.assertIn("Nothing to do: 6 unchanged.", again.stdout)
        self.assertIn("waits for approval", again.stdout)
        self.assertEqual(self.apply("--dry-run").returncode, 0)
        schedule = self.controller.json("schedule", "show", "nightly")
        self.assertEqual((schedule["managedBy"], schedule["selector"]["expression"]), ("default", "@live"))
        self.assertTrue(self.controller.json("notification", "show", "oncall")["webhook"]["hasSecret"])

        # What differs is named member by member; a secret only as such.
        rest = (self.folder / "rest.yaml").read_text()
        self.write("rest.yaml", rest.replace("0 2 * * *", "0 3 * * *").replace("owner: shop", "owner: bank"))
        self.write("hook.key", "another " + SECRET)
        plan = self.plan()
        self.assertEqual(self.actions(plan), {"Labels/owners": "change", "Schedule/nightly": "change",
                                              "NotificationChannel/oncall": "change"})
        changes = {o["name"]: o["fields"] for o in plan["objects"] if "fields" in o}
        self.assertEqual(changes["nightly"], [{"field": "cron", "before": '"0 2 * * *"', "after": '"0 3 * * *"'}])
        self.assertEqual(changes["oncall"][0]["field"], "secret")
        self.assertEqual((changes["owners"][0]["before"], changes["owners"][0]["after"]), ('"shop"', '"bank"'))
        self.assertNotIn(SECRET, json.dumps(plan))
        self.apply()
        self.assertIn("Nothing to do", self.apply().stdout)
        self.assertEqual(self.labels()["owner"], "bank")

        # Pruned is only what came from these files.
        self.controller.cli("schedule", "create", "by-hand", "--cron", "0 5 * * *", "--all")
        self.controller.cli("label", "set", self.host, "note=mine")
        (self.folder / "rest.yaml").unlink()
        self.assertIn("Nothing to do", self.apply("--dry-run").stdout)
        plan = self.plan("--prune")
        self.assertEqual(set(self.actions(plan)), {"Labels/owner", "Schedule/nightly", "Tailoring/quiet",
                                                   "Waiver/devices", "NotificationChannel/oncall"})
        self.apply("--prune")
        self.assertEqual([s["name"] for s in self.controller.json("schedule", "list")["schedules"]], ["by-hand"])
        self.assertEqual(self.labels(), {"env": "prod", "tier": "web", "note": "mine"})
        self.assertEqual(self.controller.json("waiver", "list")["waivers"][0]["state"], "REVOKED")
        self.assertIn("Nothing to do: 1 unchanged.", self.apply("--prune").stdout)
        # All of it is in the log, and what was only tried is not.
        log = self.controller.json("activity", "list", "--limit", "0")["entries"]
        actions = [entry["action"] for entry in log]
        self.assertEqual(actions.count("ScheduleService.UpdateSchedule"), 1)
        self.assertEqual(actions.count("SelectorService.SaveSelector"), 1)
        self.assertNotIn(SECRET, json.dumps(log))

    def labels(self):
        return next(h for h in self.controller.json("hosts")["hosts"] if h["id"] == self.host)["labels"]

    def test_nothing_is_changed_when_anything_is_wrong(self):
        self.write_policy()
        bad = self.write("wrong.yaml", """\
            kind: Schedule
            metadata: {name: broken}
            spec:
              cron: never
              selector: {all: true}
            ---
            kind: Tailoring
            metadata: {name: broken}
            spec:
              baseline: azure-docker
              selector: {expression: "@gone"}
              rules: [{rule: no-such-rule, severity: LOW}]
            ---
            kind: Labels
            metadata: {name: one}
            spec: {selector: {all: true}, set: {rack: "1"}}
            ---
            kind: Labels
            metadata: {name: two}
            spec:
              selector: {expression: tier}
              set:
                rack: "2"
            """)
        done = self.apply(check=False)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn(f"{bad}:4: Schedule/broken: cron: ", done.stderr)
        self.assertIn(f"{bad}:11: Tailoring/broken: selector: ", done.stderr)
        self.assertRegex(done.stderr, rf"{bad}:23: Labels/two: set.rack: one gives \S+ another value")
        self.assertIn("nothing was changed", done.stderr)
        self.assertEqual(self.controller.json("selector", "list").get("selectors", []), [])
        bad.write_text("kind: Schedule\nmetadata: {name: x}\nspec: {colour: red}\n")
        done = self.apply(check=False)
        self.assertIn(f'{bad}:3: unknown key "colour" in spec', done.stderr)
        # What belongs to another set is left alone.
        bad.unlink()
        self.apply("--set", "platform")
        done = self.apply(check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn('belongs to the set "platform"', done.stderr)
        # A viewer is told what would be needed.
        token = self.controller.root / "viewer.token"
        self.controller.cli("api-token", "create", "viewer", "--role", "viewer", "--out", token)
        done = self.controller.cli("--token-file", token, "apply", "-f", self.folder, check=False)
        self.assertEqual(done.returncode, 3)

    def failing(self):
        return self.controller.json("findings", "--rule", "5.04", "--baseline", "azure-docker").get("findings")

    def counts(self):
        return self.controller.json("summary")["counts"]

    def test_a_label_moves_a_host_into_a_waiver(self):
        self.engine.start("bad", "--privileged")
        wait_for(lambda: self.failing(), "finding", 20)
        self.write_policy()
        self.apply()
        waiver = self.controller.json("waiver", "list")["waivers"][0]
        self.assertEqual((waiver["name"], waiver["state"]), ("devices", "PROPOSED"))
        # Applying approves nothing, and whoever applied may not.
        self.assertIn("another person", self.controller.cli("waiver", "approve", waiver["id"], check=False).stderr)
        self.second("waiver", "approve", waiver["id"])
        self.assertEqual(self.counts()["waived"], 0)
        for _ in range(2):
            self.controller.cli("label", "set", self.host, "role=backup")
            wait_for(lambda: self.counts()["waived"] == 1, "waived count", 30)
            self.controller.cli("label", "remove", self.host, "role")
            wait_for(lambda: self.counts()["waived"] == 0, "count without the label", 30)
        self.controller.cli("label", "set", "-l", "@live", "role=backup")
        wait_for(lambda: self.counts()["waived"] == 1, "waived count", 30)
        # The label is in the database, and the collector's next session leaves it.
        self.controller.stop()
        self.controller.start()
        wait_for(lambda: self.counts()["waived"] == 1, "waived count after a restart", 30)
        self.assertEqual(self.labels()["role"], "backup")
        self.assertIn("role=backup (central)", self.controller.cli("host", self.host).stdout)

        # A changed waiver is proposed anew; what it takes the place of ends.
        rest = (self.folder / "rest.yaml").read_text()
        self.write("rest.yaml", rest.replace("needs devices", "needs raw devices"))
        self.apply()
        wait_for(lambda: self.counts()["waived"] == 0, "end of the old waiver", 30)
        states = sorted(w["state"] for w in self.controller.json("waiver", "list")["waivers"])
        self.assertEqual(states, ["PROPOSED", "REVOKED"])
        proposed = next(w for w in self.controller.json("waiver", "list")["waivers"] if w["state"] == "PROPOSED")
        # One that was turned down is not proposed again as it is.
        self.second("waiver", "reject", proposed["id"], "--note", "no")
        again = self.apply()
        self.assertIn("was rejected", again.stdout)
        self.assertIn("Nothing to do", again.stdout)
        # Another expiry renews what there is.
        self.write("rest.yaml", rest.replace("needs devices", "needs its devices"))
        self.apply()
        self.write("rest.yaml", rest.replace("needs devices", "needs its devices").replace(EXPIRY, SOONER))
        plan = self.plan()
        self.assertEqual([o["fields"][0]["field"] for o in plan["objects"] if "fields" in o], ["expireTime"])
        self.apply()
        proposed = [w for w in self.controller.json("waiver", "list")["waivers"] if w["state"] == "PROPOSED"]
        self.assertEqual([(w["reason"], w["expireTime"]) for w in proposed], [("needs its devices", SOONER)])
        history = self.controller.json("waiver", "history", proposed[0]["id"])["changes"]
        self.assertEqual([change["action"] for change in history], ["RENEW", "PROPOSE"])

    def test_saved_selectors_in_a_schedule(self):
        self.controller.cli("selector", "save", "live", "env=test")
        self.controller.cli("schedule", "create", "often", "--cron", "* * * * *", "-l", "@live")
        shown = self.controller.json("selector", "show", "live")
        self.assertEqual((shown["hostCount"], shown["usedBy"]), (0, ["schedules/often"]))
        refused = self.controller.cli("selector", "delete", "live", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("schedules/often", refused.stderr)
        self.assertIn("no saved selector", self.controller.cli("hosts", "-l", "@gone", check=False).stderr)
        self.controller.cli("selector", "save", "live", "env=prod")

        def targeted():
            runs = self.controller.json("schedule", "runs", "often").get("runs", [])
            scans = [run["scanId"] for run in runs if run["outcome"] == "STARTED"]
            return scans and self.controller.json("scan", "--show", scans[0])["progress"]["targeted"] == 1

        wait_for(targeted, "a firing that scans the host", 90)

    def test_the_examples_are_taken(self):
        for path in EXAMPLES.glob("*.yaml"):
            self.write(path.name, re.sub(r"(?<=expireTime: )\S+", EXPIRY, path.read_text()))
        dry = self.apply("--dry-run", "--prune", check=False)
        self.assertEqual(dry.returncode, 1, dry.stderr)
        self.apply()
        self.assertIn("Nothing to do", self.apply("--prune").stdout)


if __name__ == "__main__":
    unittest.main()
