"""Whatever dies, fills up or lies: every acknowledged change is in the database, in order, exactly once.

Seeded; PLIMSOLL_FAULT_SEEDS="1 2 3" repeats with others. A simulated fleet (tests/bench/fleet_sim) writes down what was
acknowledged to it, and the database is held against that. Needs root, as other end-to-end tests do.
"""

import concurrent.futures
import functools
import os
import pathlib
import random
import shutil
import subprocess
import time
import unittest

import engine as engines
import network
import plimsoll
import postgres
import simulator
from engine import wait_for

SEEDS = [int(word) for word in os.environ.get("PLIMSOLL_FAULT_SEEDS", "1 2").split()]
HOSTS = 24


def seeded(test):
    """Runs a test once for each seed, with a random number generator of it."""

    @functools.wraps(test)
    def run(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                print(f"\n{test.__name__} seed {seed}", flush=True)
                test(self, random.Random(seed), seed)

    return run


class Tmpfs:
    """A small disk that can be filled up."""

    def __init__(self, folder, mib):
        self.folder, self.mib = pathlib.Path(folder), mib

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.mib}m,mode=0755", "tmpfs", self.folder], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder], check=True)
        self.folder.rmdir()

    def fill(self):
        try:
            with open(self.folder / "filler", "wb", buffering=0) as filler:
                while True:
                    filler.write(b"\0" * 65536)
        except OSError:
            # The last pages one by one.
            try:
                with open(self.folder / "filler", "ab", buffering=0) as filler:
                    while True:
                        filler.write(b"\0" * 512)
            except OSError:
                pass

    def free(self):
        (self.folder / "filler").unlink()


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(postgres.Cluster())
        cls.databases = 0

    def database(self):
        Faults.databases += 1
        name = f"fault_{Faults.databases}"
        return name, self.cluster.create(name)

    def controller(self, url, *options, **named):
        """A controller that does not wait long for anything, on the database of `url`."""
        return plimsoll.Controller("--database-url", url, "--heartbeat-interval", "1s", *options, **named)

    def simulate(self, controller, seed, *options, addresses=None, duration="6s", namespace=None, disconnects=2):
        """A fleet that changes all the time."""
        return simulator.Simulator(
            controller.root, "fleet", addresses or [f"localhost:{controller.collector_port}"],
            controller.data / "pki" / "ca.pem", controller.token("--uses", "200"), "--hosts", HOSTS, "--containers", 8,
            "--churn", 120, "--snapshots", 4, "--disconnects", disconnects, "--privileged-share", 0.3, "--longest-pause", "1s",
            "--connect-rate", 100, "--ramp", "40s", "--duration", duration, "--seed", seed, *options, namespace=namespace)

    def check(self, controller, name, report, entries, cluster=None):
        """The history is whole, the fleet has recovered, and stored facts can be read."""
        checked = simulator.check_history(self, cluster or self.cluster, name, entries)
        self.assertGreater(checked, HOSTS * 2, "too little happened to mean anything")
        self.assertEqual((report["unacknowledged"], report["live"]), (0, HOSTS),
                         f"the fleet does not recover: {report}\n{controller.log_text()[-2000:]}")
        for host in sorted({entry[0] for entry in entries})[:3]:
            self.assertGreater(len(controller.json("host", host)["verdicts"]), 10)
        print(f"  {checked} acknowledged changes are there", flush=True)

    @seeded
    def test_controller_is_killed(self, rng, seed):
        name, url = self.database()
        with self.controller(url) as controller, self.simulate(controller, seed, duration="8s") as fleet:
            wait_for(fleet.loaded, "the fleet", 60)
            for _ in range(3):
                time.sleep(rng.uniform(0.3, 2))
                controller.stop(kill=True)
                controller.start()
            self.check(controller, name, fleet.report(), fleet.journal())

    @seeded
    def test_database_is_killed(self, rng, seed):
        name, url = self.database()
        with self.controller(url) as controller, self.simulate(controller, seed, duration="9s") as fleet:
            wait_for(fleet.loaded, "the fleet", 60)
            for _ in range(2):
                time.sleep(rng.uniform(0.3, 2))
                self.cluster.kill()
                time.sleep(rng.uniform(0, 1))
                self.cluster.start()
            report = fleet.report()
            self.assertIsNone(controller.process.poll(), "the controller ended with its database")
            self.check(controller, name, report, fleet.journal())

    @seeded
    def test_partition(self, rng, seed):
        name, url = self.database()
        with network.Namespace() as far, \
                self.controller(url, "--name", far.outside, "--name", "localhost", address="0.0.0.0") as controller, \
                self.simulate(controller, seed, "--keepalive", "10s", disconnects=6, duration="10s", namespace=far.name,
                              addresses=[f"{far.outside}:{controller.collector_port}"]) as fleet:
            wait_for(fleet.loaded, "the fleet", 60)
            for _ in range(3):
                time.sleep(rng.uniform(0.3, 1.5))
                # Acknowledgements alone are lost, or changes alone, or both.
                chains = rng.choice([["INPUT"], ["OUTPUT"], ["INPUT", "OUTPUT"]])
                far.cut(chains)
                time.sleep(rng.uniform(0.5, 2))
                far.heal(chains)
            self.check(controller, name, fleet.report(), fleet.journal())

    @seeded
    def test_two_controllers_contend(self, rng, seed):
        name, url = self.database()
        second = self.controller(url)
        with self.controller(url) as first:
            # One authority and one administrator for both, as an operator who runs two gives them.
            shutil.copytree(first.data / "pki", second.data / "pki")
            shutil.copy(first.data / "admin.token", second.data)
            second.data.chmod(0o700)
            self.enterContext(second)
            ports = [first.collector_port, second.collector_port]
            with network.Balancer(ports, seed, 0.6) as balancer, \
                    self.simulate(first, seed, disconnects=12, addresses=[f"localhost:{balancer.port}"], duration="10s") as fleet:
                wait_for(fleet.loaded, "the fleet", 60)
                time.sleep(rng.uniform(1, 3))
                second.stop(kill=True)
                time.sleep(rng.uniform(0, 1))
                second.start()
                self.check(first, name, fleet.report(), fleet.journal())
            self.assertTrue(second.log_has("session began"))

    @seeded
    def test_disk_of_the_database_is_full(self, rng, seed):
        with Tmpfs(f"/tmp/plimsoll-fault-disk-{os.getpid()}", 160) as disk, \
                postgres.Cluster(disk.folder / "pg", max_wal_size="64MB", min_wal_size="32MB") as cluster:
            url = cluster.create("full")
            with self.controller(url) as controller, self.simulate(controller, seed, duration="12s") as fleet:
                wait_for(fleet.loaded, "the fleet", 60)
                time.sleep(rng.uniform(0.3, 1))
                disk.fill()
                time.sleep(rng.uniform(2, 4))
                disk.free()
                # PostgreSQL stops itself when it cannot write its log; an operator starts it again.
                wait_for(lambda: cluster.answers() or not cluster.running(), "PostgreSQL or its end", 60)
                if not cluster.running():
                    cluster.start()
                self.check(controller, "full", fleet.report(), fleet.journal(), cluster)

    @seeded
    def test_slow_and_lying_collectors(self, rng, seed):
        name, url = self.database()
        hostile = simulator.SIMULATOR.parent / "hostile_collector"
        with self.controller(url) as controller:
            ca = controller.data / "pki" / "ca.pem"

            token = controller.token("--uses", "10")

            def attack(number, kind):
                command = [hostile, f"localhost:{controller.collector_port}", ca, token, controller.root / f"hostile-{number}", "6", kind]
                return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)

            with self.simulate(controller, seed, duration="8s") as fleet, \
                    network.Tricklers(controller.collector_port, ca, 40), concurrent.futures.ThreadPoolExecutor(6) as pool:
                wait_for(fleet.loaded, "the fleet", 60)
                attacks = [pool.submit(attack, number, "liar" if number < 4 else "deaf") for number in range(6)]
                report = fleet.report()
                for done in (attack.result() for attack in attacks):
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.check(controller, name, report, fleet.journal())
            # Nothing of what was never true is stored.
            self.assertEqual(self.cluster.sql(
                "SELECT count(*) FROM facts_snapshot s JOIN host h ON h.id = s.host_id WHERE hostname = 'hostile'", name), [["0"]])
            # Honest collectors do not notice.
            self.assertLess(report["load"]["change_ms"]["p95"], 3000)


