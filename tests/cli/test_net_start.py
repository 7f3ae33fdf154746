# SPDX-License-Identifier: Apache-2.0
"""Containers on networks: what a start gives them, and what their end takes away."""

import json
import os
import pathlib
import time

import engine
import harness
import netmachine

TURNS = True


def inspect(machine, name):
    return json.loads(machine.inro("inspect", name).ok().out)[0]


def pid_of(machine, name):
    return inspect(machine, name)["State"]["Pid"]


def addresses(namespace, name="eth0"):
    """{family: address} of the global ones."""
    return {a["family"]: a["local"] for a in namespace.links()[name]["addr_info"]
            if a["scope"] == "global"}


def image(machine):
    """A user can't run the machine's own root."""
    if not hasattr(machine, "image"):
        machine.image = engine.box(machine.who) if machine.who.rootless else "host"
    return machine.image


def start(machine, name, *args):
    machine.inro("run", "-d", "--name", name, "--network", "bridge", *args, image(machine), "sleep",
                 "60").ok()
    return machine.inside(pid_of(machine, name))


def test_two_containers_reach_each_other_and_out(machine):
    m = machine
    lan = m.lan()
    web, client = start(m, "web"), start(m, "client")
    found = addresses(web)
    with web.serve("web", 80):
        for address in found.values():
            assert client.get(address, 80).startswith("web from ")
            assert m.place().get(address, 80).startswith("web from ")
    assert set(found) == {"inet", "inet6"}
    assert web.links()["lo"]["operstate"] == "UNKNOWN"
    routes = json.loads(web.run("ip", "-j", "route").ok().out)
    assert [r["dev"] for r in routes if r["dst"] == "default"] == ["eth0"]
    hosts = m.inro("exec", "web", "cat", "/etc/hosts").ok().out
    for address in found.values():
        assert f"{address}\t" in hosts
    assert f"{found['inet']}\t{inspect(m, 'web')['Id'][:12]} web\n" in hosts
    del lan


def test_address_stays_over_restart_and_is_not_given_to_others_at_once(machine):
    m = machine
    first = addresses(start(m, "aa"))
    m.inro("restart", "-t", "0", "aa").ok()
    assert addresses(m.inside(pid_of(m, "aa"))) == first
    m.inro("rm", "-f", "-t", "0", "aa").ok()
    second = start(m, "bb")
    assert addresses(second)["inet"] != first["inet"]
    assert m.inro("exec", "bb", "cat", "/etc/hosts").ok().out.count("# addresses") == 1


def test_packets_go_to_who_has_the_address_now(machine):
    """Not to the namespace of before, which goes a while after its processes, nor to who sends by
    another's MAC address."""
    m = machine
    ask, liar, web = start(m, "ask"), start(m, "liar"), start(m, "web")
    found, mac = addresses(web).values(), web.links()["eth0"]["address"]
    fd = os.open(web.path, os.O_RDONLY | os.O_CLOEXEC)
    before = netmachine.Namespace(f"/proc/{os.getpid()}/fd/{fd}", m)
    with before.serve("before", 80):
        for address in found:
            assert ask.get(address, 80).startswith("before from ")
        m.inro("restart", "-t", "0", "web").ok()
        web = m.inside(pid_of(m, "web"))
        with web.serve("web", 80):
            for address in found:
                assert ask.get(address, 80).startswith("web from ")
            liar.sh(f"ip link set eth0 address {mac}")
            said = liar.run("busybox", "ping", "-c1", "-W1", addresses(ask)["inet"])
            assert "1 packets transmitted" in said.out, said
            for address in found:
                assert ask.get(address, 80).startswith("web from ")
    os.close(fd)


