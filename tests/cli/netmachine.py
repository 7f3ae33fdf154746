# SPDX-License-Identifier: Apache-2.0
"""A machine of a test's own for networks: inro runs in it, with the state directories of its user.

    def test_port(machine):                 # runs as root and as a user: who runs inro there
        lan = machine.lan()                 # another machine on its wire: 192.0.2.2, 2001:db8::2
        machine.inro("run", "-d", "--name", "web", "-p", "8080:80", "host", "sleep", "60").ok()
        with machine.inside(pid).serve("web", 80):          # in the container's namespace
            assert lan.get("192.0.2.1", 8080) == "web from 192.0.2.2"

Fixtures (conftest.py): machine, machine_root, machine_user. It is a network namespace and a mount
namespace with a /run/netns and a sysfs of its own; processes, cgroups and files are the test's. No
process keeps it: threads of the test enter it, and it is gone when the test has closed it. After
the test no container's interface, published port or socket may be left in it.
"""

import ctypes
import json
import os
import pathlib
import re
import selectors
import signal
import socket
import subprocess
import threading
import time

import pytest

import harness

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_FS, CLONE_NEWNS, CLONE_NEWNET = 0x200, 0x20000, 0x40000000
HOST4, HOST6, LAN4, LAN6 = "192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"

# The cgroups stay where they are; what is mounted elsewhere later arrives, nothing goes back.
SETUP = """
mount --make-rslave /
ip link set lo up
mkdir -p /run/netns "$1"
mount -t tmpfs -o mode=755 tmpfs /run/netns
mount -t sysfs sysfs "$1"
mount --rbind /sys/fs/cgroup "$1/fs/cgroup"
mount --move "$1" /sys
mount --make-rshared /
"""
# Elements that networks have as long as they are there; all others are of containers.
NETWORK_SETS = re.compile("complete_.*|bridges|internal|routed|open|icc|hairpin|nets[46]|masq[46]")


