"""Collectors, controller and command line together, on real engines and the embedded PostgreSQL."""

import pathlib
import subprocess
import unittest

import engine as engines
import plimsoll
from engine import wait_for


class Fleet(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(engines.Engine("fleet"))
        cls.engine.start("web", "--privileged")

    def setUp(self):
        self.controller = self.enterContext(plimsoll.Controller())

    def connect(self, *options, **named):
        agent = self.controller.agent(self.engine, *options, **named)
        wait_for(self.controller.evaluated_hosts, "first report", 60)
        return agent

    def test_report_scan_and_exit_statuses(self):
        self.connect("--label", "env=prod")
        host = self.controller.evaluated_hosts()[0]
        self.assertEqual(host["labels"], {"env": "prod"})
        report = self.controller.json("host", host["id"])
        self.assertEqual(len(report["verdicts"]), 73)
        listed = self.controller.json("findings", "--rule", "5.04", "--label", "env=prod", "--baseline", "azure-docker")
        self.assertEqual([f["finding"]["object"].split(" ")[0] for f in listed["findings"]], ["web"])
        self.assertEqual(self.controller.json("findings", "--label", "env=test")["findings"], [])
        self.assertEqual(self.controller.json("summary")["evaluatedHostCount"], 1)

        self.engine.start("second", "--privileged")
        scan = self.controller.json("scan", "--all", "--wait")
        self.assertEqual((scan["state"], scan["progress"]["evaluated"]), ("DONE", 1))
        found = lambda: self.controller.json("findings", "--rule", "5.04", "--baseline", "azure-docker")["findings"]
        wait_for(lambda: len(found()) == 2, "finding", 20)
        self.engine.docker("rm", "-f", "second")
        self.assertEqual(self.controller.cli("scan", "--host", host["id"], "--fail-on", "critical", check=False).returncode, 1)
        self.assertEqual(self.controller.cli("host", "nosuch", check=False).returncode, 2)
        self.assertEqual(self.controller.cli("--server", "localhost:1", "hosts", check=False).returncode, 3)

    def test_host_that_does_not_answer_is_missed(self):
        agent = self.connect()
        agent.terminate()
        agent.wait(30)
        wait_for(lambda: self.controller.json("hosts")["hosts"][0]["connection"] == "DISCONNECTED", "disconnect")
        result = self.controller.cli("scan", "--all", "--fail-on", "critical", "--deadline", "2s", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("no evidence is no pass", result.stderr)

    def test_enrolment_is_refused(self):
        token = self.controller.token()
        self.connect(token=token)
        again = self.controller.agent(self.engine, token=token)
        self.assertEqual(again.wait(30), 3)
        self.assertIn("token is not valid", again.log_file.read_text())
        self.assertTrue(self.controller.log_has("enrolment refused"))

    def test_wrong_authority_is_not_trusted(self):
        other = self.controller.root / "other.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", "/dev/null", "-out", other, "-subj", "/CN=other"], check=True, capture_output=True)
        agent = self.controller.agent(self.engine, authority=other)
        wait_for(lambda: "no session" in agent.log_file.read_text(), "refusal")
        self.assertIsNone(agent.poll())
        self.assertEqual(self.controller.json("hosts")["hosts"], [])

    def test_revoked_host_is_cut_off_at_once(self):
        agent = self.connect("--reconnect-max", "2s")
        host = self.controller.evaluated_hosts()[0]["id"]
        self.controller.cli("hosts", "--revoke", host, "--reason", "test")
        self.assertEqual(agent.wait(60), 3)
        self.assertIn("revoked", agent.log_file.read_text())
        again = self.controller.agent(self.engine, state=agent.state)
        self.assertEqual(again.wait(30), 3)
        self.assertIn("revoked", again.log_file.read_text())

    def test_controller_survives_kill(self):
        self.connect()
        before = self.controller.json("summary")
        self.controller.stop(kill=True)
        self.controller.start()
        wait_for(lambda: self.controller.evaluated_hosts()[0]["connection"] == "CONNECTED", "reconnect", 60)
        after = self.controller.json("summary")
        self.assertEqual(before["counts"], after["counts"])
        postmaster = next(self.controller.data.rglob("postmaster.pid")).read_text().split()[0]
        status = pathlib.Path(f"/proc/{postmaster}/status").read_text()
        uid = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1]
        self.assertNotEqual(uid, "0")

    def test_second_controller_on_the_same_directory_refuses(self):
        result = subprocess.run(
            [plimsoll.BIN / "plimsoll-controller", "--data-dir", self.controller.data, "--listen-collectors",
             "127.0.0.1:0", "--listen-api", "127.0.0.1:0"], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 3)
        self.assertIn(str(self.controller.process.pid), result.stderr)

    def test_certificate_is_renewed(self):
        self.controller.stop()
        self.controller.options = ("--certificate-lifetime", "1m", "--heartbeat-interval", "1s")
        self.controller.start()
        agent = self.connect()
        wait_for(lambda: "certificate renewed" in agent.log_file.read_text(), "renewal", 90)
        wait_for(lambda: agent.log_file.read_text().count("session began") >= 2, "session with the new certificate", 30)


class Secrets(unittest.TestCase):
    """A marker in every place that can hold a secret, then searched for in every byte that left the host."""

    MARKER = "pl1ms0llM4RK3R"

    @classmethod
    def setUpClass(cls):
        m = cls.MARKER
        settings = {"labels": [f"secret={m}"], "log-opts": {"labels": m, "env": m}}
        cls.engine = e = cls.enterClassContext(engines.Engine("secret", daemon_json=settings))
        e.import_image("marked", f"ENV IMAGE_SECRET={m}", f"LABEL image.secret={m}", f"CMD sleep {m}")
        e.docker("volume", "create", "-o", "type=cifs", "-o", f"o=username=u,password={m}", "-o", f"device=//u:{m}@h/s", "share")
        e.start("marked", "-e", f"TOKEN={m}", "--label", f"password={m}", "--log-opt", f"tag={m}", "--health-cmd", f"echo {m}",
                "--entrypoint", "/bin/sleep", "--hostname", "h")
        e.docker("run", "-d", "--name", "args", "bb", "sh", "-c", f"sleep 100000 # {m}")

    def test_no_byte_leaves_the_host(self):
        needle = self.MARKER.encode()
        facts = plimsoll.collect(self.engine)
        self.assertNotIn(needle, pathlib.Path(facts).read_bytes())
        with plimsoll.Controller() as controller:
            controller.agent(self.engine)
            wait_for(controller.evaluated_hosts, "first report", 60)
            self.assertNotIn(self.MARKER, controller.cli("host", controller.evaluated_hosts()[0]["id"], "-o", "json").stdout)
            stored, unpacked = controller.stored_bytes()
            # The container itself is there, by its name.
            self.assertIn(b"marked", unpacked)
            self.assertNotIn(needle, stored)
            self.assertNotIn(needle, unpacked)
            controller.stop()
            for file in (controller.data / "postgres").rglob("*"):
                if file.is_file():
                    self.assertNotIn(needle, file.read_bytes(), file)
            for log in controller.root.glob("*.log"):
                self.assertNotIn(needle, log.read_bytes(), log)


if __name__ == "__main__":
    unittest.main()
