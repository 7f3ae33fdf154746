# SPDX-License-Identifier: Apache-2.0
"""Networks with those who mean no good, who come at the same time, or who are killed on the way."""

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
