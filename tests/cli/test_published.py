# SPDX-License-Identifier: Apache-2.0
"""Published ports, packet by packet: who gets through, whom the container sees, what is left."""

import json
import os
import signal
import socket

import pytest

import engine
import harness
import netmachine


def inspect(machine, name):
    return json.loads(machine.inro("inspect", name).ok().out)[0]


def start(machine, name, *args):
    """A container on the default network, by its network namespace."""
    machine.inro("run", "-d", "--name", name, "--network", "bridge", *args, "host", "sleep",
                 "60").ok()
    return machine.inside(inspect(machine, name)["State"]["Pid"])


def lan_of(machine):
    """Whoever forwards packets has said so; that networks do is another test's business."""
    lan = machine.lan()
    machine.sh("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
    return lan


def test_from_the_lan(machine_root):
    m = machine_root
    lan = lan_of(m)
    web = start(m, "web", "-p", "8080:80", "-p", "8080:80/udp", "-p", "192.0.2.1:81:80",
                "-p", "9000-9002:90-92")
    with web.serve("web", 80), web.serve("last", 92):
        for udp in False, True:
            assert lan.get(netmachine.HOST4, 8080, udp=udp) == f"web from {netmachine.LAN4}"
            assert lan.get(netmachine.HOST6, 8080, udp=udp) == f"web from {netmachine.LAN6}"
        assert lan.get(netmachine.HOST4, 81) == f"web from {netmachine.LAN4}"
        assert lan.get(netmachine.HOST4, 9002) == f"last from {netmachine.LAN4}"
        # the machine itself, by its own address; and the container by the machine's
        assert m.get(netmachine.HOST4, 8080).startswith("web from ")
        assert web.get(netmachine.HOST4, 8080).startswith("web from ")
    assert m.inro("port", "web", "80").ok().out == \
        "0.0.0.0:8080\n192.0.2.1:81\n[::]:8080\n"
    # nobody else gets them
    m.inro("run", "--rm", "--network", "bridge", "-p", "8080:1", "host", "true").fails(
        "Bind for 0.0.0.0:8080 failed: port is already allocated", code=125)
    m.inro("create", "--name", "late", "--network", "bridge", "-p", "8080:1", "host", "true").ok()
    m.inro("start", "late").fails("port is already allocated", code=1)
    said = m.inro("why", "late").ok().out
    assert "late could not be started" in said and "port is already allocated" in said
    m.inro("rm", "late").ok()
    assert "container web has it" in m.inro(
        "run", "--rm", "--network", "bridge", "-p", "127.0.0.1:8080:1", "host", "true").err
    ports = [link["linkinfo"]["info_slave_data"] for link in m.links().values()
             if "info_slave_data" in link.get("linkinfo", {})]
    assert [p["hairpin"] for p in ports] == [True]
    m.inro("rm", "-f", "-t", "0", "web").ok()
    assert "8080" not in m.run("nft", "list", "ruleset").ok().out


def test_udp_goes_where_the_port_has_gone(machine_root):
    m = machine_root
    lan = lan_of(m)
    first = start(m, "one", "-p", "53:53/udp")
    with first.serve("one", 53):
        sock = lan.call(bound_udp)
        assert ask(sock) == "one from 192.0.2.2"
    m.inro("rm", "-f", "-t", "0", "one").ok()
    second = start(m, "two", "-p", "53:53/udp")
    with second.serve("two", 53):
        assert ask(sock) == "two from 192.0.2.2"  # the same flow, by address and port
    sock.close()


def bound_udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((netmachine.HOST4, 53))
    s.settimeout(2)
    return s


def ask(sock):
    sock.send(b"?")
    return sock.recv(100).decode()


def test_ports_of_what_runs_come_and_go(machine_root):
    m = machine_root
    lan = lan_of(m)
    web = start(m, "web", "-p", "8080:80", "-p", "8082:80")
    m.inro("update", "--publish-add", "8081:80", "--publish-rm", "8082:80", "web").ok()
    with web.serve("web", 80):
        for port in 8080, 8081:
            assert lan.get(netmachine.HOST4, port) == f"web from {netmachine.LAN4}"
        with m.serve("other", 8082):
            assert lan.get(netmachine.HOST4, 8082) == "other from 192.0.2.2"
    # refused: nothing has changed
    m.inro("update", "--publish-add", "8083:80", "--publish-add", "8081:81", "web").fails(
        "conflicting port mappings for host port 8081", code=1)
    with m.serve("other", 8083):
        m.inro("update", "--publish-rm", "8080:80", "--publish-add", "8083:80", "web").fails(
            "Bind for 0.0.0.0:8083 failed: port is already allocated", code=1)
    m.inro("update", "--publish-rm", "81", "web").fails("does not publish 81", code=1)
    ports = ["0.0.0.0:8080", "0.0.0.0:8081", "[::]:8080", "[::]:8081"]
    assert m.inro("port", "web", "80").ok().out.split() == ports
    # the monitor keeps them: nobody else gets one
    m.inro("run", "--rm", "--network", "bridge", "-p", "8081:1", "host", "true").fails(
        "port is already allocated", code=125)
    m.inro("restart", "-t", "0", "web").ok()
    assert m.inro("port", "web", "80").ok().out.split() == ports
    # also of one that does not run
    m.inro("stop", "-t", "0", "web").ok()
    assert m.inro("port", "web").ok().out == ""
    m.inro("update", "--publish-rm", "80", "--publish-add", "7000:80", "web").ok()
    m.inro("start", "web").ok()
    assert m.inro("port", "web", "80").ok().out.split() == ["0.0.0.0:7000", "[::]:7000"]
    assert inspect(m, "web")["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "", "HostPort": "7000"}]}


def test_another_port_after_a_restart(machine_root):
    m = machine_root
    start(m, "web", "-p", "80", "--restart", "always")
    first = m.inro("port", "web", "80").ok().out
    os.kill(inspect(m, "web")["State"]["Pid"], signal.SIGKILL)
    harness.wait_for(lambda: m.inro("port", "web", "80").out not in ("", first))
    m.inro("rm", "-f", "-t", "0", "web").ok()  # the fixture looks what still leads to it


def test_ports_lead_to_another_network_when_one_is_left(machine_root):
    m = machine_root
    lan = lan_of(m)
    m.inro("network", "create", "second").ok()
    web = start(m, "web", "-p", "8080:80")
    m.inro("network", "connect", "second", "web").ok()
    with web.serve("web", 80):
        assert lan.get(netmachine.HOST4, 8080) == f"web from {netmachine.LAN4}"
        m.inro("network", "disconnect", "bridge", "web").ok()
        assert lan.get(netmachine.HOST4, 8080) == f"web from {netmachine.LAN4}"
    m.inro("rm", "-f", "-t", "0", "web").ok()
    m.inro("network", "rm", "second").ok()


def test_of_a_user(machine_user):
    m = machine_user
    lan = m.lan()
    m.inro("run", "-d", "--name", "web", "--network", "bridge", "-p", "8080:80", "-p", "8080:80/udp",
           "-p", "127.0.0.1:8081:80", engine.box(m.who), "sleep", "60").ok()
    with m.inside(inspect(m, "web")["State"]["Pid"]).serve("web", 80):
        for udp in False, True:
            assert lan.get(netmachine.HOST4, 8080, udp=udp) == f"web from {netmachine.LAN4}"
            assert lan.get(netmachine.HOST6, 8080, udp=udp) == f"web from {netmachine.LAN6}"
            assert m.get(netmachine.HOST4, 8080, udp=udp).startswith("web from ")
            for address in "127.0.0.1", "::1":
                assert m.get(address, 8080, udp=udp).startswith("web from ")
        assert m.get("127.0.0.1", 8081).startswith("web from ")
        m.inro("update", "--publish-add", "8083:80", "web").ok()
        assert lan.get(netmachine.HOST4, 8083) == f"web from {netmachine.LAN4}"
    m.inro("run", "--rm", "--network", "bridge", "-p", "8080:1", engine.box(m.who), "true").fails(
        "port is already allocated", code=125)


def test_localhost_of_a_program_with_ipv4_alone(machine):
    """`curl localhost:8080` asks at ::1 first."""
    machine.inro("network", "create", "--ipv6", "both").ok()
    machine.inro("run", "-d", "--name", "web", "--network", "both", "-p", "8080:80",
                 engine.box(machine.who), "sleep", "60").ok()
    with machine.inside(inspect(machine, "web")["State"]["Pid"]).serve("web", 80, "0.0.0.0"):
        for host in "127.0.0.1", "::1":
            assert machine.get(host, 8080).startswith("web from ")


def test_on_loopback(machine_root):
    m = machine_root
    web = start(m, "web", "-p", "8080:80", "-p", "8080:80/udp", "-p", "127.0.0.1:81:80")
    with web.serve("web", 80):
        for address in "127.0.0.1", "::1":
            for udp in False, True:
                assert m.get(address, 8080, udp=udp).startswith("web from ")
        assert m.get("127.0.0.1", 81).startswith("web from ")
        m.inro("update", "--publish-add", "127.0.0.1:82:80", "--publish-rm", "127.0.0.1:81:80",
               "web").ok()
        assert m.get("127.0.0.1", 82).startswith("web from ")
        with pytest.raises(ConnectionRefusedError):
            m.get("127.0.0.1", 81)
        assert m.get("127.0.0.1", 8080).startswith("web from ")
    # the next one gets them at once, whatever connections there were
    m.inro("rm", "-f", "-t", "0", "web").ok()
    again = start(m, "again", "-p", "8080:80", "-p", "8080:80/udp")
    with again.serve("again", 80):
        assert m.get("127.0.0.1", 8080).startswith("again from ")
        assert m.get("127.0.0.1", 8080, udp=True).startswith("again from ")
    many = start(m, "many", "-p", "10000-10999:1-1000")
    with many.serve("many", 1000):
        assert m.get("127.0.0.1", 10999).startswith("many from ")
    assert m.inro("ps", "--filter", "name=many", "--format", "{{.Ports}}").ok().out == \
        "0.0.0.0:10000-10999->1-1000/tcp, [::]:10000-10999->1-1000/tcp\n"