def test_start_that_fails_leaves_nothing(machine):
    m = machine
    said = m.inro("run", "--rm", "--network", "bridge", image(m), "no-such-program")
    assert said.code == 127, said
    m.place().sh("ip link del inro0 2>/dev/null; ip link add inro0 type dummy 2>/dev/null"
         " || ip link add inro0 type veth peer name other")
    said = m.inro("run", "--rm", "--network", "bridge", image(m), "true")
    assert said.code == 125 and "inro0 which is not this network's" in said.err, said
    m.place().sh("ip link del inro0")
    m.inro("run", "--rm", "--network", "bridge", image(m), "true").ok()


def test_rules_of_a_network_that_nobody_was_on_go_with_it(machine):
    """They came with those of the first network that somebody was on."""
    m = machine
    m.inro("network", "create", "idle").ok()
    start(m, "web")
    m.inro("network", "rm", "idle").ok()
    m.inro("system", "check", "--quick").ok()
    m.inro("rm", "-f", "-t", "0", "web").ok()


def test_what_failed_is_said_not_that_the_other_end_has_gone(machine_root):
    """Who waits for its namespace to give it a network sees it end before its monitor has spoken."""
    for _ in range(6):
        machine_root.inro("run", "--rm", "--network", "bridge", "--cpuset-cpus", "99", "host", "true").fails(
            'writing "99" to cpuset.cpus', code=125)


def test_options_of_an_interface(machine):
    m = machine
    m.inro("network", "create", "--subnet", "10.77.0.0/24", "--subnet", "fd77::/64", "front").ok()
    args = ["--network", "front", "--ip", "10.77.0.9", "--ip6", "fd77::99", "--mac-address", "02:11:22:33:44:55",
            "--link-local-ip", "169.254.7.7"]
    m.inro("run", "-d", "--name", "web", *args, image(m), "sleep", "60").ok()
    link = m.inside(pid_of(m, "web")).links()["eth0"]
    assert link["address"] == "02:11:22:33:44:55"
    assert {"10.77.0.9", "fd77::99", "169.254.7.7"} <= {a["local"] for a in link["addr_info"]}
    said = m.inro("run", "--rm", "--network", "front", "--ip", "10.77.0.9", image(m), "true")
    assert said.code == 125 and "10.77.0.9" in said.err, said
    said = m.inro("run", "--rm", "--network", "front", "--ip", "10.78.0.9", image(m), "true")
    assert said.code == 125 and "10.78.0.9" in said.err, said
    for words in (["--network", "none", "--ip", "10.77.0.8"], ["--ip", "10.77.0.8"],
                  ["--network", "front", "--network", "bridge", "--ip", "10.77.0.8"],
                  ["--network", "front", "--network", "front"]):
        said = m.inro("create", *words, image(m), "true")
        assert said.code == 125, said
    m.inro("rm", "-f", "-t", "0", "web").ok()
    m.inro("run", "--rm", "--network", "front:ip=10.77.0.9", image(m), "true").ok()


def test_connect_and_disconnect(machine):
    m = machine
    m.inro("network", "create", "--subnet", "10.77.0.0/24", "back").ok()
    web = start(m, "web")
    m.inro("network", "connect", "--ip", "10.77.0.5", "back", "web").ok()
    assert addresses(web, "eth1")["inet"] == "10.77.0.5"
    assert "10.77.0.5\t" in m.inro("exec", "web", "cat", "/etc/hosts").ok().out
    assert "already" in m.inro("network", "connect", "back", "web").err
    assert m.place().get("10.77.0.5", web.serve("web").port).startswith("web from 10.77.0.")
    m.inro("network", "disconnect", "bridge", "web").ok()
    assert set(web.links()) == {"lo", "eth1"}
    routes = json.loads(web.run("ip", "-j", "route").ok().out)
    assert [r["dev"] for r in routes if r["dst"] == "default"] == ["eth1"]
    assert "not connected" in m.inro("network", "disconnect", "bridge", "web").err
    m.inro("network", "disconnect", "-f", "bridge", "web").ok()
    m.inro("stop", "-t", "0", "web").ok()
    m.inro("network", "connect", "bridge", "web").ok()
    m.inro("start", "web").ok()
    assert set(m.inside(pid_of(m, "web")).links()) == {"lo", "eth0", "eth1"}
    m.inro("run", "-d", "--name", "lone", "--network", "none", image(m), "sleep", "60").ok()
    assert "--network none" in m.inro("network", "connect", "back", "lone").err


