# SPDX-License-Identifier: Apache-2.0
"""Containers with interfaces by one of the machine's, on a network or without: macvlan, ipvlan, vlan;
and with one of the machine's own, as long as they run."""

import json
import os
import pathlib
import select
import signal
import subprocess

import harness
import pytest

TURNS = True
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def create(machine, name, driver, *args):
    machine.inro("network", "create", "-d", driver, "-o", "parent=lan0", *args, name).ok()


def start(machine, name, *args):
    machine.inro("run", "-d", "--name", name, *args, "host", "sleep", "60").ok()
    state = json.loads(machine.inro("inspect", name).ok().out)[0]["State"]
    return machine.inside(state["Pid"])


def test_macvlan_is_on_the_wire_of_its_parent(machine_root):
    m = machine_root
    lan = m.lan()
    create(m, "wire", "macvlan", "--subnet", "192.0.2.0/24", "--gateway", "192.0.2.2",
           "--ip-range", "192.0.2.64/26", "--subnet", "2001:db8::/64", "--gateway", "2001:db8::2")
    one = start(m, "one", "--network", "wire:ip=192.0.2.77,mac=02:00:00:00:00:77")
    two = start(m, "two", "--network", "wire")
    link = one.links()["eth0"]
    assert link["linkinfo"]["info_kind"] == "macvlan"
    assert link["linkinfo"]["info_data"]["mode"] == "bridge"
    assert link["address"] == "02:00:00:00:00:77"
    with lan.serve("lan", 80), one.serve("one", 81):
        assert one.get("192.0.2.2", 80) == "lan from 192.0.2.77"
        assert one.get("2001:db8::2", 80).startswith("lan from 2001:db8::")
        for peer in (two, lan):
            assert peer.get("192.0.2.77", 81).startswith("one from 192.0.2.")
    routes = json.loads(one.run("ip", "-j", "route").ok().out)
    assert [r["gateway"] for r in routes if r["dst"] == "default"] == ["192.0.2.2"]
    # the same address after a restart; nothing of it once it has ended
    m.inro("restart", "-t", "0", "one").ok()
    m.inro("rm", "-f", "-t", "0", "one", "two").ok()
    m.inro("network", "rm", "wire").ok()


@pytest.mark.parametrize("disguise", [
    "ip link add eth1 type bridge", "ip link add eth1 link eth0 type macvlan",
    "ip link set mine address 02:00:00:00:00:99; ip link set mine up; ip link add eth1 link eth0 type macvlan"])
def test_a_renamed_macvlan_is_disconnected_all_the_same(machine_root, disguise):
    m = machine_root
    m.lan()
    create(m, "wire", "macvlan", "--subnet", "192.0.2.0/24")
    one = start(m, "one", "--network", "bridge")
    m.inro("network", "connect", "--ip", "192.0.2.50", "wire", "one").ok()
    one.sh(f"ip link set eth1 down; ip link set eth1 name mine; {disguise}")
    m.inro("network", "disconnect", "wire", "one").ok()
    assert set(one.links()) == {"lo", "eth0", "eth1"}


def test_macvlans_that_hide_by_one_parent(machine_root):
    """Two that nothing tells apart: neither is taken for the other."""
    m = machine_root
    m.lan()
    create(m, "wire", "macvlan", "--subnet", "192.0.2.0/24")
    create(m, "wire2", "macvlan", "--subnet", "198.51.100.0/24")
    one = start(m, "one", "--network", "wire", "--network", "wire2")
    one.sh("""for n in 0 1; do ip link set eth$n down; ip link set eth$n name mine$n
        ip link set mine$n address 02:00:00:00:00:9$n; done""")
    said = m.inro("network", "disconnect", "wire", "one")
    assert said.code == 125 and "called eth0" in said.err and "lan0" in said.err, said
    one.sh("ip link set mine1 name eth0")
    m.inro("network", "disconnect", "wire", "one").ok()
    assert "mine0" in one.links() and "eth0" not in one.links()
    m.inro("network", "disconnect", "wire2", "one").ok()
    assert set(one.links()) == {"lo"}


