# SPDX-License-Identifier: Apache-2.0
"""Networks with those who mean no good, who come at the same time, or who are killed on the way."""

import contextlib
import json
import sqlite3
import subprocess

import pytest

import engine
import harness
from test_network_names import ask

TURNS = True


@pytest.fixture(name="m")
def _m(machine):
    engine.box(machine.who)
    return machine


def run(m, name, *options, network="bridge"):
    m.inro("run", "-d", "--name", name, "--network", network, "--stop-timeout", "0", *options,
           "box", "sleep", "600").ok()
    return int(m.inro("inspect", "-f", "{{.State.Pid}}", name).ok().out)


def inspect(m, name):
    return json.loads(m.inro("inspect", name).ok().out)[0]


def service(m, *options):
    m.inro("run", "-d", "--name", "web", "--replicas", 2, "--network", "bridge", "--stop-timeout",
           "0", "--health-cmd", "test -e /well", "--health-interval", "1h", *options, "box", "sleep",
           "600").ok()


# ---- services are owners, too ----

def test_what_a_service_owns_is_no_damage(m):
    service(m, "-p", "8080:80")
    ports = m.inro("port", "web-1").ok().out
    m.inro("system", "check", "--quick", "--repair").ok()
    assert m.inro("port", "web-1").ok().out == ports and "8080" in ports


def test_a_port_of_a_service_is_its_replicas(m):
    service(m, "-p", "8080:80")
    said = m.inro("run", "-d", "--network", "bridge", "-p", "8080:80", "box", "true")
    said.fails("port is already allocated", code=125)
    assert "hint: container web-1 has it" in said.err


def test_a_port_without_a_socket_is_a_services_all_the_same(machine_root):
    """SCTP's are kept by rows alone where the kernel has none."""
    m = machine_root
    engine.box(m.who)
    service(m, "-p", "9090:80/sctp")
    said = m.inro("run", "-d", "--network", "bridge", "-p", "7070:70", "-p", "9090:80/sctp", "box",
                  "true")
    said.fails("9090 failed: port is already allocated", code=125)
    assert "9090" in m.inro("port", "web-1").ok().out


def test_a_replica_that_gets_well_finds_no_rules(m):
    """Somebody has flushed them: who is led to replicas again needs the whole table."""
    service(m)
    other = run(m, "other")
    for name in ("web-1", "web-2"):
        m.inro("exec", name, "touch", "/well").ok()
    m.place().flush()
    m.inro("healthcheck", "run", "web-1").ok()
    assert m.inro("healthcheck", "run", "web-2").ok()
    (vip,) = ask(m, other, "web")
    table = "inro" if m.who.rootless else m.table
    assert vip in json.dumps(m.place().elements(table))


# ---- what a container writes into its own files ----

def test_a_host_name_that_a_container_writes_is_nobody_elses_business(m):
    db = run(m, "db")
    evil = run(m, "evil", "--hostname", "honest")
    before = ask(m, evil, "db")
    m.inro("network", "create", "--internal", "more").ok()
    m.inro("exec", "evil", "sh", "-c", "echo db >/etc/hostname").ok()
    m.inro("network", "connect", "more", "evil").ok()
    assert ask(m, evil, "db") == ask(m, db, "db") == before and len(before) == 1
    assert len(ask(m, db, "honest")) == 1


def test_files_that_a_container_fills_keep_it_from_nothing(m):
    run(m, "full")
    m.inro("network", "create", "--internal", "more").ok()
    m.inro("exec", "full", "sh", "-c",
           "head -c 5000 /dev/zero >/etc/hostname; head -c 2000000 /dev/zero >/etc/hosts").ok()
    said = m.inro("network", "connect", "more", "full").ok()
    assert "/etc/hosts of container full is left as it is" in said.err
    m.inro("network", "disconnect", "more", "full").ok()
    m.inro("restart", "-t", "0", "full").ok()
    # bytes that are no text do not hide what is to be replaced
    m.inro("exec", "full", "sh", "-c", "printf 'x\\0y\\n' >/etc/hosts").ok()
    for _ in range(2):
        m.inro("restart", "-t", "0", "full").ok()
    assert m.inro("exec", "full", "cat", "/etc/hosts").ok().out.count("# addresses of") == 1


# ---- several at once ----

