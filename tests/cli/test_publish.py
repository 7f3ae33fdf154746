# SPDX-License-Identifier: Apache-2.0
"""Published ports, as far as they are known without a network: what is asked for and kept."""

import json

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
    (["-p", "8080:80"], "publishing ports needs a network"),
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