def _call(function, *args):
    if function(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def in_thread(prepare, function):
    """Calls both in a thread, whose namespaces are its own business, and returns what the second
    returned."""
    box = {}

    def work():
        try:
            prepare()
            box["value"] = function()
        except BaseException as e:  # pylint: disable=broad-except
            box["error"] = e

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if "error" in box:
        raise box["error"]
    return box["value"]


class Server:
    """Answers who asks; see Namespace.serve()."""

    def __init__(self, name, sockets):
        self.name, self.sockets = name, sockets
        self.port = sockets[0].getsockname()[1]
        self.stopped, self.stop = os.pipe()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _answer(self, address):
        return f"{self.name} from {address[0].removeprefix('::ffff:')}".encode()

    def _work(self):
        with selectors.DefaultSelector() as selector:
            for s in [self.stopped, *self.sockets]:
                selector.register(s, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj == self.stopped:
                        return
                    try:
                        self._serve(key.fileobj)
                    except OSError:
                        pass  # the other end has gone

    def _serve(self, s):
        if s.type == socket.SOCK_DGRAM:
            s.sendto(self._answer(address := s.recvfrom(65536)[1]), address)
            return
        connection, address = s.accept()
        with connection:
            connection.sendall(self._answer(address))

    def close(self):
        """The namespace can go then: a socket keeps it."""
        if self.stop is None:
            return
        os.close(self.stop)
        self.stop = None
        self.thread.join()
        os.close(self.stopped)
        for s in self.sockets:
            s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Namespace:
    """A network namespace, by the name of a file in /proc."""

    def __init__(self, path, machine=None):
        self.path, self.machine = path, machine

    def _enter(self):
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call(LIBC.setns, fd, CLONE_NEWNET)
        finally:
            os.close(fd)

    def call(self, function, *args, **kw):
        """Calls a function inside: sockets that it makes and programs that it starts are there."""
        return in_thread(self._enter, lambda: function(*args, **kw))

    def run(self, *argv, **kw):
        """Runs a program inside, as root: a harness.Result."""
        argv = [str(a) for a in argv]
        kw = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60, "check": False, **kw}
        if "input" in kw:
            del kw["stdin"]
        return harness.Result(argv, self.call(subprocess.run, argv, **kw))

    def sh(self, script):
        """Runs a script inside, as root, which has to succeed."""
        return self.run("sh", "-ec", script).ok()

    def links(self):
        """{name: what ip(8) says of it in JSON}."""
        return {link["ifname"]: link for link in json.loads(self.run("ip", "-j", "-d", "addr").ok().out)}

    def elements(self, table="inro"):
        """{set: [element]} of a table's sets and maps, the empty ones too; {} without the table."""
        said = self.run("nft", "-j", "list", "table", "inet", table)
        if said.code != 0:
            assert "No such file" in said.err, said
            return {}
        entries = [e.get("set") or e.get("map") for e in json.loads(said.out)["nftables"]]
        return {e["name"]: e.get("elem", []) for e in entries if e}

    def flush(self):
        """As an administrator does who starts anew."""
        self.run("nft", "flush", "ruleset").ok()

    def brnf(self, on):
        """Whether bridged packets pass the hooks for routed ones: they do where docker has been."""
        path = "/proc/sys/net/bridge/bridge-nf-call-ip"
        if not self.call(os.path.exists, path + "tables"):
            harness.machine_cannot("bridged packets don't pass netfilter without br_netfilter")
        for which in ("tables", "6tables"):
            self.call(pathlib.Path(path + which).write_text, f"{on:d}\n")

    def listening(self):
        """Sockets that wait for others: {"tcp 0.0.0.0:80"}."""
        lines = self.run("ss", "-Hlntu").ok().out.splitlines()
        return {f"{words[0]} {words[4]}" for words in map(str.split, lines)}

    def serve(self, name, port=0, address="::"):
        """A Server here, TCP and UDP: says "NAME from ADDRESS" to who comes, and ends. It listens
        already. Of IPv4 and IPv6 if the address is "::"; server.port if port is 0."""
        return self.call(self._serve, name, port, address)

    def _serve(self, name, port, address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sockets = []
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            s = socket.socket(family, kind)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if address == "::":
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.bind((address, port))
            port = s.getsockname()[1]
            sockets.append(s)
        sockets[0].listen(128)
        server = Server(name, sockets)
        if self.machine:
            self.machine.servers.append(server)
        return server

    def get(self, host, port, *, udp=False, source=None, source_port=0, seconds=2):
        """What a server says to who asks from here: ConnectionRefusedError, TimeoutError."""
        return self.call(self._get, host, port, udp, (source, source_port), seconds * harness.PATIENCE)

    @staticmethod
    def _get(host, port, udp, source, seconds):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as s:
            s.settimeout(seconds)
            if any(source):
                s.bind((source[0] or "", source[1]))
            s.connect((host, port))
            if udp:
                s.send(b"?")
                return s.recv(65536).decode()
            said = b""
            while data := s.recv(65536):
                said += data
            return said.decode()


class Machine(Namespace):
    """The machine that inro runs on. who: the user; inro(), popen(): as theirs."""

    def __init__(self, who):
        self.servers, self.fds, self.other = [], [], None
        self.who = who
        in_thread(lambda: _call(LIBC.unshare, CLONE_FS | CLONE_NEWNS | CLONE_NEWNET), self._make)
        super().__init__(f"/proc/{os.getpid()}/fd/{self.fds[0]}", self)
        who.within = self.call
        # Root's stores have one each, named after it (src/engine/firewall.c).
        self.table = "inro" if who.rootless else "inro" + str(who.run_dir / "inro")
        self.before = self.look()

    def _make(self):
        subprocess.run(["sh", "-ec", SETUP, "sh", self.who.dir / "sysfs"], check=True)
        for name in ("net", "mnt"):
            self.fds.append(os.open(f"/proc/thread-self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC))

    def _enter(self):
        _call(LIBC.unshare, CLONE_FS)  # or else a mount namespace can't be entered by a thread
        _call(LIBC.setns, self.fds[0], CLONE_NEWNET)
        _call(LIBC.setns, self.fds[1], CLONE_NEWNS)

    def inro(self, *args, **kw):
        return self.who.inro(*args, **kw)

    def popen(self, *argv, **kw):
        return self.who.popen(*argv, **kw)

    def inside(self, pid):
        """The network namespace of a process: a container's, by the pid that inspect says."""
        return Namespace(f"/proc/{pid}/ns/net", self)

    def holder(self):
        """The directory in /proc of the process that holds a user's networks, or None."""
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if (path / "comm").read_text().startswith("inro-hold") \
                        and str(self.who.dir).encode() in (path / "cmdline").read_bytes():
                    return path
            except OSError:
                pass
        return None

    def place(self):
        """Where bridges, rules and the host's ends of veths are: here for root, for a user in the
        namespace that a process of theirs holds; None as long as there is none."""
        if not self.who.rootless:
            return self
        holder = self.holder()
        return holder and Namespace(holder / "ns/net", self)

    def lan(self):
        """Another machine: 192.0.2.2/24 and 2001:db8::2/64 on eth0, joined to lan0 of this one,
        whose default route it is."""
        fd = in_thread(lambda: _call(LIBC.unshare, CLONE_NEWNET),
                       lambda: os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        self.fds.append(fd)
        self.other = Namespace(f"/proc/{os.getpid()}/fd/{fd}", self)
        self.sh(f"""
            ip link add lan0 type veth peer name eth0 netns {self.other.path}
            ip addr add {HOST4}/24 dev lan0
            ip addr add {HOST6}/64 dev lan0 nodad
            ip link set lan0 up""")
        self.other.sh(f"""
            ip link set lo up
            ip addr add {LAN4}/24 dev eth0
            ip addr add {LAN6}/64 dev eth0 nodad
            ip link set eth0 up""")
        self.sh(f"ip route add default via {LAN4}; ip route add default via {LAN6}")
        self.before = self.look()
        return self.other

    def look(self):
        """What containers could leave here: {text}."""
        found = {f"socket {s}" for s in self.listening()}
        found |= {f"interface {name}" for name, link in self.links().items()
                  if link.get("linkinfo", {}).get("info_kind") != "bridge"}
        found |= {f"element of {name}: {json.dumps(e)}" for name, elements in self.elements(self.table).items()
                  if not NETWORK_SETS.fullmatch(name) for e in elements}
        return found

    def close(self):
        """Removes the user's containers; what they leave then fails the test."""
        for server in self.servers:
            server.close()
        self.who.remove_containers()
        if self.who.rootless and (holder := self.holder()):
            os.kill(int(holder.name), signal.SIGTERM)  # it would wait for the next container
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:  # so would this one
                if (path / "comm").read_text() == "inro-net\n" \
                        and os.stat(path / "ns/net").st_ino == os.stat(self.path).st_ino:
                    os.kill(int(path.name), signal.SIGTERM)
            except OSError:
                pass
        end = time.monotonic() + harness.Leftovers.SECONDS * harness.PATIENCE
        try:
            while left := self.look() - self.before:
                if time.monotonic() > end:
                    pytest.fail("left behind in the machine: " + ", ".join(sorted(left)))
                time.sleep(0.05)
        finally:
            del self.who.within
            for fd in self.fds:
                os.close(fd)
