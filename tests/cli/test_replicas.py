# SPDX-License-Identifier: Apache-2.0
"""Replicas: several containers behind one name, one address and one port."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest

import harness
import netmachine
import replicas
from replicas import SERVER, asked, balanced, hammer, hosts, inspect, run

TURNS = True


@pytest.fixture(name="m")
def _m(machine):
    return replicas.prepare(machine)


def test_one_port_one_name(m):
    ids = run(m, 3)
    names = hosts(m)
    assert sorted(names.values()) == ["web-1", "web-2", "web-3"] and len(ids) == 3
    ports = {(p["Names"], p["Ports"]) for p in map(json.loads, m.inro(
        "ps", "--format", "{{json .}}").ok().out.splitlines())}
    assert ports == {(f"web-{i}", "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp") for i in (1, 2, 3)}
    # from another machine, from this one, by its loopback, both families
    for where, host in ((m.other, netmachine.HOST4), (m.other, netmachine.HOST6),
                        (m, netmachine.HOST4), (m, "127.0.0.1"), (m, "::1")):
        assert set(asked(where, names, host, 8080)) == {"web-1", "web-2", "web-3"}, host
    # by name: one address, which is none of theirs
    client = ["run", "--rm", "--network", "bridge", m.image]
    said = m.inro(*client, "sh", "-c", "nslookup web 127.0.0.11; for i in $(seq 30); do "
                  "nc web 80 </dev/null; done; nc web-2 80 </dev/null").ok().out
    own = [c["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
           for c in json.loads(m.inro("inspect", "web").ok().out)]
    answers = [names[line] for line in said.split() if line in names]
    assert set(answers[:-1]) == {"web-1", "web-2", "web-3"} and answers[-1] == "web-2"
    assert not [a for a in own if f"Address: {a}\n" in said]
    # nobody else gets the port or the name
    m.inro("run", "-d", "--network", "bridge", "-p", "8080:1", m.image, "true").fails(
        "port is already allocated", code=125)
    m.inro("network", "create", "front").ok()
    m.inro("run", "-d", "--name", "app", "--network", "front", "--replicas", "1", m.image, "sleep", "60").ok()
    said = m.inro("network", "rm", "front").fails("in use", code=1).err
    assert "[app, app-1]" in said or "[app-1, app]" in said  # what rm takes
    m.inro("create", "--name", "web", m.image, "true").fails("in use by a service", code=125)
    m.inro("exec", "web", "true").fails("web is a service: name one of its replicas", code=125)


def test_who_stops_gets_no_more(m):
    run(m, 3)
    names = hosts(m)
    assert balanced(m)
    m.inro("stop", "-t", "0", "web-2").ok()
    for where, host in ((m.other, netmachine.HOST4), (m, "127.0.0.1")):
        assert set(asked(where, names, host, 8080)) == {"web-1", "web-3"}
    m.inro("start", "web-2").ok()
    assert set(asked(m.other, names, netmachine.HOST4, 8080)) == {"web-1", "web-2", "web-3"}
    # killed with its monitor: the next command repairs
    os.kill(inspect(m, "web-1")["State"]["Pid"], signal.SIGKILL)
    end = time.monotonic() + 5 * harness.PATIENCE
    while inspect(m, "web-1")["State"]["Running"]:
        assert time.monotonic() < end
    assert set(asked(m.other, names, netmachine.HOST4, 8080)) == {"web-2", "web-3"}
    m.inro("stop", "-t", "0", "web").ok()
    with pytest.raises(OSError):
        m.get(netmachine.HOST4, 8080)
    assert m.inro("port", "web-1").ok().out == ""
    m.inro("start", "web").ok()
    assert set(asked(m.other, names, netmachine.HOST4, 8080)) == {"web-1", "web-2", "web-3"}
    assert m.inro("rm", "-f", "-t", "0", "web").ok().out.split() == ["web-1", "web-2", "web-3"]
    assert not balanced(m)
    assert m.inro("ps", "-aq").ok().out == ""


def test_scale_loses_nobody(m):
    run(m, 2)
    with hammer(m) as (answers, lost):
        assert m.inro("scale", "web=4").ok().out == "web scaled to 4\n"
        names = hosts(m)
        assert len(names) == 4
        time.sleep(0.1)
        m.inro("scale", "web=1").ok()
    assert not lost and set(answers) == set(names)
    assert m.inro("ps", "--format", "{{.Names}}").ok().out.split() == ["web-1"]
    # those who are left have the shares of those who have gone
    m.inro("scale", "web=3").ok()
    m.inro("rm", "-f", "web-2").ok()
    m.inro("system", "check", "--quick").ok()
    m.inro("scale", "web=2").ok()
    m.inro("system", "check", "--quick").ok()
    m.inro("scale", "web=0").fails("expected 1 to 256 replicas", code=125)
    m.inro("scale", "nobody=2").fails("No such service: nobody", code=125)
    m.inro("scale", "web").fails("expected SERVICE=N", code=125)


def test_words_that_can_not_be(m):
    for words, message in ((["--replicas", "2"], "--replicas needs --name"),
                           (["--replicas", "0", "-d", "--name", "x"], "expected 1 to 256"),
                           (["--replicas", "2", "--name", "x"], "--replicas needs -d"),
                           (["--replicas", "2", "-d", "--name", "x", "--rm"], "--replicas and --rm"),
                           (["--replicas", "2", "-d", "--name", "x", "--network", "host"],
                            "needs networks of inro's")):
        m.inro("run", *words, m.image, "true").fails(message, code=125)
    assert m.inro("ps", "-aq").ok().out == ""


def test_a_name_is_one_things(m):
    m.inro("create", "--name", "other", m.image, "true").ok()
    run(m, 1)
    m.inro("rename", "other", "web").fails("already in use by a service")
    m.inro("rename", "web-1", "web").fails("already in use by a service")
    m.inro("create", "--name", "web", m.image, "true").fails("already in use by a service", code=125)
    m.inro("run", "-d", "--name", "other", "--replicas", "1", m.image, "true").fails(
        "\"other\" is already in use by container", code=125)
    m.inro("rm", "-f", "-t", "0", "web", "other").ok()
    # at once: one of them has it
    both = [m.popen(*m.who.inro_argv("run", "-d", "--name", "both", *words, m.image, "sleep", "60"),
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for words in (["--replicas", "1"], [], ["--replicas", "1"], [])]
    said = [p.communicate()[1].decode() for p in both]
    assert sorted(p.returncode for p in both) == [0, 125, 125, 125], said
    m.inro("rm", "-f", "-t", "0", "both").ok()
    assert m.inro("ps", "-aq").ok().out == ""


def test_sticky_and_health(m):
    """Each client at one of them, and who is not healthy at none."""
    run(m, 3, "--sticky", "--health-cmd", "test ! -e /ill", "--health-interval", "100ms",
        "--health-retries", "1")
    end = time.monotonic() + 10 * harness.PATIENCE
    names = hosts(m)
    while any(inspect(m, n)["State"]["Health"]["Status"] != "healthy" for n in names.values()):
        assert time.monotonic() < end
    # the balance follows what inspect tells: all have their slots when it has settled
    while len({str(e[1]) for e in balanced(m).get("vip4", [])}) != 3:
        assert time.monotonic() < end
    (first,) = asked(m.other, names, netmachine.HOST4, 8080)
    m.inro("exec", first, "touch", "/ill").ok()
    while first in asked(m.other, names, netmachine.HOST4, 8080, 5):
        assert time.monotonic() < end
    assert len(asked(m.other, names, netmachine.HOST4, 8080)) == 1
    m.inro("exec", first, "rm", "/ill").ok()
    while set(asked(m.other, names, netmachine.HOST4, 8080, 5)) != {first}:
        assert time.monotonic() < end


def test_udp_flows_leave_with_a_replica(m):
    """The kernel remembers where each client's packets go: not to one that isn't ready any more."""
    m.inro("run", "-d", "--name", "web", "--replicas", "2", "-p", "8080:80/udp", "--stop-timeout", "0",
           "--health-cmd", "test ! -e /ill", "--health-interval", "50ms", "--health-retries", "1", m.image,
           "sleep", "60").ok()

    def in_balance(n):
        return lambda: len({str(e[1]) for e in balanced(m).get("vip4", [])}) == n

    def ask(host):
        return m.other.get(host, 8080, udp=True, source_port=5555).split()[0]

    for name in ("web-1", "web-2"):
        m.inside(inspect(m, name)["State"]["Pid"]).serve(name, 80)
    for host in (netmachine.HOST4, netmachine.HOST6):
        harness.wait_for(in_balance(2), what="both to be ready")
        first = ask(host)
        assert [ask(host) for _ in range(10)] == [first] * 10
        m.inro("exec", first, "touch", "/ill").ok()
        harness.wait_for(in_balance(1), what="one to be ill")
        harness.wait_for(lambda: ask(host) != first, what="the other one's answer")
        m.inro("exec", first, "rm", "/ill").ok()


def test_who_listens_is_ready(m):
    """A start waits for that, and no longer: not for the time that one which never listens has."""
    command = f"sleep 0.2; echo >/up; {SERVER}"

    def took(name, start):
        begin = time.monotonic()
        start()
        seconds = time.monotonic() - begin
        if name == "web":
            m.inro("exec", "web-1", "test", "-e", "/up").ok()
            assert balanced(m)
        m.inro("rm", "-f", "-t", "0", name).ok()
        return seconds

    # what a start takes here, slow as the machine may be
    plain = took("plain", lambda: m.inro("run", "-d", "--name", "plain", "-p", "8080:80", m.image, "sh", "-c",
                                         command).ok())
    assert min(took("web", lambda: run(m, 1, command=command)) for _ in range(2)) < plain + 1.5


def test_udp_clients_of_who_stops(m):
    """They are at the other one at once, whose own clients stay; it is looked for their flows once."""
    m.inro("run", "-d", "--name", "web", "--replicas", "2", "-p", "8080:80/udp", "--stop-timeout", "0", m.image,
           "sleep", "60").ok()
    for name in ("web-1", "web-2"):
        m.inside(inspect(m, name)["State"]["Pid"]).serve(name, 80)
    clients = [(host, port) for host in (netmachine.HOST4, netmachine.HOST6) for port in range(5550, 5560)]

    def ask():
        return {m.other.get(host, 8080, udp=True, source_port=port).split()[0] for host, port in clients}

    def noted():
        db = sqlite3.connect(f"file:{m.who.state}/inro/inro.db?mode=ro", uri=True)
        with contextlib.closing(db):
            return sorted(row[0] for row in db.execute("SELECT leaving FROM replicas"))

    assert ask() == {"web-1", "web-2"} and noted() == [0, 0]
    m.inro("stop", "web-1").ok()
    assert ask() == {"web-2"} and noted() == [0, 2]
    m.inro("start", "web-1").ok()
    assert noted() == [0, 0]


def test_verbs_of_all(m):
    """The service's name stands for its replicas, where that means something."""
    run(m, 2)
    m.inro("run", "-d", "--name", "web-x", "--network", "none", m.image, "sleep", "60").ok()
    both = ["web-1", "web-2"]

    def ps(*args):
        return sorted(m.inro("ps", "-a", "--format", "{{.Names}}{{.Service}}", *args).ok().out.split())

    assert ps() == ["web-1web", "web-2web", "web-x"]
    assert ps("--filter", "service=web") == ["web-1web", "web-2web"]
    assert [inspect(m, n)["Service"] for n in ("web-1", "web-x")] == ["web", ""]
    assert m.inro("port", "web").ok().out == m.inro("port", "web-1").ok().out != ""
    assert m.inro("port", "web", "80").ok().out == "0.0.0.0:8080\n[::]:8080\n"
    if not m.who.rootless:  # who can count
        said = m.inro("stats", "--no-stream", "--format", "{{.Name}}", "web").ok().out
        assert said.split() == both
        assert m.inro("pause", "web").ok().out.split() == both
        assert m.inro("unpause", "web").ok().out.split() == both
        # one that is paused gets no connections, and is in nobody's way
        names = hosts(m)
        m.inro("pause", "web-1").ok()
        assert set(asked(m.other, names, netmachine.HOST4, 8080, n=10)) == {"web-2"}
        m.inro("scale", "web=2").ok()
        assert inspect(m, "web-1")["State"]["Paused"]
        m.inro("unpause", "web-1").ok()
        assert set(asked(m.other, names, netmachine.HOST4, 8080)) == set(both)
    assert m.inro("restart", "web").ok().out.split() == both
    assert set(asked(m.other, hosts(m), netmachine.HOST4, 8080)) == set(both)
    assert m.inro("update", "--restart", "on-failure", "web").ok().out.split() == both
    assert inspect(m, "web-2")["HostConfig"]["RestartPolicy"]["Name"] == "on-failure"
    m.inro("update", "--restart", "no", "web").ok()
    assert m.inro("kill", "web").ok().out.split() == both
    assert m.inro("wait", "web").ok().out.split() == ["137", "137"]
    assert m.inro("port", "web").ok().out == ""
    for verb in ("top", "exec", "commit", "rename"):
        m.inro(verb, "web", "other").fails("is a service: name one of its replicas", code=125)
