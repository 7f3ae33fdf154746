# SPDX-License-Identifier: Apache-2.0
"""Networks on a machine with somebody else's firewall: their rule sets, as those programs load them.

What they closed stays closed.
"""

import os

import pytest

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


def restore(machine, text):
    machine.run("iptables-nft-restore", input=text.encode()).ok()

def web(machine):
    machine.inro("network", "create", "front").ok()
    machine.inro("run", "-d", "--name", "web", "--network", "front", "-p", "8080:80", "host",
                 "sleep", "60").ok()
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
        m.inro("network", "reload").ok()
        assert lan.get(HOST4, 8080) == f"web from {LAN4}"
        assert "--dport 81" in m.run("iptables-nft", "-S", "DOCKER-USER").ok().out.splitlines()[1]
    end(m)
    if m.inro("network", "ls", "-q").ok().out == "":
        assert "INRO" not in m.run("iptables-nft", "-S").ok().out
    m.sh("ip link del docker0; ip link del vother")
