# SPDX-License-Identifier: Apache-2.0
"""--firewall and --egress: what a container may be reached by and may reach."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time

import engine
import harness
import pytest

TURNS = True


def settings(machine, name):
    return json.loads(machine.inro("inspect", name).ok().out)[0]


def image(machine):
    """A user can't run the machine's own root."""
    if not hasattr(machine, "image"):
        machine.image = engine.box(machine.who) if machine.who.rootless else "host"
    return machine.image


def start(machine, name, *args):
    machine.inro("run", "-d", "--name", name, "--network", "bridge", *args, image(machine), "sleep", "60").ok()
    return machine.inside(settings(machine, name)["State"]["Pid"])


def addresses(machine, name):
    network = settings(machine, name)["NetworkSettings"]
    return [network["IPAddress"], network["GlobalIPv6Address"]]


def firewall(machine, name):
    return settings(machine, name)["NetworkSettings"]["Firewall"]


def test_what_no_rule_allows_is_refused_within_a_bridge_too(machine):
    """Packets between two containers of one bridge pass no hook of the host's without
    br_netfilter, and a second time with it."""
    m = machine
    web = start(m, "web", "--firewall", "in tcp 80,8000-8010 from bridge", "--firewall", "in icmp")
    client = start(m, "client")
    with web.serve("web", 80), web.serve("high", 8005), web.serve("closed", 81):
        for on in (False, True):
            m.place().brnf(on)
            for address in addresses(m, "web"):
                assert client.get(address, 80).startswith("web from ")
                assert client.get(address, 8005).startswith("high from ")
                with pytest.raises(TimeoutError):
                    client.get(address, 81, seconds=0.15)
                client.run("busybox", "ping", "-c1", "-W1", address).ok()
        assert web.get("127.0.0.1", 81) == "closed from 127.0.0.1"
        # what it begins itself is its own business, and so are the answers
        with client.serve("client", 90):
            assert web.get(addresses(m, "client")[0], 90).startswith("client from ")
    seen = firewall(m, "web")
    assert seen["Loaded"] is True
    assert [r["Rule"] for r in seen["Rules"]] == ["in tcp 80,8000-8010 from bridge", "in icmp"]
    assert all(r["Packets"] >= 4 and r["Bytes"] > r["Packets"] * 40 for r in seen["Rules"])
    assert seen["Refused"]["In"]["Packets"] >= 4
    assert seen["Refused"]["Out"]["Packets"] == 0
    if m.who.rootless:  # without a cgroup there are no statistics
        return
    stats = [json.loads(m.inro("stats", "--no-stream", "--format", "{{json .}}", name).ok().out)
             for name in ("web", "client")]
    allowed = sum(r["Packets"] for r in seen["Rules"])
    assert stats[0]["NetAllowed"] == f"{allowed} / 0"
    assert stats[0]["NetRefused"] == f"{seen['Refused']['In']['Packets']} / 0"
    assert [stats[1][field] for field in ("NetAllowed", "NetRefused")] == ["--", "--"]


def test_egress_allows_what_it_names(machine):
    m = machine
    other = start(m, "other")
    four, six = addresses(m, "other")
    inside = start(m, "shut", "--egress", f"allow {four}:80 [{six}]:80")
    with other.serve("other", 80), other.serve("closed", 81):
        for address in (four, six):
            assert inside.get(address, 80).startswith("other from ")
            with pytest.raises(ConnectionRefusedError):
                inside.get(address, 81)
        gateway = settings(m, "shut")["NetworkSettings"]["Gateway"]
        with pytest.raises(ConnectionRefusedError):
            inside.get(gateway, 80)
    seen = firewall(m, "shut")
    assert seen["Rules"][0]["Packets"] >= 2 and seen["Refused"]["Out"]["Packets"] >= 3
    # it is there again with the next start, and can be reached as before
    m.inro("restart", "-t", "0", "shut").ok()
    again = m.inside(settings(m, "shut")["State"]["Pid"])
    with again.serve("shut", 80):
        assert other.get(addresses(m, "shut")[0], 80).startswith("shut from ")
    assert firewall(m, "shut")["Loaded"] is True
    m.inro("stop", "-t", "0", "shut").ok()
    assert firewall(m, "shut")["Loaded"] is False


def test_update_of_one_that_is_just_started_again(machine):
    """What was read for its start is from before the update; who of both writes first is chance."""
    m = machine
    m.inro("run", "-d", "--name", "web", "--network", "bridge", "--restart", "always", image(m), "sleep", "60").ok()
    for backoff, update in (0.1, ("--publish-add", "8080:80")), (0.2, ("--egress", "deny")), (0.4, ("--egress", "deny")):
        with contextlib.closing(sqlite3.connect(m.who.state / "inro/inro.db", isolation_level=None)) as db:
            os.kill(settings(m, "web")["State"]["Pid"], signal.SIGKILL)
            harness.wait_for(lambda: settings(m, "web")["State"]["Status"] == "restarting")
            db.execute("BEGIN IMMEDIATE")
            time.sleep(backoff + 0.1)
            client = m.popen(*m.who.inro_argv("update", *update, "web"), stdout=subprocess.DEVNULL)
            time.sleep(0.05)
            db.execute("ROLLBACK")
        assert client.wait(30) == 0
        harness.wait_for(lambda: m.inro("exec", "web", "true").code == 0)
        if "--egress" in update:
            harness.wait_for(lambda: firewall(m, "web")["Loaded"])
            m.inro("update", "--egress", "none", "web").ok()
        else:
            with m.inside(settings(m, "web")["State"]["Pid"]).serve("web", 80):
                assert m.get("127.0.0.1", 8080).startswith("web from ")


def test_update_changes_what_runs(machine):
    m = machine
    web, client = start(m, "web"), start(m, "client")
    address = addresses(m, "web")[0]
    with web.serve("web", 80), web.serve("other", 81), client.serve("client", 90):
        m.inro("update", "--firewall", "in tcp 80", "--egress", "deny", "web").ok()
        assert client.get(address, 80).startswith("web from ")
        with pytest.raises(TimeoutError):
            client.get(address, 81, seconds=0.15)
        with pytest.raises(ConnectionRefusedError):
            web.get(addresses(m, "client")[0], 90)
        said = m.inro("update", "--firewall", "in tcp 81", "--egress", "allow nowhere", "web")
        assert said.code != 0 and "nowhere" in said.err, said
        assert [r["Rule"] for r in firewall(m, "web")["Rules"]] == ["in tcp 80", "deny"]
        m.inro("update", "--firewall", "none", "web").ok()
        assert client.get(address, 81).startswith("other from ")
        assert [r["Rule"] for r in firewall(m, "web")["Rules"]] == ["deny"]
        m.inro("update", "--egress", "none", "web").ok()
        assert web.get(addresses(m, "client")[0], 90).startswith("client from ")
    assert "Firewall" not in settings(m, "web")["NetworkSettings"]
    # of one that does not run, from its next start on
    m.inro("stop", "-t", "0", "web").ok()
    m.inro("update", "--egress", "deny", "web").ok()
    m.inro("start", "web").ok()
    assert firewall(m, "web")["Loaded"] is True


def test_what_is_wrong_is_said_when_it_is_made(machine):
    m = machine
    for args, said in (
        (["--firewall", "in tcp 80"], "the container is on no network of its own"),
        (["--network", "host", "--egress", "deny"], "the container is on no network of its own"),
        (["--network", "bridge", "--firewall", "in tcp 0"], 'invalid port "0"'),
        (["--network", "bridge", "--firewall", "in all from nowhere"], "nowhere"),
        (["--network", "bridge", "--egress", "permit"], "expected deny, or allow"),
    ):
        result = m.inro("create", *args, image(m), "true")
        assert result.code == 125 and said in result.err, result
    result = m.inro("create", "--network", "bridge", "--egress", "deny", "--cap-add", "net_admin",
                    image(m), "true").ok()
    assert "can change its own firewall" in result.err
    assert m.inro("ps", "-aq").ok().out.count("\n") == 1
