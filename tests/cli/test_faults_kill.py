# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any moment, full disks, read-only directories: what the next command finds."""

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest

import engine
import harness

ROUNDS = harness.rounds(40)
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def moments(longest):
    """Random, but the same ones each time: from 0 to longest seconds."""
    rng = random.Random(4)
    return [rng.uniform(0, longest) for _ in range(ROUNDS)]


def duration(command):
    start = time.monotonic()
    command()
    return time.monotonic() - start


def processes():
    return {p.split(" ")[1] for p in harness.Leftovers.look() if p.startswith("process ")}


def ended(before):
    """What a killed program leaves does not wait for anything and ends."""
    end = time.monotonic() + 5
    while processes() - before:
        assert time.monotonic() < end, [
            (pid, pathlib.Path(f"/proc/{pid}/cmdline").read_bytes(),
             pathlib.Path(f"/proc/{pid}/wchan").read_text()) for pid in processes() - before]
        time.sleep(0.02)


@pytest.mark.parametrize("verb", ["create", "run"])
def test_killed_runtime(anyone, verb):
    b = anyone.bundle("sleep", "60").save()
    argv = anyone.runtime_argv("create", "--bundle", b.path, "c1")
    longest = duration(lambda: anyone.run(*argv, **QUIET).ok())
    anyone.runtime("delete", "--force", "c1").ok()
    argv[3] = verb
    before = processes()
    for delay in moments(longest * 1.2):
        p = anyone.popen(*argv, **QUIET)
        time.sleep(delay)
        p.kill()
        p.wait()
        anyone.runtime("delete", "--force", "c1").ok()
        assert list(anyone.runtime_root.glob("c*")) == []
        assert anyone.runtime("list", "-q").ok().out == ""
        ended(before)


