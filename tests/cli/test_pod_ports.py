# SPDX-License-Identifier: Apache-2.0
"""Published ports of pods: who gets through, whichever member has come first or goes first."""

import json
import os
import signal
import socket
import subprocess

import pytest

import engine
import harness
import netmachine

TURNS = True


@pytest.fixture(name="plain")
def _plain(machine):
    """As it is installed: without settings."""
    machine.who.env["INRO_CONFIG"] = ""
    machine.image = engine.box(machine.who) if machine.who.rootless else "host"
    return machine


def inspect(machine, *words):
    return json.loads(machine.inro(*words).ok().out)[0]


def start(machine, pod, name, *args):
    """A member that runs on, by the pod's network namespace."""
    machine.inro("run", "-d", "--pod", pod, "--name", name, *args, machine.image, "sleep", "600").ok()
    return machine.inside(inspect(machine, "inspect", name)["State"]["Pid"])


def is_free(machine, port):
    def bind():
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("", port))

    try:
        machine.call(bind)
    except OSError:
        return False
    return True


def reached(machine, port):
    """From another machine, if there is one; from this one, by two ways."""
    hosts = [(machine, "127.0.0.1"), (machine, "::1")]
    if machine.other:
        hosts += [(machine.other, netmachine.HOST4), (machine.other, netmachine.HOST6)]
    for where, host in hosts:
        assert where.get(host, port).startswith("web from "), host


