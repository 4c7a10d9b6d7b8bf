"""Sessions in cookies, and signing in at a real OpenID Connect provider (oidc-provider), on the real programs."""

import html.parser
import http.cookiejar
import json
import pathlib
import re
import shutil
import ssl
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

import plimsoll
from engine import wait_for

HERE = pathlib.Path(__file__).resolve().parent / "oidc"
SECRET = "s3cr:et & more/+"


def install_provider():
    """npm's packages, beside provider.mjs, once."""
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        subprocess.run(["npm", "--prefix", HERE, "ci", "--no-audit", "--no-fund", "--silent"], check=True, timeout=300)


class Form(html.parser.HTMLParser):
    """The one form of a page: where it goes, and its hidden fields."""

    def __init__(self, page):
        super().__init__()
        self.action = None
        self.fields = {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.action = attrs["action"]
        elif tag == "input" and attrs.get("type") == "hidden":
            self.fields[attrs["name"]] = attrs.get("value", "")


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows all but those to `stop_at`, whose address is kept instead."""

    stop_at = None
    stopped = None

    def redirect_request(self, request, fp, code, message, headers, url):
        if self.stop_at and url.startswith(self.stop_at):
            self.stopped = url
            return None
        return super().redirect_request(request, fp, code, message, headers, url)


class Browser:
    """Follows redirects and keeps cookies, as a person's browser does."""

    def __init__(self, *authorities):
        self.redirects = Redirects()
        context = ssl.create_default_context()
        for authority in authorities:
            context.load_verify_locations(authority)
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context),
                                                  urllib.request.HTTPCookieProcessor(self.jar), self.redirects)

    def open(self, url, form=None, method=None, body=None, headers=None):
        """(status, last URL, headers, text); errors are answers too."""
        data = urllib.parse.urlencode(form).encode() if form is not None else body
        request = urllib.request.Request(url, data, headers or {}, method=method)
        try:
            answer = self.opener.open(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.url, answer.headers, answer.read().decode()

    def sign_in(self, url, login):
        """Begins at `url`, fills in what the provider asks; what open() gives of the page after that."""
        answer = self.open(url)
        while "/interaction/" in answer[1] and answer[0] == 200:
            form = Form(answer[3])
            answer = self.open(form.action, {**form.fields, "login": login, "password": "any"})
        return answer

    def cookie(self, name):
        return next((cookie for cookie in self.jar if cookie.name == name), None)


class Provider:
    """oidc-provider on a port that stays, with people that a test changes."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-oidc-"))
        self.port = plimsoll.free_port()
        self.issuer = f"https://localhost:{self.port}"
        self.certificate = self.root / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        self.root / "key.pem", "-out", self.certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        self.process = None
        self.people = {}

    def start(self, redirect, algorithm="RS256", thin=True):
        self.write()
        settings = {"port": self.port, "key": str(self.root / "key.pem"), "certificate": str(self.certificate),
                    "redirectUri": redirect, "clientSecret": SECRET, "algorithm": algorithm, "thinTokens": thin,
                    "people": str(self.root / "people.json")}
        log = self.root / "provider.log"
        with open(log, "wb") as out:
            self.process = subprocess.Popen(["node", HERE / "provider.mjs", json.dumps(settings)], stdout=out, stderr=out)
        wait_for(lambda: self.process.poll() is not None or "listening" in log.read_text(), "the provider", 60)
        if self.process.poll() is not None:
            raise AssertionError("the provider ended:\n" + log.read_text())

    def write(self):
        (self.root / "people.json").write_text(json.dumps(self.people))

    def person(self, login, *groups, **claims):
        self.people[login] = {"preferred_username": login, "groups": list(groups), **claims}
        self.write()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def remove(self):
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)


class Page:
    """What scripts of a page of the controller do."""

    def __init__(self, browser, origin):
        self.browser = browser
        self.origin = origin

    def ask(self, method, path, body=None, **headers):
        """(status, the answer as JSON)."""
        data = None if method == "GET" else json.dumps(body or {}).encode()
        sent = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        status, _, _, text = self.browser.open(self.origin + path, method=method, body=data, headers=sent)
        return status, json.loads(text)


class Oidc(unittest.TestCase):
    def setUp(self):
        install_provider()
        self.provider = Provider()
        self.addCleanup(self.provider.remove)
        secret = self.provider.root / "client.secret"
        secret.write_text(SECRET + "\n")
        secret.chmod(0o600)
        self.controller = plimsoll.Controller()
        self.origin = f"https://localhost:{self.controller.rest_port}"
        self.start = f"{self.origin}/v1/oidc/start"
        # As an operator writes it: the mapping stands in the configuration file.
        config = self.provider.root / "controller.yaml"
        config.write_text(f"""
oidc-issuer: {self.provider.issuer}
oidc-client-id: plimsoll
oidc-client-secret-file: {secret}
oidc-public-url: {self.origin}
oidc-ca-file: {self.provider.certificate}
oidc-role:
  fleet-admins: admin
  shop-team: operator:team=shop
""")
        self.controller.options = ("--config", config)
        self.enterContext(self.controller)
        self.redirect = f"{self.origin}/v1/oidc/callback"

    def browser(self):
        return Browser(self.controller.data / "pki" / "ca.pem", self.provider.certificate)

    def activity(self):
        return [(entry.get("actorName", ""), entry["outcome"]) for entry in
                self.controller.json("activity", "list", "--limit", "0")["entries"] if entry["action"] == "OidcSignIn"]

    def test_a_group_opens_the_door_and_a_cookie_is_the_key(self):
        self.provider.person("Ann.Smith", "others", "shop-team")
        self.provider.start(self.redirect)
        browser = self.browser()
        status, url, _, text = browser.sign_in(self.start + "?return_to=/v1/self", "Ann.Smith")
        self.assertEqual((status, url), (200, self.origin + "/v1/self"), text)
        me = json.loads(text)
        self.assertEqual((me["name"], me["role"], me["scope"]), ("ann.smith", "ROLE_OPERATOR", "team=shop"))
        cookie = browser.cookie("__Host-plimsoll-session")
        self.assertTrue(cookie.secure and cookie.has_nonstandard_attr("HttpOnly"))
        self.assertEqual((cookie.path, cookie.get_nonstandard_attr("SameSite")), ("/", "Strict"))
        self.assertNotIn(cookie.value, text)
        self.assertIsNone(browser.cookie("__Host-plimsoll-sign-in"))

        page = Page(browser, self.origin)
        status, error = page.ask("POST", "/v1/sessions/sign-out")
        self.assertEqual((status, error["error"]["reason"]), (403, "CSRF"))
        status, error = page.ask("POST", "/v1/sessions/sign-out", X_Plimsoll_CSRF=me["csrfToken"], Origin="https://evil.example")
        self.assertEqual((status, error["error"]["reason"]), (403, "CSRF"))
        self.assertEqual(page.ask("GET", "/v1/users")[0], 403)
        sessions = page.ask("GET", "/v1/sessions")[1]["sessions"]
        self.assertEqual(len(sessions), 1)
        self.assertEqual(page.ask("POST", "/v1/sessions/sign-out", X_Plimsoll_CSRF=me["csrfToken"], Origin=self.origin)[0], 200)
        self.assertIsNone(browser.cookie("__Host-plimsoll-session"))
        self.assertEqual(page.ask("GET", "/v1/self")[0], 401)

        user = self.controller.json("user", "list")["users"][-1]
        self.assertEqual((user["name"], user["identityProvider"], user["subject"]),
                         ("ann.smith", self.provider.issuer, "subject-of-Ann.Smith"))
        self.assertEqual(self.activity(), [("ann.smith", "OK")])
        self.assertEqual(self.controller.cli("user", "reset-password", "ann.smith", check=False).returncode, 2)
        for secret in (cookie.value, SECRET):
            self.assertNotIn(secret, self.controller.log_text())

    def test_groups_are_those_of_the_last_sign_in(self):
        self.provider.person("bob", "fleet-admins")
        # Tokens with everything in them, signed by an elliptic curve.
        self.provider.start(self.redirect, algorithm="ES256", thin=False)
        first = self.browser()
        self.assertEqual(json.loads(first.sign_in(self.start + "?return_to=/v1/self", "bob")[3])["role"], "ROLE_ADMIN")
        self.assertEqual(Page(first, self.origin).ask("GET", "/v1/users")[0], 200)
        self.provider.person("bob", "shop-team")
        second = self.browser()
        self.assertEqual(json.loads(second.sign_in(self.start + "?return_to=/v1/self", "bob")[3])["role"], "ROLE_OPERATOR")
        self.assertEqual(Page(first, self.origin).ask("GET", "/v1/self")[0], 401)
        self.provider.person("bob", "others")
        status, _, _, text = self.browser().sign_in(self.start, "bob")
        self.assertEqual((status, json.loads(text)["error"]["status"]), (403, "PERMISSION_DENIED"))
        self.assertEqual(Page(second, self.origin).ask("GET", "/v1/self")[0], 401)
        self.provider.person("bob", "shop-team")
        self.controller.cli("user", "update", "bob", "--disable")
        self.assertEqual(self.browser().sign_in(self.start, "bob")[0], 403)
        wait_for(lambda: len(self.activity()) == 4, "refusals in the activity log", 20)
        self.assertEqual(self.activity(), [("bob", "PERMISSION_DENIED")] * 2 + [("bob", "OK")] * 2)

    def test_only_the_browser_that_began_can_finish_and_it_is_led_nowhere_else(self):
        self.provider.person("ann", "fleet-admins")
        self.provider.start(self.redirect)
        document = self.provider.root / "openapi.json"
        document.write_text(self.browser().open(self.origin + "/openapi.json")[3])
        self.assertIn('"/v1/oidc/callback"', document.read_text())
        subprocess.run([HERE.parent.parent / "openapi" / "check", document], check=True, capture_output=True, timeout=120)
        for path in ("//evil.example", "/%5Cevil.example", "https://evil.example", "/a%0d%0aSet-Cookie:x=y"):
            self.assertEqual(self.browser().open(f"{self.start}?return_to={path}")[0], 400, path)
        self.assertEqual(self.browser().open(self.redirect + "?code=x&state=y")[0], 401)
        # Ann's code, carried to another browser.
        ann, eve = self.browser(), self.browser()
        ann.redirects.stop_at = self.redirect
        ann.sign_in(self.start, "ann")
        back = ann.redirects.stopped
        eve.open(self.start)
        for browser in (eve, self.browser()):
            self.assertEqual(browser.open(back)[0], 401)
            self.assertIsNone(browser.cookie("__Host-plimsoll-session"))
        # It is good for her, and once.
        self.assertEqual(ann.open(back)[1], self.origin + "/")
        self.assertEqual(ann.open(back)[0], 401)
        # The person says no.
        browser = self.browser()
        page = browser.open(self.start)[3]
        status, _, _, text = browser.open(re.search(r'href="([^"]*/abort)"', page).group(1))
        self.assertEqual(status, 401)
        self.assertIn("access_denied", json.loads(text)["error"]["message"])

    def test_a_provider_that_is_down_or_has_new_keys(self):
        self.provider.person("ann", "fleet-admins")
        status, _, _, text = self.browser().open(self.start)
        error = json.loads(text)["error"]
        self.assertEqual((status, error["reason"]), (503, "PROVIDER_UNAVAILABLE"))
        self.assertIn(self.provider.issuer, error["message"])
        # By password one comes in all the while.
        self.assertEqual(self.controller.json("whoami")["name"], "admin")
        self.provider.start(self.redirect)
        wait_for(lambda: self.browser().open(self.start)[0] == 200, "the provider to be asked again", 30)
        self.assertEqual(self.browser().sign_in(self.start + "?return_to=/v1/self", "ann")[0], 200)
        self.provider.stop()
        self.provider.start(self.redirect)
        # Keys were just read: those of the new start are asked for within a minute.
        wait_for(lambda: self.browser().sign_in(self.start + "?return_to=/v1/self", "ann")[0] == 200, "new keys", 90)

    def test_the_command_line_signs_in_through_a_browser(self):
        self.provider.person("ann", "fleet-admins")
        self.provider.start(self.redirect)
        credentials = self.provider.root / "credentials.yaml"
        with subprocess.Popen([plimsoll.BIN / "plimsoll", "--credentials", credentials, "--server",
                               f"localhost:{self.controller.api_port}", "--ca", self.controller.data / "pki" / "ca.pem",
                               "login", "--oidc"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as login:
            try:
                self.assertIn(self.provider.issuer, login.stderr.readline())
                status, url, _, text = self.browser().sign_in(login.stderr.readline().strip(), "ann")
                self.assertEqual(status, 200, text)
                self.assertTrue(url.startswith("http://127.0.0.1:"), url)
                self.assertIn("You are signed in", text)
                out, err = login.communicate(timeout=60)
            finally:
                login.kill()
        self.assertEqual(login.returncode, 0, err)
        self.assertIn("as ann (admin)", out)
        who = json.loads(subprocess.run([plimsoll.BIN / "plimsoll", "--credentials", credentials, "whoami", "-o", "json"],
                                        check=True, capture_output=True, timeout=60).stdout)
        self.assertEqual((who["name"], who["kind"]), ("ann", "USER"))
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["code"][0]
        self.assertNotIn(code, self.controller.log_text())
        # Without the verifier the code is worth nothing.
        status, answer = Page(self.browser(), self.origin).ask(
            "POST", "/v1/sessions/redeem", {"codeSecret": code, "verifierSecret": "x" * 43})
        self.assertEqual((status, answer["error"]["status"]), (401, "UNAUTHENTICATED"))


class Cookies(unittest.TestCase):
    """Sign-in by password, from a browser; no provider."""

    def test_a_password_brings_a_cookie(self):
        controller = self.enterContext(plimsoll.Controller())
        password = (controller.data / "admin.password").read_text().strip()
        origin = f"https://localhost:{controller.rest_port}"
        browser = Browser(controller.data / "pki" / "ca.pem")
        page = Page(browser, origin)
        self.assertEqual(page.ask("GET", "/v1/sign-in-methods"), (200, {}))
        self.assertEqual(browser.open(origin + "/v1/oidc/start")[0], 404)
        wish = {"name": "admin", "password": password, "inCookie": True}
        self.assertEqual(page.ask("POST", "/v1/sessions", wish, Sec_Fetch_Site="cross-site")[0], 403)
        status, session = page.ask("POST", "/v1/sessions", wish, Sec_Fetch_Site="same-origin", Origin=origin)
        self.assertEqual(status, 200)
        self.assertNotIn("secret", session)
        proof = {"X_Plimsoll_CSRF": session["csrfToken"], "Origin": origin}
        # A one-time password opens nothing else, by cookie neither.
        self.assertEqual(page.ask("GET", "/v1/hosts")[0], 412)
        change = {"oldPassword": password, "newPassword": "a password of my own"}
        self.assertEqual(page.ask("POST", "/v1/self/password", change)[0], 403)
        self.assertEqual(page.ask("POST", "/v1/self/password", change, **proof)[0], 200)
        self.assertEqual(page.ask("GET", "/v1/hosts")[0], 200)
        self.assertEqual(page.ask("GET", "/v1/self")[1]["csrfToken"], session["csrfToken"])
        # The cookie goes with the session, wherever that ends.
        other = Browser(controller.data / "pki" / "ca.pem")
        wish["password"] = "a password of my own"
        self.assertEqual(Page(other, origin).ask("POST", "/v1/sessions", wish)[0], 200)
        self.assertEqual(page.ask("POST", "/v1/sessions/sign-out-everywhere", **proof)[1]["sessionCount"], 2)
        self.assertEqual(Page(other, origin).ask("GET", "/v1/self")[0], 401)


if __name__ == "__main__":
    unittest.main()