def test_killed_delete(anyone):
    b = anyone.bundle("sleep", "60").save()
    for delay in moments(0.01)[:ROUNDS // 2]:
        anyone.runtime("run", "--detach", "--bundle", b.path, "c1", **QUIET).ok()
        p = anyone.popen(*anyone.runtime_argv("delete", "--force", "c1"), **QUIET)
        time.sleep(delay)
        p.kill()
        p.wait()
        anyone.runtime("delete", "--force", "c1").ok()
        assert list(anyone.runtime_root.glob("c*")) == []


def monitors(before):
    """pids of the monitors, and of containers that are not executed yet, made since."""
    found = []
    for pid in processes() - before:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if pathlib.Path(f"/proc/{pid}/comm").read_text() == "inro-monitor\n":
                found.append(int(pid))
    return sorted(found)


@pytest.mark.parametrize("victims", ["client", "monitor", "both"])
def test_killed_engine(anyone, victims):
    box = engine.box(anyone)
    argv = anyone.inro_argv("run", "--name", "web", box, "sleep", "60")
    longest = duration(lambda: anyone.inro("run", "--rm", box, "true").ok())
    before = processes()
    for delay in moments(longest * 1.2)[:ROUNDS // 4]:
        client = anyone.popen(*argv, **QUIET)
        time.sleep(delay)
        if victims in ("client", "both"):
            client.kill()
        if victims in ("monitor", "both"):
            for pid in monitors(before)[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if victims == "monitor":
            # It was there to be killed, or the container runs on.
            anyone.inro("ps", "-a").ok()
            client.send_signal(signal.SIGKILL)
        client.wait(20)
        anyone.inro("ps", "-a").ok()
        ids = engine.containers(anyone)
        if ids:
            anyone.inro("rm", "-f", *ids).ok()
        ended(before)
        assert engine.containers(anyone) == []
    # What was killed before it had a record is swept up by whoever comes next.
    anyone.inro("run", "--rm", "--name", "web", box, "true").ok()
    harness.wait_for(lambda: not os.listdir(anyone.state / "inro/containers"), 3,
                     "containers/ to be empty")
    path = anyone.run_dir / "inro/runtime"
    assert not [n for n in os.listdir(path) if n[0] != "."]


@contextlib.contextmanager
def small_disk(who, size="4m"):
    path = who.dir / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", path],
                   check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def fill(path):
    """To the last byte."""
    with open(path / "fill", "wb", buffering=0) as f, contextlib.suppress(OSError):
        while True:
            f.write(bytes(4096))


def test_killed_artifact(root):
    """The old one or the new one has the name, whole, and the other is nowhere."""
    path = root.dir / "file"
    path.write_bytes(b"0")
    root.inro("artifact", "add", "a:1", path).ok()

    def argv(text):
        path.write_bytes(text)
        return root.inro_argv("artifact", "add", "--replace", "a:1", path)

    longest = duration(lambda: root.run(*argv(b"1")).ok())
    before = processes()
    for number, delay in enumerate(moments(longest * 1.2)[:ROUNDS // 2]):
        p = root.popen(*argv(b"%d" % number), **QUIET)
        time.sleep(delay)
        p.kill()
        p.wait()
    ended(before)
    assert len(root.inro("artifact", "ls", "-q").ok().out.split()) == 1
    root.inro("artifact", "extract", "a:1", root.dir / "out").ok()
    root.inro("system", "check", "--repair").ok()
    root.inro("artifact", "rm", "a:1").ok()
    assert not os.listdir(root.state / "inro/blobs/sha256")


def test_full_disk_under_the_runtime(root):
    b = root.bundle("true").save()
    with small_disk(root) as disk:
        argv = [root.program("inro-runtime"), "--root", disk / "state"]
        root.run(*argv, "run", "--bundle", b.path, "c1").ok()
        fill(disk)
        r = root.run(*argv, "run", "--bundle", b.path, "c1")
        r.fails("creating container c1", "No space left on device", code=1)
        assert "state" in r.err, r  # which object
        assert [n for n in os.listdir(disk / "state") if n[0] != "."] == []
        (disk / "fill").unlink()
        root.run(*argv, "run", "--bundle", b.path, "c1").ok()


def test_full_disk_under_a_root_filesystem(root):
    """Mount points can't be made."""
    with small_disk(root, "4m,nr_inodes=5") as disk:
        b = root.bundle("true")
        small = disk / "rootfs"
        small.mkdir()
        (small / "bin").mkdir()
        subprocess.run(["cp", harness.BUSYBOX, small / "bin/true"], check=True)
        b.config["root"]["path"] = str(small)
        b.save()
        r = root.runtime("run", "--bundle", b.path, "c1")
        r.fails("mounting /dev in container", "No space left on device", code=1)


def test_full_disk_at_the_end_of_a_container(root):
    """What can't be recorded is told all the same, and rm makes room."""
    with small_disk(root, "8m") as disk:
        def inro(*args):
            return root.run(root.program("inro"), "--root", disk / "s", "--runroot",
                            root.dir / "r", *args)
        inro("import", engine.rootfs_tar(root), "box").ok()
        inro("run", "-d", "--name", "web", "--pidfile", root.dir / "pid", "box", "sh", "-c",
             "trap 'exit 3' TERM; head -c 300000 /dev/zero >/big; echo said; "
             "while :; do sleep 0.1; done").ok()
        harness.wait_for(lambda: inro("logs", "web").out, what="its output")
        fill(disk)
        os.kill(int((root.dir / "pid").read_text()), signal.SIGTERM)
        harness.wait_for(lambda: "Exited (3)" in inro("ps", "-a").ok().out, what="the truth")
        assert "No space left on device" in inro("ps", "-a").err
        assert inro("logs", "web").ok().out == "said\n"
        assert "A /big" in inro("diff", "web").ok().out.split("\n")
        inro("rm", "web").ok()
        assert inro("ps", "-aq").ok().out == ""


def test_read_only_state_directory(root):
    b = root.bundle("true").save()
    with small_disk(root) as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        r = root.run(root.program("inro-runtime"), "--root", disk / "state", "run", "--bundle",
                     b.path, "c1")
        r.fails("creating container c1", f"{disk}/state", "Read-only file system", code=1)
        r = root.run(root.program("inro"), "--root", disk / "state", "run", "--rm", "host", "true")
        r.fails(f"{disk}/state", "Read-only file system", code=125)


def test_read_only_root_filesystem_without_mount_points(root):
    b = root.bundle("true")
    os.rmdir(b.rootfs / "sys")
    with small_disk(root, "8m") as disk:
        subprocess.run(["cp", "-a", b.rootfs, disk / "r"], check=True)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        b.config["root"]["path"] = str(disk / "r")
        b.run().fails("mounting /sys in container", "Read-only file system", code=1)


def test_state_directory_of_somebody_else(user):
    """Refused before anything is made."""
    b = user.bundle("true").save()
    r = user.run(user.program("inro-runtime"), "--root", "/proc/1/root/x", "run", "--bundle",
                 b.path, "c1")
    r.fails("creating container c1", "/proc/1/root/x", code=1)
