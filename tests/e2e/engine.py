"""Real Docker engines for tests, each in namespaces of its own.

An Engine has its own network, mount and UTS namespaces, /etc overlay, data root, exec root and socket, so a test may
change any file a rule looks at. The PID namespace is shared, because the kernel lists audit rules in the first one only.
Needs root, docker.io, busybox-static and iproute2.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()

# Makes the namespaces' own view of /etc, /run, /var/lib and the unit directory, then waits to be killed.
HOLD = r"""
set -e
root=$1
hostname "$2"
awk '$5 ~ "^/(var/lib/docker|run/docker|run/netns)(/|$)" {print $5}' /proc/self/mountinfo | tac |
  while read -r mount; do umount -l "$mount" 2>/dev/null || true; done
mkdir -p /lib/systemd/system
for pair in etc:/etc units:/lib/systemd/system; do
  name=${pair%%:*}; at=${pair#*:}
  mkdir -p "$root/$name" "$root/$name-work"
  mount -t overlay overlay -o "lowerdir=$at,upperdir=$root/$name,workdir=$root/$name-work" "$at"
done
mkdir -p "$root/var-lib" "$root/run"
mount --bind "$root/var-lib" /var/lib
mount --bind "$root/run" /run
mkdir -p /run/lock /var/lib/docker
rm -f /etc/docker/key.json
touch "$root/ready"
exec sleep infinity
"""


def wait_for(condition, what, seconds=60):
    """Polls until `condition` holds; AssertionError names what did not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s")


class Engine:
    """One dockerd. Use as a context manager; `flags` go to dockerd as they are."""

    def __init__(self, name, flags=(), daemon_json=None, prepare=None):
        self.name = name
        self.flags = list(flags)
        self.daemon_json = daemon_json
        self.prepare = prepare
        self.root = pathlib.Path(tempfile.mkdtemp(prefix=f"plimsoll-{name}-"))
        self.socket = self.root / "run" / "docker.sock"
        self.namespace = f"plimsoll-{name}-{os.getpid()}"
        self.holder = self.daemon = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _start(self):
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        subprocess.run(["ip", "-n", self.namespace, "link", "set", "lo", "up"], check=True)
        self.holder = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.namespace}", "unshare", "--mount", "--uts", "--propagation", "private",
             "bash", "-c", HOLD, "hold", str(self.root), self.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_for(lambda: (self.root / "ready").exists(), f"namespaces of {self.name}", 20)
        if self.daemon_json is not None:
            self.write("/etc/docker/daemon.json", json.dumps(self.daemon_json))
        if self.prepare:
            self.prepare(self)
        self.start_daemon()
        self.import_image("bb")

    def start_daemon(self):
        with open(self.root / "dockerd.log", "ab") as log:
            self.daemon = subprocess.Popen(
                self._inside() + ["env", f"PATH={self._runc_path()}", "dockerd", *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def answers():
            if self.daemon.poll() is not None:
                tail = (self.root / "dockerd.log").read_text(errors="replace")[-2000:]
                raise AssertionError(f"dockerd of {self.name} ended:\n{tail}")
            return self.docker("version", check=False).returncode == 0

        wait_for(answers, f"engine {self.name}")

    def stop_daemon(self):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(30)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        self.daemon = None

    def __exit__(self, *_):
        if self.daemon:
            ids = self.docker("ps", "-aq", check=False).stdout.split()
            if ids:
                self.docker("rm", "-f", *ids, check=False)
            self.stop_daemon()
        if self.holder:
            self.holder.kill()
            self.holder.wait()
            self.holder.stderr.close()
        subprocess.run(["ip", "netns", "del", self.namespace], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.root, ignore_errors=True)

    def _inside(self):
        return ["nsenter", "-t", str(self.holder.pid), "--mount", "--uts", "--net", "--"]

    def run(self, *command):
        """Runs a command inside the engine's namespaces."""
        return subprocess.run([*self._inside(), *command], check=True, capture_output=True, text=True)

    def write(self, path, content, mode=0o644):
        """Writes a file as the engine's host sees it."""
        script = 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"'
        subprocess.run([*self._inside(), "bash", "-c", script, "write", path, oct(mode)[2:]],
                       input=content, text=True, check=True)

    def docker(self, *arguments, check=True):
        """The docker client, spoken to this engine."""
        result = subprocess.run(["docker", "-H", f"unix://{self.socket}", *arguments], capture_output=True, text=True)
        if check and result.returncode != 0:
            raise AssertionError(f"docker {' '.join(arguments)}: {result.stderr}")
        return result

    def start(self, name, *options, image="bb"):
        """Starts a container that sleeps; returns its id."""
        return self.docker("run", "-d", "--name", name, *options, image, "sleep", "100000").stdout.strip()

    def import_image(self, tag, *changes):
        """An image of busybox alone, with `docker import --change` instructions."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for directory in ("bin", "etc", "tmp", "proc", "sys", "dev"):
                (root / directory).mkdir()
            shutil.copy("/bin/busybox", root / "bin" / "busybox")
            for applet in ("sh", "sleep", "true", "cat"):
                (root / "bin" / applet).symlink_to("busybox")
            (root / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\napp:x:1000:1000:app:/:/bin/sh\n")
            archive = subprocess.run(["tar", "-C", folder, "-c", "."], check=True, capture_output=True).stdout
        options = [word for change in changes for word in ("-c", change)]
        subprocess.run(["docker", "-H", f"unix://{self.socket}", "import", *options, "-", tag],
                       input=archive, check=True, capture_output=True)

    def build(self, tag, dockerfile):
        """Builds an image from a Dockerfile's text (classic builder, no registry)."""
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "Dockerfile").write_text(dockerfile)
            subprocess.run(["docker", "-H", f"unix://{self.socket}", "build", "-q", "-t", tag, folder], check=True,
                           capture_output=True, env={**os.environ, "DOCKER_BUILDKIT": "0"})

    def _runc_path(self):
        """PATH for dockerd. Where this machine's own capabilities are cut short (a sandbox), runc cannot grant what it
        does not have; a wrapper then takes exactly those out of the bundle, and the engine's view stays as it is."""
        last = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text())
        status = pathlib.Path("/proc/self/status").read_text().splitlines()
        bounding = next(int(line.split()[1], 16) for line in status if line.startswith("CapBnd"))
        missing = [c for i, c in enumerate(CAPABILITIES) if i <= last and not bounding >> i & 1]
        if not missing:
            return os.environ["PATH"]
        edits = "".join(f';s/"CAP_{c}",//g;s/,"CAP_{c}"\\]/]/g' for c in missing)[1:]
        folder = self.root / "bin"
        folder.mkdir(exist_ok=True)
        wrapper = folder / "runc"
        wrapper.write_text(f"""#!/bin/bash
file= want=
for word in "$@"; do
  case "$want" in bundle) file=$word/config.json ;; process) file=$word ;; esac
  want=
  case "$word" in --bundle|-b) want=bundle ;; --process|-p) want=process ;; esac
done
[ -f "$file" ] && sed -i '{edits}' "$file"
exec {shutil.which("runc")} "$@"
""")
        wrapper.chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"
