"""Channels that tell what happened, to receivers of other people's making: an HTTPS server, an SMTP relay, a syslog socket."""

import base64
import email
import hashlib
import hmac
import http.server
import json
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

import engine as engines
import plimsoll
from engine import wait_for

SECRET = "a secret of sixteen bytes or more"


class Receiver:
    """An HTTPS server that keeps what is posted to it and answers with the next of `answers`, else 204."""

    def __init__(self, root):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        root / "hook.key", "-out", root / "hook.pem", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        self.posts, self.answers = [], []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append((dict(self.headers), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(root / "hook.pem", root / "hook.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.ca = root / "hook.pem"
        self.url = f"https://localhost:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Relay:
    """As much of an SMTP relay as takes messages; keeps (sender, receivers, text)."""

    def __init__(self):
        self.messages = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                self.talk(stream)

    def talk(self, stream):
        def say(line):
            stream.write(line.encode() + b"\r\n")
            stream.flush()

        sender, receivers = None, []
        say("220 relay")
        for line in stream:
            command = line.decode().strip()
            if command.startswith("MAIL FROM:"):
                sender = re.search("<(.*?)>", command)[1]
            elif command.startswith("RCPT TO:"):
                receivers.append(re.search("<(.*?)>", command)[1])
            elif command == "DATA":
                say("354 go on")
                text = b""
                for part in iter(stream.readline, b".\r\n"):
                    text += part
                self.messages.append((sender, receivers, text.decode()))
            elif command == "QUIT":
                say("221 bye")
                return
            say("250 good")


class Notifications(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(engines.Engine("notify"))

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="notify-"))
        self.addCleanup(shutil.rmtree, self.root)
        self.controller = self.enterContext(plimsoll.Controller())
        self.addCleanup(self.remove_containers)
        self.secret = self.root / "secret"
        self.secret.write_text(SECRET + "\n")
        self.secret.chmod(0o600)

    def remove_containers(self):
        ids = self.engine.docker("ps", "-aq").stdout.split()
        if ids:
            self.engine.docker("rm", "-f", *ids)

    def connect(self):
        agent = self.controller.agent(self.engine)
        wait_for(self.controller.evaluated_hosts, "first report", 60)
        return agent

    def hook(self, receiver, *options):
        self.controller.cli("notification", "create", "oncall", "--webhook", receiver.url, "--ca-file", receiver.ca, "--secret-file",
                            self.secret, "--window", "1s", *options)

    def deliveries(self):
        return self.controller.json("notification", "deliveries").get("deliveries", [])

    def test_a_new_failure_and_its_recovery_are_posted_signed(self):
        self.connect()
        receiver = self.enterContext(Receiver(self.root))
        self.hook(receiver, "--severity", "critical")
        self.engine.start("bad", "--privileged")
        wait_for(lambda: receiver.posts, "post", 20)
        headers, body = receiver.posts[0]
        time, signature = re.fullmatch("t=([0-9]+),v1=([0-9a-f]{64})", headers["X-Plimsoll-Signature"]).groups()
        wanted = hmac.new(SECRET.encode(), time.encode() + b"." + body, hashlib.sha256).hexdigest()
        self.assertEqual(signature, wanted)
        told = json.loads(body)
        self.assertEqual(told["id"], headers["X-Plimsoll-Delivery"])
        rules = {(group["kind"], group["ruleId"]) for group in told["groups"]}
        self.assertIn(("NEW_FAILURE", "5.04"), rules)
        event = next(g for g in told["groups"] if g["ruleId"] == "5.04")["events"][0]
        self.assertIn("bad", event["message"])
        self.engine.docker("rm", "-f", "bad")
        wait_for(lambda: len(receiver.posts) > 1, "recovery", 20)
        self.assertIn('"RECOVERY"', receiver.posts[1][1].decode())
        wait_for(lambda: {d["state"] for d in self.deliveries()} == {"SENT"}, "outcome", 30)

    def test_a_receiver_that_fails_gets_the_same_delivery_again(self):
        receiver = self.enterContext(Receiver(self.root))
        receiver.answers = [503]
        self.connect()
        self.hook(receiver, "--severity", "critical")
        self.engine.start("bad", "--privileged")
        wait_for(lambda: len(receiver.posts) == 2, "second attempt", 40)
        first, second = receiver.posts
        self.assertEqual(first[0]["X-Plimsoll-Delivery"], second[0]["X-Plimsoll-Delivery"])
        self.assertEqual(first[1], second[1])
        delivery = wait_for(lambda: next((d for d in self.deliveries() if d["state"] == "SENT"), None), "outcome", 30)
        self.assertEqual(delivery["attemptCount"], 2)

    def test_what_is_waiting_survives_the_controller(self):
        receiver = self.enterContext(Receiver(self.root))
        receiver.answers = [500]
        self.connect()
        self.hook(receiver, "--severity", "critical")
        self.engine.start("bad", "--privileged")
        wait_for(lambda: receiver.posts, "first attempt", 20)
        self.controller.stop(kill=True)
        self.controller.start()
        wait_for(lambda: len(receiver.posts) == 2, "second attempt", 150)
        self.assertEqual(receiver.posts[0][1], receiver.posts[1][1])

    def test_the_test_button_says_what_is_wrong(self):
        receiver = self.enterContext(Receiver(self.root))
        # The system's authorities do not know this one.
        self.controller.cli("notification", "create", "untrusted", "--webhook", receiver.url)
        done = self.controller.cli("notification", "test", "untrusted", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("certificate", done.stdout)
        self.hook(receiver)
        done = self.controller.cli("notification", "test", "oncall")
        self.assertIn("sent", done.stdout)
        receiver.answers = [302]
        done = self.controller.cli("notification", "test", "oncall", check=False)
        self.assertIn("redirects are not followed", done.stdout)
        for text in (self.controller.log_text(), self.controller.cli("notification", "show", "oncall").stdout,
                     "\n".join(self.controller.sql("SELECT content::text, secret::text FROM notification_channel"))):
            self.assertNotIn(SECRET, text)
            self.assertNotIn(SECRET.encode().hex(), text)

    def test_mail_and_syslog(self):
        relay = Relay()
        self.addCleanup(relay.listener.close)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(datagrams.close)
        datagrams.bind(("127.0.0.1", 0))
        datagrams.settimeout(20)
        stream = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(stream.close)
        stream.settimeout(20)
        self.controller.cli("notification", "create", "team", "--email", "sec@example.com", "--email", "ops@example.com", "--smtp",
                            f"localhost:{relay.port}", "--from", "plimsoll@example.com", "--plain-smtp")
        self.controller.cli("notification", "test", "team")
        sender, receivers, text = relay.messages[0]
        self.assertEqual((sender, receivers), ("plimsoll@example.com", ["sec@example.com", "ops@example.com"]))
        message = email.message_from_string(text)
        self.assertEqual(message["Subject"], "[Plimsoll] Test of this notification channel")
        self.assertIn("asked for by", base64.b64decode(message.get_payload()).decode())
        self.controller.cli("notification", "create", "udp", "--syslog", f"127.0.0.1:{datagrams.getsockname()[1]}", "--transport", "udp")
        self.controller.cli("notification", "test", "udp")
        self.assertRegex(datagrams.recv(65536).decode(), r"^<109>1 \S+ \S+ plimsoll-controller - TEST - CEF:0\|Plimsoll\|")
        self.controller.cli("notification", "create", "tcp", "--syslog", f"127.0.0.1:{stream.getsockname()[1]}", "--transport", "tcp",
                            "--format", "ocsf")
        self.controller.cli("notification", "test", "tcp")
        connection, _ = stream.accept()
        with connection, connection.makefile("rb") as framed:
            text = framed.read().decode()
        size, rest = text.split(" ", 1)
        self.assertEqual(int(size), len(rest.encode()))
        self.assertEqual(json.loads(rest.split(" - TEST - ", 1)[1])["metadata"]["product"]["name"], "Plimsoll")
        # Without TLS only to this machine.
        done = self.controller.cli("notification", "create", "far", "--email", "a@example.com", "--smtp", "mail.example.com:25", "--from",
                                   "b@example.com", "--plain-smtp", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("email.plain", done.stderr)


if __name__ == "__main__":
    unittest.main()
