# SPDX-License-Identifier: Apache-2.0
"""Who makes the runtime wait: the container's filesystem, programs that do not accept or read, frozen
cgroups. A signal ends it, what is left is said and can be deleted."""

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import cgroups
import engine
import fuse
import harness
import test_cve_exec

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def start(who, bundle, cid="c1"):
    bundle.save()
    who.runtime("run", "--detach", "--bundle", bundle.path, cid, **QUIET).ok()
    return state(who, cid)["pid"]


def state(who, cid="c1"):
    return json.loads(who.runtime("state", cid).ok().out)


class Waiting:
    """A command of the runtime that waits. Its output goes to a file, as what it leaves for a time
    has it open, too."""

    def __init__(self, who, *args, env=None):
        self.path = who.dir / f"said.{args[0]}"
        with open(self.path, "wb") as out:
            self.process = who.popen(*who.runtime_argv(*args), stdout=out, stderr=out,
                                     env=env or {})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def said(self):
        return self.path.read_text()

    def still_waits(self, seconds=0.5):
        time.sleep(seconds * harness.PATIENCE)
        assert self.process.poll() is None, self.said()

    def interrupt(self, code, seconds=8):
        """Ends it in time, and it says why."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(seconds * harness.PATIENCE) == code, self.said()
        assert "interrupted by signal 15 (TERM)" in self.said()


# --- filesystems of the container's own ---


def with_a_directory(who, *args):
    b = who.bundle(*(args or ["sleep", "1000"]))
    (b.rootfs / "mnt").mkdir()
    return b


@pytest.mark.parametrize("options", [[], ["--detach"]])
@pytest.mark.parametrize("never", [fuse.LOOKUP, fuse.OPEN])
def test_exec_of_a_program_that_is_never_opened(root, options, never):
    """OPEN: behind the last message of who executes it. Even SIGKILL waits for the filesystem."""
    pid = start(root, with_a_directory(root))
    with fuse.Hanging(pid, "/mnt", never) as fs, Waiting(
            root, "exec", "--pid-file", root.dir / "pid", *options, "c1", "/mnt/program") as p:
        assert fs.asked.wait(10 * harness.PATIENCE)
        p.still_waits()
        p.interrupt(255)
        assert "was killed, but something in the kernel holds it" in p.said()
        assert not (root.dir / "pid").exists()
    assert state(root)["status"] == "running"


def test_signals_of_an_exec_that_runs_are_for_its_program(root):
    """At whatever moment it comes: the program, or the command, ends by it."""
    start(root, with_a_directory(root))
    for delay in range(harness.rounds(20)):
        with root.popen(*root.runtime_argv("exec", "c1", "sleep", "100"), **QUIET) as p:
            time.sleep(delay / 1000)
            p.send_signal(signal.SIGTERM)
            assert p.wait(10) in (143, 255, -signal.SIGTERM)
    harness.wait_for(lambda: len(root.runtime("ps", "c1").ok().out.splitlines()) == 2,
                     what="the end of the rest")


def test_checkpoint_of_what_is_mounted_on_such_a_filesystem(root):
    """It is looked for without the lock: others get it."""
    criu = root.dir / "bin/criu"
    criu.parent.mkdir()
    criu.write_text("#!/bin/sh\nexit 1\n")
    criu.chmod(0o755)
    data = root.dir / "data"
    data.mkdir()
    b = with_a_directory(root).mount("/mnt/data", "bind", data, "bind")
    pid = start(root, b)
    with fuse.Hanging(pid, "/mnt", fuse.LOOKUP) as fs, Waiting(
            root, "checkpoint", "--image-path", root.dir / "img", "c1",
            env={"PATH": f"{criu.parent}:{os.environ['PATH']}"}) as p:
        assert fs.asked.wait(10 * harness.PATIENCE)
        p.still_waits()
        root.runtime("delete", "c1", timeout=10).fails("not stopped")
        p.interrupt(1)
    assert state(root)["status"] == "running"


# --- files of such filesystems, which close(2) asks about ---


SYNC_ERROR, SYNC_INIT_PID, SYNC_LISTENER = 0, 3, 7  # runtime/sync.h


@contextlib.contextmanager
def sender(container, pid, how, *messages):
    """tests/cli/fusefile.py, in front of a filesystem that does not answer close(2). It ends with
    that."""
    fs = fuse.Hanging(container, "/mnt", fuse.FLUSH)
    program = pathlib.Path(__file__).with_name("fusefile.py")
    with subprocess.Popen([program, str(container), str(pid), how, *messages],
                          stdout=subprocess.PIPE) as client:
        try:
            with fs:
                yield fs, client.stdout
        finally:
            client.kill()


@pytest.mark.parametrize("kind", [SYNC_ERROR, SYNC_INIT_PID, SYNC_LISTENER])
def test_process_that_enters_and_sends_a_file_of_the_container(root, kind):
    """It stands still where its program would begin. What it has open is in the hands of whoever
    may trace it there."""
    for pid, client in test_cve_exec.held_at_execve(root, lambda b: (b.rootfs / "mnt").mkdir()):
        with sender(state(root)["pid"], pid, "send", f"{kind}:{pid}") as (fs, said):
            assert said.readline() == b"sent\n"
            assert client.wait(10 * harness.PATIENCE) == 255
            assert not fs.asked.is_set()


@pytest.mark.parametrize("number", [-1, 0])
def test_created_container_that_sends_a_file_instead_of_its_listener(root, number):
    """start asks a process that can be traced since it was created. Where it is to follow (-1), a
    helper of the runtime's is what takes the file."""
    b = with_a_directory(root)
    with nobody_reads(root) as agent:
        b.linux["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(agent),
            "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_NOTIFY"}]}
        b.save()
        root.runtime("create", "--bundle", b.path, "c1", **QUIET).ok()
        pid = state(root)["pid"]
        os.kill(pid, signal.SIGSTOP)
        with sender(pid, pid, "accept", f"{SYNC_LISTENER}:{number}",
                    f"{SYNC_LISTENER}:0") as (fs, said), Waiting(root, "start", "c1") as p:
            assert said.readline() == b"sent\n"
            assert p.process.wait(10 * harness.PATIENCE) == 1
            assert "notify fd is none" in p.said()
            taken = number == -1
            assert ("something in the kernel holds it" in p.said()) == taken == fs.asked.is_set()
    root.runtime("delete", "--force", "c1").ok()