def test_private_macvlans_do_not_reach_each_other(machine_root):
    m = machine_root
    lan = m.lan()
    create(m, "own", "macvlan", "-o", "mode=private", "--subnet", "192.0.2.0/24", "--gateway", "192.0.2.2")
    one = start(m, "one", "--network", "own:ip=192.0.2.77")
    two = start(m, "two", "--network", "own:ip=192.0.2.78")
    with one.serve("one", 81):
        assert lan.get("192.0.2.77", 81) == "one from 192.0.2.2"
        with pytest.raises((TimeoutError, OSError)):
            two.get("192.0.2.77", 81, seconds=0.2)


def test_without_addresses_the_kernel_chooses(machine_root):
    m = machine_root
    m.lan()
    create(m, "bare", "macvlan", "--ipam-driver", "none")
    macs = {start(m, name, "--network", "bare").links()["eth0"]["address"] for name in ("one", "two")}
    assert len(macs) == 2


@pytest.mark.parametrize("driver", ["ipvlan", "vlan"])
def test_what_the_kernel_lacks_is_said(machine_root, driver):
    m = machine_root
    m.lan()
    args = ("-o", "vlan=7") if driver == "vlan" else ()
    create(m, "it", driver, *args, "--subnet", "198.51.100.0/24")
    said = m.inro("run", "--rm", "--network", "it", "host", "true")
    can = m.run("ip", "link", "add", "link", "lan0", "name", "try0", "type", driver,
                *(["id", "8"] if driver == "vlan" else [])).code == 0
    if can:
        m.sh("ip link del try0")
        inside = start(m, "one", "--network", "it")
        assert inside.links()["eth0"]["linkinfo"]["info_kind"] == driver
        if driver == "vlan":
            two = start(m, "two", "--network", "vlan:lan0.9:ip=198.51.100.9/24").links()["eth0"]["linkinfo"]
            assert two["info_kind"] == "vlan" and two["info_data"]["id"] == 9
            taken = m.inro("run", "--rm", "--network", "vlan:lan0.9", "host", "true")
            assert taken.code == 125 and "vlan 9 of lan0 is another's: each can be had once" in taken.err, taken
    else:
        assert said.code == 125 and f"the kernel has no {driver} interfaces" in said.err, said
        assert "modprobe" in said.err
    assert said.code == (0 if can else 125)


def test_what_can_not_be_is_refused(machine_root):
    m = machine_root
    m.lan()
    create(m, "wire", "macvlan", "--subnet", "192.0.2.0/24")
    said = m.inro("run", "-p", "80", "--network", "wire", "host", "true")
    assert said.code == 125 and "reached at their own addresses" in said.err, said
    m.sh("ip link add eth9 type veth peer name eth8")
    m.inro("network", "create", "-d", "macvlan", "-o", "parent=eth9", "--subnet", "203.0.113.0/24", "gone").ok()
    m.sh("ip link del eth9")
    said = m.inro("run", "--rm", "--network", "gone", "host", "true")
    assert said.code == 125 and "there is no network interface eth9" in said.err, said
    assert m.inro("ps", "-aq").ok().out == ""


def test_user_has_no_right_to_the_machines_interfaces(machine_user):
    said = machine_user.inro("network", "create", "-d", "macvlan", "-o", "parent=lo", "--subnet", "192.0.2.0/24", "wire")
    assert said.code == 125 and "a macvlan network needs root" in said.err, said
    for word in ("macvlan:lo", "vlan:lo.7", "host-device:lo"):
        said = machine_user.inro("run", "--rm", "--network", word, "host", "true")
        assert said.code == 125 and f"--network {word} needs root" in said.err, said
    said = machine_user.inro("pod", "create", "--network", "macvlan:lo", "p")
    assert said.code == 125 and "--network macvlan:lo needs root" in said.err, said


# ---- without a network ----

def settings(machine, name):
    return json.loads(machine.inro("inspect", name).ok().out)[0]


def addresses(namespace, name):
    return [a["local"] for a in namespace.links()[name]["addr_info"] if a["scope"] == "global"]


