# SPDX-License-Identifier: Apache-2.0
"""What only a user's networks have: the namespaces that hold them, and pasta."""

import json
import os
import pathlib
import signal
import time

import pytest

import engine
import harness


@pytest.fixture
def m(machine_user):
    machine_user.lan()
    machine_user.image = engine.box(machine_user.who)
    return machine_user


def start(m, name, *args):
    m.inro("run", "-d", "--name", name, *args, m.image, "sleep", "60").ok()
    return m.inside(inspect(m, name)["State"]["Pid"])


def inspect(m, name):
    return json.loads(m.inro("inspect", name).ok().out)[0]


def pastas(m):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"pasta" and any(str(m.who.dir).encode() in w for w in words):
            found.append(int(path.name))
    return found


def until(function):
    end = time.monotonic() + 5 * harness.PATIENCE
    while not (value := function()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return value


def attempt(namespace, address):
    try:
        return namespace.get(address, 80, seconds=0.2)
    except OSError:
        return None


def test_bridge_reaches_outside_and_is_out_of_containers_hands(m):
    web = start(m, "web", "--network", "bridge")
    with m.other.serve("lan", 80):
        assert web.get("192.0.2.2", 80) == "lan from 192.0.2.1"
        # pasta has no way out by IPv6 while the machine's link-local address is new
        assert until(lambda: attempt(web, "2001:db8::2")) == "lan from 2001:db8::1"
    # below the user namespace that has the bridges, so without rights over them, but with others'
    # ids as ever, also those of keep-id
    pid = inspect(m, "web")["State"]["Pid"]
    holder = m.holder()
    assert os.readlink(f"/proc/{pid}/ns/user") != os.readlink(holder / "ns/user")
    plain = m.inro("run", "--rm", m.image, "cat", "/proc/1/uid_map").ok().out
    assert pathlib.Path(f"/proc/{pid}/uid_map").read_text().split() == plain.split()
    kept = m.inro("run", "--rm", "--network", "bridge", "--userns", "keep-id", m.image, "id", "-u")
    assert kept.ok().out.strip() == str(m.who.uid)
    said = m.inro("exec", "--privileged", "web", "ip", "link").ok().out
    assert "inro0" not in said and "eth0" in said


def test_published_ports(m):
    """The container sees who asks; from this machine's loopback that can't be."""
    web = start(m, "web", "--network", "bridge", "-p", "8080:80", "-p", "8080:80/udp",
                "-p", "127.0.0.1:8081:80")
    with web.serve("web", 80):
        for udp in False, True:
            assert m.other.get("192.0.2.1", 8080, udp=udp) == "web from 192.0.2.2"
            assert m.other.get("2001:db8::1", 8080, udp=udp) == "web from 2001:db8::2"
            for address in "127.0.0.1", "::1", "192.0.2.1":
                assert m.get(address, 8080, udp=udp).startswith("web from ")
        assert m.get("127.0.0.1", 8081).startswith("web from ")
        with pytest.raises(ConnectionRefusedError):
            m.other.get("192.0.2.1", 8081)
    m.inro("run", "--rm", "--network", "bridge", "-p", "8080:1", m.image, "true").fails(
        "port is already allocated", code=125)
    m.inro("run", "--rm", "--network", "bridge", "-p", "80:80", m.image, "true").fails(
        "net.ipv4.ip_unprivileged_port_start=80", code=125)


def test_reload_brings_back_what_leads_answers_to_relays(m):
    web = start(m, "web", "--network", "bridge", "-p", "8080:80")
    place = m.place()
    for taken in "nft flush ruleset", "ip rule del prio 100; ip -6 rule del prio 100", "ip route flush table 100":
        place.sh(taken)
        with web.serve("web", 80):
            with pytest.raises(OSError):
                m.other.get("192.0.2.1", 8080, seconds=0.3)
            m.inro("network", "reload").ok()
            assert m.other.get("192.0.2.1", 8080) == "web from 192.0.2.2"
            assert m.other.get("2001:db8::1", 8080) == "web from 2001:db8::2"


def test_namespaces_last_as_long_as_a_container(m):
    """Whatever is killed, the next start finds or makes what it needs."""
    start(m, "one", "--network", "bridge")
    holder = m.holder()
    (pasta,) = pastas(m)
    os.kill(pasta, signal.SIGKILL)
    until(lambda: not pastas(m))
    two = start(m, "two", "--network", "bridge")
    assert m.holder() == holder and len(pastas(m)) == 1
    with m.other.serve("lan", 80):
        assert two.get("192.0.2.2", 80) == "lan from 192.0.2.1"
    os.kill(int(holder.name), signal.SIGTERM)  # not while it is in use
    m.inro("rm", "-f", "-t", "0", "one").ok()
    assert m.holder() == holder
    m.inro("kill", "two").ok()
    os.kill(int(holder.name), signal.SIGKILL)
    until(lambda: m.holder() is None)
    three = start(m, "three", "--network", "bridge")
    assert m.holder() != holder and len(pastas(m)) == 1
    with m.other.serve("lan", 80):
        assert three.get("192.0.2.2", 80) == "lan from 192.0.2.1"
    m.inro("rm", "-f", "-t", "0", "three").ok()
    os.kill(int(m.holder().name), signal.SIGTERM)
    until(lambda: m.holder() is None and not pastas(m))


def test_pasta_of_its_own(m):
    one = start(m, "one", "--network", "pasta:--mtu,1400", "-p", "127.0.0.1:8080:80", "-p", "8081:81")
    assert m.holder() is None  # it is on no network
    denied = start(m, "denied", "--network", "pasta", "--egress", "deny")
    with m.other.serve("lan", 80):
        assert one.get("192.0.2.2", 80) == "lan from 192.0.2.1"
        with pytest.raises(ConnectionRefusedError):
            denied.get("192.0.2.2", 80)
        m.inro("update", "--egress", "none", "denied").ok()
        assert denied.get("192.0.2.2", 80) == "lan from 192.0.2.1"
    m.inro("rm", "-f", "-t", "0", "denied").ok()
    with one.serve("one", 80), one.serve("one", 81):
        assert m.get("127.0.0.1", 8080).startswith("one from ")
        assert m.get("127.0.0.1", 8081).startswith("one from ")
    assert "8081" in m.inro("port", "one").ok().out
    (pasta,) = pastas(m)
    m.inro("restart", "-t", "0", "one").ok()
    (again,) = pastas(m)
    assert again != pasta
    # killed together with who would have ended it: the next command does
    monitor = int(pathlib.Path(f"/proc/{inspect(m, 'one')['State']['Pid']}/stat").read_text().split()[3])
    os.kill(monitor, signal.SIGKILL)
    until(lambda: m.inro("ps", "-q").ok().out == "")
    assert not pastas(m)


def test_pasta_says_why_not(m, root):
    for options, says in (("--netns,/proc/1/ns/net", "--netns is not for users to say"),
                          ("80", "80 is no option of pasta"),
                          ("-t,nonsense", "pasta: Invalid port"),
                          ("--nonsense", "unrecognized option")):
        m.inro("run", "--rm", "--network", f"pasta:{options}", m.image, "true").fails(says, code=125)
    m.sh("ip route del default")
    m.sh("ip -6 route del default")
    m.inro("run", "--rm", "--network", "pasta", m.image, "true").fails("no default route", code=125)
    m.inro("run", "--rm", "--network", "bridge", m.image, "true").ok()
    assert not pastas(m)
    root.inro("run", "--rm", "--network", "pasta", "host", "true").fails(
        "gives up root's rights", "--network bridge", code=125)