# --- sockets ---


@contextlib.contextmanager
def nobody_accepts(who):
    """A socket with as many connections as it takes."""
    path, waiting = who.dir / "full.sock", []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        who.own(path)
        server.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                waiting.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM
                                             | socket.SOCK_NONBLOCK))
                waiting[-1].connect(str(path))
        yield path
        for client in waiting:
            client.close()


@contextlib.contextmanager
def nobody_reads(who):
    path = who.dir / "deaf.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        who.own(path)
        server.listen()
        yield path


@pytest.mark.parametrize("option", ["--console-socket", "--pidfd-socket"])
def test_exec_with_a_socket_that_nobody_accepts_at(anyone, option):
    start(anyone, anyone.bundle("sleep", "1000"))
    with nobody_accepts(anyone) as path, Waiting(
            anyone, "exec", "--detach", *["--tty"] * ("console" in option), option, path, "c1",
            "true") as p:
        p.still_waits()
        p.interrupt(255)
        assert "connecting to console socket" in p.said()


@pytest.mark.parametrize("verb", ["create", "run"])
def test_creation_with_a_console_socket_that_nobody_accepts_at(anyone, verb):
    b = anyone.bundle("sleep", "1000")
    b.process["terminal"] = True
    b.save()
    with nobody_accepts(anyone) as path, Waiting(
            anyone, verb, "--console-socket", path, "--bundle", b.path, "c1") as p:
        p.still_waits()
        p.interrupt(1)
    anyone.runtime("state", "c1").fails("does not exist")