def test_macvlan_without_a_network(machine_root):
    m = machine_root
    lan = m.lan()
    one = start(m, "one", "--network", "macvlan:lan0:ip=192.0.2.80/24,gateway=192.0.2.2,ip6=2001:db8::80/64,"
                "gateway=2001:db8::2,mac=02:00:00:00:00:80,interface=up0", "--network", "bridge")
    links = one.links()
    assert links["up0"]["linkinfo"]["info_kind"] == "macvlan" and links["up0"]["address"] == "02:00:00:00:00:80"
    assert addresses(one, "up0") == ["192.0.2.80", "2001:db8::80"] and addresses(one, "eth0")
    with lan.serve("lan", 80), one.serve("one", 81):
        assert one.get("192.0.2.2", 80) == "lan from 192.0.2.80"
        assert one.get("2001:db8::2", 80) == "lan from 2001:db8::80"
        assert lan.get("192.0.2.80", 81) == "one from 192.0.2.2"
    for family in ("-4", "-6"):
        routes = json.loads(one.run("ip", family, "-j", "route").ok().out)
        assert [r["dev"] for r in routes if r["dst"] == "default"] == ["up0"]
    seen = settings(m, "one")["NetworkSettings"]["Networks"]
    assert list(seen) == ["macvlan:lan0", "bridge"]
    assert seen["macvlan:lan0"]["IPAddress"] == "192.0.2.80" and seen["macvlan:lan0"]["Gateway"] == "192.0.2.2"
    assert "192.0.2.80" in m.inro("exec", "one", "cat", "/etc/hosts").ok().out
    assert m.inro("ps", "--format", "{{.Networks}}", "--filter", "network=macvlan:lan0").ok().out == "macvlan:lan0,bridge\n"
    m.inro("restart", "-t", "0", "one").ok()
    assert addresses(m.inside(settings(m, "one")["State"]["Pid"]), "up0") == ["192.0.2.80", "2001:db8::80"]
    m.inro("rm", "-f", "-t", "0", "one").ok()
    m.inro("system", "check").ok()


def test_without_addresses_it_is_the_containers_business(machine_root):
    m = machine_root
    m.lan()
    one = start(m, "one", "--network", "macvlan:lan0")
    assert addresses(one, "eth0") == [] and "UP" in one.links()["eth0"]["flags"]
    assert settings(m, "one")["NetworkSettings"]["Networks"]["macvlan:lan0"]["IPAddress"] == ""
    m.inro("pod", "create", "--network", "macvlan:lan0:ip=192.0.2.81/24", "p").ok()
    two = start(m, "two", "--pod", "p")
    assert addresses(two, "eth0") == ["192.0.2.81"]
    m.inro("pod", "rm", "-f", "p").ok()


@pytest.mark.parametrize("word, said", [
    ("macvlan:lan0:ip=192.0.2.80", "ip=192.0.2.80: expected ADDRESS/PREFIX"),
    ("macvlan:lan0:ip=192.0.2.80/33", "invalid prefix"),
    ("macvlan:lan0:gateway=192.0.2.2", "expected a neighbour of the address of ip="),
    ("macvlan:lan0:alias=web", "alias: only networks have that"),
    ("host-device:lan0:mac=02:00:00:00:00:80", "mac: the interface is the host's, and keeps its own"),
    ("bridge:ip=10.0.0.5/16", "go with macvlan:, vlan: and host-device: alone"),
    ("macvlan:eth77", "there is no network interface eth77"),
    ("host-device:lan0", "interface lan0 of this machine: this machine's default route leads over it"),
    ("host-device:lo", "each network namespace has a loopback of its own"),
    ("host-device:port0", "it is a port of a bridge"),
])
def test_refused_without_a_network(machine_root, word, said):
    m = machine_root
    m.lan()
    if "port0" in word:
        m.sh("ip link add br0 type bridge; ip link add port0 type veth peer name port1; ip link set port0 master br0")
        m.before = m.look()
    result = m.inro("run", "--rm", "--network", word, "host", "true")
    assert result.code == 125 and said in result.err, result
    assert m.inro("ps", "-aq").ok().out == ""


# ---- the machine's own ----

def left(m):
    run = m.who.run_dir / "inro/net"
    return [p for name in ("devices", "netns") for p in (run / name).glob("*")]


