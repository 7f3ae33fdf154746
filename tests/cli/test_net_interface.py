# SPDX-License-Identifier: Apache-2.0
"""What --network says of one interface, and of name servers that a container asks itself."""

import json
import time

import engine
import pytest

TURNS = True
SYSCTLS = "driver-opt=com.docker.network.endpoint.sysctls="


def image(machine):
    return engine.box(machine.who) if machine.who.rootless else "host"


def inside(machine, name):
    return machine.inside(json.loads(machine.inro("inspect", name).ok().out)[0]["State"]["Pid"])


def read(machine, name, path):
    return machine.inro("exec", name, "cat", f"/proc/sys/net/{path}").ok().out.strip()


def test_sysctls_are_of_one_interface(machine):
    m = machine
    m.inro("network", "create", "back").ok()
    m.inro("run", "-d", "--name", "one", "--network", "bridge",
           "--network", f'name=back,interface=in.ner,"{SYSCTLS}net.ipv4.conf.IFNAME.log_martians=1,'
           'net.ipv6.conf.IFNAME.mldv1_unsolicited_report_interval=2000"', image(m), "sleep", "60").ok()
    for _ in range(2):
        assert read(m, "one", "ipv4/conf/in.ner/log_martians") == "1"
        assert read(m, "one", "ipv6/conf/in.ner/mldv1_unsolicited_report_interval") == "2000"
        assert read(m, "one", "ipv4/conf/eth0/log_martians") == "0"
        m.inro("restart", "-t", "0", "one").ok()
    said = m.inro("run", "--rm", "--network", f"name=back,{SYSCTLS}net.ipv4.conf.IFNAME.nonsense=1", image(m), "true")
    assert said.code == 125 and "sysctl net.ipv4.conf.IFNAME.nonsense=1 of interface eth0" in said.err, said


def test_routers_are_not_believed(machine):
    """Any container on a bridge could tell the others that it is one (CVE-2020-13401)."""
    m = machine
    m.inro("network", "create", "back").ok()
    m.inro("run", "-d", "--name", "one", "--network", "bridge", "--network",
           f"name=back,{SYSCTLS}net.ipv6.conf.IFNAME.accept_ra=2", image(m), "sleep", "60").ok()
    assert [read(m, "one", f"ipv6/conf/eth{n}/accept_ra") for n in (0, 1)] == ["0", "2"]


def heard():
    with open("/proc/thread-self/net/dev", encoding="ascii") as f:
        return next(int(line.split()[2]) for line in f if line.strip().startswith("eth0"))


def test_a_start_is_not_heard_by_all(machine):
    """Each would take a little of every container that is there, and so take longer itself."""
    m = machine
    m.inro("run", "-d", "--name", "one", "--network", "bridge", image(m), "sleep", "60").ok()
    time.sleep(1)  # what the bridge says of itself
    one = inside(m, "one")
    before = one.call(heard)
    for n in range(4):
        m.inro("run", "-d", "--name", f"other{n}", "--network", "bridge", image(m), "sleep", "60").ok()
    time.sleep(1)
    assert one.call(heard) - before <= 1


def test_name_servers_are_reached_in_spite_of_egress(machine_user):
    m = machine_user
    lan = m.lan()
    m.inro("run", "-d", "--name", "one", "--network", "pasta", "--dns", "192.0.2.2", "--egress", "deny",
           image(m), "sleep", "60").ok()
    with lan.serve("dns", 53), lan.serve("closed", 54):
        assert inside(m, "one").get("192.0.2.2", 53).startswith("dns from ")
        with pytest.raises(ConnectionRefusedError):
            inside(m, "one").get("192.0.2.2", 54)
