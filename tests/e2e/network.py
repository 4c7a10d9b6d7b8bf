"""Networks that misbehave: a namespace that can be cut off, and a balancer that delivers late."""

import os
import random
import socket
import ssl
import subprocess
import threading
import time


class Namespace:
    """A network namespace joined to this one by a cable. Use as a context manager; needs root."""

    count = 0

    def __init__(self):
        Namespace.count += 1
        number = Namespace.count
        self.name = f"plimsoll-fault-{os.getpid()}-{number}"
        self.cable = f"pf{os.getpid() % 100000}x{number}"
        subnet = f"10.213.{random.randrange(256)}"
        self.outside, self.inside = f"{subnet}.1", f"{subnet}.2"

    def _ip(self, *arguments):
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    def _rule(self, action, chain):
        subprocess.run(["ip", "netns", "exec", self.name, "iptables", "-w", action, chain, "-i" if chain == "INPUT" else "-o",
                        "far", "-j", "DROP"], check=True, capture_output=True)

    def __enter__(self):
        self._ip("netns", "add", self.name)
        try:
            self._ip("link", "add", self.cable, "type", "veth", "peer", "name", "far", "netns", self.name)
            self._ip("addr", "add", f"{self.outside}/30", "dev", self.cable)
            self._ip("link", "set", self.cable, "up")
            self._ip("-n", self.name, "addr", "add", f"{self.inside}/30", "dev", "far")
            self._ip("-n", self.name, "link", "set", "far", "up")
            self._ip("-n", self.name, "link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "link", "del", self.cable], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def cut(self, chains):
        """Packets vanish: "INPUT" those to the namespace (acknowledgements are lost), "OUTPUT" those from it."""
        for chain in chains:
            self._rule("-A", chain)

    def heal(self, chains):
        for chain in chains:
            self._rule("-D", chain)


class Balancer:
    """Passes TCP connections on to one of `ports`, chosen at random. What clients send may arrive late, and goes on
    arriving after the client has gone: the old session of a host then writes beside its new one."""

    def __init__(self, ports, seed, longest_delay):
        self.ports, self.random, self.longest_delay = ports, random.Random(seed), longest_delay
        self.stopping = False

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while not self.stopping:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            order = self.random.sample(self.ports, len(self.ports))
            delay = self.random.random() * self.longest_delay if self.random.random() < 0.3 else 0
            threading.Thread(target=self._serve, args=(client, order, delay), daemon=True).start()

    def _serve(self, client, ports, delay):
        for port in ports:
            try:
                server = socket.create_connection(("127.0.0.1", port), 5)
                server.settimeout(None)
                break
            except OSError:
                continue
        else:
            client.close()
            return
        threading.Thread(target=self._pump, args=(server, client, 0), daemon=True).start()
        self._pump(client, server, delay)

    def _pump(self, source, sink, delay):
        try:
            while data := source.recv(65536):
                # Not always: a host has one delta under way at a time.
                if delay and self.random.random() < 0.2:
                    time.sleep(delay)
                sink.sendall(data)
        except OSError:
            pass
        # Late, so that what is under way on a dead connection still arrives.
        time.sleep(delay * 2)
        for end in (sink, source):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


class Tricklers:
    """Connections that shake hands, then send a message of the protocol a byte at a time and never read."""

    HEAD = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"

    def __init__(self, port, ca, count):
        self.port, self.ca, self.count, self.sockets = port, ca, count, []
        self.stopping = threading.Event()

    def __enter__(self):
        context = ssl.create_default_context(cafile=str(self.ca))
        context.set_alpn_protocols(["h2"])
        for _ in range(self.count):
            plain = socket.create_connection(("127.0.0.1", self.port), 20)
            secure = context.wrap_socket(plain, server_hostname="localhost")
            secure.sendall(self.HEAD)
            self.sockets.append(secure)
        self.thread = threading.Thread(target=self._trickle, daemon=True)
        self.thread.start()
        return self

    def _trickle(self):
        # A HEADERS frame of 16 KiB that never ends.
        frame = b"\0\x40\0\1\4\0\0\0\1" + b"\0" * 16384
        for byte in frame:
            for secure in self.sockets:
                try:
                    secure.sendall(bytes([byte]))
                except OSError:
                    pass
            if self.stopping.wait(0.05):
                return

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        for secure in self.sockets:
            secure.close()
