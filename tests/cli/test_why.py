# SPDX-License-Identifier: Apache-2.0
"""inro why, and inro doctor."""

import json
import os
import re

import pytest

import cgroups
import engine
import harness

TURNS = True


def why(who, name):
    return who.inro("why", name).ok().out


def wait_exit(who, name):
    harness.wait_for(lambda: "exited" in who.inro("inspect", "-f", "{{.State.Status}}", name).out,
                     15, name)


def test_how_it_ended(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "--name", "web", box, "sh", "-c",
                "for i in 1 2 3 4 5 6 7; do echo line $i; done; printf 'a\\033[2Jb\\n'; exit 3").fails(code=3)
    text = why(anyone, "web")
    assert re.match("web exited (less than a|[0-9]+) seconds? ago with status", text), text
    assert "web exited" in text and "with status 3\n" in text
    assert "restart policy is no" in text and "-> inro start web" in text
    # the last five lines, which don't steer the terminal
    assert "| line 4\n" in text and "| line 3\n" not in text and "| a?[2Jb\n" in text
    o = json.loads(anyone.inro("why", "--format", "json", "web").ok().out)
    assert (o["Name"], o["Status"], o["ExitCode"], o["OOMKilled"]) == ("web", "exited", 3, False)
    assert o["Log"][-2:] == ["line 7", "a?[2Jb"] and o["Summary"] == text.split("\n")[0]
    anyone.inro("run", "-d", "--name", "long", "--restart", "always", box, "sleep", "1000").ok()
    assert "long is running since" in why(anyone, "long")
    anyone.inro("kill", "long").ok()
    wait_exit(anyone, "long")
    text = why(anyone, "long")
    assert "killed by signal 9 (KILL)" in text and "always, but it was stopped or killed" in text
    anyone.inro("create", "--name", "new", box, "true").ok()
    assert "has never been started" in why(anyone, "new")
    anyone.inro("why", "nothing").fails("No such container: nothing", code=125)
    anyone.inro("rm", "-fa").ok()


def test_could_not_be_started(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "-d", "--name", "bad", box, "no-such-command").fails(code=127)
    text = why(anyone, "bad")
    assert "bad could not be started" in text and "no-such-command" in text
    # what is past is not told of a later start
    anyone.inro("create", "--name", "late", "-v", f"{anyone.dir}/there:/x", box, "sh", "-c", "exit 4").ok()
    os.rmdir(anyone.dir / "there")
    anyone.inro("start", "late").fails()
    assert "late could not be started" in why(anyone, "late")
    (anyone.dir / "there").mkdir()
    anyone.own(anyone.dir / "there")
    anyone.inro("start", "late").ok()
    wait_exit(anyone, "late")
    text = why(anyone, "late")
    assert "with status 4" in text and "could not be started" not in text


def test_lost_and_restarting(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "-d", "--name", "web", box, "sleep", "1000").ok()
    pid = int(anyone.inro("inspect", "-f", "{{.State.Pid}}", "web").ok().out)
    stat = open(f"/proc/{pid}/stat", encoding="utf8").read()
    anyone.run("kill", "-9", stat[stat.rindex(")") + 2:].split()[1]).ok()
    harness.wait_for(lambda: "its monitor was killed" in why(anyone, "web"))
    anyone.inro("run", "-d", "--name", "again", "--restart", "on-failure:2", box, "sh", "-c",
                "exit 5").ok()
    wait_exit(anyone, "again")
    harness.wait_for(lambda: "on-failure:2, and it was started again so many times"
                     in why(anyone, "again"))
    anyone.inro("run", "-d", "--name", "loop", "--restart", "always", box, "false").ok()
    harness.wait_for(lambda: "about to be started again" in (text := why(anyone, "loop"))
                     and "the next start is in" in text, 20)
    anyone.inro("rm", "-fa").ok()


def test_memory_that_ran_out(root):
    box = engine.box(root)
    root.inro("run", "--name", "big", "--memory", "16m", box,
              "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1").fails(code=137)
    text = why(root, "big")
    assert "memory ran out" in text and "its limit is 16.0 MiB, it used up to 16.0 MiB" in text
    assert "-> inro update --memory SIZE big" in text
    assert root.inro("why", "-f", "{{.OOMKilled}}", "big").ok().out == "true\n"


def test_not_healthy(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "-d", "--name", "web", "--health-cmd", "echo no luck; exit 2",
                "--health-interval", "disable", "--health-retries", "1", box, "sleep", "1000").ok()
    text = why(anyone, "web")
    assert "has not been healthy yet" in text and "no probe has been made yet" in text
    anyone.inro("healthcheck", "run", "web").fails(code=1)
    text = why(anyone, "web")
    assert "unhealthy: 1 probes" in text and "ended with 2, and said: no luck" in text
    assert "its health check is: CMD-SHELL echo no luck; exit 2" in text
    anyone.inro("rm", "-fa").ok()


def test_doctor(anyone):
    """What each check finds is tested on machines made for it, by unit tests."""
    r = anyone.inro("doctor")
    items = json.loads(anyone.inro("doctor", "--format", "json").out)
    assert [i["Check"] for i in items][:3] == ["programs", "kernel", "seccomp"]
    assert r.code == (1 if any(i["Status"] == "fail" for i in items) else 0), r
    assert all((i["Status"] == "ok") == ("Cure" not in i) for i in items)
    for i in items:
        assert f"{i['Status']:<4}  {i['Check']}: " in r.out
    # a store that can't be written
    bad = anyone.dir / "file"
    bad.write_text("")
    r = anyone.run(anyone.program("inro"), "--root", bad, "--runroot", anyone.dir / "r", "doctor")
    r.fails(code=1)
    assert "fail  store: " in r.out and "-> chown" in r.out


@pytest.mark.parametrize("who", ["root", "user"])
def test_killed_where_memory_is_counted_or_not(request, who):
    """Of a user's container on cgroup v1 nobody knows what it has used."""
    who = request.getfixturevalue(who)
    who.inro("run", "-d", "--name", "web", engine.box(who), "sleep", "1000").ok()
    who.inro("kill", "web").ok()
    out = who.inro("why", "web").ok().out
    if not who.rootless:
        assert "memory had not run out: somebody killed or stopped it" in out
    elif "memory" in cgroups.mounts():
        assert "nothing counts what it uses" in out and "had not run out" not in out
