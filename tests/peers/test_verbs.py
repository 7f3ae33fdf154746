# SPDX-License-Identifier: Apache-2.0
"""inro's verbs on containers beside docker's and podman's, each on a container of its own."""

import contextlib

import pytest

import engine as tests_engine

SHOW = "id -u; id -g; id -G; echo $HOME; pwd; echo $A"
USERS = [[], ["-u", "alice"], ["-u", "1000"], ["-u", "1234"], ["-u", "1234:56"],
         ["-u", "alice:0"], ["-u", "0"], ["-w", "/tmp", "-e", "A=2"], ["-e", "HOME=/srv"]]
COMMANDS = [["sh", "-c", "exit 4"], ["no-such-command"], ["/no/such"], ["/etc/passwd"], ["/etc"],
            ["sh", "-c", "kill -TERM $$"]]
# The container's life, each step with its exit status and what "ps" then says.
STEPS = [["pause", "NAME"], ["pause", "NAME"], ["exec", "NAME", "true"], ["unpause", "NAME"],
         ["unpause", "NAME"], ["rename", "NAME", "other"], ["rename", "other", "NAME"],
         ["kill", "-s", "USR1", "NAME"], ["restart", "-t", "0", "NAME"], ["kill", "NAME"],
         ["kill", "NAME"], ["pause", "NAME"], ["wait", "NAME"], ["stop", "NAME"],
         ["restart", "NAME"], ["stop", "-t", "0", "NAME"], ["rm", "NAME"]]


@pytest.fixture
def ours(root, scratch):
    """inro, with the container "web"."""
    root.inro("import", scratch / "box.tar", "box").ok()
    client = tests_engine.start(root, "--name", "web", "--network", "none", "-e", "A=1", "box",
                                "sh", "-c", "trap : USR1; echo ready; while :; do sleep 0.1; done")
    yield root.inro
    root.inro("rm", "-f", "web")
    client.wait(10)


@contextlib.contextmanager
def web_of(peer):
    peer.run("-d", "--name", "web", "--network", "none", "-e", "A=1", "box", "sh", "-c",
             "trap : USR1; while :; do sleep 0.1; done").ok()
    yield
    peer("rm", "-f", "web")


def compare_exec(ours, theirs):
    for options in USERS:
        args = ["exec", *options, "web", "sh", "-c", SHOW]
        a, b = ours(*args).ok().out.split("\n"), theirs(*args).ok().out.split("\n")
        # in which order groups are listed is nobody's business
        a[2], b[2] = (sorted(groups.split()) for groups in (a[2], b[2]))
        # podman 4.3 knows no home of who is not in /etc/passwd
        a[3], b[3] = (home or "/" for home in (a[3], b[3]))
        assert a == b, options
    for command in COMMANDS:
        a, b = (call("exec", "web", *command) for call in (ours, theirs))
        # docker 20.10 says 126 of what is not found as well
        assert a.code == b.code or (a.code, b.code) == (127, 126), f"{a}{b}"
    for more in (["-i"], []):
        a, b = (call("exec", *more, "web", "cat", input="in\n").ok().out for call in (ours, theirs))
        assert a == b == ("in\n" if more else "")


def compare_steps(ours, theirs, state="{{.State}}"):
    seen = []
    for call in (ours, theirs):
        rows = []
        for step in STEPS:
            done = call(*["web" if word == "NAME" else word for word in step])
            shown = call("ps", "-a", "--filter", "name=web", "--format", state).ok().out
            out = done.out if step[0] == "wait" else "web" in done.out
            rows.append((step, done.code != 0, out, shown))
        seen.append(rows)
    for a, b in zip(*seen):
        assert a == b


def compare_twice(ours, theirs):
    """A container that is named twice in one command: each word is for itself. (A kill may have ended it
    before the second is looked at, which is an error, as with podman.)"""
    for step in (["kill", "-s", "USR1"], ["pause"], ["unpause"], ["stop", "-t", "0"], ["start"],
                 ["restart", "-t", "0"]):
        a, b = (call(*step, "web", "web") for call in (ours, theirs))
        assert (a.code, a.out) == (b.code, b.out), step
        for call in (ours, theirs):
            call("start", "web")  # if it has ended


def test_docker(docker, ours):
    with web_of(docker):
        compare_exec(ours, docker)
        for args in (["top", "web"], ["stats", "--no-stream", "web"], ["ps"], ["ps", "-s"],
                     ["top", "web", "-o", "pid,comm"]):
            a, b = (call(*args).ok().out.split("\n")[0].split() for call in (ours, docker))
            assert a == b, args
        compare_twice(ours, docker)
        compare_steps(ours, docker)


def test_podman(podman, ours):
    with web_of(podman):
        compare_exec(ours, podman)
        # its words for states are its own
        compare_steps(ours, podman, "{{.Names}} {{.Exited}}")
