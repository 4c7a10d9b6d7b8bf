"""Waivers on a real engine: proposed, approved by another person, in effect at once, lapsed, expired, kept."""

import time
import unittest

import engine as engines
import plimsoll
from engine import wait_for


class Waiver(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(engines.Engine("waiver"))

    def setUp(self):
        self.controller = self.enterContext(plimsoll.Controller("--waiver-maximum", "30d"))
        self.addCleanup(self.remove_containers)
        self.controller.agent(self.engine, "--reconnect-max", "2s")
        wait_for(self.controller.evaluated_hosts, "first report", 60)

    def remove_containers(self):
        ids = self.engine.docker("ps", "-aq").stdout.split()
        if ids:
            self.engine.docker("rm", "-f", *ids)

    def second(self, *arguments):
        """Runs `plimsoll` as another person."""
        token = self.controller.root / "second.token"
        if not token.exists():
            self.controller.cli("api-token", "create", "second", "--role", "admin", "--out", token)
        return self.controller.cli("--token-file", token, *arguments)

    def propose(self, *options, expires="1h"):
        return self.controller.json("waiver", "propose", "--rule", "5.04", "--all", "--reason", "needs devices",
                                    "--owner", "storage", "--expires", expires, *options)["id"]

    def waived(self):
        """Names of the containers whose finding under 5.04 is waived."""
        found = self.controller.json("findings", "--rule", "5.04", "--baseline", "azure-docker", "--waived")
        return {f["finding"]["object"].split(" ")[0] for f in found.get("findings", [])}

    def counts(self):
        return self.controller.json("summary")["counts"]

    def verdict(self):
        host = self.controller.evaluated_hosts()[0]["id"]
        return next(v for v in self.controller.json("host", host)["verdicts"] if v["ruleId"] == "5.04")

    def failing(self):
        found = self.controller.json("findings", "--rule", "5.04", "--baseline", "azure-docker").get("findings", [])
        return {f["finding"]["object"].split(" ")[0] for f in found}

    def test_a_waiver_from_proposal_to_its_end(self):
        self.engine.start("bad", "--privileged")
        wait_for(lambda: self.failing() == {"bad"}, "finding", 20)
        preview = self.controller.json("waiver", "preview", "--rule", "5.04", "--all")
        self.assertEqual(preview["findingCount"], "1")
        waiver = self.propose("--bind")
        refused = self.controller.cli("waiver", "approve", waiver, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("another person", refused.stderr)
        self.assertEqual(self.waived(), set())
        self.second("whoami")
        # Neither the next collection nor the next pass over the fleet is waited for.
        start = time.time()
        self.second("waiver", "approve", waiver)
        wait_for(lambda: self.counts()["waived"] == 1, "waived count", 20)
        recorded = self.controller.sql("SELECT extract(epoch FROM max(recorded)) FROM transition")[0]
        self.assertLess(float(recorded) - start, 2)
        self.assertEqual(self.waived(), {"bad"})
        self.assertEqual(self.verdict()["status"], "FAIL")
        self.assertTrue(self.verdict()["waived"])
        # What fails and is waived stops no scan.
        history = self.controller.json("history", self.controller.evaluated_hosts()[0]["id"], "--rule", "5.04")
        self.assertEqual(history["transitions"][0]["cause"], "WAIVER")

        # All of it is in the database.
        self.controller.stop()
        self.controller.start()
        wait_for(lambda: self.counts()["waived"] == 1, "waived count after a restart", 30)

        # An equal container under another id stays covered; another capability lapses it.
        self.engine.docker("rm", "-f", "bad")
        self.engine.start("bad", "--privileged")
        wait_for(lambda: self.waived() == {"bad"}, "replacement", 20)
        self.engine.docker("rm", "-f", "bad")
        self.engine.start("bad", "--privileged", "--cap-add", "SYS_ADMIN")
        wait_for(lambda: self.controller.json("waiver", "show", waiver).get("lapsedCount") == "1", "lapse", 20)
        self.assertEqual(self.waived(), set())
        self.assertEqual(self.controller.json("waiver", "list", "--lapsed")["waivers"][0]["id"], waiver)

    def test_an_expired_one_brings_the_failure_back(self):
        self.engine.start("bad", "--privileged")
        wait_for(lambda: self.failing() == {"bad"}, "finding", 20)
        waiver = self.propose(expires="45s")
        self.second("waiver", "approve", waiver)
        wait_for(lambda: self.counts()["waived"] == 1, "waived count", 20)
        wait_for(lambda: self.counts()["waived"] == 0, "expiry", 90)
        self.assertEqual(self.controller.json("waiver", "show", waiver)["state"], "EXPIRED")
        self.assertEqual(self.failing(), {"bad"})


if __name__ == "__main__":
    unittest.main()
