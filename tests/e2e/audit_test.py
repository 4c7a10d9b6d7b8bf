"""Kernel audit rules, loaded with auditctl and taken out again. They are the whole machine's: nothing else may run beside
this, and it refuses to touch rules that are not its own."""

import re
import subprocess
import unittest

import engine as engines
import plimsoll


def auditctl(*words):
    return subprocess.run(["auditctl", *words], check=True, capture_output=True, text=True).stdout


class Audit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rules = auditctl("-l").strip()
        cls.enabled = re.search(r"^enabled (\d)", auditctl("-s"), re.M)[1]
        if rules != "No rules" or cls.enabled not in "01":
            raise AssertionError(f"this machine is audited (enabled {cls.enabled}), and the test would take its rules away; "
                                 f"run it elsewhere, or empty them first:\n{rules}")
        cls.engine = cls.enterClassContext(engines.Engine("audited"))

    def setUp(self):
        self.addCleanup(auditctl, "-e", self.enabled)
        self.addCleanup(auditctl, "-D")
        auditctl("-e", "1")

    def status(self, rule="1.07"):
        return plimsoll.evaluate(plimsoll.collect(self.engine))[rule]["status"]

    def test_watch_on_the_directory_passes(self):
        auditctl("-w", "/etc/docker", "-p", "wa", "-k", "docker")
        self.assertEqual(self.status(), "PASS")

    def test_rules_without_auditing_fail(self):
        auditctl("-w", "/etc/docker", "-p", "wa", "-k", "docker")
        auditctl("-e", "0")
        self.assertEqual(self.status(), "FAIL")

    def test_a_file_in_the_directory_is_not_the_directory(self):
        auditctl("-w", "/etc/docker/daemon.json", "-p", "wa", "-k", "docker")
        self.assertEqual(self.status(), "FAIL")

    def test_never_before_always_suppresses(self):
        auditctl("-a", "never,exit", "-F", "dir=/etc/docker", "-F", "perm=wa")
        auditctl("-w", "/etc/docker", "-p", "wa")
        self.assertEqual(self.status(), "FAIL")


if __name__ == "__main__":
    unittest.main()
