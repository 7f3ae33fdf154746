# SPDX-License-Identifier: Apache-2.0
"""The tests' machine for networks itself: it must be able to fail."""

import socket

import pytest

import harness
import netmachine
from netmachine import HOST4, HOST6, LAN4

TURNS = True


def test_servers_and_who_asks(machine):
    lan = machine.lan()
    with machine.serve("host", 80), lan.serve("lan") as far:
        for udp in (False, True):
            assert lan.get(HOST4, 80, udp=udp) == f"host from {LAN4}"
            assert lan.get(HOST6, 80, udp=udp) == f"host from {netmachine.LAN6}"
            assert machine.get(LAN4, far.port, udp=udp) == f"lan from {HOST4}"
            assert machine.get("::1", 80, udp=udp) == "host from ::1"
        assert machine.get("127.0.0.1", 80, source="127.0.0.5") == "host from 127.0.0.5"
        assert machine.get(LAN4, far.port, source=HOST4) == f"lan from {HOST4}"
    with pytest.raises(ConnectionRefusedError):
        lan.get(HOST4, 80)
    machine.sh("nft add table inet t; nft add chain inet t i '{type filter hook input priority 0;}'; "
               "nft add rule inet t i tcp dport 80 drop")
    with machine.serve("host", 80), pytest.raises(TimeoutError):
        lan.get(HOST4, 80, seconds=0.1)
    machine.flush()
    assert machine.run("nft", "list", "ruleset").ok().out == ""


def test_who_runs_in_it(machine):
    who = machine.who
    assert who.run("sh", "-c", "id -u; pwd; ls /sys/class/net /run/netns").ok().out \
        == f"{who.uid}\n{who.dir}\n/run/netns:\n\n/sys/class/net:\nlo\n"
    bundle = who.bundle("cat", "/proc/net/dev")
    bundle.config["linux"]["namespaces"] = [ns for ns in bundle.linux["namespaces"]
                                            if ns["type"] != "network"]
    machine.lan()
    assert "lan0:" in bundle.run().ok().out
    with who.popen("sleep", "9") as process:
        with machine.inside(process.pid).serve("there", 81):
            assert machine.get("127.0.0.1", 81) == "there from 127.0.0.1"
        process.kill()


def test_tun_is_for_users(machine):
    machine.who.run("sh", "-c", "exec 3<>/dev/net/tun").ok()


def test_elements(machine_root):
    m = machine_root
    assert m.elements() == {}
    m.run("nft", "-f", "-", input=b"""table inet inro {
        set bridges { type ifname; elements = { "inro0" }; }
        map ports4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
    }""").ok()
    assert m.elements() == {"bridges": ["inro0"], "ports4": []}
    m.brnf(False)
    assert m.run("cat", "/proc/sys/net/bridge/bridge-nf-call-iptables").out == "0\n"


@pytest.mark.parametrize("what, script", [
    ("interface iv0", "ip link add iv0 type veth peer name iv1"),
    ("element of ports4", "nft add table inet TABLE; nft add map inet TABLE ports4 "
     "'{type inet_service : ipv4_addr; elements = {80: 10.0.0.1};}'"),
    ("socket tcp 127.0.0.1:90", None),
], ids=["interface", "element", "socket"])
def test_leftovers_are_seen(root, monkeypatch, what, script):
    monkeypatch.setattr(harness.Leftovers, "SECONDS", 0.1)
    m = netmachine.Machine(root)
    m.lan()
    if script:
        m.sh(script.replace("TABLE", m.table))
    else:
        kept = m.call(socket.create_server, ("127.0.0.1", 90))
    with pytest.raises(pytest.fail.Exception, match=what):
        m.close()
    if not script:
        kept.close()
    assert root.run("ls", "/run/netns").out == ""
