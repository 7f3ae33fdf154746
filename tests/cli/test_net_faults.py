# SPDX-License-Identifier: Apache-2.0
"""Networks when something goes wrong: kill -9 of whoever has a part in them, somebody else's hand."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

import engine
import harness

TURNS = True
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def image(machine):
    """A user can't run the machine's own root."""
    if not hasattr(machine, "image"):
        machine.image = engine.box(machine.who) if machine.who.rootless else "host"
    return machine.image


def start(machine, name, *args):
    machine.inro("run", "-d", "--name", name, "--network", "bridge", *args, image(machine), "sleep",
                 "60").ok()


def test_end_after_somebody_flushed_the_rules(machine_root):
    """Who ends takes its ports out of a table that is gone: it must not wait for itself."""
    m = machine_root
    start(m, "aa", "-p", "8080:80")
    start(m, "bb", "-p", "8081:80", "-p", "8082:80")
    m.flush()
    m.inro("update", "--publish-rm", "8082:80", "bb", timeout=8).ok()
    m.flush()
    m.inro("rm", "-f", "-t", "0", "aa", timeout=8).ok()
    start(m, "aa", "-p", "8080:80")  # brings back what the others have
    ports = m.elements(m.table)
    assert {json.dumps(e).count("8081") for e in ports["ports4"]} == {0, 1}, ports
    assert len(ports["ports4"]) == len(ports["ports6"]) == 2, ports


def service_of(machine):
    """Pids of the machine's inro-net, its watcher and its helper."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_bytes()
            if words.startswith(b"inro-net\0") and str(machine.who.dir).encode() in words:
                found.append(int(path.name))
    return found


def parent_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def watcher_of(machine):
    service = service_of(machine)
    watcher, = [pid for pid in service if parent_of(pid) not in service]
    return watcher


def handed_over(machine):
    """Sockets of nfnetlink that somebody has made where the machine's networks are."""
    lines = machine.place().run("cat", "/proc/net/netlink").ok().out.splitlines()[1:]
    return sum(words[1] == "12" and words[2] != "0" for words in map(str.split, lines))


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_nobody_waits_for_what_the_kernel_frees(machine_root):
    """Whoever closes a socket of nfnetlink waits for RCU after something was taken out of nftables,
    so inro-net's watcher does it, later; what it would close is there while it stands still."""
    m = machine_root
    start(m, "keep")
    watcher = watcher_of(m)
    ports = "-p", "8080:80", "-p", "8081:80", "-p", "8082:80/udp"
    for words in (["run", "-d", "--name", "aa", "--network", "bridge", *ports, "host", "sleep", "60"],
                  ["update", "--publish-rm", "8081:80", "aa"],
                  ["stop", "-t", "0", "aa"], ["start", "aa"], ["restart", "-t", "0", "aa"],
                  ["rm", "-f", "-t", "0", "aa"],
                  ["run", "--rm", "--network", "bridge", *ports, "host", "true"],
                  ["network", "reload"]):
        harness.wait_for(lambda: handed_over(m) == 0, what="the watcher's close")
        with stopped(watcher):
            m.inro(*words).ok()
            assert handed_over(m) > 0, words
            # the port itself has gone meanwhile
            assert ("8080" in json.dumps(m.elements(m.table)["ports4"])) == \
                (words[0] in ("run", "update", "start", "restart") and "--rm" not in words), words
    with stopped(watcher):  # what it takes no more is closed by who has it
        for _ in range(4):
            start(m, "bb", *ports)
            m.inro("rm", "-f", "-t", "0", "bb").ok()
    os.kill(watcher, signal.SIGKILL)
    harness.wait_for(lambda: handed_over(m) == 0, what="the watcher's end")
    start(m, "bb", "-p", "8080:80")
    assert service_of(m)
    harness.wait_for(lambda: handed_over(m) == 0, what="the new watcher's close")


