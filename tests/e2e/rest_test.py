"""The API over HTTPS against the real program: callers, pages, errors, tags, events, numbers, and hostile clients."""

import gzip
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import time
import unittest

import engine as engines
import plimsoll
from engine import wait_for

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


class Client:
    """Speaks HTTPS to a controller as somebody."""

    def __init__(self, controller, token=None):
        self.controller = controller
        self.tls = ssl.create_default_context(cafile=str(controller.data / "pki" / "ca.pem"))
        self.token = token

    def connect(self):
        return http.client.HTTPSConnection("localhost", self.controller.rest_port, context=self.tls, timeout=60)

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, body as bytes)."""
        connection = self.connect()
        try:
            sent = dict(headers or {})
            if self.token:
                sent.setdefault("Authorization", f"Bearer {self.token}")
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
                sent.setdefault("Content-Type", "application/json")
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def json(self, method, path, body=None, headers=None):
        status, _, answer = self.ask(method, path, body, headers)
        if status != 200:
            raise AssertionError(f"{method} {path}: {status}: {answer[:500]}")
        return json.loads(answer)

    def error(self, method, path, body=None, headers=None):
        """(status, the error object)."""
        status, _, answer = self.ask(method, path, body, headers)
        return status, json.loads(answer)["error"]

    def events(self, path, headers=None):
        """Events of a stream: (name, id, data), until it ends."""
        connection = self.connect()
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}", **(headers or {})})
        answer = connection.getresponse()
        if answer.status != 200:
            raise AssertionError(f"{path}: {answer.status}: {answer.read()}")
        try:
            event = {}
            for line in answer:
                line = line.decode().rstrip("\n")
                if line.startswith(":"):
                    continue
                if line:
                    key, _, value = line.partition(": ")
                    event[key] = value
                elif event:
                    yield event.get("event"), event.get("id"), json.loads(event["data"])
                    event = {}
        finally:
            connection.close()

    def raw(self, data):
        """Sends bytes over TLS; everything that comes until the server closes."""
        with socket.create_connection(("localhost", self.controller.rest_port), timeout=60) as plain:
            with self.tls.wrap_socket(plain, server_hostname="localhost") as stream:
                stream.sendall(data)
                received = b""
                while chunk := stream.recv(65536):
                    received += chunk
                return received


class Rest(unittest.TestCase):
    """One controller, no host."""

    @classmethod
    def setUpClass(cls):
        cls.controller = cls.enterClassContext(plimsoll.Controller())
        cls.token = (cls.controller.data / "admin.token").read_text().strip()
        cls.client = Client(cls.controller, cls.token)

    def test_callers_are_known(self):
        nobody = Client(self.controller)
        status, error = nobody.error("GET", "/v1/hosts")
        self.assertEqual((status, error["status"]), (401, "UNAUTHENTICATED"))
        self.assertEqual(Client(self.controller, "plb_wrong").error("GET", "/v1/hosts")[0], 401)
        self.assertEqual(nobody.ask("GET", "/metrics")[0], 401)
        for path in ("/healthz", "/readyz"):
            self.assertEqual(nobody.ask("GET", path)[2], b"ok\n")
        for path in ("/docs", "/openapi.json"):
            self.assertEqual(nobody.ask("GET", path)[0], 200)
        self.assertEqual(self.client.json("GET", "/v1/hosts"), {})

    def test_errors_have_one_form(self):
        status, error = self.client.error("GET", "/v1/hosts/none", headers={"X-Request-Id": "job-7"})
        self.assertEqual(status, 404)
        self.assertEqual((error["code"], error["status"], error["requestId"]), (404, "NOT_FOUND", "job-7"))
        status, error = self.client.error("GET", "/v1/hosts?pageSize=many")
        self.assertEqual((status, error["reason"], error["fields"][0]["field"]), (400, "INVALID_FIELD", "pageSize"))
        status, headers, _ = self.client.ask("PUT", "/v1/hosts")
        self.assertEqual((status, headers["Allow"]), (405, "GET"))
        self.assertEqual(self.client.error("POST", "/v1/scans", {"nosuch": 1})[0], 400)
        self.assertEqual(self.client.error("POST", "/v1/scans", {"all": True})[1]["status"], "NOT_FOUND")

    def test_resources_are_made_changed_and_removed(self):
        made = self.client.json("POST", "/v1/schedules", {"name": "nightly", "cron": "0 2 * * *", "selector": {"all": True}})
        changed = self.client.json("PUT", "/v1/schedules/nightly",
                                   {"name": "nightly", "cron": "0 3 * * *", "selector": {"all": True}, "etag": made["etag"]})
        self.assertEqual((changed["id"], changed["cron"]), (made["id"], "0 3 * * *"))
        self.assertTrue(self.client.json("POST", "/v1/schedules/nightly/pause", {})["paused"])
        self.assertEqual(len(self.client.json("GET", "/v1/schedules")["schedules"]), 1)
        self.client.json("DELETE", "/v1/schedules/nightly")
        self.assertEqual(self.client.error("GET", "/v1/schedules/nightly")[0], 404)
        self.assertEqual(len(self.client.json("GET", "/v1/schedule-preview?cron=%40daily&count=3")["runTimes"]), 3)

    def test_aggregates_are_not_sent_twice_and_long_answers_are_packed(self):
        path = "/v1/baselines/azure-docker/summary"
        status, headers, _ = self.client.ask("GET", path)
        self.assertEqual(status, 200)
        status, again, nothing = self.client.ask("GET", path, headers={"If-None-Match": headers["ETag"]})
        self.assertEqual((status, nothing, again["ETag"]), (304, b"", headers["ETag"]))
        path = "/v1/baselines/azure-docker"
        status, headers, packed = self.client.ask("GET", path, headers={"Accept-Encoding": "gzip"})
        self.assertEqual(headers["Content-Encoding"], "gzip")
        body = self.client.ask("GET", path)[2]
        self.assertEqual(gzip.decompress(packed), body)
        self.assertLess(len(packed), len(body) / 2)

    def test_the_description_is_valid_and_whole(self):
        document = self.controller.root / "openapi.json"
        document.write_bytes(self.client.ask("GET", "/openapi.json")[2])
        done = subprocess.run([REPOSITORY / "tests" / "openapi" / "check", document], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        page = self.client.ask("GET", "/docs")
        self.assertIn("default-src 'none'", page[1]["Content-Security-Policy"])
        for path in json.loads(document.read_text())["paths"]:
            self.assertIn(path.encode(), page[2])

    def test_numbers_please_promtool(self):
        text = self.client.ask("GET", "/metrics")[2]
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"plimsoll_database_up 1\n", text)
        self.assertIn(b'plimsoll_build_info{version="', text)

    def test_hostile_requests_are_refused_and_hurt_nobody(self):
        head = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + self.token.encode() + b"\r\n"
        post = b"POST /v1/scans" + head + b"Content-Type: application/json\r\n"
        deep = b'{"hosts":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        cases = {
            b"GET /v1/../etc/passwd" + head + b"\r\n": 400, b"GET /v1/%2e%2e/hosts" + head + b"\r\n": 400,
            b"GET /v1//hosts" + head + b"\r\n": 400, b"GET /v1/hosts/%00" + head + b"\r\n": 400,
            b"GET /v1/hosts/%ff%fe" + head + b"\r\n": 400, b"GET http://x/v1/hosts" + head + b"\r\n": 400,
            b"GET /v1/hosts?page_size=99999999999999999999" + head + b"\r\n": 400,
            b"GET /v1/hosts?" + b"&".join([b"x=1"] * 200) + head + b"\r\n": 400,
            b"GET /v1/hosts" + head + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 100) for i in range(1000)) + b"\r\n": 431,
            b"GET /" + b"x" * 100_000 + head + b"\r\n": 431,
            post + b"Content-Length: %d\r\n\r\n" % len(deep) + deep: 400,
            post + b"Content-Length: 99999999999\r\n\r\n": 413,
            post + b"Content-Length: 4\r\n\r\n\xff\xfe{}": 400,
            post + b"Content-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}": 400,
            b"\x16\x03\x01 nonsense\r\n\r\n": 400,
        }
        for request, expected in cases.items():
            answer = self.client.raw(request)
            self.assertEqual(answer[9:12], str(expected).encode(), (request[:80], answer[:300]))
        self.assertEqual(self.client.json("GET", "/v1/hosts"), {})

    def test_slow_clients_do_not_slow_others(self):
        slow = []
        try:
            for _ in range(300):
                stream = self.client.tls.wrap_socket(
                    socket.create_connection(("localhost", self.controller.rest_port), timeout=60), server_hostname="localhost")
                stream.sendall(b"GET /v1/hosts HTTP/1.1\r\nHost: x\r\nX-Slow: ")
                slow.append(stream)
            begin = time.monotonic()
            for _ in range(20):
                self.client.json("GET", "/v1/hosts")
            self.assertLess(time.monotonic() - begin, 10)
            # Each is cut off when its time is over.
            self.assertEqual(slow[0].recv(100), b"")
        finally:
            for stream in slow:
                stream.close()

    def test_live_events_begin_with_the_counts(self):
        name, position, event = next(self.client.events("/v1/events"))
        self.assertEqual((name, event["counts"].keys()), ("event", {"azure-docker", "edge-docker"}))
        name, _, event = next(self.client.events("/v1/events", {"Last-Event-ID": position}))
        self.assertEqual(name, "event")
        name, _, event = next(self.client.events("/v1/events", {"Last-Event-ID": "c-other/7"}))
        self.assertEqual((name, event["resync"]), ("resync", True))


class RestWithAHost(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(engines.Engine("rest"))

    def setUp(self):
        self.controller = self.enterContext(plimsoll.Controller())
        self.client = Client(self.controller, (self.controller.data / "admin.token").read_text().strip())

    def test_a_scan_and_live_changes_are_followed(self):
        live = self.client.events("/v1/events")
        self.assertEqual(next(live)[2].get("hostCount", 0), 0)
        self.controller.agent(self.engine)
        wait_for(self.controller.evaluated_hosts, "first report", 60)
        seen = next(event for name, _, event in live if event.get("hosts"))
        host = seen["hosts"][0]["hostname"]
        live.close()

        key = {"Idempotency-Key": "one"}
        scan = self.client.json("POST", "/v1/scans", {"all": True}, key)
        self.assertEqual(self.client.json("POST", "/v1/scans", {"all": True}, key)["id"], scan["id"])
        events = list(self.client.events(f"/v1/scans/{scan['id']}/events"))
        self.assertEqual((events[-1][0], events[-1][2]), ("end", {}))
        self.assertEqual(events[-2][2]["state"], "DONE")
        self.assertEqual(events[-2][2]["progress"]["evaluated"], 1)

        path = f"/v1/scans/{scan['id']}/hosts/{host}/report?baseline=azure-docker"
        self.assertGreater(len(self.client.json("GET", path)["verdicts"]), 50)
        first = self.client.json("GET", "/v1/findings?pageSize=5&baseline=azure-docker")
        second = self.client.json("GET", f"/v1/findings?pageSize=5&baseline=azure-docker&pageToken={first['nextPageToken']}")
        self.assertEqual((len(first["findings"]), len(second["findings"])), (5, 5))
        self.assertNotEqual(first["findings"], second["findings"])
        self.assertIn(b'plimsoll_hosts{state="connected"} 1\n', self.client.ask("GET", "/metrics")[2])

    def test_a_database_that_is_gone_is_told(self):
        postmaster = int(next(self.controller.data.rglob("postmaster.pid")).read_text().split()[0])
        os.kill(postmaster, signal.SIGSTOP)
        os.kill(postmaster, signal.SIGKILL)
        wait_for(lambda: self.client.ask("GET", "/readyz")[0] == 503, "readyz", 60)
        self.assertEqual(self.client.ask("GET", "/healthz")[0], 200)


if __name__ == "__main__":
    unittest.main()
