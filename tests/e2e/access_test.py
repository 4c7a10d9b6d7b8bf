"""Who may come in and what is written down about it, on the real programs with the embedded PostgreSQL."""

import json
import os
import stat
import subprocess
import unittest

import engine as engines
import plimsoll
from engine import wait_for


class Person:
    """Somebody with credentials of their own."""

    def __init__(self, controller, name):
        self.controller = controller
        self.name = name
        self.credentials = controller.root / f"{name}.yaml"

    def file(self, suffix, text):
        path = self.controller.root / f"{self.name}.{suffix}"
        path.write_text(text + "\n")
        path.chmod(0o600)
        return path

    def login(self, password, new=None, check=True):
        arguments = ["--server", f"localhost:{self.controller.api_port}", "--ca", self.controller.data / "pki" / "ca.pem",
                     "login", "--user", self.name, "--password-file", self.file("password", password)]
        if new:
            arguments += ["--new-password-file", self.file("new", new)]
        return self(*arguments, check=check)

    def __call__(self, *arguments, check=True):
        result = subprocess.run([plimsoll.BIN / "plimsoll", "--credentials", self.credentials, *arguments],
                                capture_output=True, text=True, timeout=120)
        if check and result.returncode != 0:
            raise AssertionError(f"plimsoll {arguments} as {self.name}: {result.returncode}: {result.stderr}\n"
                                 f"{self.controller.log_text()[-3000:]}")
        return result

    def json(self, *arguments):
        return json.loads(self(*arguments, "-o", "json").stdout)