@pytest.mark.parametrize("agent", [nobody_accepts, nobody_reads])
def test_agent_of_seccomp_that_does_nothing(anyone, agent):
    """The state that is sent to it is longer than a socket holds."""
    b = anyone.bundle("sleep", "1000")
    b.config["annotations"] = {"long": "x" * 1000000}
    with agent(anyone) as path:
        b.linux["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(path),
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}
        b.save()
        with Waiting(anyone, "run", "--bundle", b.path, "c1") as p:
            p.still_waits()
            p.interrupt(1)
            assert "linux.seccomp.listenerPath" in p.said() or "sending to" in p.said()
    anyone.runtime("state", "c1").fails("does not exist")


def test_start_while_another_command_has_the_container(anyone):
    b = anyone.bundle("sleep", "1000").save()
    anyone.runtime("create", "--bundle", b.path, "c1", **QUIET).ok()
    lock = os.open(anyone.runtime_root / "c1", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with Waiting(anyone, "start", "c1") as p:
        p.still_waits()
        p.interrupt(1)
    os.close(lock)
    assert state(anyone)["status"] == "created"
    anyone.runtime("start", "c1").ok()


# --- frozen cgroups ---


class Parent:
    """A cgroup above containers' own, with the switch of one freezer: v1's or that of cgroup2."""

    def __init__(self, v1):
        mounts = cgroups.mounts()
        if harness.RUNTIME_OPTIONS:
            harness.machine_cannot("systemd makes the cgroups")
        self.path = f"/hang{os.getpid()}"
        self.all = {pathlib.Path(where + self.path) for where in mounts.values()}
        where = mounts.get("freezer" if v1 else "")
        if not where:
            harness.machine_cannot("no freezer of this version")
        self.own = pathlib.Path(where + self.path)
        self.file, self.words = (("freezer.state", ("THAWED", "FROZEN")) if v1
                                 else ("cgroup.freeze", ("0", "1")))

    def __enter__(self):
        self.own.mkdir()
        return self

    def __exit__(self, *_):
        self.freeze(False)
        for directory in self.all:
            if directory.exists():
                harness.wait_for(lambda d=directory: self.removed(d), what=str(directory))

    @staticmethod
    def removed(directory):
        try:
            directory.rmdir()
        except OSError as e:
            assert e.errno in (errno.EBUSY, errno.ENOTEMPTY), directory
            for child in directory.iterdir():
                if child.is_dir():
                    with contextlib.suppress(OSError):
                        child.rmdir()
            return False
        return True

    def freeze(self, on=True):
        (self.own / self.file).write_text(self.words[on])

    def bundle(self, who, *args):
        b = who.bundle(*(args or ["sleep", "1000"]))
        b.linux["cgroupsPath"] = self.path + "/c1"
        return b.save()


def processes():
    return {p for p in harness.Leftovers.look() if p.startswith("process ")}


def joins_a_pid_namespace(b):
    b.linux["namespaces"][0]["path"] = "/proc/self/ns/pid"
    return b.save()


def has_another_time(b):
    b.linux["namespaces"].append({"type": "time"})
    b.linux["timeOffsets"] = {"boottime": {"secs": 5, "nanosecs": 0}}
    return b.save()


@pytest.mark.parametrize("prepare", [joins_a_pid_namespace, has_another_time])
@pytest.mark.parametrize("how", ["signal", "kill", "delete"])
def test_creation_below_a_frozen_cgroup(root, how, prepare):
    """Of v2, where the first process is born frozen: it is ended all the same."""
    before = processes()
    with Parent(v1=False) as parent:
        parent.freeze()
        b = prepare(parent.bundle(root))
        with Waiting(root, "create", "--bundle", b.path, "c1") as p:
            p.still_waits()
            if how == "signal":
                p.interrupt(1)
            elif how == "kill":
                p.process.kill()
                p.process.wait()
            if how != "signal":
                began = time.monotonic()
                root.runtime("delete", "--force", "c1").ok()
                assert time.monotonic() - began < 5 * harness.PATIENCE
                p.process.wait(10 * harness.PATIENCE)
        root.runtime("state", "c1").fails("does not exist")
        harness.wait_for(lambda: not processes() - before, what="the end of its processes")


def has_a_pid_namespace(b):
    return b


@pytest.mark.parametrize("prepare", [has_a_pid_namespace, joins_a_pid_namespace, has_another_time])
def test_creation_killed_below_a_frozen_cgroup_before_its_process_is_on_record(root, prepare):
    """Nobody would find one that does not begin, which so does not see that it is alone."""
    before = processes()
    with Parent(v1=False) as parent:
        parent.freeze()
        b = prepare(parent.bundle(root))
        report = root.dir / "report"
        r = root.run(root.program("tests/faults/killat"), "-p", "state.json", "-o", report, 2, "--",
                     *root.runtime_argv("create", "--bundle", b.path, "c1"), **QUIET)
        assert r.code == 137 and report.read_text().startswith("hit")
        began = time.monotonic()
        root.runtime("delete", "--force", "c1").ok()
        assert time.monotonic() - began < 5 * harness.PATIENCE
        root.runtime("state", "c1").fails("does not exist")
        harness.wait_for(lambda: not processes() - before, what="the end of its processes")


def test_creation_in_a_cgroup_that_v1_freezes(root):
    """What is frozen by somebody else does not die: it stays on record until it does."""
    with Parent(v1=True) as parent:
        parent.freeze()
        b = parent.bundle(root, "touch", "/ran")
        with Waiting(root, "run", "--bundle", b.path, "c1") as p:
            p.still_waits()
            p.interrupt(1, seconds=5)
            assert "was killed, but it is frozen" in p.said()
            assert "container c1 stays" in p.said()
        began = time.monotonic()
        root.runtime("delete", "--force", "c1").fails("frozen by a cgroup above its own", "hint:")
        assert time.monotonic() - began < 5
        parent.freeze(False)
        harness.wait_for(lambda: state(root)["status"] == "stopped", what="the end")
        root.runtime("delete", "c1").ok()
        assert not (b.rootfs / "ran").exists()


def test_exec_into_a_cgroup_that_v1_freezes(root):
    with Parent(v1=True) as parent:
        b = parent.bundle(root)
        start(root, b)
        before = processes()
        parent.freeze()
        with Waiting(root, "exec", "c1", "touch", "/ran") as p:
            p.still_waits()
            p.interrupt(255, seconds=5)
            assert "was killed, but it is frozen" in p.said()
        parent.freeze(False)
        harness.wait_for(lambda: not processes() - before, what="the end of what it left")
        assert not (b.rootfs / "ran").exists()
        root.runtime("delete", "--force", "c1").ok()


def test_interrupted_start_leaves_the_record_as_it_was(root):
    with Parent(v1=False) as parent:
        root.inro("run", "-d", "--name", "web", "--restart", "on-failure:1", "--cgroup-parent",
                  parent.path, engine.box(root), "false").ok()
        look = ["inspect", "-f", "{{.RestartCount}} {{.State.Status}} {{.State.StartedAt}}", "web"]
        harness.wait_for(lambda: root.inro(*look).out.startswith("1 exited"), what="the second end")
        before = root.inro(*look).out
        parent.freeze()
        client = root.popen(*root.inro_argv("start", "web"), **QUIET)
        harness.wait_for(lambda: root.inro(*look).out.startswith("0 running"), what="the start")
        client.send_signal(signal.SIGTERM)
        assert client.wait(10 * harness.PATIENCE) != 0
        assert root.inro(*look).out == before
        parent.freeze(False)
        root.inro("rm", "web").ok()


# --- the order of what is kept ---


def test_nothing_runs_before_all_is_on_record(root):
    """The disk is full when the configuration is to be kept, which takes its time to say so."""
    b = root.bundle("touch", "/ran").save()
    r = root.run(root.program("tests/faults/killat"), "-d", 1000, "-p", "config.json", "-e",
                 errno.ENOSPC, "-o", root.dir / "report", 2, "--",
                 *root.runtime_argv("run", "--bundle", b.path, "c1"))
    r.fails("writing config.json of the state", "No space left", code=1)
    assert not (b.rootfs / "ran").exists()
    root.runtime("state", "c1").fails("does not exist")
