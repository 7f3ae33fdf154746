# SPDX-License-Identifier: Apache-2.0
"""Services whose commands are killed, and whose rules somebody takes away."""

import contextlib
import signal
import sqlite3
import subprocess
import time

import pytest

import harness
import netmachine
import replicas
from replicas import balanced, hosts, kill, points, run

TURNS = True
@pytest.fixture(name="m")
def _m(machine):
    return replicas.prepare(machine)


def whole(m, n):
    """All of them run, and each answers."""
    names = {f"web-{i + 1}" for i in range(n)}
    lines = m.inro("ps", "-a", "--format", "{{.Names}} {{.State}}").ok().out.splitlines()
    assert set(lines) == {f"{name} running" for name in names}
    assert set(replicas.asked(m.other, hosts(m), netmachine.HOST4, 8080)) == names


@pytest.mark.parametrize("before, after", [(1, 2), (2, 1)])
def test_killed_scale_is_made_again(m, before, after):
    run(m, before)
    count = kill(m, 0, "scale", f"web={after}")
    whole(m, after)
    for n in points(count):
        m.inro("scale", f"web={before}").ok()
        kill(m, n, "scale", f"web={after}")
        # whatever it was at: neither this nor the way back finds anything in its way
        m.inro("scale", f"web={after if n % 2 else before}").ok()
        whole(m, after if n % 2 else before)
    m.inro("system", "check").ok()


def test_scale_down_while_somebody_removes_one(m):
    run(m, 3, "--stop-timeout", "1")  # which it needs: nobody handles SIGTERM
    first = hosts(m)
    client = m.popen(*m.who.inro_argv("scale", "web=1"), stderr=subprocess.PIPE, text=True)
    harness.wait_for(lambda: [first[h] for h in replicas.answers(m)] == ["web-1"], what="those that leave")
    m.inro("rm", "-f", "-t", "0", "web-3").ok()
    assert client.communicate()[1] == "" and client.returncode == 0
    whole(m, 1)


def test_scale_down_that_fails_in_the_middle(m):
    """Who has not been told to end has connections again."""
    run(m, 3)
    with contextlib.closing(sqlite3.connect(f"{m.who.state}/inro/inro.db")) as db:
        db.execute("CREATE TRIGGER bad BEFORE UPDATE ON replicas WHEN NEW.leaving AND NEW.number = 3"
                   " BEGIN SELECT RAISE(FAIL, 'no such day'); END")
        m.inro("scale", "web=1").fails("no such day", code=125)
        whole(m, 3)
        db.execute("DROP TRIGGER bad")
    m.inro("scale", "web=1").ok()
    whole(m, 1)


def test_killed_run_leaves_less_of_a_service_or_none(m):
    command = ["run", "-d", "--name", "web", "--replicas", "2", "-p", "8080:80", "--stop-timeout", "0", m.image,
               "sh", "-c", replicas.SERVER]
    count = kill(m, 0, *command)
    for n in points(count):
        m.inro("rm", "-f", "web").ok()
        assert not balanced(m)
        kill(m, n, *command)
        if m.inro("scale", "web=2").code:  # killed before the first was there
            m.inro(*command).ok()
        whole(m, 2)
    m.inro("system", "check").ok()


def test_flushed_rules_come_back(m):
    run(m, 2)
    place = m.place()
    rules = {k: sorted(map(str, e)) for k, e in balanced(m).items()}
    assert rules
    place.flush()
    m.inro("system", "check").fails("damage detected", code=125)
    m.inro("network", "reload", "--all").ok()
    assert {k: len(e) for k, e in balanced(m).items()} == {k: len(e) for k, e in rules.items()}
    whole(m, 2)
    # an address of the service's that somebody has taken from the bridge
    (vip,) = {a["local"] for link in place.links().values() for a in link["addr_info"]
              if a["prefixlen"] == 32 and link["ifname"] != "lo"}
    (bridge,) = [name for name, link in place.links().items()
                 if any(a["local"] == vip for a in link["addr_info"])]
    place.run("ip", "addr", "del", f"{vip}/32", "dev", bridge).ok()
    m.inro("network", "reload", "--all").ok()
    assert any(a["local"] == vip for a in place.links()[bridge]["addr_info"])
    m.inro("system", "check").ok()


def test_ctrl_c_leaves_all_or_none(m):
    """Whenever it comes: at a start, or between two."""
    for ms in (10, 25, 40, 60):
        client = m.popen(*m.who.inro_argv("run", "-d", "--name", "web", "--replicas", "6", "--stop-timeout", "0",
                                          m.image, "sleep", "60"), **replicas.QUIET)
        time.sleep(ms / 1000)
        client.send_signal(signal.SIGINT)
        client.wait(20 * harness.PATIENCE)
        assert len(m.inro("ps", "-aq").ok().out.split()) in (0, 6)
        m.inro("rm", "-f", "web")
