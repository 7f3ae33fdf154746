# SPDX-License-Identifier: Apache-2.0
"""The harness itself: it must be able to fail."""

import os
import pathlib
import subprocess
import time

import pytest

import harness


def test_commands_run_as_the_user(user):
    assert user.run("id", "-u").ok().out == f"{user.uid}\n"
    assert user.uid != 0
    user.run("test", "-w", user.dir).ok()


def test_result_tells_status_as_a_shell_does(anyone):
    assert anyone.run("sh", "-c", "exit 7").code == 7
    assert anyone.run("sh", "-c", "kill -9 $$").code == 137
    anyone.run("sh", "-c", "echo no such thing >&2; exit 1").fails("no such", code=1)
    with pytest.raises(AssertionError):
        anyone.run("false").ok()
    with pytest.raises(AssertionError):
        anyone.run("true").fails()


def test_leftovers_are_seen(root, monkeypatch):
    monkeypatch.setattr(harness.Leftovers, "SECONDS", 0.2)
    leftovers = harness.Leftovers()
    leftovers.check()

    with subprocess.Popen(["sleep", "60"]) as process:
        with pytest.raises(pytest.fail.Exception, match="sleep 60.*pytest"):
            leftovers.check()
        process.kill()
    leftovers.check()
    # one that was there, and only then executes its program
    with subprocess.Popen(["sh", "-c", "read go; exec sleep 60"], stdin=subprocess.PIPE) as process:
        before = harness.Leftovers()
        process.stdin.write(b"go\n")
        process.stdin.close()
        comm = pathlib.Path(f"/proc/{process.pid}/comm")
        harness.wait_for(lambda: comm.read_text() == "sleep\n")
        before.check()
        process.kill()

    os.mkdir("/run/inro")
    with pytest.raises(pytest.fail.Exception, match="/run/inro"):
        leftovers.check()
    os.rmdir("/run/inro")

    root.run("mount", "-t", "tmpfs", "tmpfs", "/mnt").ok()
    with pytest.raises(pytest.fail.Exception, match="mount /mnt"):
        leftovers.check()
    root.run("umount", "/mnt").ok()


def test_a_test_that_hangs_fails():
    with pytest.raises(pytest.fail.Exception, match="no end after 0.5 s"), harness.limit(0.5), \
            subprocess.Popen(["sleep", "0.7"]) as process:  # whose end is waited for, too
        process.wait()
    assert process.returncode == 0
    with harness.limit(0.1):
        pass
    time.sleep(0.15)


def test_bundle_is_complete(anyone):
    bundle = anyone.bundle("true")
    assert anyone.run(bundle.rootfs / "bin/echo", "hi").ok().out == "hi\n"
    assert (bundle.path / "config.json").stat().st_uid == anyone.uid
    assert ("user" in [ns["type"] for ns in bundle.linux["namespaces"]]) == anyone.rootless
