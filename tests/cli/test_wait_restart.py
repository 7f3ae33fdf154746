# SPDX-License-Identifier: Apache-2.0
"""inro wait, restart, and what stop and kill mean for restart policies."""

import subprocess
import time

import pytest

import engine
import harness

LOOP = "echo up >> /starts; trap 'exit 42' TERM; while :; do sleep 0.02; done"


@pytest.fixture
def box(anyone):
    engine.box(anyone)
    yield anyone
    anyone.inro("rm", "-fa").ok()


def up(who, name, script=LOOP, *options):
    who.inro("run", "-d", "--name", name, *options, "box", "sh", "-c", script).ok()
    if script == LOOP:
        harness.wait_for(lambda: who.inro("exec", name, "cat", "/starts").out, what=name)


def field(who, name, text):
    return who.inro("inspect", "-f", text, name).ok().out.strip()


def starts(who, name):
    return who.inro("exec", name, "cat", "/starts").out.count("up")


def test_wait(box):
    up(box, "web")
    waiting = box.popen(*box.inro_argv("wait", "web"), stdout=subprocess.PIPE)
    time.sleep(0.1)
    assert waiting.poll() is None
    box.inro("stop", "web").ok()
    assert waiting.communicate(timeout=10)[0] == b"42\n" and waiting.returncode == 0
    # what has ended is not waited for
    box.inro("run", "--name", "done", "box", "sh", "-c", "exit 3").fails(code=3)
    r = box.inro("wait", "done", "nothing", "/web")
    r.fails("No such container: nothing", code=1)
    assert r.out == "3\n42\n"
    assert box.inro("wait", "--ignore", "nothing", "done").ok().out == "-1\n3\n"
    assert box.inro("container", "wait", "-l", "-i", "250ms").ok().out == "3\n"
    box.inro("wait").fails("at least one container", code=125)


def test_wait_for_one_that_is_removed_at_its_end(box):
    up(box, "web", LOOP, "--rm")
    waiting = [box.popen(*box.inro_argv("wait", "web"), stdout=subprocess.PIPE) for _ in range(3)]
    time.sleep(0.2)
    box.inro("kill", "web").ok()
    assert [w.communicate(timeout=10)[0] for w in waiting] == [b"137\n"] * 3
    assert engine.containers(box) == []


def test_wait_for_one_whose_monitor_is_killed(box):
    up(box, "web")
    waiting = box.popen(*box.inro_argv("wait", "web"), stdout=subprocess.PIPE)
    time.sleep(0.1)
    pid = int(field(box, "web", "{{.State.Pid}}"))
    stat = open(f"/proc/{pid}/stat", encoding="utf8").read()
    monitor = int(stat[stat.rindex(")") + 2:].split()[1])
    box.run("kill", "-9", monitor).ok()
    assert waiting.communicate(timeout=10)[0] == b"137\n"


def test_restart(box):
    up(box, "web")
    before = field(box, "web", "{{.State.StartedAt}}")
    assert box.inro("restart", "web").ok().out == "web\n"
    harness.wait_for(lambda: starts(box, "web") == 2, what="the second start")
    assert field(box, "web", "{{.State.Status}}") == "running"
    assert field(box, "web", "{{.State.StartedAt}}") > before
    box.inro("stop", "web").ok()
    assert box.inro("container", "restart", "-t", "1", "/web").ok().out == "/web\n"
    harness.wait_for(lambda: starts(box, "web") == 3, what="the third start")
    box.inro("restart", "nothing").fails("No such container: nothing", code=1)


def test_restart_of_several(box):
    up(box, "one")
    up(box, "two")
    box.inro("stop", "two").ok()
    assert box.inro("restart", "--running").ok().out.strip() == field(box, "one", "{{.Id}}")
    assert field(box, "two", "{{.State.Status}}") == "exited"
    assert len(box.inro("restart", "-a").ok().out.split()) == 2
    harness.wait_for(lambda: (starts(box, "one"), starts(box, "two")) == (3, 2), what="starts")


def test_restart_of_one_that_would_be_removed(box):
    up(box, "web", LOOP, "--rm")
    box.inro("restart", "web").fails("--rm", code=1)
    assert field(box, "web", "{{.State.Status}}") == "running"


@pytest.mark.parametrize("verb", [["stop"], ["kill"], ["kill", "-s", "TERM"]])
def test_who_asks_for_the_end_does_not_want_it_back(box, verb):
    up(box, "web", LOOP, "--restart", "always")
    box.inro(*verb, "web").ok()
    harness.wait_for(lambda: field(box, "web", "{{.State.Status}}") == "exited", what="the end")
    assert box.inro("wait", "web").ok().out in ("42\n", "137\n")


def test_other_signals_do_not_keep_it_from_coming_back(box):
    up(box, "web", "echo up >> /starts; trap 'exit 3' USR1; while :; do sleep 0.02; done",
       "--restart", "always")
    harness.wait_for(lambda: starts(box, "web") == 1, what="the first start")
    box.inro("kill", "-s", "USR1", "web").ok()
    harness.wait_for(lambda: starts(box, "web") == 2, what="the second start")
    box.inro("stop", "-t", "0", "web").ok()


def test_between_two_starts(box):
    """It is stopped at once, also while its clean-up waits before the next start."""
    up(box, "web", "exit 1", "--restart", "always")
    harness.wait_for(lambda: int(field(box, "web", "{{.RestartCount}}")) >= 3 and
                     field(box, "web", "{{.State.Status}}") == "restarting", what="a pause")
    box.inro("exec", "web", "true").fails("web is", code=125)
    begin = time.monotonic()
    box.inro("stop", "web").ok()
    assert time.monotonic() - begin < 8
    assert field(box, "web", "{{.State.Status}}") == "exited"


def test_update_between_two_starts(box):
    """What is said in the pause holds for the start behind it."""
    up(box, "web", "exit 1", "--restart", "always")
    harness.wait_for(lambda: int(field(box, "web", "{{.RestartCount}}")) >= 3 and
                     field(box, "web", "{{.State.Status}}") == "restarting", what="a pause")
    box.inro("update", "--restart", "no", "web").ok()
    count = field(box, "web", "{{.RestartCount}}")
    harness.wait_for(lambda: field(box, "web", "{{.State.Status}}") == "exited", what="the end")
    assert field(box, "web", "{{.RestartCount}} {{.State.ExitCode}}") == f"{count} 1"


def test_database_that_cannot_be_written(root):
    """What keeps an end from being recorded, as a full disk does, doesn't end the policy."""
    place = root.state / "inro"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place], check=True)
    try:
        engine.box(root)
        root.inro("run", "-d", "--name", "web", "--restart", "always", "--log-driver", "none", "box",
                  "sleep", "1000").ok()
        pid = int(field(root, "web", "{{.State.Pid}}"))
        with pytest.raises(OSError, match="No space left"), open(place / "full", "wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        root.run("kill", "-9", pid).ok()
        harness.wait_for(lambda: harness.is_dead(pid))
        time.sleep(0.5)  # for more than one try
        (place / "full").unlink()
        harness.wait_for(lambda: field(root, "web", "{{.State.Running}} {{.RestartCount}}") == "true 1", 15)
        root.inro("rm", "-f", "web").ok()
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_own_time_to_stop(box):
    up(box, "web", "trap '' TERM; while :; do sleep 0.02; done", "--stop-timeout", "1")
    begin = time.monotonic()
    box.inro("stop", "web").ok()
    assert 0.9 < time.monotonic() - begin < 9
    assert field(box, "web", "{{.State.ExitCode}}") == "137"
