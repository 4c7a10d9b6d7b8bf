"""Verdicts on real engines, through the command line."""

import pathlib
import subprocess
import tempfile
import unittest

import engine as engines
import plimsoll


def findings(verdict):
    """Object names of a verdict's findings, without the id."""
    return {finding["object"].split(" (")[0] for finding in verdict["findings"] if finding["status"] == "FAIL"}


class NonCompliantHost(unittest.TestCase):
    """Stock flags, and containers that break one rule each beside one that breaks few."""

    @classmethod
    def setUpClass(cls):
        cls.engine = e = cls.enterClassContext(engines.Engine("loose"))
        e.import_image("checked", 'HEALTHCHECK CMD ["true"]', "USER 1000:1000")
        e.docker("network", "create", "app")
        e.start("tight", "--network", "app", "--read-only", "--memory", "64m", "--pids-limit", "64", "--cap-drop", "ALL",
                "--security-opt", "no-new-privileges", "--restart", "on-failure:5", image="checked")
        e.start("privileged", "--privileged")
        e.start("etc", "-v", "/etc:/host-etc")
        e.start("renamed", "-v", "/var/run:/x")
        e.docker("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/etc", "hidden")
        e.start("hidden-bind", "-v", "hidden:/data")
        e.start("host-net", "--network", "host")
        e.start("joined", "--network", "container:host-net")
        e.start("caps", "--cap-add", "net_admin")
        e.start("always", "--restart", "always")
        e.start("published", "-p", "18080:80")
        e.start("zero", "--user", "00")
        # An rshared bind needs a source that is shared.
        e.run("mount", "--bind", "/srv", "/srv")
        e.run("mount", "--make-rshared", "/srv")
        e.start("rshared", "-v", "/srv:/srv:rshared")
        e.start("ns", "--pid", "host", "--ipc", "host", "--uts", "host", "--userns", "host")
        e.start("rule", "--device-cgroup-rule", "c 1:3 rwm", "--cgroup-parent", "/elsewhere")
        cls.report = plimsoll.evaluate(plimsoll.collect(e))

    def expect(self, rule, *names):
        verdict = self.report[rule]
        self.assertEqual(verdict["status"], "FAIL", verdict)
        self.assertLessEqual(set(names), findings(verdict), rule)
        self.assertNotIn("tight", findings(verdict), rule)

    def test_every_rule_has_a_verdict(self):
        self.assertEqual(len(self.report), 73)
        edge = plimsoll.evaluate(plimsoll.collect(self.engine), "edge-docker")
        self.assertEqual(len(edge), 68)

    def test_privileged(self):
        self.expect("5.04", "privileged")
        self.assertEqual(findings(self.report["5.04"]), {"privileged"})

    def test_sensitive_mounts_even_behind_a_volume(self):
        self.expect("5.05", "etc", "hidden-bind")

    def test_socket_in_a_parent_directory(self):
        self.assertEqual(findings(self.report["5.31"]), {"renamed"})

    def test_host_network_and_those_who_join_it(self):
        self.expect("5.09", "host-net", "joined")

    def test_capabilities(self):
        self.expect("5.03", "caps", "privileged")

    def test_restart_policy(self):
        self.assertEqual(findings(self.report["5.14"]), {"always"})

    def test_published_ports(self):
        self.assertEqual(findings(self.report["5.13"]), {"published"})

    def test_root_however_it_is_written(self):
        self.expect("4.01", "zero", "caps")

    def test_namespaces(self):
        for rule in ("5.15", "5.16", "5.20", "5.30"):
            self.assertEqual(findings(self.report[rule]), {"ns"}, rule)

    def test_device_rules_and_cgroup_parent(self):
        self.expect("5.17", "rule", "privileged")
        self.assertEqual(findings(self.report["5.24"]), {"rule"})

    def test_propagation(self):
        self.assertEqual(findings(self.report["5.19"]), {"rshared"})

    def test_limits_and_hardening(self):
        for rule in ("5.10", "5.12", "5.25", "5.26", "5.28", "5.29"):
            self.expect(rule, "caps")

    def test_image_health_checks(self):
        verdict = self.report["4.06"]
        self.assertEqual(verdict["status"], "FAIL")
        self.assertEqual({f["object"].split(":")[0] for f in verdict["findings"]}, {"bb"})

    def test_stock_daemon(self):
        for rule in ("1.01", "2.01", "2.07", "2.08", "2.11", "2.12", "2.14", "2.15", "2.18"):
            self.assertEqual(self.report[rule]["status"], "FAIL", self.report[rule])
        for rule in ("2.02", "2.03", "2.04", "2.05", "2.06", "2.17"):
            self.assertEqual(self.report[rule]["status"], "PASS", self.report[rule])
        self.assertEqual(self.report["1.03"]["status"], "MANUAL")
        for rule in ("7.03", "7.04", "7.06", "2.10"):
            self.assertEqual(self.report[rule]["status"], "NOT_APPLICABLE", self.report[rule])