def test_nobody_waits_in_a_users_networks(machine_user):
    m = machine_user
    start(m, "keep")
    with stopped(watcher_of(m)):
        assert m.inro("network", "reload").ok() and handed_over(m) > 0
    harness.wait_for(lambda: handed_over(m) == 0, what="the watcher's close")


def test_first_start_takes_no_table_away(machine_root, tmp_path):
    """What is taken away is freed by the kernel, which nft(8) waits for at its end."""
    m, log = machine_root, tmp_path / "events"
    with log.open("wb") as out:
        monitor = m.call(subprocess.Popen, ["nft", "monitor"], stdout=out)

    probes = []

    def seen():
        probes.append(f"probe{len(probes)}")  # of one that is there already it is not told
        m.run("nft", "add", "table", "inet", probes[-1]).ok()
        return log.read_text()

    try:
        harness.wait_for(seen, what="nft monitor")
        start(m, "aa", "--firewall", "in tcp 80")
        events = log.read_text()
    finally:
        monitor.kill()
        monitor.wait()
    assert f" table inet {m.table}\n" in events and "delete table" not in events, events
    for probe in probes:
        m.run("nft", "delete", "table", "inet", probe).ok()


def test_one_that_takes_the_address_of_names_keeps_it_from_no_other(machine):
    """With inro-net dead, a program in a container listens in its stead."""
    m = machine
    for name in ("aa", "bb", "cc"):
        start(m, name)
    inside = {name: m.inside(json.loads(m.inro("inspect", name).ok().out)[0]["State"]["Pid"])
              for name in ("aa", "bb", "cc")}
    at = "127.0.0.11:45053"
    assert all(f"tcp {at}" in i.listening() for i in inside.values())
    service = service_of(m)
    assert service
    for pid in service:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    harness.wait_for(lambda: f"tcp {at}" not in inside["bb"].listening(), what="its end")
    with inside["bb"].serve("mine", 45053, "127.0.0.11"):
        said = m.inro("run", "--rm", "--network", "bridge", image(m), "true").ok()
        assert "giving names to container bb: " in said.err, said
        assert all(f"udp {at}" in inside[name].listening() for name in ("aa", "cc"))
    fds = m.inro("exec", "aa", "ls", "/proc/1/fd").ok().out.split()
    assert fds == ["0", "1", "2"], fds


# What is killed, and what takes it back where it has been done.
CHANGES = {
    "connect": (["network", "connect", "back", "web"],
                ["network", "disconnect", "-f", "back", "web"]),
    "disconnect": (["network", "disconnect", "bridge", "web"],
                   ["network", "connect", "bridge", "web"]),
    "publish": (["update", "--publish-add", "8090:90", "web"],
                ["update", "--publish-rm", "8090:90", "web"]),
    "unpublish": (["update", "--publish-rm", "8080:80", "web"],
                  ["update", "--publish-add", "8080:80", "web"]),
}


def networks_of(machine):
    """What is said of web, and what there is."""
    said = json.loads(machine.inro("inspect", "web").ok().out)[0]
    links = set(machine.inside(said["State"]["Pid"]).links())
    files = (machine.who.run_dir / "inro/net/names").glob("*/[0-9a-f]*")
    return (set(said["NetworkSettings"]["Networks"]), len(links),
            {port for port, bound in said["NetworkSettings"]["Ports"].items() if bound},
            len(machine.elements(machine.table).get("ports4", [])),
            len((machine.place() or machine).links()), machine.listening(), len(list(files)))