class Access(unittest.TestCase):
    def setUp(self):
        self.controller = self.enterContext(plimsoll.Controller())

    def user(self, name, role, *options):
        """A new user who has signed in."""
        made = self.controller.json("user", "create", name, "--role", role, *options)
        person = Person(self.controller, name)
        person.login(made["oneTimePassword"], new=f"the password of {name}")
        return person

    def test_first_start_and_one_time_password(self):
        file = self.controller.data / "admin.password"
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        password = file.read_text().strip()
        self.assertNotIn(password, self.controller.log_text())
        self.assertTrue(self.controller.log_has("one-time password of user admin written to"))
        admin = Person(self.controller, "admin")
        # Without a new password nothing is saved and nothing opens.
        refused = admin.login(password, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("must be changed", refused.stderr)
        self.assertFalse(admin.credentials.exists())
        self.assertEqual(admin.login(password, new="short", check=False).returncode, 2)
        admin.login(password, new="a password of my own")
        self.assertEqual(admin.json("whoami")["name"], "admin")
        self.assertIn("administer", admin.json("whoami")["permissions"])
        self.assertEqual(admin.login(password, check=False).returncode, 3)
        # A restart makes neither another administrator nor another file.
        file.unlink()
        self.controller.stop()
        self.controller.start()
        self.assertFalse(file.exists())
        self.assertEqual(admin.json("whoami")["name"], "admin")

    def test_guessing_is_delayed(self):
        ann = self.user("ann", "viewer")

        def delayed():
            result = ann.login("a wrong password", check=False)
            self.assertEqual(result.returncode, 3)
            return "too many failed attempts; try again in" in result.stderr

        wait_for(delayed, "a delay", 30)
        unknown = Person(self.controller, "nobody").login("a wrong password", check=False)
        self.assertIn("the name or the password is wrong", unknown.stderr)
        # A password reset by an administrator ends the wait.
        fresh = self.controller.json("user", "reset-password", "ann")
        ann.login(fresh["oneTimePassword"], new="yet another password")

    def test_sessions_and_tokens_end_at_once(self):
        ann = self.user("ann", "operator")
        other = Person(self.controller, "ann")
        other.credentials = self.controller.root / "elsewhere.yaml"
        other.login("the password of ann")
        self.assertEqual(len(ann.json("whoami", "--sessions")["sessions"]), 2)
        secret = self.controller.root / "ci.token"
        ann("api-token", "create", "ci", "--role", "viewer", "--lifetime", "1h", "--out", secret)
        listed = ann.json("api-token", "list")["tokens"]
        self.assertEqual([(token["name"], token["role"]) for token in listed], [("ann/ci", "ROLE_VIEWER")])
        self.assertIn("expireTime", listed[0])
        with_token = ["--token-file", secret]
        self.assertEqual(self.controller.json(*with_token, "whoami")["kind"], "TOKEN")
        self.assertEqual(self.controller.cli(*with_token, "user", "list", check=False).returncode, 3)
        self.assertEqual(ann("api-token", "create", "more", "--role", "admin", check=False).returncode, 3)
        ann("logout", "--everywhere")
        self.assertEqual(other("whoami", check=False).returncode, 3)
        ann.login("the password of ann")
        ann("api-token", "revoke", "ann/ci")
        self.assertEqual(self.controller.cli(*with_token, "whoami", check=False).returncode, 3)
        self.controller.cli("user", "update", "ann", "--disable")
        self.assertEqual(ann("whoami", check=False).returncode, 3)
        self.assertEqual(ann.login("the password of ann", check=False).returncode, 3)

    def test_a_limited_viewer_sees_its_part(self):
        with engines.Engine("access") as engine:
            self.controller.agent(engine, "--label", "team=shop")
            self.controller.agent(engine, "--label", "team=bank")
            wait_for(lambda: len(self.controller.evaluated_hosts()) == 2, "both hosts", 60)
            vera = self.user("vera", "operator", "--scope", "team=shop")
            hosts = vera.json("hosts")["hosts"]
            self.assertEqual([host["labels"] for host in hosts], [{"team": "shop"}])
            self.assertEqual(vera.json("summary")["hostCount"], 1)
            self.assertEqual(self.controller.json("summary")["hostCount"], 2)
            other = [host["id"] for host in self.controller.evaluated_hosts() if host["labels"] == {"team": "bank"}][0]
            self.assertEqual(vera("host", other, check=False).returncode, 2)
            self.assertTrue(all(f["hostId"] == hosts[0]["id"] for f in vera.json("findings")["findings"]))
            scan = vera.json("scan", "--all", "--wait")
            self.assertEqual(scan["progress"]["targeted"], 1)
            token = self.controller.root / "vera.token"
            vera("api-token", "create", "part", "--role", "viewer", "--out", token)
            listed = self.controller.json("--token-file", token, "hosts")["hosts"]
            self.assertEqual([host["id"] for host in listed], [hosts[0]["id"]])

    def test_the_activity_log_shows_tampering(self):
        ann = self.user("ann", "auditor")
        ann("user", "list", check=False)
        Person(self.controller, "ann").login("wrong password", check=False)
        self.controller.cli("user", "update", "ann", "--description", "looks after us")

        def entries():
            return self.controller.json("activity", "list", "--limit", "0")["entries"]

        wait_for(lambda: {"PERMISSION_DENIED", "UNAUTHENTICATED"} <= {e["outcome"] for e in entries()}, "refusals", 20)
        actions = [entry["action"] for entry in entries()]
        for action in ("UserService.CreateUser", "SessionService.SignIn", "SessionService.ChangePassword",
                       "UserService.UpdateUser", "TokenNewAddress"):
            self.assertIn(action, actions)
        update = [entry for entry in entries() if entry["action"] == "UserService.UpdateUser"][0]
        self.assertNotIn("looks after us", update["beforeJson"])
        self.assertIn("looks after us", update["afterJson"])
        self.assertEqual(update["peer"], "127.0.0.1")
        self.assertNotIn("the password of ann", json.dumps(entries()))
        self.assertNotIn("wrong password", json.dumps(entries()))

        # An auditor checks it without the database.
        good = ann("activity", "verify")
        self.assertIn("is whole", good.stdout)
        head = ann("activity", "head").stdout.strip()
        ann("activity", "verify", "--head", head)

        row = update["sequence"]
        self.controller.sql(f"UPDATE activity SET actor_name = 'somebody' WHERE seq = {row}")
        altered = ann("activity", "verify", check=False)
        self.assertEqual(altered.returncode, 1)
        self.assertIn(f"row {row} was altered", altered.stdout)
        self.controller.sql(f"UPDATE activity SET actor_name = '{update['actorName']}' WHERE seq = {row}")
        self.assertEqual(ann("activity", "verify").returncode, 0)

        self.controller.sql("DELETE FROM activity WHERE seq = 2")
        removed = ann("activity", "verify", check=False)
        self.assertEqual(removed.returncode, 1)
        self.assertIn("row 2 is missing", removed.stdout)

        # The tail cut off, and the controller's own end with it: only what was noted down tells.
        self.controller.sql("DELETE FROM activity WHERE seq >= 2")
        self.controller.sql("UPDATE activity_chain SET (seq, hash) = (SELECT seq, hash FROM activity WHERE seq = 1)")
        self.assertEqual(ann("activity", "verify").returncode, 0)
        cut = ann("activity", "verify", "--head", head, check=False)
        self.assertEqual(cut.returncode, 1)
        self.assertIn("noted down", cut.stdout)


if __name__ == "__main__":
    unittest.main()
