# SPDX-License-Identifier: Apache-2.0
"""Kernels, and sandboxes around inro, that lack system calls (tests/faults/enosys.c)."""

import json
import subprocess

import pytest

import engine
import harness

REPLACED = ["openat2", "clone3", "close_range", "pidfd_open", "pidfd_send_signal", "statx",
            "faccessat2", "copy_file_range", "landlock_create_ruleset"]
NEEDED = ["fsopen", "fsconfig", "fsmount", "open_tree", "move_mount", "mount_setattr"]


def without(who, calls, argv, **kw):
    return who.run(who.program("tests/faults/enosys"), calls, "--", *argv, **kw)


@pytest.mark.parametrize("calls", [*REPLACED, ",".join(REPLACED)])
def test_works_without(anyone, calls):
    b = anyone.bundle("sh", "-c", "echo $0; ls /proc/self/fd; cat /proc/kcore; exit 7", "ran")
    anyone.own(b.rootfs / "tmp")
    b.mount("/made/for/it", "tmpfs", "tmpfs")
    b.process["cwd"] = "/made/for/it"
    r = without(anyone, calls, anyone.runtime_argv("run", "--bundle", b.path, "c1"))
    assert (r.code, r.out) == (7, "ran\n0\n1\n2\n3\n"), r


def test_create_start_delete_without(anyone):
    b = anyone.bundle("sh", "-c", "exec sleep 60").save()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for args, kw in ((("create", "--bundle", b.path, "c1"), quiet), (("start", "c1"), quiet),
                     (("state", "c1"), {}), (("kill", "c1", "KILL"), {}),
                     (("delete", "--force", "c1"), {})):
        without(anyone, "openat2,clone3,close_range", anyone.runtime_argv(*args), **kw).ok()
    assert list(anyone.runtime_root.glob("c*")) == []


@pytest.mark.parametrize("calls", ["pidfd_open", "pidfd_send_signal"])
def test_killed_and_deleted_without_pidfds(user, calls):
    """Without a cgroup, which could do it too."""
    b = user.bundle("sleep", "60")
    b.run("--detach", stdout=None, stderr=None).ok()
    without(user, calls, user.runtime_argv("kill", "c1", "KILL")).ok()
    harness.wait_for(lambda: '"stopped"' in user.runtime("state", "c1").out, what="the end")
    without(user, calls, user.runtime_argv("kill", "c1")).fails("container not running", code=1)
    without(user, calls, user.runtime_argv("delete", "c1")).ok()
    b.run("--detach", stdout=None, stderr=None).ok()
    pid = json.loads(user.runtime("state", "c1").ok().out)["pid"]
    without(user, calls, user.runtime_argv("delete", "--force", "c1")).ok()
    assert harness.is_dead(pid)


@pytest.mark.parametrize("call", ["pidfd_open,kill", "pidfd_send_signal,kill"])
def test_a_container_that_cannot_be_killed_is_not_forgotten(user, call):
    """Without a cgroup, which could kill it too."""
    b = user.bundle("sleep", "60").save()
    user.runtime("create", "--bundle", b.path, "c1", stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL).ok()
    r = without(user, call, user.runtime_argv("delete", "--force", "c1"))
    r.fails("killing container c1", "Function not implemented", code=1)
    assert '"created"' in user.runtime("state", "c1").ok().out
    user.runtime("delete", "--force", "c1").ok()


def test_failed_start_ends_without_signals_by_pidfd(user):
    """newuidmap does not work behind the filter, so the start fails; no process may stay."""
    box = engine.box(user)
    r = without(user, "pidfd_send_signal", user.inro_argv("run", "--rm", box, "true"), timeout=20)
    r.fails("id mappings", code=125)


@pytest.mark.parametrize("call", [*NEEDED, ",".join(NEEDED)])
def test_says_what_is_missing(anyone, call):
    """Names the call and what has it; nothing is left (the harness looks)."""
    b = anyone.bundle("true")
    r = without(anyone, call, anyone.runtime_argv("run", "--bundle", b.path, "c1"))
    r.fails("Function not implemented", "(2) is missing here", "Linux 5.12", code=1)
    assert "," in call or f"{call}(2)" in r.err
    assert list(anyone.runtime_root.glob("c*")) == []


@pytest.mark.parametrize("call", NEEDED)
def test_engine_says_what_is_missing(root, call):
    box = engine.box(root)
    argv = root.inro_argv("run", "--rm", box, "true")
    without(root, call, argv).fails(f"{call}(2) is missing here", code=125)
    assert engine.containers(root) == []


@pytest.mark.parametrize("calls", REPLACED)
def test_engine_works_without(root, calls):
    box = engine.box(root)
    r = without(root, calls, root.inro_argv("run", "--rm", box, "sh", "-c", "echo ran; exit 7"))
    assert (r.code, r.out) == (7, "ran\n"), r