def test_killed_monitor_leaves_no_lease(machine):
    m = machine
    m.inro("network", "create", "--subnet", "10.77.0.0/24", "front").ok()
    monitor = m.who.dir / "monitor.pid"
    m.inro("run", "-d", "--name", "web", "--conmon-pidfile", monitor, "--network", "front:ip=10.77.0.5",
           image(m), "sleep", "60").ok()
    m.inro("create", "--name", "other", "--network", "front:ip=10.77.0.5", image(m), "true").ok()
    assert m.inro("start", "-a", "other").code == 125
    os.kill(int(monitor.read_text()), 9)
    m.inro("start", "-a", "other").ok()


def test_pod_has_one_network_for_all(machine):
    m = machine
    m.inro("network", "create", "--subnet", "10.77.0.0/24", "front").ok()
    m.inro("pod", "create", "--name", "pod", "--network", "front:ip=10.77.0.7").ok()
    for name in ("one", "two"):
        m.inro("run", "-d", "--pod", "pod", "--name", name, image(m), "sleep", "60").ok()
    one, two = (m.inside(pid_of(m, name)) for name in ("one", "two"))
    assert os.stat(one.path).st_ino == os.stat(two.path).st_ino
    assert addresses(two)["inet"] == "10.77.0.7"
    assert "10.77.0.7\t" in m.inro("exec", "two", "cat", "/etc/hosts").ok().out
    m.inro("stop", "-t", "0", "one").ok()
    assert addresses(two)["inet"] == "10.77.0.7"
    taken = ["run", "--rm", "--network", "front:ip=10.77.0.7", image(m), "true"]
    assert m.inro(*taken).code == 125
    m.inro("stop", "-t", "0", "two").ok()
    m.inro("start", "one").ok()
    assert addresses(m.inside(pid_of(m, "one")))["inet"] == "10.77.0.7"
    assert "pod" in m.inro("network", "connect", "bridge", "one").err
    m.inro("pod", "rm", "-f", "-t", "0", "pod").ok()
    m.inro(*taken).ok()


def test_killed_starter_leaves_nothing(machine):
    m = machine
    m.inro("network", "create", "--subnet", "10.77.0.0/24", "front").ok()
    taken = ["run", "--rm", "--network", "front:ip=10.77.0.7", image(m), "true"]
    m.inro(*taken).ok()
    for ms in (5, 15, 25, 40):
        process = m.popen(*m.who.inro_argv(*taken))
        time.sleep(ms / 1000)
        process.kill()
        process.wait()
    # Whoever comes next has the address: what is still ending is waited for.
    end = time.monotonic() + 5
    while (said := m.inro(*taken)).code and time.monotonic() < end:
        assert "10.77.0.7" in said.err, said
        time.sleep(0.05)
    said.ok()
    assert json.loads(m.inro("network", "inspect", "front").ok().out)[0]["Containers"] == {}


def test_what_fails_before_there_is_a_namespace_is_said(machine):
    """By the monitor, and not that its container's first process says nothing."""
    if "resctrl" in pathlib.Path("/proc/self/mountinfo").read_text():
        harness.machine_cannot("it has resctrl")
    machine.inro("network", "create", "front").ok()
    for how in ((), ("-d",)):
        machine.inro("run", *how, "--name", "web", "--network", "front", "--rdt-class", "x",
                     engine.box(machine.who), "true").fails("no resctrl filesystem is mounted", code=125)
        machine.inro("rm", "--ignore", "web").ok()
