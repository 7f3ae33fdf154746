# SPDX-License-Identifier: Apache-2.0
"""Services whose commands are killed, and whose rules somebody takes away."""

import signal
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