@pytest.fixture
def device(machine_root):
    """dev0 of the machine, whose other end is dev1 of another."""
    m = machine_root
    lan = m.lan()
    m.sh(f"ip link add dev0 address 02:00:00:00:00:d0 type veth peer name dev1 netns {lan.path}")
    lan.sh("ip addr add 203.0.113.1/24 dev dev1; ip link set dev1 up")
    m.before = m.look()
    yield m
    assert left(m) == []


def test_device_of_the_machine(device):
    m = device
    m.inro("network", "create", "-d", "host-device", "-o", "parent=dev0", "--subnet", "203.0.113.0/24",
           "--gateway", "203.0.113.1", "--ip-range", "203.0.113.64/26", "wire").ok()
    one = start(m, "one", "--network", "wire:ip=203.0.113.77")
    assert one.links()["eth0"]["address"] == "02:00:00:00:00:d0" and "dev0" not in m.links()
    with m.other.serve("lan", 80):
        assert one.get("203.0.113.1", 80) == "lan from 203.0.113.77"
    said = m.inro("run", "--rm", "--network", "host-device:dev0", "host", "true")
    assert said.code == 125 and "interface dev0 is container one's, as long as it runs" in said.err, said
    m.inro("restart", "-t", "0", "one").ok()
    assert "dev0" not in m.links()
    m.inro("network", "disconnect", "wire", "one").ok()
    assert "dev0" in m.links() and addresses(m, "dev0") == []
    m.inro("network", "connect", "wire", "one").ok()
    assert "dev0" not in m.links()
    m.inro("stop", "-t", "0", "one").ok()
    assert "dev0" in m.links() and left(m) == []
    m.inro("rm", "one").ok()
    said = m.inro("run", "--rm", "--network", "host-device:dev0:interface=up0", "host", "ip", "-br", "link").ok()
    assert "up0" in said.out and "dev0" in m.links()


def test_device_that_something_is_made_by(device):
    m = device
    m.sh("ip link add up0 link dev0 type macvlan")
    said = m.inro("run", "--rm", "--network", "host-device:dev0", "host", "true")
    said.fails("interface dev0 of this machine: interface up0 is made by it", code=125)
    m.sh("ip link del up0")


def test_device_is_of_one_at_a_time(device):
    m = device
    m.inro("network", "create", "-d", "host-device", "-o", "parent=dev0", "wire").ok()
    said = m.inro("run", "--name", "one", "--network", "host-device:dev0", "--network", "wire", "host", "true")
    said.fails("interface dev0 is container one's, as long as it runs", code=125)
    assert "dev0" in m.links() and left(m) == []


@pytest.mark.parametrize("network", ["wire", "mac"])
def test_connect_takes_nothing_for_the_machines(device, network):
    m = device
    m.inro("network", "create", "-d", "host-device", "-o", "parent=dev0", "wire").ok()
    m.inro("network", "create", "-d", "macvlan", "-o", "parent=dev0", "--subnet", "203.0.113.0/24", "mac").ok()
    one = start(m, "one", "--network", "bridge")
    one.sh("ip link add eth1 type veth peer name other")
    m.inro("network", "connect", network, "one").fails("the container has an interface eth1 already")
    assert {"eth1", "other"} <= set(one.links()) and "dev0" in m.links() and left(m) == []
    one.sh("ip link set eth1 name mine")
    m.inro("network", "connect", network, "one").ok()
    events = m.inro("events", "--since", "1h", "--until", "0s", "-f", "event=connect", "--format",
                    "{{.Actor.Attributes.type}}").ok().out.split()
    assert events[-1] == ("macvlan" if network == "mac" else "host-device")
    # as a connect leaves it that was killed on its way
    whole = addresses(one, "eth1")
    one.sh("ip link set eth1 down" if network == "wire" else "ip addr flush dev eth1")
    m.inro("network", "connect", network, "one").ok()
    assert addresses(one, "eth1") == whole and "UP" in one.links()["eth1"]["flags"]
    m.inro("network", "disconnect", network, "one").ok()
    assert "dev0" in m.links() and "eth1" not in one.links()


