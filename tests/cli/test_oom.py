# SPDX-License-Identifier: Apache-2.0
"""What is told of containers that ran out of memory, or never began."""

import pytest

import engine
import harness

LIMIT = ("-m", "16m", "--memory-swap", "16m")


@pytest.fixture
def box(root):
    engine.box(root)
    yield root
    root.inro("rm", "-fa").ok()


def state(who, name):
    text = "{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}"
    return who.inro("inspect", "-f", text, name).ok().out.strip()


def told(who, name):
    return who.inro("events", "--stream=false", "-f", f"container={name}", "--format",
                    "{{.Action}}").ok().out.split()


def test_main_process(box):
    """Whoever records the end: the client, the clean-up role, the next command."""
    box.inro("run", "--name", "fore", *LIMIT, "box", "tail", "/dev/zero").fails(code=137)
    assert state(box, "fore") == "true 137 exited"
    assert told(box, "fore") == ["create", "attach", "start", "oom", "die"]
    box.inro("run", "-d", "--name", "back", *LIMIT, "box", "tail", "/dev/zero").ok()
    assert box.inro("wait", "back").ok().out == "137\n"
    assert state(box, "back") == "true 137 exited"
    assert told(box, "back") == ["create", "start", "oom", "die"]
    box.inro("run", "--rm", "--name", "gone", *LIMIT, "box", "tail", "/dev/zero").fails(code=137)
    assert told(box, "gone") == ["create", "attach", "start", "oom", "die", "destroy"]


def test_another_process(box):
    box.inro("run", "-d", "--name", "web", *LIMIT, "box", "sh", "-c",
             "[ -e /old ] || { tail /dev/zero; touch /old; }; sleep 1000").ok()
    harness.wait_for(lambda: state(box, "web") == "true 0 running", what="the kill")
    box.inro("stop", "-t0", "web").ok()
    assert state(box, "web") == "true 137 exited"
    # the next time is another matter
    box.inro("start", "web").ok()
    assert state(box, "web") == "false 0 running"
    box.inro("kill", "web").ok()
    assert state(box, "web") == "false 137 exited"
    assert told(box, "web").count("oom") == 1


def test_why_it_did_not_begin(box):
    box.inro("run", "--name", "web", "box", "/nothing").fails("/nothing", code=127)
    error = box.inro("inspect", "-f", "{{.State.Error}}", "web").ok().out
    assert error.startswith("starting container web: ") and "/nothing" in error
    assert state(box, "web") == "false 127 exited"
    box.inro("create", "--name", "good", "box", "true").ok()
    assert box.inro("inspect", "-f", "{{.State.Error}}", "good").ok().out == "\n"
