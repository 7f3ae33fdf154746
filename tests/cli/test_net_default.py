# SPDX-License-Identifier: Apache-2.0
"""The network of containers that name none: bridge, or what the settings say."""

import json

import pytest

import engine

TURNS = True


@pytest.fixture(name="plain")
def _plain(machine):
    """As it is installed: without settings."""
    machine.who.env["INRO_CONFIG"] = ""
    machine.image = engine.box(machine.who) if machine.who.rootless else "host"
    return machine


def networks(machine, name):
    doc = json.loads(machine.inro("inspect", name).ok().out)[0]
    return doc["HostConfig"]["NetworkMode"], sorted(doc["NetworkSettings"]["Networks"]), doc


def test_without_network_it_is_bridge(plain):
    m = plain
    m.inro("run", "-d", "--name", "web", "-p", "8080:80", m.image, "sleep", "60").ok()
    mode, names, doc = networks(m, "web")
    assert (mode, names) == ("bridge", ["bridge"])
    with m.inside(doc["State"]["Pid"]).serve("web", 80):
        assert m.get("127.0.0.1", 8080).startswith("web from ")
    for word in ("private", "default", "podman", "bridge"):
        m.inro("create", "--name", word, "--network", word, m.image, "true").ok()
        assert networks(m, word)[:2] == ("bridge", ["bridge"]), word
    m.inro("create", "--name", "alias", "--ip", "fd00::1", m.image, "true").fails("--ip", code=125)
    assert json.loads(m.inro("info", "--format", "json").ok().out)["DefaultNetwork"] == "bridge"


def test_settings_say_another(plain):
    m = plain
    conf = m.who.dir / "inro.conf"
    m.who.env["INRO_CONFIG"] = str(conf)
    for word, mode, names in (("none", "none", ["none"]), ("host", "host", ["host"]),
                              ("front", "front", ["front"])):
        conf.write_text(f"[network]\ndefault = {word}\n")
        if word == "front":
            m.inro("create", m.image, "true").fails("network front not found", code=125)
            m.inro("network", "create", "front").ok()
        m.inro("create", "--name", word, m.image, "true").ok()
        assert networks(m, word)[:2] == (mode, names)
    conf.write_text("[network]\ndefault = container:web\n")
    m.inro("create", m.image, "true").fails("inro.conf:2: ", "container:web", code=125)


def test_pods(plain):
    m = plain
    m.inro("pod", "create", "shop").ok()
    m.inro("pod", "create", "--network", "none", "alone").ok()
    for pod, links in (("shop", {"lo", "eth0"}), ("alone", {"lo"})):
        m.inro("run", "-d", "--pod", pod, "--name", f"{pod}1", m.image, "sleep", "60").ok()
        assert set(m.inside(networks(m, f"{pod}1")[2]["State"]["Pid"]).links()) == links
    # Whose pod shares no network has one of its own, as anybody has.
    m.inro("run", "-d", "--pod", "new:loose", "--network", "private", "--name", "x1", m.image,
           "sleep", "60").ok()
    assert networks(m, "x1")[:2] == ("bridge", ["bridge"])
    # An address and a name of a pod are its network's, whoever makes the interface.
    m.inro("network", "create", "--subnet", "10.77.0.0/24", "front").ok()
    m.inro("pod", "create", "--network", "front", "--ip", "10.77.0.9", "--mac-address",
           "02:11:22:33:44:55", "--network-alias", "desk", "fixed").ok()
    for name in ("f1", "f2"):
        m.inro("run", "-d", "--pod", "fixed", "--name", name, m.image, "sleep", "60").ok()
        link = m.inside(networks(m, name)[2]["State"]["Pid"]).links()["eth0"]
        assert "10.77.0.9" in [a["local"] for a in link["addr_info"]], name
        assert link["address"] == "02:11:22:33:44:55"
    assert networks(m, "f2")[2]["NetworkSettings"]["Networks"]["front"]["IPAddress"] == "10.77.0.9"
    m.inro("pod", "rm", "-f", "shop", "alone", "loose", "fixed").ok()


def test_where_there_are_none(plain):
    """What fails because this machine can't have networks says what helps."""
    m = plain
    m.lan()
    over, word = ("/dev/net", "/dev/net/tun") if m.who.rootless else ("/usr/sbin/nft", "nft")
    m.sh(f"mount {'-t tmpfs tmpfs' if m.who.rootless else '--bind /dev/null'} {over}")
    m.inro("run", "--rm", m.image, "true").fails(word, "--network none", code=125)
    m.inro("run", "--rm", "--network", "none", m.image, "true").ok()
    if m.who.rootless:
        findings = {f["Check"]: f for f in json.loads(m.inro("doctor", "--format", "json").out)}
        assert findings["way out for users"]["Status"] == "warn"
        assert "/dev/net/tun" in findings["way out for users"]["Message"]
    m.sh(f"umount {over}")
    m.inro("run", "--rm", m.image, "true").ok()
