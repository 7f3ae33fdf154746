# SPDX-License-Identifier: Apache-2.0
"""inro stop, and rm that stops first."""

import time

import pytest

import engine

HANDLER = "trap 'exit 42' {}; echo ready; while :; do sleep 0.02; done"
DEAF = "trap '' TERM; echo ready; while :; do sleep 0.02; done"


@pytest.fixture
def run(anyone):
    """A function that starts a container: name, script, options. The user is its attribute who."""
    box = engine.box(anyone)
    clients = []

    def start(name, script=HANDLER.format("TERM"), *options):
        clients.append(engine.start(anyone, "--name", name, *options, box, "sh", "-c", script))
    start.who = anyone
    yield start
    anyone.inro("rm", "-fa")
    for client in clients:
        client.wait(10)


def status(who, name):
    return who.inro("ps", "-a", "--filter", f"name={name}", "--format", "{{.Status}}").ok().out


def test_stop(run):
    run("web")
    assert run.who.inro("stop", "web").ok().out == "web\n"
    assert status(run.who, "web").startswith("Exited (42)")
    # one that does not run is as wished
    assert run.who.inro("stop", "/web").ok().out == "/web\n"
    r = run.who.inro("container", "stop", "nothing", "web")
    r.fails("No such container: nothing", code=1)
    assert r.out == "web\n"
    r = run.who.inro("stop", "--ignore", "nothing").ok()
    assert (r.out, r.err) == ("", "")
    run.who.inro("stop").fails("at least one container", code=125)
    run.who.inro("stop", "-t", "-2", "web").fails("--time", code=125)


def test_what_does_not_stop_is_killed(run):
    run("one", DEAF)
    run("two", DEAF)
    begin = time.monotonic()
    run.who.inro("stop", "--time", "1", "one", "two").ok()
    # both have their second at once
    assert 0.9 < time.monotonic() - begin
    assert status(run.who, "one").startswith("Exited (137)")
    run("three", DEAF)
    run.who.inro("stop", "-t", "0", "-l").ok()
    assert status(run.who, "three").startswith("Exited (137)")


def test_stop_signal(run):
    run("web", HANDLER.format("USR1"), "--stop-signal", "SIGUSR1")
    run.who.inro("stop", "-t", "-1", "web").ok()
    assert status(run.who, "web").startswith("Exited (42)")
    run("db", HANDLER.format("INT"), "--stop-signal", "SIGUSR1")
    run.who.inro("stop", "--timeout", "-1", "--signal", "INT", "db").ok()
    assert status(run.who, "db").startswith("Exited (42)")
    run.who.inro("stop", "--signal", "NOPE", "db").fails("invalid signal", code=125)


def test_container_that_is_removed_at_its_end(run):
    run("web", HANDLER.format("TERM"), "--rm")
    run.who.inro("stop", "web").ok()
    assert engine.containers(run.who) == []


def test_stop_all(run):
    run("one")
    run("two")
    assert len(run.who.inro("stop", "-a").ok().out.split()) == 2
    assert run.who.inro("ps", "-q").ok().out == ""
    assert run.who.inro("stop", "-a").ok().out == ""


def test_paused(run):
    """It goes on to end."""
    run("web")
    if run.who.inro("pause", "web").code == 0:
        run.who.inro("stop", "web").ok()
        assert status(run.who, "web").startswith("Exited (42)")
    else:
        assert run.who.rootless


def test_rm_that_stops_first(run):
    run("web", "trap 'sleep 0.3; exit 3' TERM; echo ready; while :; do sleep 0.02; done")
    begin = time.monotonic()
    assert run.who.inro("rm", "-f", "-t", "10", "web").ok().out == "web\n"
    assert 0.2 < time.monotonic() - begin < 9
    run("web", HANDLER.format("TERM"), "--rm")
    assert run.who.inro("rm", "-f", "-t", "10", "web").ok().out == "web\n"
    assert engine.containers(run.who) == []
    run.who.inro("rm", "-t", "1", "web").fails("--force", code=125)


def kinds(who):
    events = who.inro("events", "--since", "1h", "--until", "0s", "--filter", "type=container",
                      "--format", "{{.Action}} {{.Actor.Attributes.name}}").ok().out.split("\n")
    return [line for line in events if line.split(" ")[0] in ("kill", "die", "destroy")]


def test_several_end_at_the_same_time(run):
    run("one", DEAF)
    run("two", DEAF, "--restart", "always")
    run("three", DEAF)
    run("four", DEAF, "--rm")
    assert run.who.inro("kill", "--signal", "TERM", "one", "two").ok().out == "one\ntwo\n"
    before = len(kinds(run.who))
    r = run.who.inro("rm", "-f", "-t", "0", "two", "nothing", "/one")
    assert (r.code, r.out) == (0, "two\n/one\n") and "No such container: nothing" in r.err
    # both are asked before one of them has ended, and each once
    seen = kinds(run.who)[before:]
    assert seen[:2] == ["kill two", "kill one"]
    assert sorted(seen[2:]) == sorted(f"{what} {name}" for name in ("one", "two")
                                      for what in ("kill", "die", "destroy"))
    before = len(kinds(run.who))
    r = run.who.inro("rm", "-f", "four", "nothing", "three")
    assert (r.code, r.out) == (0, "four\nthree\n") and "No such container: nothing" in r.err
    assert sorted(kinds(run.who)[before:]) == sorted(
        f"{what} {name}" for name in ("three", "four") for what in ("kill", "die", "destroy"))
    assert engine.containers(run.who) == []
    # kill
    run("five", DEAF)
    run("six", DEAF)
    r = run.who.inro("kill", "six", "nothing", "five")
    r.fails("No such container: nothing", code=1)
    assert r.out == "six\nfive\n"
    assert run.who.inro("ps", "-q").ok().out == ""
