"""How hosts come in and whom they trust, with real collectors and OpenSSL's own tool. No engine is needed: a host without
one enrols and connects all the same."""

import hashlib
import json
import os
import pathlib
import socket
import ssl
import stat
import subprocess
import tempfile
import types
import unittest

import plimsoll
import postgres
from engine import wait_for

NO_ENGINE = types.SimpleNamespace(socket="/nonexistent/docker.sock")


def openssl(*arguments, check=True, **options):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"openssl {arguments}: {done.stderr}")
    return done


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def fingerprint(certificate):
    """SHA-256 of the first certificate in a file, as OpenSSL prints it."""
    return openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256").stdout.strip().split("=")[1]


class Company:
    """A company's root and the authority that it made for Plimsoll, by OpenSSL's own tool."""

    def __init__(self, folder, name, pathlen=1, key=("EC", "-pkeyopt", "ec_paramgen_curve:P-256")):
        self.folder = folder / name
        self.folder.mkdir()
        self.root, root_key = self.folder / "root.pem", self.folder / "root.key"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", root_key)
        openssl("req", "-x509", "-new", "-key", root_key, "-subj", f"/O={name}/CN={name} root", "-days", "30", "-out",
                self.root, "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.key, request, own = self.folder / "ca.key", self.folder / "ca.csr", self.folder / "own.pem"
        openssl("genpkey", "-algorithm", *key, "-out", self.key)
        self.key.chmod(0o600)
        openssl("req", "-new", "-key", self.key, "-subj", f"/O={name}/CN={name} Plimsoll", "-out", request)
        extensions = self.folder / "extensions"
        extensions.write_text(f"basicConstraints=critical,CA:TRUE,pathlen:{pathlen - 1}\n"
                              "keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
                              "authorityKeyIdentifier=keyid\n")
        openssl("x509", "-req", "-in", request, "-CA", self.root, "-CAkey", root_key, "-CAcreateserial", "-days", "20",
                "-extfile", extensions, "-out", own)
        self.chain = self.folder / "ca.pem"
        self.chain.write_text(own.read_text() + self.root.read_text())


class Enrollment(unittest.TestCase):
    def start(self, *options, before=lambda controller: None):
        controller = plimsoll.Controller("--certificate-lifetime", "1h", *options)
        before(controller)
        self.controller = self.enterContext(controller)

    def agent(self, *options, **arguments):
        return self.controller.agent(NO_ENGINE, "--reconnect-max", "2s", *options, **arguments)

    def hosts(self, *filters):
        return self.controller.json("hosts", *filters).get("hosts", [])

    def connected(self, count=1):
        """The connected hosts, when there are `count`."""
        def some():
            found = [host for host in self.hosts() if host["connection"] == "CONNECTED"]
            return found if len(found) == count else None
        return wait_for(some, f"{count} connected host(s)", 60)

    def enrollments(self, count, *options):
        def some():
            found = self.controller.json("enrollment", "list", *options)["enrollments"]
            return (found,) if len(found) == count else None
        return wait_for(some, f"{count} enrolment(s)", 30)[0]

    def folder(self):
        return pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="plimsoll-ca-")))

    def end(self, agent):
        agent.terminate()
        agent.wait(30)

    def log_of(self, agent):
        return agent.log_file.read_text(errors="replace")

    def test_hosts_wait_for_approval(self):
        self.start()
        token = self.controller.token("--require-approval", "--uses", "3", "--label", "env=prod", "--label", "tier=web")
        agent = self.agent("--label", "env=mine", "--label", "rack=7", token=token)
        waiting = self.enrollments(1)[0]
        self.assertEqual(waiting["state"], "PENDING")
        self.assertEqual(waiting["hostname"], socket.gethostname())
        self.assertEqual(waiting["peer"], "127.0.0.1")
        wait_for(lambda: "waits for approval by an operator" in self.log_of(agent), "the collector's words", 20)
        # The same fingerprint everywhere, and OpenSSL's for the key on the host's disk.
        key = agent.state / "enroll.key"
        self.assertEqual(mode(key), 0o600)
        der = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], capture_output=True, check=True)
        self.assertEqual(waiting["keyFingerprint"], hashlib.sha256(der.stdout).hexdigest())
        self.assertIn(waiting["keyFingerprint"], self.log_of(agent))
        self.assertEqual(self.hosts(), [])
        self.assertIn(waiting["id"], self.controller.cli("enrollment", "list").stdout)

        # A restart keeps the key: it is the same request.
        self.end(agent)
        again = self.agent("--label", "env=mine", "--label", "rack=7", token=token, state=agent.state)
        wait_for(lambda: waiting["id"] in self.log_of(again), "the same enrolment", 20)
        self.assertEqual(len(self.enrollments(1)), 1)

        self.controller.cli("enrollment", "approve", waiting["id"], "--label", "tier=db")
        host = self.connected()[0]
        # The approval's labels over the token's over the collector's.
        self.assertEqual(host["labels"], {"env": "prod", "rack": "7", "tier": "db"})
        self.assertFalse(key.exists())
        issued = openssl("x509", "-in", agent.state / "host.pem", "-pubkey", "-noout").stdout
        self.assertEqual(issued, openssl("pkey", "-in", agent.state / "host.key", "-pubout").stdout)
        self.enrollments(0, "--all")

        other = self.agent(token=token)
        refused = self.enrollments(1)[0]
        self.controller.cli("enrollment", "reject", refused["id"])
        self.assertEqual(other.wait(120), 3)
        self.assertIn("an operator rejected this enrolment", self.log_of(other))
        self.assertEqual(self.controller.cli("enrollment", "approve", refused["id"], check=False).returncode, 2)
        self.assertEqual(len(self.hosts()), 1)

        def actions():
            entries = self.controller.json("activity", "list", "--limit", "0")["entries"]
            return {(entry["action"], entry["object"]) for entry in entries}
        expected = {("CollectorGateway.Enroll", f"enrollments/{waiting['id']}"),
                    ("CollectorGateway.Enroll", f"hosts/{host['id']}"),
                    ("EnrollmentService.ApproveEnrollment", f"enrollments/{waiting['id']}"),
                    ("EnrollmentService.RejectEnrollment", f"enrollments/{refused['id']}")}
        wait_for(lambda: expected <= actions(), "entries of the activity log", 20)

    def test_labels_of_the_token_hold_over_the_collectors(self):
        self.start()
        agent = self.agent("--label", "env=dev", "--label", "rack=7",
                           token=self.controller.token("--label", "env=prod"))
        self.assertEqual(self.connected()[0]["labels"], {"env": "prod", "rack": "7"})
        # And they stay, whatever the collector says later.
        self.end(agent)
        wait_for(lambda: self.hosts()[0]["connection"] == "DISCONNECTED", "the end of the session", 20)
        self.agent("--label", "env=dev", "--label", "rack=8", state=agent.state)
        self.assertEqual(self.connected()[0]["labels"], {"env": "prod", "rack": "8"})
        self.assertEqual(len(self.hosts("-l", "env=prod")), 1)
        bad = self.controller.cli("token", "create", "--label", "Env=prod", check=False)
        self.assertEqual(bad.returncode, 2)
        self.assertIn("the key of a-z", bad.stderr)

    def test_a_host_enrols_again_and_keeps_its_history(self):
        self.start()
        old = self.agent("--label", "env=prod")
        host = self.connected()[0]
        # A second machine with the host's identity, which is then refused.
        copy = self.controller.root / "copy"
        subprocess.run(["cp", "-a", old.state, copy], check=True)
        self.end(old)
        self.controller.cli("hosts", "--revoke", host["id"], "--reason", "stolen")
        token = self.controller.token("--host", host["id"])
        agent = self.agent("--label", "env=prod", "--enroll-again", token=token, state=old.state)
        again = self.connected()[0]
        self.assertEqual(again["id"], host["id"])
        self.assertEqual(len(self.hosts()), 1)
        self.assertNotEqual((agent.state / "host.key").read_text(), (copy / "host.key").read_text())
        thief = self.agent(token=token, state=copy)
        wait_for(lambda: "certificate revoked" in self.log_of(thief), "a refusal", 30)
        self.assertIn("if the host was enrolled again elsewhere, stop this collector", self.log_of(thief))
        self.assertEqual(self.connected()[0]["id"], host["id"])
        self.end(thief)
        # The option stays in the service's configuration: the token was used, and nothing happens.
        self.end(agent)
        key = (agent.state / "host.key").read_text()
        self.agent("--label", "env=prod", "--enroll-again", token=token, state=agent.state)
        self.connected()
        self.assertEqual((agent.state / "host.key").read_text(), key)
        # With an ordinary token the machine is a new host.
        self.agent("--label", "env=prod", "--enroll-again", state=copy)
        self.assertEqual(len({each["id"] for each in self.connected(2)}), 2)
        for name in ("host.key", "host.pem", "ca.pem", "token.sha256"):
            self.assertEqual(mode(agent.state / name), 0o600, name)
        self.assertEqual(self.controller.cli("token", "create", "--host", "none", check=False).returncode, 2)
        self.assertEqual(self.controller.cli("token", "create", "--host", host["id"], "--uses", "2", check=False).returncode, 2)

    def authority_hosts(self, *counts):
        """Waits until each authority has so many hosts, the current one first."""
        wait_for(lambda: [a["hostCount"] for a in self.controller.json("ca", "show")["authorities"]] == list(counts),
                 f"hosts by authority {counts}", 30)

    def rest(self, authority):
        """The certificate that HTTPS shows to who trusts `authority`."""
        context = ssl.create_default_context(cafile=authority)
        with socket.create_connection(("127.0.0.1", self.controller.rest_port), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                return tls.getpeercert()

    def login(self, authority):
        self.controller.cli("login", "--server", f"localhost:{self.controller.api_port}", "--ca", authority, "--token-file",
                            self.controller.data / "admin.token")

    def test_the_root_is_replaced_while_hosts_stay(self):
        self.start()
        pki = self.controller.data / "pki"
        old_root = self.controller.root / "old.pem"
        old_root.write_text((pki / "ca.pem").read_text())
        agent = self.agent()
        host = self.connected()[0]
        away = self.agent()
        self.connected(2)
        self.end(away)

        shown = self.controller.json("ca", "show")
        self.assertEqual([(a["fingerprint"], a["state"], a["hostCount"]) for a in shown["authorities"]],
                         [(fingerprint(old_root), "CURRENT", "2")])
        self.assertEqual(self.controller.cli("ca", "rotate", "--finish", check=False).returncode, 2)
        self.assertEqual(self.controller.cli("ca", "rotate", "--switch", check=False).returncode, 2)

        for wrong in (["--switch", "--finish"], ["--cancel", "--switch"], ["--key", old_root],
                      ["--certificate", old_root, "--key", old_root, "--switch"]):
            refused = self.controller.cli("ca", "rotate", *wrong, check=False)
            self.assertEqual(refused.returncode, 2)
            self.assertRegex(refused.stderr, "give one of|belong together")
        both = self.controller.root / "both.pem"
        self.controller.cli("ca", "rotate", "--out", both)
        self.assertEqual(both.read_text().count("BEGIN CERTIFICATE"), 2)
        self.assertEqual(self.controller.cli("ca", "rotate", check=False).returncode, 2)
        # The host that is there gets both roots, the other one does not.
        wait_for(lambda: (agent.state / "ca.pem").read_text() == both.read_text(), "both roots on the host", 30)
        self.assertEqual(mode(agent.state / "ca.pem"), 0o600)
        wait_for(lambda: self.controller.json("ca", "show")["outdatedHostCount"] == "1", "one outdated host", 30)
        refused = self.controller.cli("ca", "rotate", "--switch", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("1 host(s) do not trust the new root yet", refused.stderr)
        away = self.agent(state=away.state)
        wait_for(lambda: self.controller.json("ca", "show")["outdatedHostCount"] == "0", "no outdated host", 30)
        self.end(away)

        self.login(both)
        self.controller.cli("ca", "rotate", "--switch")
        new_root = self.controller.root / "new.pem"
        new_root.write_text((pki / "ca.pem").read_text())
        self.assertNotEqual(fingerprint(new_root), fingerprint(old_root))
        self.assertEqual(mode(pki / "ca.key"), 0o600)
        # HTTPS, gRPC and the host's certificate are of the new root, without a restart.
        self.rest(new_root)
        with self.assertRaises(ssl.SSLError):
            self.rest(old_root)
        wait_for(lambda: openssl("verify", "-CAfile", new_root, agent.state / "host.pem", check=False).returncode == 0,
                 "a certificate of the new root", 30)
        self.connected()
        self.authority_hosts("1", "1")
        left = self.controller.cli("ca", "rotate", "--finish", check=False)
        self.assertEqual(left.returncode, 2)
        self.assertIn("1 host(s) still have certificates of the previous root", left.stderr)
        # A restart in the middle of it.
        self.controller.stop()
        self.controller.start()
        self.connected()
        away = self.agent(state=away.state)
        self.authority_hosts("2", "0")
        self.login(new_root)
        self.controller.cli("ca", "rotate", "--finish")
        self.assertEqual(self.controller.sql("SELECT count(*) FROM authority"), ["1"])
        wait_for(lambda: (agent.state / "ca.pem").read_text() == new_root.read_text(), "the new root alone", 30)
        self.connected(2)
        self.assertIsNone(agent.poll())
        self.assertEqual(self.log_of(agent).count("enrolled as"), 1)
        self.assertIn(host["id"], {each["id"] for each in self.hosts()})
        # Nobody is shown a key.
        everything = self.controller.log_text() + json.dumps(self.controller.json("activity", "list", "--limit", "0"))
        everything += self.controller.cli("ca", "show", "-o", "json").stdout
        self.assertNotIn("PRIVATE KEY", everything)

    def test_an_authority_of_the_company(self):
        folder = self.folder()
        company = Company(folder, "Acme")

        def bring(controller):
            pki = controller.data / "pki"
            pki.mkdir(parents=True, mode=0o700)
            (pki / "ca.pem").write_text(company.chain.read_text())
            (pki / "ca.key").write_text(company.key.read_text())
            (pki / "ca.key").chmod(0o600)
        self.start(before=bring)
        agent = self.agent(authority=company.root)
        self.connected()
        self.rest(company.root)
        # The chain that the host got leads to the company's root, by OpenSSL's own judgement.
        leaf, between = agent.state / "host.pem", folder / "between.pem"
        between.write_text(leaf.read_text().split("-----END CERTIFICATE-----\n", 1)[1])
        openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", company.root, "-untrusted", between, leaf)
        self.assertEqual((agent.state / "ca.pem").read_text().count("BEGIN"), 1)
        self.assertEqual(fingerprint(agent.state / "ca.pem"), fingerprint(company.root))

        # And to another one, by rotation.
        other = Company(folder, "Globex", key=("RSA", "-pkeyopt", "rsa_keygen_bits:2048"))
        weak = Company(folder, "Weak", key=("RSA", "-pkeyopt", "rsa_keygen_bits:1024"))
        for chain, key, words in ((weak.chain, weak.key, "RSA of 2048 bits"),
                                  (other.chain, company.key, "does not belong to"),
                                  (other.folder / "own.pem", other.key, "does not lead to a root")):
            refused = self.controller.cli("ca", "rotate", "--certificate", chain, "--key", key, check=False)
            self.assertEqual(refused.returncode, 2)
            self.assertIn(words, refused.stderr)
        self.controller.cli("ca", "rotate", "--certificate", other.chain, "--key", other.key)
        wait_for(lambda: self.controller.json("ca", "show")["outdatedHostCount"] == "0", "both roots on the host", 30)
        self.controller.cli("ca", "rotate", "--switch")
        self.login(other.root)
        self.authority_hosts("1", "0")
        self.controller.cli("ca", "rotate", "--finish")
        self.connected()
        self.assertNotIn("PRIVATE KEY", json.dumps(self.controller.json("activity", "list", "--limit", "0")))

    def test_a_certificate_of_your_own_for_people(self):
        folder = self.folder()
        company = Company(folder, "Acme", pathlen=1)
        key, certificate = folder / "api.key", folder / "api.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                folder / "ignored.pem", "-subj", "/CN=localhost", "-days", "5")
        openssl("req", "-new", "-key", key, "-subj", "/CN=localhost", "-out", folder / "api.csr")
        (folder / "names").write_text("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n")
        openssl("x509", "-req", "-in", folder / "api.csr", "-CA", company.folder / "own.pem", "-CAkey", company.key,
                "-CAcreateserial", "-days", "5", "-extfile", folder / "names", "-out", certificate)
        certificate.write_text(certificate.read_text() + company.chain.read_text())
        key.chmod(0o600)
        controller = plimsoll.Controller("--api-certificate", certificate, "--api-key", key)
        self.addCleanup(controller.__exit__)
        self.controller = controller
        controller.start()
        self.login(company.root)
        self.assertIn(("commonName", "localhost"), self.rest(company.root)["subject"][0])
        # Collectors go on trusting the controller's own authority.
        self.agent()
        self.connected()
        controller.stop()
        key.chmod(0o644)
        with self.assertRaisesRegex(AssertionError, "chmod 600"):
            controller.start()

    def test_two_controllers_follow_each_other(self):
        url = self.enterContext(postgres.Cluster()).create("two")
        first = self.enterContext(plimsoll.Controller("--database-url", url))
        second = plimsoll.Controller("--database-url", url)
        (second.data / "pki").mkdir(parents=True, mode=0o700)
        for name in ("ca.pem", "ca.key", "secrets.key"):
            subprocess.run(["cp", "-p", first.data / "pki" / name, second.data / "pki" / name], check=True)
        subprocess.run(["cp", "-p", first.data / "admin.token", second.data / "admin.token"], check=True)
        second = self.enterContext(second)
        first.cli("ca", "rotate")
        wait_for(lambda: len(second.json("ca", "show")["authorities"]) == 2, "the second controller to follow", 20)
        both = first.root / "both.pem"
        first.cli("ca", "show", "--out", both)
        second.cli("login", "--server", f"localhost:{second.api_port}", "--ca", both, "--token-file", first.data / "admin.token")
        first.cli("ca", "rotate", "--switch")
        wait_for(lambda: (second.data / "pki" / "ca.pem").read_text() == (first.data / "pki" / "ca.pem").read_text(),
                 "the new authority on the second controller", 20)
        self.assertEqual(mode(second.data / "pki" / "ca.key"), 0o600)
        wait_for(lambda: second.json("ca", "show")["authorities"][0]["state"] == "CURRENT", "its API", 20)
        # One that lost its authority gets it back; one with another key does not.
        second.stop()
        (second.data / "pki" / "ca.pem").unlink()
        (second.data / "pki" / "ca.key").unlink()
        second.start()
        self.assertEqual((second.data / "pki" / "ca.pem").read_text(), (first.data / "pki" / "ca.pem").read_text())
        second.stop()
        for name in ("ca.pem", "ca.key", "secrets.key"):
            (second.data / "pki" / name).unlink()
        with self.assertRaisesRegex(AssertionError, "copy pki/ from a backup"):
            second.start()


if __name__ == "__main__":
    unittest.main()