class CollectorFaults(unittest.TestCase):
    """The real collector on a real engine: what it saw survives its death, and a full disk."""

    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(engines.Engine("fault"))
        cls.cluster = cls.enterClassContext(postgres.Cluster())
        cls.databases = 0

    def prepare(self):
        CollectorFaults.databases += 1
        name = f"collector_{CollectorFaults.databases}"
        controller = plimsoll.Controller("--database-url", self.cluster.create(name), "--heartbeat-interval", "1s")
        return name, self.enterContext(controller)

    def privileged(self, controller):
        """Names of the containers that the controller takes for privileged."""
        listed = controller.json("findings", "--rule", "5.04", "--baseline", "azure-docker")
        return {finding["finding"]["object"].split(" ")[0] for finding in listed.get("findings", [])}

    def start_agent(self, controller, state, token, *options):
        return controller.agent(self.engine, "--reconnect-max", "1s", *options, state=state, token=token)

    def change(self, rng, names, comes=False):
        """One container comes or goes (or `comes`); `names` are the privileged ones there are."""
        if names and not comes and rng.random() < 0.4:
            self.engine.docker("rm", "-f", names.pop(rng.randrange(len(names))))
        else:
            name = f"p{rng.randrange(1 << 40):x}"
            self.engine.docker("create", "--name", name, "--privileged", "bb", "true")
            names.append(name)

    def finish(self, controller, name, names):
        wait_for(lambda: self.privileged(controller) == set(names), f"the last state {names}", 60)
        rows = simulator.stored(self.cluster, name)
        self.assertEqual(len(rows), 1)
        simulator.check_order(self, rows)
        for host, sequence, digest, newest in simulator.cluster_heads(self.cluster, name, rows):
            self.assertEqual((sequence, digest), (newest[0], newest[1]), host)
        for container in names:
            self.engine.docker("rm", "-f", container)

    @seeded
    def test_collector_is_killed(self, rng, seed):
        name, controller = self.prepare()
        state, token, names = controller.root / "state", controller.token(), []
        agent = self.start_agent(controller, state, token)
        wait_for(controller.evaluated_hosts, "first report", 60)
        for _ in range(3):
            for _ in range(rng.randrange(1, 5)):
                self.change(rng, names)
            time.sleep(rng.uniform(0, 0.4))
            agent.kill()
            agent.wait()
            for _ in range(rng.randrange(0, 3)):
                self.change(rng, names)
            agent = self.start_agent(controller, state, token)
            time.sleep(rng.uniform(0, 0.4))
        self.finish(controller, name, names)

    @seeded
    def test_disk_of_the_spool_is_full(self, rng, seed):
        name, controller = self.prepare()
        state, token, names = controller.root / "small", controller.token(), []
        with Tmpfs(state, 2) as disk:
            agent = self.start_agent(controller, state, token, "--spool-max-mib", "1")
            wait_for(controller.evaluated_hosts, "first report", 60)
            disk.fill()
            controller.stop(kill=True)
            seen = []
            for last in (False, False, False, False, False, True):
                # The last state is not the first one again, which the controller has already.
                self.change(rng, names, comes=last)
                seen.append(time.time())
                time.sleep(rng.uniform(0, 0.3))
            controller.start()
            self.assertIsNone(agent.poll(), "the collector ended because its disk was full")
            wait_for(lambda: self.privileged(controller) == set(names), "the last state", 60)
            # What happened meanwhile is dated when it was seen, not when it arrived.
            rows = next(iter(simulator.stored(self.cluster, name).values()))
            late = [row for row in rows if row[3] - row[2] > 500_000 and row[2] / 1e6 < seen[-1] + 2]
            self.assertTrue(late, rows)
            disk.free()
            self.change(rng, names)
            self.finish(controller, name, names)
            agent.terminate()
            agent.wait(30)


if __name__ == "__main__":
    unittest.main()
