# SPDX-License-Identifier: Apache-2.0
"""Published ports, as far as they are known without a network: what is asked for and kept."""

import contextlib
import json
import sqlite3

import pytest

import engine

TURNS = True


def inspect(who, name):
    return json.loads(who.inro("inspect", name).ok().out)[0]


REFUSED = [
    (["-p", "80:80:80"], "invalid"),
    (["-p", "8080:80", "-p", "8080:81"],
     "conflicting port mappings for host port 8080 (protocol tcp)"),
    (["-p", "8080:x"], "invalid containerPort: x"),
    (["--expose", "8080:80"], "invalid port format for --expose: 8080:80"),
    (["-p", "8080:80", "--network", "container:xx"],
     "conflicting options: port publishing and the container type network mode"),
]


@pytest.fixture(name="boxed")
def _boxed(anyone):
    engine.box(anyone, "box", "EXPOSE 80")
    return anyone


def test_words_that_can_not_be(boxed):
    boxed.inro("create", "--name", "xx", "box", "true").ok()
    for words, message in REFUSED:
        boxed.inro("create", *words, "box", "true").fails(message, code=125)
    assert boxed.inro("ps", "-aq").ok().out.count("\n") == 1


def test_networks_that_have_no_ports(boxed):
    for mode, message in (("host", "Published ports are discarded when using host network mode"),
                          ("none", "Port mappings have been discarded")):
        done = boxed.inro("create", "--name", mode, "-p", "8080:80", "--network", mode, "box",
                           "true").ok()
        assert message in done.err
        assert inspect(boxed, mode)["NetworkSettings"]["Ports"] == {}


def test_what_is_asked_for_is_shown(boxed):
    boxed.inro("create", "--name", "web", "--network", "host", "-p", "8080:80", "-p",
                "127.0.0.1::81/udp", "-p", "9000-9001:90-91", "-p", "7000-7009:70", "-p", "8081:80",
                "-P", "box", "true").ok()
    doc = inspect(boxed, "web")
    assert doc["HostConfig"]["PublishAllPorts"] is True
    assert doc["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "", "HostPort": "8081"}],
        "81/udp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
        "90/tcp": [{"HostIp": "", "HostPort": "9000"}],
        "91/tcp": [{"HostIp": "", "HostPort": "9001"}],
        "70/tcp": [{"HostIp": "", "HostPort": "7000-7009"}]}
    assert sorted(doc["Config"]["ExposedPorts"]) == ["70/tcp", "80/tcp", "81/udp", "90/tcp",
                                                     "91/tcp"]


def test_what_needs_root(user):
    done = user.inro("create", "-p", "80:8080", "box", "true")
    assert done.code == 125
    assert "cannot publish on port 80: without root only ports from" in done.err
    assert "net.ipv4.ip_unprivileged_port_start=80" in done.err
    user.inro("create", "-p", "7000:7/sctp", "box", "true").fails(
        "cannot publish port 7/sctp: without root ports are relayed", code=125)


def test_what_is_bound_is_shown(boxed):
    """By rows that this test writes: what port, ps, its filters and inspect make of them."""
    boxed.inro("run", "-d", "--name", "web", "box", "sleep", "1000").ok()
    boxed.inro("run", "-d", "--name", "other", "box", "sleep", "1000").ok()
    owner = boxed.inro("inspect", "-f", "{{.Id}}", "web").ok().out.strip()
    with contextlib.closing(sqlite3.connect(boxed.state / "inro/inro.db")) as db, db:
        db.executemany("INSERT INTO ports (proto, host, host_port, owner, port) VALUES (?,?,?,?,?)", [
            (6, "0.0.0.0", 8080, owner, 80), (6, "::", 8080, owner, 80),
            (6, "127.0.0.1", 9001, owner, 91), (6, "127.0.0.1", 9000, owner, 90),
            (17, "0.0.0.0", 53, owner, 53)])
    lines = ["53/udp -> 0.0.0.0:53", "80/tcp -> 0.0.0.0:8080", "80/tcp -> [::]:8080",
             "90/tcp -> 127.0.0.1:9000", "91/tcp -> 127.0.0.1:9001"]
    assert boxed.inro("port", "web").ok().out.splitlines() == lines
    assert boxed.inro("port", "-a").ok().out.splitlines() == [owner[:12] + "\t" + x for x in lines]
    assert boxed.inro("port", "web", "80/tcp").ok().out == "0.0.0.0:8080\n[::]:8080\n"
    assert boxed.inro("port", "web", "53/udp").ok().out == "0.0.0.0:53\n"
    boxed.inro("port", "web", "53").fails("No public port '53/tcp' published for web", code=125)
    assert boxed.inro("ps", "--format", "{{.Names}}: {{.Ports}}").ok().out.splitlines() == [
        "other: ", "web: 0.0.0.0:8080->80/tcp, 0.0.0.0:53->53/udp, "
        "127.0.0.1:9000-9001->90-91/tcp, [::]:8080->80/tcp"]
    doc = inspect(boxed, "web")["NetworkSettings"]["Ports"]
    assert doc["80/tcp"] == [{"HostIp": "0.0.0.0", "HostPort": "8080"},
                             {"HostIp": "::", "HostPort": "8080"}]
    for have, names in (("publish=8080", "web"), ("publish=80", ""), ("publish=53/udp", "web"),
                        ("publish=53", ""), ("publish=8999-9000", "web"), ("expose=90", "web"),
                        ("expose=8080", ""), ("network=none", "other web")):
        out = boxed.inro("ps", "--format", "{{.Names}}", "--filter", have).ok().out
        assert out.split() == names.split(), have
    boxed.inro("ps", "--filter", "publish=x").fails('invalid filter "publish=x"', code=125)
    boxed.inro("rm", "-f", "web", "other").ok()
