# SPDX-License-Identifier: Apache-2.0
"""Networks on a machine with somebody else's firewall: their rule sets, as those programs load them.

What they closed stays closed, and `inro doctor` says what is in the way, and what changes it.
"""

import json
import os
import subprocess

import pytest

import engine
from netmachine import CLONE_NEWNET, HOST4, LAN4, LIBC, Namespace, in_thread

DOCKER = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
"""
UFW = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-before-forward - [0:0]
:ufw-user-forward - [0:0]
:ufw-before-input - [0:0]
-A INPUT -j ufw-before-input
-A FORWARD -j ufw-before-forward
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
COMMIT
"""
FIREWALLD = """table inet firewalld {
    chain filter_FORWARD {
        type filter hook forward priority 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        jump filter_FORWARD_ZONES
        ct state invalid drop
        reject with icmpx admin-prohibited
    }
    chain filter_FORWARD_ZONES {
        iifname "lan0" oifname "lan0" accept
    }
}
"""
OWN = """table inet own {
    chain kept {
        type filter hook forward priority 0; policy drop;
    }
}
"""


def restore(machine, text):
    machine.run("iptables-nft-restore", input=text.encode()).ok()

def doctor(machine, check):
    """(status, message, cure) of one check."""
    said = machine.inro("doctor", "--format", "json").out
    found = {f["Check"]: f for f in json.loads(said)}[check]
    return found["Status"], found["Message"], found.get("Cure")


def table(place):
    """inro's own: there is one."""
    names = place.run("nft", "list", "tables", "inet").ok().out.split()
    return next(t for t in names if t.startswith("inro") and not t.endswith("_guard"))


def web(machine):
    machine.inro("network", "create", "front").ok()
    machine.inro("run", "-d", "--name", "web", "--network", "front", "-p", "8080:80",
                 engine.box(machine.who), "sleep", "60").ok()
    pid = machine.inro("inspect", "-f", "{{.State.Pid}}", "web").ok().out.strip()
    return machine.inside(pid)

def end(machine):
    machine.inro("rm", "-f", "-t", "0", "web").ok()
    machine.inro("network", "rm", "front").ok()

def closed(ns, *args, **kw):
    with pytest.raises(OSError):
        ns.get(*args, seconds=0.15, **kw)
    return True