class HardenedHost(unittest.TestCase):
    """daemon.json as the guides ask, files as they should be; then broken one by one."""

    @classmethod
    def setUpClass(cls):
        settings = {"icc": False, "log-driver": "syslog", "log-opts": {"syslog-address": "udp://192.0.2.1:514"},
                    "live-restore": True, "userland-proxy": False, "no-new-privileges": True,
                    "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}}
        cls.engine = cls.enterClassContext(engines.Engine("hardened", daemon_json=settings))

    def report(self):
        return plimsoll.evaluate(plimsoll.collect(self.engine))

    def test_settings_in_force(self):
        report = self.report()
        for rule in ("2.07", "2.12", "2.14", "2.15", "2.18"):
            self.assertEqual(report[rule]["status"], "PASS", report[rule])

    def test_file_modes_are_masks_not_numbers(self):
        self.engine.write("/etc/docker/daemon.json.probe", "{}")
        for mode, status in ((0o644, "PASS"), (0o600, "PASS"), (0o622, "FAIL"), (0o646, "FAIL")):
            self.engine.run("chmod", oct(mode)[2:], "/etc/docker/daemon.json")
            self.assertEqual(self.report()["3.18"]["status"], status, oct(mode))
        self.engine.run("chmod", "644", "/etc/docker/daemon.json")

    def test_owner(self):
        self.engine.run("chown", "0:1", "/etc/docker")
        self.assertEqual(self.report()["3.05"]["status"], "FAIL")
        self.engine.run("chown", "0:0", "/etc/docker")
        self.assertEqual(self.report()["3.05"]["status"], "PASS")

    def test_registry_certificates(self):
        self.assertEqual(self.report()["3.08"]["status"], "NOT_APPLICABLE")
        self.engine.write("/etc/docker/certs.d/registry:5000/client.key", "not a key", 0o644)
        verdict = self.report()["3.08"]
        self.assertEqual(verdict["status"], "FAIL")
        self.assertEqual(verdict["findings"][0]["object"], "/etc/docker/certs.d/registry:5000/client.key")
        self.engine.run("rm", "-r", "/etc/docker/certs.d")


class NoEngine(unittest.TestCase):
    """A socket nobody listens on: host rules are judged, the rest is unknown with the reason."""

    def test_reports_what_can_be_judged(self):
        with tempfile.TemporaryDirectory() as folder:
            facts = pathlib.Path(folder) / "facts.binpb"
            subprocess.run([plimsoll.BIN / "plimsoll-collector", "--once", "--out", facts, "--docker-socket",
                            "/nonexistent/docker.sock"], check=True, timeout=60)
            report = plimsoll.evaluate(facts)
        self.assertEqual(report["5.04"]["status"], "UNKNOWN")
        self.assertEqual(report["5.04"]["reason"], "engine_unreachable")
        self.assertIn(report["3.05"]["status"], ("PASS", "FAIL", "NOT_APPLICABLE"))

    def test_another_engine_is_not_judged_in_its_place(self):
        with engines.Engine("bystander") as bystander:
            report = plimsoll.evaluate(plimsoll.collect(bystander, socket="/nonexistent/docker.sock"))
        for rule in ("1.01", "2.02", "2.03", "2.15"):
            self.assertEqual((report[rule]["status"], report[rule]["reason"]), ("UNKNOWN", "engine_unreachable"), report[rule])


if __name__ == "__main__":
    unittest.main()
