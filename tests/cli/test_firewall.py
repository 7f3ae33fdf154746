# SPDX-License-Identifier: Apache-2.0
"""The firewall of networks, packet by packet: who reaches whom, and whom the other sees.

The bridges and containers are made here by ip(8), the table by tests/kernel/firewall.c: what
`inro run` does with both is tested where ports and networks are.
"""

import contextlib
import ipaddress
import os
import socket

import pytest

from netmachine import HOST4, HOST6, LAN4, LAN6, LIBC, CLONE_NEWNET, Namespace, in_thread


class Net:
    """A machine with networks: front is usual, other too, back internal, dmz routed; two that are
    open. A container .2 in each, and .3 in front."""

    NETWORKS = {"front": "masquerade,icc", "other": "masquerade,icc", "back": "internal,icc",
                "dmz": "routed,icc", "open1": "masquerade,open", "open2": "masquerade,open"}

    def __init__(self, machine, build, names):
        self.m, self.tool = machine, build / "tests/kernel/kernel_firewall"
        self.dir = machine.who.dir / "fw"
        self.dir.mkdir()
        self.lan = machine.lan()
        self.nets, self.containers = {}, {}
        machine.sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        for i, name in enumerate(self.NETWORKS):
            if name in names:
                self.nets[name] = i
                machine.sh(f"""ip link add inro{i} type bridge
                    ip link set inro{i} addrgenmode none
                    ip addr add 10.89.{i}.1/24 dev inro{i}
                    ip addr add fd00:89:0:{i}::1/64 dev inro{i} nodad
                    ip addr add fe80::1/64 dev inro{i} nodad
                    ip link set inro{i} up""")
                self.container(name, 2)
        self.container("front", 3)
        self.ports = []
        self.act("reconcile")

    def container(self, name, host):
        i = self.nets[name]
        fd = in_thread(lambda: LIBC.unshare(CLONE_NEWNET),
                       lambda: os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        self.m.fds.append(fd)
        ns = Namespace(f"/proc/{os.getpid()}/fd/{fd}", self.m)
        self.m.sh(f"""ip link add iv{i}-{host} type veth peer name eth0 netns {ns.path}
            ip link set iv{i}-{host} addrgenmode none
            ip link set iv{i}-{host} master inro{i}
            ip link set iv{i}-{host} type bridge_slave hairpin on
            ip link set iv{i}-{host} up""")
        ns.sh(f"""ip link set lo up
            ip link set eth0 addrgenmode none
            ip addr add 10.89.{i}.{host}/24 dev eth0
            ip addr add fd00:89:0:{i}::{host}/64 dev eth0 nodad
            ip addr add fe80::{host}/64 dev eth0 nodad
            ip link set eth0 up
            ip route add default via 10.89.{i}.1
            ip route add default via fd00:89:0:{i}::1""")
        self.containers[name, host] = ns

    def addr(self, name, host=2, six=False):
        return str(ipaddress.ip_address(f"fd00:89:0:{self.nets[name]}::{host}")) if six else \
            f"10.89.{self.nets[name]}.{host}"

    def words(self):
        return [f"net,inro{i},10.89.{i}.0/24,fd00:89:0:{i}::/64,{self.NETWORKS[name]}"
                for name, i in self.nets.items()] + self.ports

    def act(self, verb, *words):
        return self.m.run(self.tool, self.dir, "inro", verb, *(words or self.words())).ok().out

    def publish(self, name, port, host="-", to=80, proto="tcp"):
        for six in (False, True):
            if host == "-" or (":" in host) == six:
                self.ports.append(f"port,{proto},{host},{port},{self.addr(name, six=six)},{to}")
                self.act("add", self.ports[-1])

    def close(self):
        self.ports = []
        self.act("delete")
        for name, i in self.nets.items():
            for (other, host), ns in self.containers.items():
                if other == name:
                    self.m.sh(f"ip link del iv{i}-{host}")
            self.m.sh(f"ip link del inro{i}")


@contextlib.contextmanager
def networks(machine, build, *names):
    net = Net(machine, build, ("front", *names))
    try:
        yield net
    finally:
        net.close()


def refused(ns, *args, **kw):
    with pytest.raises(ConnectionRefusedError):
        ns.get(*args, **kw)
    return True


def silent(ns, *args, **kw):
    with pytest.raises(TimeoutError):
        ns.get(*args, seconds=0.15, **kw)
    return True


@pytest.mark.parametrize("brnf", [False, True])
def test_published_ports(machine_root, build, brnf):
    """Who asks is seen as who it is, but where the answer would go around the translation."""
    m = machine_root
    with networks(m, build, "other") as net:
        m.brnf(brnf)
        c1, c2, other = (net.containers[k] for k in (("front", 2), ("front", 3), ("other", 2)))
        net.publish("front", 8080)
        net.publish("front", 8081, proto="udp")
        net.publish("front", 8082, host=HOST4)
        with c1.serve("c1", 80), m.serve("host", 8090):
            for six, host, lan in ((False, HOST4, LAN4), (True, HOST6, LAN6)):
                gateway = net.addr("front", 1, six)
                assert net.lan.get(host, 8080) == f"c1 from {lan}"
                assert net.lan.get(host, 8081, udp=True) == f"c1 from {lan}"
                assert m.get(host, 8080) == f"c1 from {host}"
                assert other.get(host, 8080) == f"c1 from {net.addr('other', six=six)}"
                assert c2.get(host, 8080) == f"c1 from {gateway}"
                assert c1.get(host, 8080) == f"c1 from {gateway}"
                assert c1.get(gateway, 8080) == f"c1 from {gateway}"
                assert c2.get(gateway, 8081, udp=True) == f"c1 from {gateway}"
                assert c2.get(net.addr("front", six=six), 80) == \
                    f"c1 from {net.addr('front', 3, six)}"
                assert net.lan.get(host, 8090) == f"host from {lan}"
                assert refused(net.lan, host, 8083)
                assert refused(m, "::1" if six else "127.0.0.1", 8080)
            assert net.lan.get(HOST4, 8082) == f"c1 from {LAN4}"
            assert refused(m, net.addr("front", 1), 8082)
            net.act("remove", *net.ports)
            assert refused(net.lan, HOST4, 8080)


def test_way_out_and_in(machine_root, build):
    """Out with the machine's address; in only to what is published."""
    m = machine_root
    with networks(m, build, "back", "dmz") as net:
        for i in net.nets.values():
            net.lan.sh(f"ip route add 10.89.{i}.0/24 via {HOST4}; "
                       f"ip route add fd00:89:0:{i}::/64 via {HOST6}")
        front, back, dmz = (net.containers[n, 2] for n in ("front", "back", "dmz"))
        net.publish("back", 8083)
        with net.lan.serve("lan", 90), front.serve("front", 80), back.serve("back", 80), \
                dmz.serve("dmz", 80), m.serve("host", 91):
            for six, host, lan in ((False, HOST4, LAN4), (True, HOST6, LAN6)):
                assert front.get(lan, 90) == f"lan from {host}"
                assert dmz.get(lan, 90) == f"lan from {net.addr('dmz', six=six)}"
                assert refused(back, lan, 90)
                assert back.get(net.addr("back", 1, six), 91) == f"host from {net.addr('back', 2, six)}"
                assert silent(net.lan, net.addr("front", six=six), 80)
                assert silent(net.lan, net.addr("back", six=six), 80)
                assert net.lan.get(net.addr("dmz", six=six), 80) == f"dmz from {lan}"
                assert silent(net.lan, host, 8083)
                with pytest.raises(OSError, match="No route to host|Permission denied"):
                    front.get(host, 8083)
                assert m.get(net.addr("back", six=six), 80) == f"back from {net.addr('back', 1, six)}"


@pytest.mark.parametrize("brnf", [False, True])
def test_isolation(machine_root, build, brnf):
    m = machine_root
    with networks(m, build, "other", "open1", "open2") as net:
        m.brnf(brnf)
        front, other, open1, open2 = (net.containers[n, 2]
                                      for n in ("front", "other", "open1", "open2"))
        with front.serve("front", 80), open2.serve("open2", 80), other.serve("other", 80):
            for six in (False, True):
                assert refused(front, net.addr("other", six=six), 80)
                assert refused(open1, net.addr("front", six=six), 80)
                assert refused(front, net.addr("open2", six=six), 80)
                assert open1.get(net.addr("open2", six=six), 80) == \
                    f"open2 from {net.addr('open1', six=six)}"
                # a neighbour's gateway is this machine's own address
                assert net.containers["front", 3].get(net.addr("front", six=six), 80) == \
                    f"front from {net.addr('front', 3, six)}"


def test_flushed_and_restored(machine_root, build):
    m = machine_root
    with networks(m, build) as net:
        net.publish("front", 8080)
        with net.containers["front", 2].serve("c1", 80), net.lan.serve("lan", 90):
            assert net.act("check") == "no_table 0 missing 0 excess 0 wrong 0\n"
            m.flush()
            assert refused(net.lan, HOST4, 8080)
            assert m.run(net.tool, net.dir, "inro", "add", net.ports[0]).err == "no table\n"
            assert net.act("check").startswith("no_table 1 missing 14 ")
            net.act("reconcile")
            assert net.lan.get(HOST4, 8080) == f"c1 from {LAN4}"
            assert net.containers["front", 2].get(LAN4, 90) == f"lan from {HOST4}"
            m.sh("nft flush map inet inro ports4")
            assert net.act("check") == "no_table 0 missing 1 excess 0 wrong 0\n"


def test_packets_that_are_too_large(machine_root, build):
    """A narrow link behind the machine: who sends learns of it through the translation, in both
    directions, or else large answers never arrive."""
    m = machine_root
    with networks(m, build) as net:
        net.publish("front", 8080)
        m.sh("ip link set lan0 mtu 1300")
        c1 = net.containers["front", 2]
        listener = c1.call(socket.create_server, ("::", 80), family=socket.AF_INET6,
                           dualstack_ipv6=True)
        with listener:
            for host in (HOST4, HOST6):
                with net.lan.call(socket.create_connection, (host, 8080)) as client:
                    client.settimeout(5)
                    server = listener.accept()[0]
                    with server:
                        server.settimeout(5)
                        server.sendall(b"x" * 100000)
                        server.shutdown(socket.SHUT_WR)
                        got = 0
                        while data := client.recv(65536):
                            got += len(data)
                        assert got == 100000
        said = c1.run("ip", "route", "get", LAN4).ok().out
        assert "mtu 1300" in said, said


def test_the_machine_forwards_for_containers_alone(machine_root):
    """Switched on by the first container; who is no container's neighbour gets no router."""
    m = machine_root
    lan = m.lan()
    m.sh(f"""sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
        sysctl -qw net.ipv6.conf.lan0.accept_ra=1
        ip link add far0 type dummy 2>/dev/null || ip link add far0 type veth peer name far1
        ip addr add 203.0.113.1/24 dev far0
        ip link set far0 up""")
    lan.sh(f"ip route add 203.0.113.0/24 via {HOST4}")

    def switches():
        return m.run("sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding",
                     "net.ipv6.conf.lan0.accept_ra").ok().out.split()

    m.inro("network", "create", "front").ok()
    assert switches() == ["0", "0", "1"]
    with lan.serve("lan", 90):
        m.inro("run", "-d", "--name", "web", "--network", "front", "host", "sleep", "60").ok()
        assert switches() == ["1", "1", "2"]
        pid = m.inro("inspect", "-f", "{{.State.Pid}}", "web").ok().out.strip()
        assert m.inside(pid).get(LAN4, 90) == f"lan from {HOST4}"
    table = next(t for t in m.run("nft", "list", "tables").ok().out.split() if t.endswith("_guard"))
    assert silent(lan, "203.0.113.7", 80)
    assert "packets 0" not in m.run("nft", "list", "chain", "inet", table, "forward").ok().out
    # an interface has gone, and somebody has switched it off since
    m.sh("ip link del far0; sysctl -qw net.ipv4.ip_forward=0")
    assert m.inro("network", "reload", "web").ok().err == ""
    assert switches() == ["1", "1", "2"]
    m.inro("rm", "-f", "-t", "0", "web").ok()
    m.inro("network", "rm", "front").ok()
    if m.inro("network", "ls", "-q").ok().out == "":
        assert switches() == ["0", "0", "1"]
        assert m.run("nft", "list", "ruleset").ok().out == ""


def test_reload(machine_root):
    m = machine_root
    lan = m.lan()
    m.inro("network", "create", "front").ok()
    container = m.inro("run", "-d", "--name", "web", "--network", "front", "-p", "8080:80",
                       "host", "sleep", "60").ok().out
    pid = m.inro("inspect", "-f", "{{.State.Pid}}", "web").ok().out.strip()
    with m.inside(pid).serve("web", 80):
        assert lan.get(HOST4, 8080) == f"web from {LAN4}"
        m.flush()
        with pytest.raises(OSError):
            lan.get(HOST4, 8080, seconds=0.2)
        assert m.inro("network", "reload").ok().out == container
        assert lan.get(HOST4, 8080) == f"web from {LAN4}"
        m.flush()
        # the start of any other repairs as well
        m.inro("run", "--rm", "--network", "front", "host", "true").ok()
        assert lan.get(HOST4, 8080) == f"web from {LAN4}"
    assert m.inro("network", "reload", "web").ok().out == container
    assert "no such container" in m.inro("network", "reload", "none").err.lower()
    m.inro("rm", "-f", "-t", "0", "web").ok()
