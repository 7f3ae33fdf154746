# SPDX-License-Identifier: Apache-2.0
"""What the tests of services share: a service "web" on port 8080, and who answers there."""

import collections
import contextlib
import json
import os
import subprocess
import threading

import engine
import netmachine

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
SERVER = "exec busybox nc -ll -p 80 -e hostname"


def prepare(machine):
    """The machine with another one on its wire, and an image."""
    machine.lan()
    machine.sh("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
    machine.image = engine.box(machine.who)
    return machine


def run(m, n, *args, command=SERVER):
    return m.inro("run", "-d", "--name", "web", "--replicas", n, "-p", "8080:80",
                  "--stop-timeout", "0", *args, m.image, "sh",
                  "-c", command).ok().out.split()


def inspect(m, name):
    return json.loads(m.inro("inspect", name).ok().out)[0]


def balanced(m):
    """{map or set: [element]} of what is led to replicas; root's table is called as its store."""
    place = m.place()
    if not place:
        return {}
    (table,) = [t["table"]["name"] for t in json.loads(place.run("nft", "-j", "list", "tables").ok().out)
                ["nftables"] if "table" in t and t["table"]["name"].split("/")[0] == "inro"]
    sets = place.elements(table)
    assert "vip4" in sets and "slots4" in sets
    return {name: e for name, e in sets.items() if e and name.startswith(("slots", "vip"))}


def hosts(m):
    """{the host name that a replica answers with: its name}."""
    return {c["Config"]["Hostname"]: c["Name"].lstrip("/")
            for c in json.loads(m.inro("inspect", "web").ok().out)}


def asked(where, names, host, port, n=40):
    return collections.Counter(names[where.get(host, port).strip()] for _ in range(n))


def answers(m, n=20):
    """What who asks from outside is told."""
    return collections.Counter(m.other.get(netmachine.HOST4, 8080).strip() for _ in range(n))


@contextlib.contextmanager
def hammer(m):
    """Somebody asks all the time: ([answers], [errors]), which are whole behind it."""
    lost, answers, done = [], [], threading.Event()

    def ask():
        while not done.is_set():
            try:
                answers.append(m.other.get(netmachine.HOST4, 8080).strip())
            except OSError as e:
                lost.append(e)

    client = threading.Thread(target=ask)
    client.start()
    try:
        yield answers, lost
    finally:
        done.set()
        client.join()


def kill(m, n, *command):
    """At its n-th system call; 0: never. Returns how many it has made."""
    report = m.who.dir / "report"
    m.who.run(m.who.program("tests/faults/killat"), "-o", report, n, "--", *m.who.inro_argv(*command), **QUIET)
    return int(report.read_text().split()[-1])


def points(count):
    """At which of so many system calls to kill: few, or INRO_TEST_POINTS of them."""
    n = int(os.environ.get("INRO_TEST_POINTS", 3))
    return range(count // n // 2, count, max(1, count // n))