def behind_bridge(machine, name, address):
    """Somebody else's container."""
    fd = in_thread(lambda: LIBC.unshare(CLONE_NEWNET),
                   lambda: os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
    machine.fds.append(fd)
    ns = Namespace(f"/proc/{os.getpid()}/fd/{fd}", machine)
    machine.sh(f"""ip link add {name} type bridge
        ip addr add {address}.1/24 dev {name}
        ip link set {name} up
        ip link add vother type veth peer name eth0 netns {ns.path}
        ip link set vother master {name} up""")
    ns.sh(f"""ip link set lo up
        ip addr add {address}.2/24 dev eth0
        ip link set eth0 up
        ip route add default via {address}.1""")
    return ns

def test_docker(machine_root):
    """Ours get through docker's drop, nobody else does, and what the administrator says in
    DOCKER-USER comes before."""
    m = machine_root
    lan = m.lan()
    theirs = behind_bridge(m, "docker0", "172.17.0")
    lan.sh(f"ip route add 172.17.0.0/24 via {HOST4}")
    restore(m, DOCKER)
    inside = web(m)
    with inside.serve("web", 80), lan.serve("lan", 90), theirs.serve("theirs", 80):
        assert lan.get(HOST4, 8080) == f"web from {LAN4}"
        assert inside.get(LAN4, 90) == f"lan from {HOST4}"
        assert closed(inside, "172.17.0.2", 80)
        assert closed(lan, "172.17.0.2", 80)
        assert theirs.get(HOST4, 8080) == "web from 172.17.0.2"
        rules = m.run("iptables-nft", "-S", "DOCKER-USER").ok().out.splitlines()
        assert [r[:18] for r in rules] == ["-N DOCKER-USER", "-A DOCKER-USER -j ", "-A DOCKER-USER -j "]
        assert rules[-1].endswith("RETURN")
        # once more, by hand
        m.inro("network", "reload").ok()
        assert m.run("iptables-nft", "-S", "DOCKER-USER").ok().out.splitlines() == rules
        m.sh("iptables-nft -I DOCKER-USER -i lan0 -p tcp --dport 80 -j DROP")
        assert closed(lan, HOST4, 8080)
        # docker, started later or anew, knows nothing of us
        m.flush()
        restore(m, DOCKER)
        m.sh("iptables-nft -I DOCKER-USER -i lan0 -p tcp --dport 81 -j DROP")
        status, said, cure = doctor(m, "other firewalls")
        assert (status, cure) == ("fail", "inro network reload") and "docker drops" in said
        assert doctor(m, "rules of networks")[0] == "fail"
        m.inro("network", "reload").ok()
        assert doctor(m, "other firewalls")[0] == doctor(m, "rules of networks")[0] == "ok"
        assert lan.get(HOST4, 8080) == f"web from {LAN4}"
        assert "--dport 81" in m.run("iptables-nft", "-S", "DOCKER-USER").ok().out.splitlines()[1]
    end(m)
    if m.inro("network", "ls", "-q").ok().out == "":
        assert "INRO" not in m.run("iptables-nft", "-S").ok().out
    m.sh("ip link del docker0; ip link del vother")


def test_ufw_and_firewalld(machine_root):
    """Nothing of theirs is changed; the commands that doctor prints open what is to be open."""
    m = machine_root
    lan = m.lan()
    restore(m, UFW)
    inside = web(m)
    with inside.serve("web", 80), lan.serve("lan", 90):
        assert closed(lan, HOST4, 8080)
        assert closed(inside, LAN4, 90)
        status, said, cure = doctor(m, "other firewalls")
        assert status == "warn" and "ufw drops" in said and "ufw route allow in on inro0" in cure
        # what these two of ufw's put into its chain
        bridge = m.inro("network", "inspect", "-f", "{{.network_interface}}", "front").ok().out.strip()
        m.sh(f"""iptables-nft -A ufw-user-forward -i {bridge} -j ACCEPT
            iptables-nft -A ufw-user-forward -p tcp --dport 80 -j ACCEPT""")
        assert lan.get(HOST4, 8080) == f"web from {LAN4}"
        assert inside.get(LAN4, 90) == f"lan from {HOST4}"
        m.flush()
        m.run("nft", "-f", "-", input=FIREWALLD.encode()).ok()
        m.inro("network", "reload").ok()
        assert lan.get(HOST4, 8080) == f"web from {LAN4}"
        assert closed(inside, LAN4, 90)
        status, said, cure = doctor(m, "other firewalls")
        assert status == "warn" and "firewalld runs" in said and "--zone=trusted" in cure
        # as that zone does
        m.sh(f"nft insert rule inet firewalld filter_FORWARD_ZONES iifname {bridge} accept")
        assert inside.get(LAN4, 90) == f"lan from {HOST4}"
        m.sh("nft delete table inet firewalld")
        m.run("nft", "-f", "-", input=OWN.encode()).ok()
        assert closed(lan, HOST4, 8080)
        status, said, cure = doctor(m, "other firewalls")
        assert status == "warn" and "chain kept of table inet own" in said
        m.sh(cure)
        assert lan.get(HOST4, 8080) == f"web from {LAN4}"
        assert inside.get(LAN4, 90) == f"lan from {HOST4}"
        m.sh("nft delete table inet own")
    end(m)


def test_doctor(machine):
    """As root and as a user: what this machine has is found to be there."""
    for check in ("interfaces", "nftables", "rules of networks", "forwarding", "subnets", "names"):
        assert doctor(machine, check)[0] == "ok", machine.inro("doctor").out
    # a network's subnet, taken by somebody else later
    if not machine.who.rootless:
        machine.inro("network", "create", "--subnet", "10.77.0.0/24", "late").ok()
        machine.sh("ip link add far0 type veth peer name far1; ip link set far0 up; "
                   "ip route add 10.77.0.0/25 dev far0")
        status, said, _ = doctor(machine, "subnets")
        assert status == "warn" and "network late (10.77.0.0/24)" in said
        machine.sh("ip link del far0")
        machine.inro("network", "rm", "late").ok()


def test_check(machine):
    """What is gone or left is found, and made good by --repair."""
    if machine.who.rootless:
        machine.lan()
    web(machine)
    place, state = machine.place(), machine.who.run_dir / "inro/net"
    for _ in range(3):                  # the kernel takes its interface a moment after its end
        machine.inro("run", "--rm", "--network", "front", engine.box(machine.who), "true").ok()
        machine.inro("system", "check", "--quick").ok()
    place.sh(f"""ip link add inro99 type bridge
        ip link set inro99 alias 'inro {'5' * 64}'
        nft flush ruleset""")
    (state / "names" / ("5" * 64)).mkdir()
    said = json.loads(machine.inro("system", "check", "--quick", "--format", "json").out)
    gone = ["the firewall's rules are gone", "bridge inro99 is of a network that is gone",
            "names are of network 555555555555, which is gone"]
    assert said["Networks"] == gone
    machine.inro("system", "check", "--quick", "--repair").ok()
    machine.inro("system", "check", "--quick").ok()
    assert "inro99" not in place.links() and place.elements(table(place))["bridges"]
    assert not (state / "names" / ("5" * 64)).exists()
    end(machine)


def test_another_store(machine):
    """One that has the same run directory leaves the networks of this one alone."""
    if machine.who.rootless:
        machine.lan()
    web(machine)
    before = machine.place().elements(table(machine.place()))
    other = ("--root", machine.who.dir / "other")
    r = machine.inro(*other, "system", "check", "--quick", "--repair").ok()
    assert "is the run directory of the store" in r.err and "no damage" in r.out
    machine.inro(*other, "network", "create", "last").ok()
    for words in (("run", "--rm", "--network", "last", "host", "true"), ("network", "reload")):
        r = machine.inro(*other, *words)
        assert r.code == 125 and "are those of the store" in r.err and "--runroot" in r.err
    if not machine.who.rootless:
        machine.inro(*other, "run", "--rm", "--network", "none", "host", "true").ok()
    machine.inro(*other, "network", "rm", "last").ok()
    assert machine.place().elements(table(machine.place())) == before
    machine.inro("system", "check", "--quick").ok()
    end(machine)


def test_two_stores_that_begin_at_once(machine):
    """One of them has the networks."""
    for n in range(10):
        words = ("--runroot", machine.who.run_dir / str(n), "network", "reload")
        both = [machine.popen(*machine.who.inro_argv("--root", machine.who.dir / name, *words),
                              stderr=subprocess.PIPE, text=True) for name in ("one", "other")]
        said = [client.communicate()[1] for client in both]
        assert sorted(client.returncode for client in both) == [0, 125], said
        assert "are those of the store" in "".join(said)
