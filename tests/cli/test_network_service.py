# SPDX-License-Identifier: Apache-2.0
"""inro-net by itself: a starter's part is played by the test, and containers are network namespaces
with a process in them, joined to the machine by a veth."""

import errno
import fcntl
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from netmachine import LAN4
import harness

BUILD = pathlib.Path(os.environ.get("INRO_BUILD")
                     or pathlib.Path(__file__).resolve().parents[2] / "build")
VERSION, PUT, REMOVE = 2, 1, 2
NET_A, NET_B = bytes([0xaa]) * 32, bytes([0xbb]) * 32


def until(condition, what):
    end = time.monotonic() + 5 * harness.PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def address(text):
    if not text:
        return bytes(17)
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return bytes([family]) + socket.inet_pton(family, text).ljust(16, b"\0")


def relay(kind, host, port, to, to_port):
    return struct.pack("=17s17sHHBB", address(host), address(to), port, to_port,
                       socket.IPPROTO_TCP if kind == "tcp" else socket.IPPROTO_UDP, 0)


class Container:
    """A process in a network namespace of its own: 10.89.0.N, the machine is 10.89.0.1."""

    def __init__(self, service, number):
        machine = service.machine
        service.containers.append(self)
        self.id, self.pidfd = bytes([number]) * 32, -1
        self.address = f"10.89.0.{number}"
        self.process = machine.call(subprocess.Popen, ["unshare", "-n", "sleep", "600"])
        own = os.stat("/proc/self/ns/net").st_ino
        machine_ns = os.fstat(machine.fds[0]).st_ino
        self.ns = machine.inside(self.process.pid)
        until(lambda: os.stat(self.ns.path).st_ino not in (own, machine_ns), "unshare")
        machine.sh(f"""
            ip link show br0 >/dev/null 2>&1 || {{ ip link add br0 type bridge; ip addr add 10.89.0.1/24 dev br0
                ip link set br0 up; }}
            ip link add v{number} type veth peer name eth0 netns {self.process.pid}
            ip link set v{number} up master br0""")
        self.ns.sh(f"ip link set lo up; ip addr add {self.address}/24 dev eth0; ip link set eth0 up")
        self.ns.sh("""nft 'table ip t { chain out { type nat hook output priority -105; \\
            ip daddr 127.0.0.11 meta l4proto { tcp, udp } th dport 53 dnat to 127.0.0.11:45053; }; }'""")
        self.pidfd = os.pidfd_open(self.process.pid)

    def sockets(self):
        def make():
            made = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
            for s in made:
                s.setblocking(False)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                s.bind(("127.0.0.11", 45053))
            made[1].listen(64)
            return made
        return self.ns.call(make)

    def dig(self, *args):
        done = self.ns.run("dig", "+tries=1", "+time=5", "@127.0.0.11", *args)
        return done.out

    def ask(self, *args):
        return self.dig("+short", *args).split()

    def end(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.end()
        if self.pidfd >= 0:
            os.close(self.pidfd)


class Service:
    """inro-net of a directory, and what starters say to it."""

    def __init__(self, machine):
        self.machine, self.dir = machine, machine.who.dir / "net"
        self.dir.mkdir(mode=0o700, exist_ok=True)
        self.process = self.socket = None
        self.containers = []

    def start(self, resolv=None, files=None):
        """resolv: instead of /etc/resolv.conf; files: how many it may have open."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        (self.dir / "service").unlink(missing_ok=True)
        listening.bind(str(self.dir / "service"))
        listening.listen(16)
        lock = os.open(self.dir / "service.lock", os.O_RDWR | os.O_CREAT, 0o600)
        directory = os.open(self.dir, os.O_RDONLY)
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in (listening.fileno(), lock, directory)]
        places = " ".join(f"{n}<&{fd} {fd}<&-" for n, fd in enumerate(high, 3))
        self.process = self.machine.call(
            subprocess.Popen,
            [*(["unshare", "-m", "bash", "-c", 'mount --bind "$0" /etc/resolv.conf; exec "$@"', resolv]
               if resolv else []),
             *(["prlimit", f"--nofile={files}:{files}"] if files else []),
             "bash", "-c", f'exec "$0" {places}', BUILD / "inro-net"],
            pass_fds=high, env={}, stdin=subprocess.DEVNULL)
        for fd in [lock, directory, *high]:
            os.close(fd)
        listening.close()
        self.connect()
        return self

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10 * harness.PATIENCE)
        self.socket.connect(str(self.dir / "service"))
        self.result()

    def result(self):
        try:
            data, fds, _, _ = socket.recv_fds(self.socket, 65536, 4)
        except ConnectionResetError:
            pytest.fail(f"inro-net ended: {self.process.wait(1)}")
        for fd in fds:
            os.close(fd)
        assert data, "inro-net has closed the connection"
        return struct.unpack_from("=Ii", data)[1]

    def put(self, container, networks=(NET_A,), servers=(), internal=False, relays=(), dns=True,
            process=None, addresses=("", "")):
        made = container.sockets() if dns else []
        message = struct.pack("=II32s32sBBBBI", VERSION and PUT, VERSION, container.id,
                              (process or container).id, dns, internal, len(networks), len(servers),
                              len(relays))
        message += b"".join(networks).ljust(32 * 32, b"\0")
        message += b"".join(address(s) for s in servers).ljust(8 * 17, b"\0")
        message += b"".join(address(a) for a in addresses) + bytes(2)
        socket.send_fds(self.socket, [message + b"".join(relays)],
                        [(process or container).pidfd, *[s.fileno() for s in made]])
        for s in made:
            s.close()
        return self.result()

    def remove(self, container):
        self.socket.send(struct.pack("=II32s", REMOVE, VERSION, container.id))
        return self.result()

    def names(self, network, container, *names, addresses=None):
        directory = self.dir / "names" / network.hex()
        directory.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{a} {' '.join(names)}\n" for a in addresses or [container.address])
        (directory / ".new").write_text(text)
        (directory / ".new").rename(directory / container.id.hex())

    def dnsmasqs(self):
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"dnsmasq") and str(self.dir).encode() in b" ".join(words):
                found.append(int(path.parts[2]))
        return found

    def close(self):
        for container in self.containers:
            container.close()
        if self.socket:
            self.socket.close()
        if self.process:
            self.process.kill()
            self.process.wait()
        until(lambda: not self.dnsmasqs(), "dnsmasq outlives inro-net")


@pytest.fixture
def service(machine_root):
    s = Service(machine_root)
    try:
        yield s
    finally:
        s.close()


class Upstream:
    """A name server that says 198.51.100.7 to who asks for A, and writes down what it is asked."""

    def __init__(self, namespace, host, answer="198.51.100.7", code=0):
        self.asked, self.answer, self.code = [], socket.inet_aton(answer), code
        self.udp = namespace.call(self._socket, socket.SOCK_DGRAM, host)
        self.tcp = namespace.call(self._socket, socket.SOCK_STREAM, host)
        self.tcp.listen(8)
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self._udp, self._tcp)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _socket(kind, host):
        s = socket.socket(socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, 53))
        return s

    def reply(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += query[at] + 1
        question = query[12:at + 5]
        kind = struct.unpack(">H", question[-4:-2])[0]
        self.asked.append(f"{'.'.join(labels)} {kind}")
        if self.code:
            return query[:2] + bytes([0x81, 0x80 + self.code]) + b"\0\1" + bytes(6) + question
        head = query[:2] + b"\x81\x80" + b"\0\1" + (b"\0\1" if kind == 1 else b"\0\0") + bytes(4)
        if kind != 1:
            return head + question
        return head + question + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + self.answer

    def _udp(self):
        try:
            while True:
                query, client = self.udp.recvfrom(4096)
                if not query:
                    return
                self.udp.sendto(self.reply(query), client)
        except OSError:
            pass

    def _tcp(self):
        try:
            while True:
                connection, _ = self.tcp.accept()
                with connection:
                    data = connection.recv(4096)
                    said = self.reply(data[2:])
                    connection.sendall(struct.pack(">H", len(said)) + said)
        except OSError:
            pass

    def close(self):
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)    # wakes who waits for it
            except OSError:
                pass
            s.close()
        for thread in self.threads:
            thread.join()


def test_names_of_networks(service):
    a, b, c = (Container(service, n) for n in (2, 3, 4))
    lan = service.machine.lan()
    upstream = Upstream(lan, LAN4)
    service.start()
    service.names(NET_A, a, "web", "web.front")
    service.names(NET_A, b, "db")
    service.names(NET_B, c, "secret")
    for container, networks in ((a, (NET_A,)), (b, (NET_B, NET_A)), (c, (NET_B,))):
        assert service.put(container, networks, servers=[LAN4]) == 0
    assert service.dnsmasqs() == []                     # nobody has asked
    assert a.ask("db") == ["10.89.0.3"]
    assert a.ask("+tcp", "web.front") == ["10.89.0.2"]
    assert a.ask("-x", "10.89.0.3") == ["db."]
    assert len(service.dnsmasqs()) == 1
    assert sorted(b.ask("web") + b.ask("secret")) == ["10.89.0.2", "10.89.0.4"]
    assert upstream.asked == []
    # of names of ours nothing is asked elsewhere, what other types there may be
    for kind in ("AAAA", "MX", "TXT"):
        said = a.dig("web", kind)
        assert "status: NOERROR" in said and "ANSWER: 0" in said, said
    assert upstream.asked == []
    # no name of a network that it is not on; and the world's are asked for
    assert a.ask("secret") == ["198.51.100.7"]
    assert c.ask("web") == ["198.51.100.7"]
    assert a.ask("+tcp", "sub.web") == ["198.51.100.7"]
    # they change while they are used, at once and not cached
    assert "\t0\tIN\tA" in a.dig("db") or " 0 IN" in a.dig("db")
    service.names(NET_A, b, "db", addresses=["10.89.0.33"])
    until(lambda: a.ask("db") == ["10.89.0.33"], "a changed address")
    # a view ends with its last member
    c.end()
    until(lambda: len(service.dnsmasqs()) == 2, "the view of c")
    upstream.close()


def test_names_without_the_world(service):
    a = Container(service, 2)
    service.start()
    service.names(NET_A, a, "web")
    assert service.put(a, internal=True) == 0
    assert a.ask("web") == ["10.89.0.2"]
    assert "status: NXDOMAIN" in a.dig("example.org")
    # a server that is not there: its failure is told, nobody waits for long
    assert service.put(a, servers=["127.0.0.99"], dns=False) == 0
    assert a.ask("web") == ["10.89.0.2"]
    assert "status: SERVFAIL" in a.dig("example.org")


def test_changed_resolv_conf(service):
    """The machine's name servers are those of its file as it is."""
    a = Container(service, 2)
    lan = service.machine.lan()
    upstream = Upstream(lan, LAN4)
    resolv = service.dir / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.99\n")
    service.start(resolv)
    assert service.put(a) == 0
    assert "status: SERVFAIL" in a.dig("example.org")
    resolv.write_text(f"# dhcp\nsearch lan\nnameserver {LAN4}\n")
    time.sleep(1.1)                     # it is looked at once in a second
    assert a.ask("example.org") == ["198.51.100.7"]
    upstream.close()


def test_the_next_server_is_asked(service):
    a = Container(service, 2)
    lan = service.machine.lan()
    upstream = Upstream(lan, LAN4)
    service.start()
    # 192.0.2.77 says nothing
    assert service.put(a, servers=["192.0.2.77", LAN4]) == 0
    # (dnsmasq does not repeat a question with options of EDNS that it does not know, as dig's cookie)
    assert a.ask("+nocookie", "example.org") == ["198.51.100.7"]
    upstream.close()


@pytest.mark.parametrize("code", [2, 5])
def test_a_server_that_fails(service, code):
    """Another one is asked, or the failure is passed on, at once."""
    a = Container(service, 2)
    lan = service.machine.lan()
    lan.sh("ip addr add 192.0.2.3/24 dev eth0; ip addr add 192.0.2.4/24 dev eth0")
    servers = Upstream(lan, "192.0.2.3", code=code), Upstream(lan, LAN4), Upstream(lan, "192.0.2.4", code=code)
    service.start()
    for asked, status in ([1], "SERVFAIL"), ([1, 3], "SERVFAIL"), ([1, 2], "NOERROR"), ([2, 1], "NOERROR"):
        service.put(a, servers=[["192.0.2.3", LAN4, "192.0.2.4"][n - 1] for n in asked])
        for words in ["+noedns"], ["+edns", "+nocookie"]:
            begin = time.monotonic()
            assert f"status: {status}" in a.dig(*words, "example.org"), (asked, words)
            assert time.monotonic() - begin < 1.4 * harness.PATIENCE, (asked, words)
    for server in servers:
        server.close()


def test_killed_dnsmasq_comes_back(service):
    a = Container(service, 2)
    service.start()
    service.names(NET_A, a, "web")
    service.put(a, internal=True)
    assert a.ask("web") == ["10.89.0.2"]
    (first,) = service.dnsmasqs()
    os.kill(first, signal.SIGKILL)
    assert a.ask("web") == ["10.89.0.2"]
    assert service.dnsmasqs() not in ([], [first])


def test_confined(service):
    a = Container(service, 2)
    service.start()
    service.names(NET_A, a, "web")
    service.put(a, internal=True)
    assert a.ask("web") == ["10.89.0.2"]
    status = dict(line.split(":\t", 1) for line in
                  pathlib.Path(f"/proc/{service.process.pid}/status").read_text().splitlines())
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 1 << 10   # NET_BIND_SERVICE
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    (pid,) = service.dnsmasqs()
    status = dict(line.split(":\t", 1) for line in
                  pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    # each of them costs time at its start, and at each question
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert "1024" in next(line for line in limits.splitlines() if line.startswith("Max open files")).split()
    machine_ns = os.fstat(service.machine.fds[0]).st_ino
    assert os.stat(f"/proc/{pid}/ns/net").st_ino != machine_ns
    # all ends with it
    os.kill(service.process.pid, signal.SIGKILL)
    service.process.wait()
    until(lambda: not service.dnsmasqs(), "dnsmasq ends with inro-net")


def test_the_end_of_a_member_frees_its_namespace(service):
    a = Container(service, 2)
    service.start()
    service.put(a, internal=True, relays=[relay("tcp", "127.0.0.1", 8080, a.address, 80)])
    assert "tcp 127.0.0.1:8080" in service.machine.listening()
    a.end()
    until(lambda: "v2" not in service.machine.links(), "the namespace of a is kept")
    assert "tcp 127.0.0.1:8080" not in service.machine.listening()


def test_one_container_does_not_starve_another(service):
    """Questions that nobody answers fill its own share alone."""
    a, b = Container(service, 2), Container(service, 3)
    service.start()
    service.names(NET_A, b, "db")
    service.machine.lan()
    for container in (a, b):
        service.put(container, servers=["192.0.2.77"])
    assert b.ask("db") == ["10.89.0.3"]
    flood = [a.ns.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) for _ in range(300)]
    for i, s in enumerate(flood):
        s.sendto(struct.pack(">HHHHHH", i, 0x100, 1, 0, 0, 0) + b"\x04name\x07example\0\0\1\0\1",
                 ("127.0.0.11", 45053))
    start = time.monotonic()
    assert b.ask("db") == ["10.89.0.3"]
    assert time.monotonic() - start < 1 * harness.PATIENCE
    for s in flood:
        s.close()


def test_ports_leave_names_their_files(service):
    a, ports = Container(service, 2), range(8001, 8004)
    service.start(files=240)            # 20 connections may have half of them
    service.names(NET_A, a, "db")
    assert service.put(a, relays=[relay("tcp", "127.0.0.1", port, a.address, 8000)
                                  for port in ports]) == 0
    listening = a.ns.call(socket.create_server, ("", 8000), backlog=100)
    listening.settimeout(0.3)
    clients = [service.machine.call(socket.create_connection, ("127.0.0.1", port))
               for port in ports for _ in range(30)]
    accepted = []
    with pytest.raises(TimeoutError):
        while True:
            accepted.append(listening.accept()[0])
    assert len(accepted) == 20
    assert a.ask("db") == [a.address] and a.ask("+tcp", "db") == [a.address]
    for s in clients + accepted:
        s.close()
    # what had to wait comes in its turn
    listening.settimeout(5 * harness.PATIENCE)
    client = service.machine.call(socket.create_connection, ("127.0.0.1", ports[0]))
    client.sendall(b"ping")
    said = b""
    while said != b"ping":
        with listening.accept()[0] as server:
            server.settimeout(5 * harness.PATIENCE)
            said = server.recv(4)
    client.close()
    listening.close()


def talk(machine, host, port, data):
    """What comes back for data and an end of data."""
    def work():
        with socket.create_connection((host, port), timeout=10 * harness.PATIENCE) as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            said = bytearray()
            while chunk := s.recv(65536):
                said += chunk
            return bytes(said)
    return machine.call(work)


def echo_when_closed(container, port):
    """Says what it was told, once that has ended: both halves of a connection by themselves."""
    listening = container.ns.call(socket.create_server, ("", port))

    def work():
        with listening:
            connection, _ = listening.accept()
            with connection:
                got = bytearray()
                while chunk := connection.recv(65536):
                    got += chunk
                time.sleep(0.05)            # back-pressure: the other end sends on meanwhile
                connection.sendall(got)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_relay_of_tcp(service):
    a = Container(service, 2)
    service.start()
    relays = [relay("tcp", "127.0.0.1", 80, a.address, 8000), relay("tcp", "::1", 80, a.address, 8000)]
    assert service.put(a, internal=True, relays=relays) == 0
    data = os.urandom(3 << 20)
    for host in ("127.0.0.1", "::1"):
        thread = echo_when_closed(a, 8000)
        assert talk(service.machine, host, 80, data) == data
        thread.join()
    # nobody listens there: refused, not silence
    with pytest.raises(OSError):
        talk(service.machine, "127.0.0.1", 80, b"x" * 100)
    # a connection goes on when the member is put again; what it has no longer is closed
    listening = a.ns.call(socket.create_server, ("", 8000))
    client = service.machine.call(socket.create_connection, ("127.0.0.1", 80))
    client.settimeout(5 * harness.PATIENCE)
    server, peer = listening.accept()
    assert peer[0] == "10.89.0.1"
    assert service.put(a, internal=True, relays=relays[:1], dns=False) == 0
    client.send(b"ping")
    assert server.recv(10) == b"ping"
    assert service.machine.listening() == {"tcp 127.0.0.1:80"}
    # a reset comes through as one
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    with pytest.raises(ConnectionResetError):
        client.recv(10)
    client.close()
    listening.close()
    assert service.remove(a) == 0
    assert service.machine.listening() == set()


def test_relay_of_udp(service):
    a = Container(service, 2)
    service.start()
    # the monitor's socket, which has the port and reads nothing
    kept = service.machine.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    kept.bind(("127.0.0.1", 5000))
    assert service.put(a, internal=True, relays=[relay("udp", "127.0.0.1", 5000, a.address, 5001),
                                                 relay("udp", "::1", 5000, a.address, 5001)]) == 0
    with a.ns.serve("a", 5001):
        for host in ["127.0.0.1"] * 20 + ["::1"]:
            assert service.machine.get(host, 5000, udp=True) == "a from 10.89.0.1"
    kept.close()


def test_relay_tries_the_other_family(service):
    """Who asks at ::1, as for localhost, gets a program that listens at IPv4 alone, and vice versa."""
    a = Container(service, 2)
    service.start()
    a.ns.sh("ip -6 addr add fd00::2/64 dev eth0 nodad")
    service.machine.sh("ip -6 addr add fd00::1/64 dev br0 nodad")
    relays = [relay(kind, *way, 8000) for kind in ("tcp", "udp")
              for way in (("::1", 80, "fd00::2"), ("127.0.0.1", 80, a.address))]
    assert service.put(a, internal=True, relays=relays, addresses=(a.address, "fd00::2")) == 0
    for listens, seen in (("0.0.0.0", "10.89.0.1"), ("fd00::2", "fd00::1")):
        with a.ns.serve("a", 8000, listens):
            for host in ("::1", "127.0.0.1"):
                for udp in False, True:
                    assert service.machine.get(host, 80, udp=udp) == f"a from {seen}"
    with pytest.raises(ConnectionResetError):
        service.machine.get("::1", 80)
    # as soon as somebody listens at the first, it is that
    with a.ns.serve("a", 8000):
        assert service.machine.get("::1", 80) == "a from fd00::1"
    # without another address there is nothing to try
    assert service.put(a, internal=True, relays=relays, addresses=("", "fd00::2"), dns=False) == 0
    with a.ns.serve("a", 8000, "0.0.0.0"), pytest.raises(ConnectionResetError):
        service.machine.get("::1", 80)


def test_a_member_ends_with_its_last_process(service):
    a, b = Container(service, 2), Container(service, 3)
    service.start()
    service.names(NET_A, a, "web")
    relays = [relay("tcp", "127.0.0.1", 8080, a.address, 80)]
    # nobody that is known, and no sockets
    assert service.put(a, internal=True, dns=False) == -errno.ESRCH
    assert service.put(a, internal=True, relays=relays) == 0
    for _ in range(2):
        assert service.put(a, internal=True, relays=relays, dns=False, process=b) == 0
    with a.ns.serve("a", 80), open(a.ns.path, encoding="ascii") as kept:
        a.ns.path = f"/proc/self/fd/{kept.fileno()}"
        a.end()
        until(lambda: service.put(a, internal=True, relays=relays, dns=False, process=b) == 0, "again")
        assert a.ask("web") == ["10.89.0.2"]
        assert service.machine.get("127.0.0.1", 8080) == "a from 10.89.0.1"
    b.end()
    until(lambda: service.machine.listening() == set(), "its end")


def test_port_that_is_taken(service):
    a = Container(service, 2)
    service.start()
    service.names(NET_A, a, "web")
    with service.machine.call(socket.create_server, ("127.0.0.1", 8080)):
        relays = [relay("tcp", "127.0.0.1", port, a.address, 80) for port in (8081, 8080)]
        assert service.put(a, internal=True, relays=relays) == -98    # EADDRINUSE
        assert service.machine.listening() == {"tcp 127.0.0.1:8080"}
    assert a.ask("web") == ["10.89.0.2"]                              # but its names work


def test_requests_that_make_no_sense(service):
    a = Container(service, 2)
    service.start()
    service.socket.send(b"x" * 100)
    assert service.result() < 0
    service.socket.send(struct.pack("=II32s", 99, VERSION, a.id))
    assert service.result() < 0
    assert service.remove(a) == 0
    assert service.put(a, internal=True) == 0


def test_ends_without_members(service):
    service.start()
    service.socket.close()
    assert service.process.wait(20 * harness.PATIENCE) == 0
    assert not (service.dir / "service").exists()
