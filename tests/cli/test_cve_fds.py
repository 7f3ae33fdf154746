# SPDX-License-Identifier: Apache-2.0
"""Regressions of known vulnerabilities: file descriptors and program files of the host."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import time

import pytest

import engine
import harness


def sh(who, script, **kw):
    return who.bundle("sh", "-c", script, **kw)


@contextlib.contextmanager
def open_dirs(path, count=4):
    """Host directories that the caller of the runtime has left open and inheritable."""
    fds = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for _ in range(count)]
    try:
        for fd in fds:
            os.set_inheritable(fd, True)
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


def bait(who):
    """A host directory whose "echo" can be executed, and a/b below it."""
    host = who.dir / "host"
    (host / "a/b").mkdir(parents=True)
    shutil.copy(harness.BUSYBOX, host / "echo")
    for path in (host, host / "a", host / "a/b", host / "echo"):
        who.own(path)
    return host


def test_cve_2024_21626_working_directory_through_a_leaked_fd(anyone):
    b = sh(anyone, "pwd; ls .. ../../../../..; cat ../../../../../etc/hostname")
    host = bait(anyone)
    with open_dirs(host / "a/b"):
        for n in range(3, 31):
            b.process["cwd"] = f"/proc/self/fd/{n}"
            r = b.run(close_fds=False)
            assert r.code != 0 and r.out == "", r


def test_cve_2024_21626_fds_of_the_caller_are_closed(anyone):
    b = sh(anyone, "ls -l /proc/self/fd /proc/1/fd")
    with open_dirs(anyone.dir):
        out = b.run(close_fds=False).ok().out
    assert str(anyone.dir) not in out


@pytest.mark.parametrize("kind", ["program", "interpreter", "search path"])
def test_cve_2024_21626_program_through_a_leaked_fd(anyone, kind):
    """What is closed by exec is still open while exec looks for the program."""
    b = sh(anyone, "true")
    host = bait(anyone)
    (b.rootfs / "bin/echo").unlink()
    (b.rootfs / "script").write_text("")
    (b.rootfs / "script").chmod(0o755)
    with open_dirs(host / "a/b"):
        for n in range(3, 24):
            path = f"/proc/self/fd/{n}/../../echo"
            if kind == "program":
                b.process["args"] = [path, "host program"]
            elif kind == "interpreter":
                (b.rootfs / "script").write_text(f"#!{path} host program\n")
                b.process["args"] = ["/script"]
            else:
                b.process["args"] = ["echo", "host program"]
                b.process["env"] = [f"PATH=/proc/self/fd/{n}/../.."]
            r = b.run(close_fds=False)
            assert r.code != 0 and "host program" not in r.out, r


def test_cve_2024_21626_engine_program_through_a_leaked_fd(root):
    """The monitor has directories of the host open when it makes the container's first process."""
    box = engine.box(root)
    host = bait(root)
    up = "../" * 24
    for n in range(3, 19):
        path = f"/proc/self/fd/{n}/{up}{host}/echo"
        r = root.inro("run", "--rm", box, path, "host program")
        assert r.code != 0 and "host program" not in r.out, r
        assert root.inro("run", "--rm", "-w", f"/proc/self/fd/{n}", box, "true").code != 0


def may_write(who, handle):
    """Whether an O_PATH handle opens again for writing, with the ids of the container's root."""
    for _ in range(600):
        done = subprocess.run(["sh", "-c", f"exec 9<>/proc/self/fd/{handle}"], check=False,
                              user=who.uid, group=who.gid, pass_fds=(handle,),
                              stderr=subprocess.PIPE)
        if b"Text file busy" not in done.stderr:  # by other tests that run beside this one
            break
        time.sleep(0.05)
    assert b"Text file busy" not in done.stderr
    return done.returncode == 0


def created(who, b):
    """pid of the first process of a container that waits to be started."""
    b.save()
    who.runtime("create", "--bundle", b.path, "c1", stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL).ok()
    state = who.runtime("state", "c1").ok().out
    return int(state.split('"pid":')[1].split(",")[0])


def test_cve_2019_5736_created_container_shows_no_writable_program(anyone):
    """An O_PATH handle of the runtime's program, opened for writing when nobody runs it."""
    before = pathlib.Path(anyone.program("inro-runtime")).read_bytes()
    pid = created(anyone, anyone.bundle("true"))
    handle = os.open(f"/proc/{pid}/exe", os.O_PATH)
    try:
        anyone.runtime("delete", "--force", "c1").ok()
        assert not may_write(anyone, handle)
    finally:
        os.close(handle)
    assert pathlib.Path(anyone.program("inro-runtime")).read_bytes() == before
