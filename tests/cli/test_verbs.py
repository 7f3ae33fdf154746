# SPDX-License-Identifier: Apache-2.0
"""kill, pause, unpause, rename, rm with its options, container exists and prune."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

import engine
import harness

READY = "echo ready; exec sleep 1000"
# pid 1 gets no signal that it has no handler for
HANDLER = "trap 'exit 42' USR1 TERM; echo ready; while :; do sleep 0.02; done"


@pytest.fixture
def two(anyone):
    """The user, with the running containers "one" and "two", and "done", which has ended."""
    box = engine.box(anyone)
    anyone.inro("run", "--name", "done", box, "true").ok()
    clients = [engine.start(anyone, "--name", name, "--label", "n=" + name, box, "sh", "-c",
                            HANDLER) for name in ("one", "two")]
    yield anyone
    anyone.inro("rm", "-fa")
    for client in clients:
        client.wait(10)


def states(who):
    rows = who.inro("ps", "-a", "--format", "{{.Names}} {{.State}}").ok().out.splitlines()
    return dict(row.split() for row in rows)


def can_pause(who):
    """An unprivileged user has a cgroup only where one was delegated."""
    r = who.inro("pause", "one")
    if who.rootless and r.code:
        r.fails("delegated cgroup", code=1)
        harness.machine_cannot("pause without a cgroup")
    r.ok()
    who.inro("unpause", "one").ok()


def test_kill(two):
    assert two.inro("kill", "one").ok().out == "one\n"
    # it has ended when the command returns
    assert states(two)["one"] == "exited"
    assert "Exited (137)" in two.inro("ps", "-a", "--filter", "name=one").ok().out
    r = two.inro("kill", "nothing", "done", "/two")
    r.fails("No such container: nothing", "container done is not running", code=1)
    assert r.out == "/two\n" and states(two)["two"] == "exited"


@pytest.mark.parametrize("word", ["USR1", "sigusr1", str(int(signal.SIGUSR1))])
def test_kill_with_a_signal(two, word):
    two.inro("kill", "--signal", word, "one").ok()
    harness.wait_for(lambda: states(two)["one"] == "exited", what="the container's end")
    assert "Exited (42)" in two.inro("ps", "-a", "--filter", "name=one").ok().out
    two.inro("kill", "-s", "NOPE", "two").fails("invalid signal: NOPE", code=125)
    assert states(two)["two"] == "running"


def test_kill_all(two):
    ids = two.inro("ps", "-q", "--no-trunc").ok().out.split()
    assert sorted(two.inro("kill", "--all").ok().out.split()) == sorted(ids)
    assert set(states(two).values()) == {"exited"}
    assert two.inro("kill", "-a").ok().out == ""


def test_which_containers(two):
    two.inro("kill").fails("at least one container", code=125)
    two.inro("kill", "-a", "one").fails("cannot be used together", code=125)
    two.inro("kill", "-a", "-l").fails("cannot be used together", code=125)
    path = two.dir / "cid"
    path.write_text(two.inro("ps", "-q", "--no-trunc", "--filter", "name=one").ok().out)
    two.inro("kill", "--cidfile", path).ok()
    assert states(two) == {"one": "exited", "two": "running", "done": "exited"}
    two.inro("kill", "--cidfile", "/no/such").fails("--cidfile", code=125)
    two.inro("kill", "-l").ok()
    assert states(two)["two"] == "exited"


def test_pause(two):
    can_pause(two)
    assert two.inro("pause", "one").ok().out == "one\n"
    assert states(two) == {"one": "paused", "two": "running", "done": "exited"}
    assert "(Paused)" in two.inro("ps", "--filter", "status=paused").ok().out
    assert two.inro("ps", "-q", "--filter", "status=running").ok().out.count("\n") == 1
    state = json.loads(two.inro("inspect", "one").ok().out)[0]["State"]
    assert (state["Status"], state["Paused"], state["Running"]) == ("paused", True, True)
    two.inro("pause", "one").fails("container one is already paused", code=1)
    two.inro("pause", "done").fails("container done is not running", code=1)
    two.inro("exec", "one", "true").fails("unpause the container before exec", code=125)
    two.inro("unpause", "two").fails("container two is not paused", code=1)
    assert two.inro("unpause", "one").ok().out == "one\n"
    assert states(two)["one"] == "running"
    two.inro("exec", "one", "true").ok()


def test_pause_all(two):
    can_pause(two)
    assert len(two.inro("pause", "-a").ok().out.split()) == 2
    assert sorted(states(two).values()) == ["exited", "paused", "paused"]
    assert two.inro("pause", "-a").ok().out == ""
    # who looks at the newest alone does not take the others for gone
    for mark in (two.run_dir / "inro/paused").iterdir():
        os.utime(mark, (1, 1))
    assert two.inro("ps", "-l", "--format", "{{.Names}} {{.State}}").ok().out == "two paused\n"
    assert sorted(states(two).values()) == ["exited", "paused", "paused"]
    two.inro("unpause", "--filter", "label=n=one").ok()
    assert states(two)["one"] == "running"
    assert len(two.inro("unpause", "-a").ok().out.split()) == 1


def test_killed_while_paused(two):
    can_pause(two)
    two.inro("pause", "one", "two").ok()
    two.inro("kill", "one").ok()
    assert states(two)["one"] == "exited"
    two.inro("rm", "two").fails("cannot remove container", "paused", code=1)
    marks = two.run_dir / "inro/paused"
    two.inro("rm", "-f", "two").ok()
    assert "two" not in states(two)
    two.inro("rm", "one").ok()
    assert not os.listdir(marks)


def test_left_by_killed_commands(two):
    """Run directories and marks of containers that are in no record; what is just being made stays."""
    names = ["a" * 64, "b" * 64]
    top = two.run_dir / "inro/paused"
    top.mkdir(exist_ok=True)
    dirs = [two.run_dir / "inro/containers" / name for name in names]
    marks = [two.run_dir / "inro/paused" / name for name in names]
    for path in dirs:
        path.mkdir()
        (path / "lock").touch()
    for path in marks:
        path.touch()
    for path in (top, *dirs, *marks, *(d / "lock" for d in dirs)):
        two.own(path)
    for path in (dirs[0], marks[0]):
        os.utime(path, (1, 1))
    assert states(two)["one"] == "running"
    assert [path.exists() for path in (*dirs, *marks)] == [False, True, False, True]
    for path in (dirs[1], marks[1]):
        os.utime(path, (1, 1))
    two.inro("rm", "done").ok()
    two.inro("ps", "-q").ok()
    assert not any(path.exists() for path in (*dirs, *marks))


def test_rename(two):
    cid = two.inro("ps", "-aq", "--filter", "name=^one$").ok().out.strip()
    assert two.inro("rename", "one", "uno").ok().out == ""
    two.inro("rename", "done", "/ended").ok()
    assert set(states(two)) == {"uno", "two", "ended"}
    assert two.inro("ps", "-q", "--filter", "name=uno").ok().out.strip() == cid
    two.inro("rename", "uno", "two").fails('The container name "two" is already in use', code=125)
    two.inro("rename", "uno", "uno").fails("same name", code=125)
    two.inro("rename", "uno", "a b").fails("a b", code=125)
    two.inro("rename", "uno", "").fails("empty", code=125)
    two.inro("rename", "nothing", "new").fails("No such container: nothing", code=125)
    two.inro("exec", "uno", "true").ok()


def test_rm_with_options(two):
    two.inro("rm", "one").fails("container is running", code=1)
    r = two.inro("rm", "--ignore", "nothing", "done").ok()
    assert (r.out, r.err) == ("done\n", "")
    two.inro("rm", "-a").fails("container is running", code=1)
    two.inro("rm", "-f", "--filter", "label=n=one").ok()
    assert states(two) == {"two": "running"}
    path = two.dir / "cid"
    path.write_text(engine.containers(two)[0])
    two.inro("rm", "-f", "--cidfile", path).ok()
    assert states(two) == {}
    assert two.inro("rm", "-fa").ok().out == ""


def test_exists(two):
    assert two.inro("container", "exists", "one").code == 0
    assert two.inro("container", "exists", "done").code == 0
    r = two.inro("container", "exists", "nothing")
    assert (r.code, r.out, r.err) == (1, "", "")


def test_prune(two):
    cid = two.inro("ps", "-aq", "--no-trunc", "--filter", "status=exited").ok().out.strip()
    assert "done" in states(two) and cid
    r = two.inro("container", "prune", input="n\n").ok()
    assert "WARNING! This will remove all stopped containers." in r.out and "done" in states(two)
    two.inro("container", "prune", "-f", "--filter", "label=no").ok()
    assert "done" in states(two)
    out = two.inro("container", "prune", "--force").ok().out
    assert out.startswith(f"Deleted Containers:\n{cid}\n\nTotal reclaimed space: ")
    assert set(states(two)) == {"one", "two"}