def test_members_come_and_go(plain):
    m = plain
    lan = m.lan()
    m.inro("pod", "create", "-p", "8080:80", "-p", "8080:80/udp", "--publish", "127.0.0.1:8081:80",
           "shop").ok()
    assert "8080" not in m.run("ss", "-Htuan").ok().out
    one = start(m, "shop", "one")
    with one.serve("web", 80):
        reached(m, 8080)
        assert lan.get(netmachine.HOST4, 8080) == f"web from {netmachine.LAN4}"
        assert lan.get(netmachine.HOST4, 8080, udp=True) == f"web from {netmachine.LAN4}"
        start(m, "shop", "two")
        ports = m.inro("port", "two").ok().out
        assert ports == m.inro("port", "one").ok().out
        assert ports.startswith("80/tcp -> ") and "0.0.0.0:8080\n" in ports
        for name in ("one", "two"):
            assert m.inro("ps", "--filter", f"name={name}", "--filter", "publish=8080", "--format",
                          "{{.Ports}}").ok().out.startswith("0.0.0.0:8080->80/tcp, ")
            found = inspect(m, "inspect", name)
            assert found["NetworkSettings"]["Ports"]["80/udp"] == [
                {"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}]
        # Another container on the network, by the machine's address.
        m.inro("run", "-d", "--name", "other", m.image, "sleep", "600").ok()
        other = m.inside(inspect(m, "inspect", "other")["State"]["Pid"])
        if not m.who.rootless:  # a user's: pasta has that address on its side, too
            assert other.get(netmachine.HOST4, 8080).startswith("web from ")
        # Whoever made the network goes, and the ports stay with the other.
        m.inro("stop", "-t", "0", "one").ok()
        reached(m, 8080)
        m.inro("run", "--rm", "-p", "8080:1", m.image, "true").fails(
            "Bind for 0.0.0.0:8080 failed: port is already allocated", "container two has it",
            code=125)
        assert not is_free(m, 8080)
        m.inro("start", "one").ok()
        m.inro("restart", "-t", "0", "two").ok()
        reached(m, 8080)
        m.inro("rm", "-f", "-t", "0", "other").ok()
    # With the last they are gone, and come back.
    m.inro("pod", "stop", "-t", "0", "shop").ok()
    assert is_free(m, 8080)
    m.inro("pod", "start", "shop").ok()
    with m.inside(inspect(m, "inspect", "two")["State"]["Pid"]).serve("web", 80):
        reached(m, 8080)
    m.inro("system", "check").ok()
    m.inro("pod", "rm", "-f", "-t", "0", "shop").ok()


def test_monitor_that_made_the_network_is_killed(plain):
    m = plain
    m.inro("pod", "create", "-p", "8080:80", "shop").ok()
    start(m, "shop", "one")
    two = start(m, "shop", "two")
    pid = inspect(m, "inspect", "one")["State"]["Pid"]
    with open(f"/proc/{pid}/status") as f:
        monitor = int(f.read().split("PPid:")[1].split()[0])
    with two.serve("web", 80):
        os.kill(monitor, signal.SIGKILL)
        harness.wait_for(lambda: not os.path.exists(f"/proc/{monitor}"), 10, "monitor's end")
        assert not is_free(m, 8080)
        assert m.inro("ps", "-q").ok().out.count("\n") == 1
        reached(m, 8080)
        m.inro("start", "one").ok()
        m.inro("rm", "-f", "-t", "0", "two").ok()
        reached(m, 8080)
    m.inro("pod", "rm", "-f", "-t", "0", "shop").ok()


def test_members_that_end_at_a_time(plain):
    """One of them is the last, and takes the ports along."""
    m = plain
    m.inro("pod", "create", "-p", "8080:80", "shop").ok()
    names = [f"m{i}" for i in range(6)]
    for name in names:
        m.inro("create", "--pod", "shop", "--name", name, m.image, "sleep", "600").ok()
    m.inro("pod", "start", "shop").ok()
    stops = [m.popen(*m.who.inro_argv("stop", "-t", "0", name), stdout=subprocess.DEVNULL)
             for name in names]
    assert [p.wait(60) for p in stops] == [0] * len(names)
    m.inro("system", "check").ok()
    m.inro("pod", "rm", "shop").ok()


def test_with_an_infra_container(plain):
    m = plain
    m.inro("pod", "create", "--share", "net,pid", "-p", "8080:80", "--infra-name", "base", "shop").ok()
    one = start(m, "shop", "one")
    with one.serve("web", 80):
        reached(m, 8080)
        m.inro("stop", "-t", "0", "one").ok()
        reached(m, 8080)
    assert m.inro("port", "base", "80").ok().out == "0.0.0.0:8080\n[::]:8080\n"
    m.inro("pod", "rm", "-f", "-t", "0", "shop").ok()


def test_what_nobody_has_chosen(plain):
    m = plain
    m.inro("pod", "create", "-p", "80", "-p", "127.0.0.1::90-91/udp", "shop").ok()
    infra = inspect(m, "pod", "inspect", "shop")["InfraConfig"]
    bindings = infra["PortBindings"]
    assert sorted(bindings) == ["80/tcp", "90/udp", "91/udp"]
    assert bindings["90/udp"][0]["HostIp"] == "127.0.0.1"
    port = bindings["80/tcp"][0]["HostPort"]
    # It is the same for the pod's life; another pod has another one.
    for _ in range(2):
        with start(m, "shop", "one").serve("web", 80):
            reached(m, int(port))
        m.inro("rm", "-f", "-t", "0", "one").ok()
    m.inro("pod", "clone", "shop", "copy").ok()
    clone = inspect(m, "pod", "inspect", "copy")["InfraConfig"]["PortBindings"]
    assert sorted(clone) == sorted(bindings)
    assert clone["80/tcp"][0]["HostPort"] != port
    m.inro("pod", "rm", "shop", "copy").ok()
    # Of a network that says at which address of the machine.
    m.inro("network", "create", "-o", "com.docker.network.bridge.host_binding_ipv4=127.0.0.1",
           "near").ok()
    m.inro("pod", "create", "--network", "near", "-p", "80", "shop").ok()
    start(m, "shop", "one")
    said = inspect(m, "pod", "inspect", "shop")["InfraConfig"]["PortBindings"]["80/tcp"][0]
    assert m.inro("port", "one").ok().out == f"80/tcp -> 127.0.0.1:{said['HostPort']}\n"
    m.inro("pod", "rm", "-f", "-t", "0", "shop").ok()
    m.inro("network", "rm", "near").ok()


def test_many_at_once(plain):
    m = plain
    running = [m.popen(*m.who.inro_argv(), "pod", "create", "-p", "80", "-p", "80/udp",
                       stdout=subprocess.DEVNULL) for _ in range(50)]
    assert [p.wait(60) for p in running] == [0] * 50
    pods = m.inro("pod", "ps", "-q", "--no-trunc").ok().out.split()
    found = json.loads(m.inro("pod", "inspect", *pods).ok().out)
    for key in ("80/tcp", "80/udp"):
        ports = {p["InfraConfig"]["PortBindings"][key][0]["HostPort"] for p in found}
        assert len(ports) == 50
    m.inro("pod", "rm", *pods).ok()


def test_made_with_its_first_member(plain):
    m = plain
    m.inro("network", "create", "--subnet", "10.77.0.0/24", "front").ok()
    m.inro("run", "-d", "--pod", "new:shop", "--name", "one", "--network", "front", "--ip",
           "10.77.0.9", "-p", "8080:80", m.image, "sleep", "600").ok()
    web = m.inside(inspect(m, "inspect", "one")["State"]["Pid"])
    with web.serve("web", 80):
        reached(m, 8080)
    infra = inspect(m, "pod", "inspect", "shop")["InfraConfig"]
    assert infra["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}
    assert (infra["StaticIP"], infra["Networks"]) == ("10.77.0.9", ["front"])
    one = inspect(m, "inspect", "one")
    assert one["HostConfig"]["PortBindings"] == {} and one["HostConfig"]["NetworkMode"] == "front"
    found = inspect(m, "network", "inspect", "front")["Containers"]
    assert [(e["Name"], e["EndpointID"]) for e in found.values()] == [
        ("shop", one["NetworkSettings"]["Networks"]["front"]["EndpointID"])]
    for args in (["-p", "8081:81"], ["-P"]):
        m.inro("create", "--pod", "shop", *args, m.image, "true").fails(
            "published or exposed ports must be defined when the pod is created", code=125)
    m.inro("update", "--publish-add", "81:81", "one").fails(
        "has the network of its pod", "inro pod create -p", code=1)
    m.inro("create", "--pod", "new:other", "-P", m.image, "true").fails("-p PORT", code=125)
    for word in ("front", inspect(m, "network", "inspect", "front")["Id"][:9]):
        assert m.inro("pod", "ps", "-f", f"network={word}", "--format",
                      "{{.Name}} {{.Networks}}").ok().out == "shop front\n", word
    assert m.inro("pod", "ps", "-q", "-f", "network=bridge").ok().out == ""
    m.inro("pod", "create", "plain").ok()
    for word in ("bridge", "default", "podman"):  # as of containers
        assert m.inro("pod", "ps", "-f", f"network={word}", "--format", "{{.Name}}").ok().out == "plain\n", word
    m.inro("pod", "rm", "plain").ok()
    # What can't start leaves the pod as it was.
    m.inro("pod", "create", "-p", "8080:80", "second").ok()
    m.inro("create", "--pod", "second", "--name", "late", m.image, "sleep", "600").ok()
    m.inro("start", "late").fails(
        "Bind for 0.0.0.0:8080 failed: port is already allocated", "container one has it", code=1)
    # One that was to be made with it is not there, nor is anything of it.
    pods = m.inro("pod", "ps", "-q").ok().out
    m.inro("run", "--pod", "new:third", "-p", "8080:80", m.image, "true").fails("container one has it", code=125)
    assert m.inro("pod", "ps", "-q").ok().out == pods
    assert "pods/" not in m.inro("system", "check").ok().out
    m.inro("pod", "rm", "-f", "-t", "0", "shop").ok()
    m.inro("start", "late").ok()
    m.inro("pod", "rm", "-f", "-t", "0", "second").ok()
    m.inro("network", "rm", "front").ok()


def test_what_can_not_be(plain):
    def refused(*args):
        return plain.inro("pod", "create", *args).fails(code=125).err

    assert "--network host" in refused("-p", "80", "--network", "host")
    assert "--network none" in refused("-p", "80", "--network", "none")
    assert "share it (--share net)" in refused("-p", "80", "--share", "ipc")
    assert "share it" in refused("-p", "80", "--infra=false")
    assert "invalid" in refused("-p", "x").lower()
    assert "--network pasta is not implemented for pods" in refused("--network", "pasta")
    if plain.who.rootless:
        assert "cannot publish on port 80" in refused("-p", "80:80")
        assert "80/sctp" in refused("-p", "80/sctp")
    assert plain.inro("pod", "ps", "-q").ok().out == ""