@pytest.mark.parametrize("change", CHANGES)
def test_killed_change_can_be_made_again(machine, change):
    """At any system call: said again it is whole, and taken back nothing of it is left."""
    m = machine
    command, back = CHANGES[change]
    m.inro("network", "create", "back").ok()
    start(m, "web", "-p", "8080:80")
    report = m.who.dir / "report"

    def run(n):
        m.who.run(m.who.program("tests/faults/killat"), "-o", report, n, "--",
                  *m.who.inro_argv(*command), **QUIET)
        return int(report.read_text().split()[-1])

    count = run(0)
    done = networks_of(m)
    m.inro(*back).ok()
    before = networks_of(m)
    assert done != before
    for n in range(count * 3 // 10, count, count // 7 + 1):
        run(n)
        said = m.inro(*command)
        if said.code:  # it was done, but for what is done once more all the same
            assert "already connected" in said.err or "not connected" in said.err \
                or "does not publish" in said.err, (n, said)
        assert networks_of(m) == done, (n, count)
        m.inro(*back).ok()
        assert networks_of(m) == before, (n, count)
    m.inro("system", "check").ok()


def test_connect_that_fails_late_leaves_no_interface(machine):
    m = machine
    start(m, "web")
    m.inro("network", "create", "back").ok()
    ident, pid = m.inro("inspect", "-f", "{{.Id}} {{.State.Pid}}", "web").ok().out.split()
    hosts = m.who.state / "inro" / "containers" / ident / "hosts"
    inside = m.inside(int(pid))
    before, kept = inside.links(), hosts.read_bytes()
    hosts.rename(hosts.with_name("kept"))
    hosts.mkdir()
    m.inro("network", "connect", "back", "web").fails("reading hosts: Is a directory")
    assert inside.links() == before
    hosts.rmdir()
    hosts.with_name("kept").rename(hosts)
    assert hosts.read_bytes() == kept
    m.inro("network", "connect", "back", "web").ok()
    assert len(inside.links()) == len(before) + 1


def test_connect_takes_nothing_for_its_own(machine):
    """What a container has made itself, under the name that the next interface would have."""
    m = machine
    start(m, "web")
    m.inro("network", "create", "back").ok()
    inside = m.inside(int(m.inro("inspect", "-f", "{{.State.Pid}}", "web").ok().out))
    inside.sh("ip link add eth1 type bridge")
    before = inside.links()
    m.inro("network", "connect", "back", "web").fails("the container has an interface eth1 already")
    assert inside.links() == before
    inside.sh("ip link set eth1 name mine")
    m.inro("network", "connect", "back", "web").ok()
    assert set(inside.links()) == {*before, "mine"}


def test_changes_while_a_start_stands_still(machine):
    """At each file of the container's that it opens: what runs then is what was said meanwhile."""
    m = machine
    for network in ("back", "more"):
        m.inro("network", "create", network).ok()
    ids = [m.inro("create", "--name", name, "--network", "bridge", image(m), "sleep", "60").ok().out.strip()
           for name in ("one", "two")]

    def said(*words):
        return m.popen(*m.who.inro_argv(*words), **QUIET)

    def slowly(n, name, one):
        return m.popen(m.who.program("tests/faults/killat"), "-d", "150", "-p", one, "-o", m.who.dir / name, n, "--",
                       *m.who.inro_argv("start", name), **QUIET)

    for n in range(1, 12):
        m.inro("network", "connect", "back", "one").ok()
        starts = [slowly(n, *both) for both in zip(("one", "two"), ids)]
        time.sleep(0.05)
        policy = said("update", "--egress", "deny", "two")
        for words in (("disconnect", "back", "one"), ("connect", "more", "one")):
            said("network", *words).wait(timeout=30)
        assert [p.wait(timeout=30) for p in (policy, *starts)] == [0, 0, 0]
        state = [json.loads(m.inro("inspect", name).ok().out)[0] for name in ("one", "two")]
        inside = [m.inside(s["State"]["Pid"]) for s in state]
        assert len(inside[0].links()) == 1 + len(state[0]["NetworkSettings"]["Networks"]), n
        assert "inro_policy" in inside[1].run("nft", "list", "tables").ok().out, n
        m.inro("stop", "-t", "0", "one", "two").ok()
        m.inro("update", "--egress", "none", "two").ok()
        for network in ("back", "more"):
            m.inro("network", "disconnect", "-f", network, "one").ok()
        if "no hit" in (m.who.dir / "one").read_text():
            break
    assert n > 3
