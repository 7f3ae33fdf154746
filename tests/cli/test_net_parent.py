# SPDX-License-Identifier: Apache-2.0
"""Containers on networks that are interfaces by one of the machine's: macvlan, ipvlan, vlan."""

import json

import pytest

TURNS = True


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
    m.inro("network", "create", "-d", "host-device", "-o", "parent=lan0", "--ipam-driver", "none", "dev").ok()
    said = m.inro("run", "--rm", "--network", "dev", "host", "true")
    assert said.code == 125 and "not implemented yet" in said.err, said
    assert m.inro("ps", "-aq").ok().out == ""


def test_user_has_no_right_to_the_machines_interfaces(machine_user):
    said = machine_user.inro("network", "create", "-d", "macvlan", "-o", "parent=lo", "--subnet", "192.0.2.0/24", "wire")
    assert said.code == 125 and "a macvlan network needs root" in said.err, said
