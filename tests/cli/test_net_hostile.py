# SPDX-License-Identifier: Apache-2.0
"""Networks with those who mean no good, who come at the same time, or who are killed on the way."""

import json

import pytest

import engine
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
