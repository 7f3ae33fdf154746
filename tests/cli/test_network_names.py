# SPDX-License-Identifier: Apache-2.0
"""Names of containers on networks, as they see them; test_network_service.py has inro-net alone."""

import os
import pathlib
import random
import signal
import threading
import time

import engine
import harness

TURNS = True


def until(condition, what):
    end = time.monotonic() + 5 * harness.PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def run(machine, name, *options):
    machine.inro("run", "-d", "--name", name, *options, "box", "sleep", "600").ok()
    return int(machine.inro("inspect", "-f", "{{.State.Pid}}", name).ok().out)


def ask(machine, pid, *words):
    said = machine.inside(pid).run("dig", "+short", "+tries=1", "+time=5", "@127.0.0.11", *words)
    return said.out.split()


def services(machine):
    """pids of inro-net of this user: who watches it, and itself; not its helper."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            if words[0] == b"inro-net" and str(machine.who.dir).encode() in b" ".join(words):
                parents[int(path.name)] = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            pass
    top = [pid for pid, parent in parents.items() if parent not in parents]
    return top + [pid for pid, parent in parents.items() if parent in top]


def address(machine, name, network):
    return machine.inro("inspect", "-f", f"{{{{.NetworkSettings.Networks.{network}.IPAddress}}}}",
                        name).ok().out.strip()


def test_containers_find_each_other(machine):
    engine.box(machine.who)
    for network in ("front", "back"):
        machine.inro("network", "create", "--internal", network).ok()
    web = run(machine, "web", "--network", "front:alias=www", "--network", "back", "--hostname", "h1")
    db = run(machine, "db", "--network", "back")
    run(machine, "other", "--network", "front")
    assert ask(machine, db, "web") == ask(machine, db, "web.back") == [address(machine, "web", "back")]
    assert ask(machine, db, "h1") == ask(machine, db, "+tcp", "h1") == [address(machine, "web", "back")]
    assert ask(machine, db, "www") == ask(machine, db, "other") == []
    assert sorted(ask(machine, web, "db") + ask(machine, web, "other")) == \
        sorted([address(machine, "db", "back"), address(machine, "other", "front")])
    ident = machine.inro("inspect", "-f", "{{.Id}}", "db").ok().out[:12]
    assert ask(machine, web, ident) == [address(machine, "db", "back")]
    assert len(ask(machine, web, "AAAA", "db")) == 1
    # by libc's own way, from inside
    said = machine.inro("exec", "web", "ping", "-4", "-c", "1", "db").ok().out
    assert said.startswith(f"PING db ({address(machine, 'db', 'back')})")
    # connected while it runs, and no longer
    machine.inro("network", "connect", "front", "db").ok()
    assert ask(machine, db, "www") == [address(machine, "web", "front")]
    machine.inro("network", "disconnect", "front", "db").ok()
    until(lambda: ask(machine, db, "www") == [], "a name of a network that it has left")
    # called otherwise while it runs, also as a member of a pod
    machine.inro("rename", "web", "site").ok()
    until(lambda: ask(machine, db, "site") == [address(machine, "site", "back")], "the new name")
    assert ask(machine, db, "web") == [] and ask(machine, web, "db")
    # one that ends has no name
    machine.inro("rm", "-f", "-t", "0", "other").ok()
    until(lambda: ask(machine, web, "other") == [], "the name of a container that is gone")


def test_names_of_a_pod_stay_while_a_member_runs(machine):
    engine.box(machine.who)
    machine.inro("network", "create", "--internal", "front").ok()
    machine.inro("pod", "create", "--name", "pod", "--network", "front").ok()
    other = run(machine, "other", "--network", "front")
    run(machine, "one", "--pod", "pod")
    two = run(machine, "two", "--pod", "pod")
    said = ask(machine, other, "pod")
    assert len(said) == 1 and ask(machine, other, "one") == ask(machine, other, "two") == said
    machine.inro("rename", "two", "zwei").ok()
    until(lambda: ask(machine, other, "zwei") == said, "the new name")
    assert ask(machine, other, "two") == [] and ask(machine, other, "one") == said
    machine.inro("rename", "zwei", "two").ok()
    # who has made its network ends, and comes back
    machine.inro("stop", "-t", "0", "one").ok()
    assert ask(machine, two, "other") == [address(machine, "other", "front")]
    assert ask(machine, other, "two") == said
    until(lambda: ask(machine, other, "one") == [], "the name of a member that has ended")
    machine.inro("start", "one").ok()
    machine.inro("rm", "-f", "-t", "0", "two").ok()
    one = int(machine.inro("inspect", "-f", "{{.State.Pid}}", "one").ok().out)
    assert ask(machine, one, "other") == [address(machine, "other", "front")]
    assert ask(machine, other, "one") == said
    machine.inro("pod", "rm", "-f", "-t", "0", "pod").ok()
    until(lambda: ask(machine, other, "pod") == [], "the name of a pod that is gone")


def test_nothing_is_left(machine):
    engine.box(machine.who)
    names = machine.who.run_dir / "inro" / "net" / "names"
    machine.inro("network", "create", "--internal", "front").ok()
    web = run(machine, "web", "--network", "front")
    assert ask(machine, web, "web") == [address(machine, "web", "front")]
    assert len(list(names.iterdir())) == len(list((names.parent / "views").iterdir())) == 1
    machine.inro("rm", "-f", "-t", "0", "web").ok()
    machine.inro("network", "rm", "front").ok()
    assert list(names.iterdir()) == []
    until(lambda: list((names.parent / "views").iterdir()) == [], "what dnsmasq has read")


def test_names_go_with_containers_that_several_change(machine):
    """Who has found one running writes its names while others take it away, and inro-net, which is
    started again and again, is told of all that run."""
    engine.box(machine.who)
    names = machine.who.run_dir / "inro" / "net" / "names"
    for network in ("n1", "n2"):
        machine.inro("network", "create", "--internal", network).ok()
    end = time.monotonic() + 2

    def work(number):
        dice = random.Random(number)
        while time.monotonic() < end:
            name, network = f"c{dice.randrange(3)}", f"n{dice.randrange(1, 3)}"
            machine.inro(*dice.choice([
                ["run", "-d", "--name", name, "--network", network, "box", "sleep", "600"],
                ["rm", "-f", "-t", "0", name],
                ["network", "connect", network, name],
                ["network", "disconnect", network, name]]))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    machine.inro("rm", "-fa", "-t", "0").ok()
    assert [p.name for p in names.glob("*/*") if not p.name.startswith(".")] == []


def test_killed_service_is_repaired(machine):
    engine.box(machine.who)
    machine.inro("network", "create", "front").ok()
    web = run(machine, "web", "--network", "front", "-p", "127.0.0.1:8080:80")
    run(machine, "db", "--network", "front")
    assert ask(machine, web, "db") == [address(machine, "db", "front")]
    # by itself
    watcher, service = services(machine)
    time.sleep(1)                       # one that lives shorter is not started again and again
    os.kill(service, signal.SIGKILL)
    until(lambda: len(services(machine)) == 2 and service not in services(machine), "another one")
    until(lambda: ask(machine, web, "db") == [address(machine, "db", "front")], "names")
    assert "tcp 127.0.0.1:8080" in machine.listening()
    # by the next start, when nobody has seen it
    watcher, service = services(machine)
    os.kill(watcher, signal.SIGKILL)
    until(lambda: services(machine) == [], "its end")
    run(machine, "third", "--network", "front")
    assert ask(machine, web, "third") == [address(machine, "third", "front")]
    assert "tcp 127.0.0.1:8080" in machine.listening()
    # and by who asks for it
    os.kill(services(machine)[0], signal.SIGKILL)
    until(lambda: services(machine) == [], "its end")
    for _ in range(2):                  # with nothing to do, too
        machine.inro("network", "reload").ok()
        assert len(services(machine)) == 2
        assert ask(machine, web, "third") == [address(machine, "third", "front")]