def test_device_comes_back_from_the_killed(device):
    m = device
    monitor = pathlib.Path(m.who.dir / "monitor.pid")
    m.inro("network", "create", "-d", "host-device", "-o", "parent=dev0", "wire").ok()
    m.inro("run", "-d", "--name", "one", "--conmon-pidfile", monitor, "--network", "wire", "host", "sleep", "60").ok()
    pids = [int(monitor.read_text()), settings(m, "one")["State"]["Pid"]]
    for pidfd in map(os.pidfd_open, pids):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        assert select.select([pidfd], [], [], 10 * harness.PATIENCE)[0]
        os.close(pidfd)
    assert "dev0" not in m.links()
    assert "Exited" in m.inro("ps", "-a").ok().out
    assert "dev0" in m.links() and left(m) == []
    # its name is somebody else's: it stays where it is until that has gone
    m.inro("start", "one").ok()
    m.sh("ip link add dev0 type veth peer name other0")
    m.inro("stop", "-t", "0", "one").ok()
    assert len(left(m)) == 2
    said = m.inro("system", "check")
    assert said.code != 0 and "interface dev0 is in the namespace of a container that does not run" in said.out, said
    start(m, "two", "--network", "bridge", "-p", "8080:80")
    m.flush()
    said = m.inro("network", "reload")
    assert m.elements(m.table)["ports4"]
    assert said.code == 125 and "moving interface dev0 back: there is another one of this name" in said.err, said
    # which keeps nobody from having another
    m.sh("ip link add dev2 type veth peer name other2")
    m.inro("run", "--rm", "--network", "host-device:dev2", "--network", "host-device:dev0", "host", "true").ok()
    assert {"dev0", "dev2"} <= set(m.links()) and len(left(m)) == 2
    said = m.inro("system", "reset", "-f")
    assert said.code == 1 and "moving interface dev0 back: there is another one of this name" in said.err, said
    m.sh("ip link set dev0 name mine0")
    m.inro("network", "reload").ok()
    assert m.links()["dev0"]["address"] == "02:00:00:00:00:d0" and left(m) == []
    m.sh("ip link del mine0; ip link del dev2")
    # what a start leaves that was killed before it moved anything: a note, a file that is no namespace yet
    for path in ("devices/" + "a" * 64 + ":eth0:dev0:veth", "netns/" + "a" * 64):
        (m.who.run_dir / "inro/net" / path).touch()
    m.inro("network", "reload").ok()
    assert "dev0" in m.links()


@pytest.mark.parametrize("command", [
    ("run", "--rm", "--network", "host-device:dev0", "host", "true"), ("rm", "-f", "-t", "0", "one"),
    ("network", "disconnect", "wire", "one")], ids=lambda c: c[0])
def test_device_comes_back_from_a_killed_command(device, command):
    """At any system call: the next command that says what there is brings it back."""
    m = device
    m.inro("network", "create", "-d", "host-device", "-o", "parent=dev0", "wire").ok()
    report = m.who.dir / "report"

    def run(n):
        if command[0] != "run":
            m.inro("run", "-d", "--name", "one", "--network", "wire", "host", "sleep", "60").ok()
        m.who.run(m.who.program("tests/faults/killat"), "-o", report, n, "--", *m.who.inro_argv(*command), **QUIET)
        m.inro("rm", "-f", "-a", "-t", "0").ok()
        harness.wait_for(lambda: "dev0" in m.links() and left(m) == [], what=f"dev0, killed at {n}")
        return int(report.read_text().split()[-1])

    count = run(0)
    for n in range(count * 4 // 10, count, count // 4 + 1):
        run(n)
    m.inro("system", "check").ok()


def test_what_a_container_calls_so_is_not_the_machines(device):
    m = device
    one = start(m, "one", "--network", "host-device:dev0")
    m.inro("--root", m.who.dir / "other", "system", "reset", "-f").ok()     # nothing of that store's
    assert "eth0" in one.links() and len(left(m)) == 2
    one.sh("ip link set eth0 down; ip link set eth0 name hidden0; ip link add name eth0 type bridge")
    m.inro("rm", "-f", "-t", "0", "one").ok()
    assert "dev0" not in m.links()  # a veth goes with its namespace, a real one comes back
    m.before = m.look()