def at_once(m, *commands):
    """All have to succeed."""
    clients = [m.popen(*m.who.inro_argv(*c), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
               for c in commands]
    for command, client in zip(commands, clients):
        assert client.wait(30) == 0, (command, client.stderr.read())
        client.stderr.close()


def test_several_change_one_container(m):
    """Nobody undoes, or forgets, what another one has done."""
    names = [f"n{i}" for i in range(3)]
    for name in ["front", *names]:
        m.inro("network", "create", "--internal", name).ok()  # nobody else is asked for names
    pid = run(m, "web", "-p", "8080:80", network="front")
    at_once(m, *(["network", "connect", name, "web"] for name in names),
            ["update", "--publish-add", "8081:81", "web"], ["update", "--publish-add", "8082:82", "web"],
            ["network", "reload"])
    said = inspect(m, "web")["NetworkSettings"]
    assert set(said["Ports"]) == {"80/tcp", "81/tcp", "82/tcp"}
    hosts = m.inro("exec", "web", "cat", "/etc/hosts").ok().out
    assert all(n["IPAddress"] + "\t" in hosts for n in said["Networks"].values())
    for name in names:
        run(m, "on-" + name, network=name)
        assert len(ask(m, pid, "on-" + name)) == 1
    at_once(m, ["network", "reload"], *(["network", "disconnect", name, "web"] for name in names))
    assert len(m.inside(pid).links()) == 2
    hosts = m.inro("exec", "web", "cat", "/etc/hosts").ok().out
    assert sum(n["IPAddress"] + "\t" in hosts for n in said["Networks"].values()) == 1
    assert not [name for name in names if ask(m, pid, "on-" + name)]


def database(m):
    path = m.who.state / "inro/inro.db"
    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


def test_a_disconnect_that_fails_late_changes_nothing(m):
    for name in ("front", "back"):
        m.inro("network", "create", "--internal", name).ok()
    pid = run(m, "web", "-p", "8080:80", network="front")
    m.inro("network", "connect", "back", "web").ok()
    other = run(m, "other", network="back")
    before = set(m.inside(pid).links()), inspect(m, "web")["NetworkSettings"], ask(m, other, "web")
    with database(m) as db:
        db.execute("CREATE TRIGGER stop BEFORE DELETE ON endpoints BEGIN SELECT RAISE(ABORT, 'no'); END")
        m.inro("network", "disconnect", "back", "web").fails("disconnecting container web from network "
                                                             "back", code=125)
        assert before == (set(m.inside(pid).links()), inspect(m, "web")["NetworkSettings"],
                          ask(m, other, "web"))
        db.execute("DROP TRIGGER stop")
    m.inro("network", "disconnect", "back", "web").ok()
    assert len(m.inside(pid).links()) == 2 and not ask(m, other, "web")


# ---- what a container does to its own interfaces ----

def test_a_renamed_interface_is_disconnected_all_the_same(m):
    m.inro("network", "create", "back").ok()
    pid = run(m, "web", "--cap-add", "NET_ADMIN")
    before = set(m.place().links())
    m.inro("network", "connect", "back", "web").ok()
    # by the name of the other one
    m.inro("exec", "web", "sh", "-ec", "for i in 0 1; do ip link set eth$i down; done; "
           "ip link set eth0 name kept; ip link set eth1 name eth0; ip link set kept name eth1").ok()
    keeps = m.inside(pid).links()["eth1"]["address"]
    m.inro("network", "disconnect", "back", "web").ok()
    links = m.inside(pid).links()
    assert set(links) == {"lo", "eth1"} and links["eth1"]["address"] == keeps
    assert {name for name in set(m.place().links()) - before if name.startswith("iv")} == set()


# ---- members of a pod that end at once ----

def test_one_of_those_that_end_at_once_is_the_last(m):
    names = m.who.run_dir / "inro/net/names"
    m.inro("pod", "create", "--name", "pod", "--network", "bridge", "-p", "8080:80").ok()
    for name in range(6):
        m.inro("run", "-d", "--pod", "pod", "--name", f"m{name}", "box", "sleep",
               "600").ok()
    for _ in range(2):
        assert len(list(names.glob("*/*"))) == 1
        m.inro("pod", "kill", "pod").ok()
        harness.wait_for(lambda: not m.inro("ps", "-q").ok().out, what="the ends to be recorded")
        harness.wait_for(lambda: not list(names.glob("*/*")), what="its names to go")
        assert not m.elements(m.table).get("ports4")
        m.inro("pod", "start", "pod").ok()
    m.inro("pod", "rm", "-f", "-t", "0", "pod").ok()


def test_a_name_on_the_machine_that_is_taken_is_told(machine_root):
    m = machine_root
    m.sh("ip link add mine type dummy 2>/dev/null || ip link add mine type bridge")
    said = m.inro("run", "--rm", "--network", "bridge:host_interface_name=mine", "host", "true")
    said.fails("this machine has an interface mine already", code=125)
    m.sh("ip link delete mine")


# ---- names that others take ----

def test_a_new_name_is_known_at_once_and_the_old_one_free(m):
    """The one before is kept under another name while the next one takes over."""
    m.inro("network", "create", "--internal", "front").ok()
    one = run(m, "web", network="front")
    first = ask(m, one, "web")
    m.inro("rename", "web", "old").ok()
    assert ask(m, one, "web") == [] and ask(m, one, "old") == ask(m, one, "old.front") == first
    assert " old\n" in m.inro("exec", "old", "cat", "/etc/hosts").ok().out
    run(m, "web", network="front")
    assert len(ask(m, one, "web")) == 1 and ask(m, one, "web") != first


def test_no_more_networks_than_names_are_told_of(m):
    names = [f"n{i}" for i in range(32)]
    for i, name in enumerate(names):
        m.inro("network", "create", "--internal", "--ipv6=false", "--subnet", f"10.33.{i}.0/24", name).ok()
    m.inro("create", "--name", "web", *(w for n in names for w in ("--network", n)), "box", "true").ok()
    m.inro("network", "connect", "bridge", "web").fails("at most 32 networks", code=125)
