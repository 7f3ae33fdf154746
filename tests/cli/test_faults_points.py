# SPDX-License-Identifier: Apache-2.0
"""The runtime is killed at its N-th system call, or that call fails (tests/faults/killat.c).

A sample of all N by default; with INRO_TEST_LONG=1 every one.
"""

import errno
import json
import os
import pathlib
import random
import subprocess
import time

import pytest

import harness

LONG = os.environ.get("INRO_TEST_LONG") == "1"
SAMPLE = 16
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def without_sanitizer():
    if "ASAN_OPTIONS" in os.environ:
        harness.machine_cannot("the sanitizer's own calls would fail")


class Points:
    """Runs one command again and again, with a fault at each of the points in turn."""

    def __init__(self, who, *options):
        self.who, self.options = who, list(options)
        self.report, self.errors = who.dir / "report", who.dir / "errors"
        self.before = harness.Leftovers.look()
        self.files = self.tree()

    def tree(self):
        """The bundle, which no fault may change."""
        found = set()
        for top, dirs, files in os.walk(self.who.dir):
            if "state" in dirs and top == str(self.who.dir):
                dirs.remove("state")
            found.update(os.path.join(top, name) for name in dirs + files 
                         if name not in ("report", "errors"))
        return found

    def run(self, n, *args, **kw):
        return self.who.run(self.who.program("tests/faults/killat"), *self.options, "-o",
                            self.report, n, "--", *self.who.runtime_argv(*args), **kw)

    def last(self):
        hit, calls = self.report.read_text().splitlines()
        return hit != "no hit", int(calls.split()[1])

    def points(self, count):
        if LONG:
            return range(1, count + 1)
        return sorted(random.Random(count).sample(range(1, count + 1), min(SAMPLE, count)))

    def left(self, seconds):
        """What is there that was not there before, once it has had the time to go."""
        end = time.monotonic() + seconds
        while True:
            found = set(map(str, self.who.runtime_root.glob("c*"))) | (self.tree() ^ self.files)
            found |= harness.Leftovers.look() - self.before
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.01)

    def nothing_left(self, n):
        assert not self.left(5), (n, self.report.read_text())


def bundle(who, *args):
    """With something of everything that takes a step of its own."""
    b = who.bundle(*(args or ["sleep", "60"]))
    (b.rootfs / "data").mkdir()
    (b.rootfs / "tmp/copied").mkdir()
    who.own(b.rootfs / "tmp/copied")
    b.mount("/data", "bind", b.path, "bind", "ro")
    b.mount("/tmp/copied", "tmpfs", "tmpfs", "tmpcopyup")
    if not who.rootless:
        b.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro")
        b.linux["resources"] = {"pids": {"limit": 50}}
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}
    b.process["cwd"] = "/root"
    return b.save()


def clean(who, cid="c1"):
    who.runtime("delete", "--force", cid).ok()


KILLED = {
    "create": ([], ["create", "--bundle", "{b}", "c1"]),
    "run": ([], ["run", "--detach", "--bundle", "{b}", "c1"]),
    "start": ([["create", "--bundle", "{b}", "c1"]], ["start", "c1"]),
    "exec": ([["run", "--detach", "--bundle", "{b}", "c1"]],
             ["exec", "--detach", "--cwd", "/tmp", "c1", "sleep", "60"]),
    "exec in the foreground": ([["run", "--detach", "--bundle", "{b}", "c1"]],
                               ["exec", "--user", "nobody", "c1", "true"]),
    "kill": ([["run", "--detach", "--bundle", "{b}", "c1"]], ["kill", "--all", "c1", "KILL"]),
    "delete": ([["run", "--detach", "--bundle", "{b}", "c1"]], ["delete", "--force", "c1"]),
    "delete of a stopped one": ([["run", "--detach", "--bundle", "{b}", "c1"],
                                 ["kill", "c1", "KILL"]], ["delete", "--force", "c1"]),
}


@pytest.mark.parametrize("child", [False, True])
@pytest.mark.parametrize("verb", KILLED)
def test_killed_at_any_system_call(anyone, verb, child):
    """Then delete --force cleans up, and nothing else was touched. child: the container's first
    process is killed instead, and the runtime itself cleans up or finds it ended."""
    if child and verb not in ("create", "run", "exec"):
        return
    if "nobody" in KILLED[verb][1] and anyone.rootless:
        return  # the user is not mapped
    first, command = KILLED[verb]
    b = bundle(anyone)
    steps = [[w.format(b=b.path) for w in step] for step in [*first, command]]
    p = Points(anyone, *(["-1"] if child else []))

    def once(n):
        for step in steps[:-1]:
            anyone.runtime(*step, **QUIET).ok()
        p.run(n, *steps[-1], **QUIET)
        hit, count = p.last()
        clean(anyone)
        p.nothing_left(n)
        return hit, count

    once(0)  # fills the cache of filters
    hit, count = once(0)
    assert not hit and count > 15
    hits = [once(n)[0] for n in p.points(count)]
    assert hits.count(True) > len(hits) * 0.7


def test_killed_between_making_the_init_and_saying_so(anyone):
    """The process in between, which some namespaces take: the init that it has made waits on the
    same socket, so nobody would see its end there."""
    without_sanitizer()
    b = bundle(anyone)
    b.linux["namespaces"].append({"type": "time"})
    b.linux["timeOffsets"] = {"monotonic": {"secs": 10, "nanosecs": 0}}
    b.save()
    p = Points(anyone, "-1")

    def once(n):
        with p.errors.open("w") as errors:  # the container keeps it
            code = p.run(n, "create", "--bundle", b.path, "c1", stdout=subprocess.DEVNULL, stderr=errors).code
        clean(anyone)
        p.nothing_left(n)
        return code, p.errors.read_text(), p.last()

    count = once(0)[2][1]
    said = [once(n) for n in range(count - 4, count + 1)]
    assert all(code == 0 or "killed before it could report" in err for code, err, _ in said), said
    assert any(code for code, *_ in said), said



ERRORS = {"EIO": "Input/output error", "ENOSPC": "No space left", "ENOMEM": "Cannot allocate",
          "EMFILE": "Too many open files", "EPERM": "not permitted", "EACCES": "Permission denied",
          "EROFS": "Read-only file system"}


@pytest.mark.parametrize("error", ERRORS if LONG else ["EIO", "ENOMEM", "EPERM"])
@pytest.mark.parametrize("child", [False, True])
def test_a_system_call_fails(anyone, error, child):
    """The container runs all the same or nothing is left of it; what is said names the step."""
    without_sanitizer()
    b = bundle(anyone, "sh", "-c", "exit 7")
    p = Points(anyone, *(["-1"] if child else []), "-e", getattr(errno, error))
    argv = ["run", "--bundle", b.path, "c1"]
    assert p.run(0, *argv).code == p.run(0, *argv).code == 7
    failed = 0
    print()
    for n in p.points(p.last()[1]):
        r = p.run(n, *argv, timeout=30)
        hit, _ = p.last()
        assert not hit or r.code in (7, 1), (n, p.report.read_text(), r)
        if r.code == 1:
            failed += 1
            print(p.report.read_text().split()[1], r.err.strip())
            assert len(r.err) > 20 and "inro-runtime: " in r.err, (n, p.report.read_text(), r)
        if r.code == 7 and p.left(0.2):
            # The clean-up itself could not do a thing: that is said, and it can be done again.
            assert "warning: deleting container c1: " in r.err, (n, p.report.read_text(), r)
            clean(anyone)
        p.nothing_left(n)
    assert failed > 0


@pytest.mark.parametrize("error", ["EIO", "ENOMEM"])
@pytest.mark.parametrize("verb", ["start", "exec", "exec in the foreground", "delete",
                                  "delete of a stopped one"])
def test_a_system_call_of_a_later_verb_fails(root, verb, error):
    without_sanitizer()
    first, command = KILLED[verb]
    b = bundle(root)
    steps = [[w.format(b=b.path) for w in step] for step in [*first, command]]
    p = Points(root, "-e", getattr(errno, error))

    def once(n):
        for step in steps[:-1]:
            root.runtime(*step, **QUIET).ok()
        with open(p.errors, "wb") as f:  # no pipe, which the container would hold open
            r = p.run(n, *steps[-1], stdout=subprocess.DEVNULL, stderr=f)
        r.err = p.errors.read_text()
        clean(root)
        p.nothing_left(n)
        return r

    once(0).ok()
    for n in p.points(p.last()[1]):
        r = once(n)
        assert r.code == 0 or "inro-runtime: " in r.err, (n, r)


def test_a_program_that_is_killed_in_time_proves_something(root):
    """The harness itself: a point that is hit leaves what the checks above look for."""
    b = bundle(root)
    p = Points(root)
    p.run(0, "create", "--bundle", b.path, "c1", **QUIET).ok()
    count = p.last()[1] * 2 // 3  # the next one finds the filter in the cache
    clean(root)
    left = 0
    for n in range(1, count, 7):
        assert p.run(n, "create", "--bundle", b.path, "c1", **QUIET).code == 137
        left += bool(list(root.runtime_root.glob("c*")))
        clean(root)
    assert left > 3
    assert pathlib.Path(root.runtime_root).is_dir()


def test_delete_by_force_does_not_wait_for_a_command_that_hangs(root):
    """A creation that waits for a hook holds the lock; its container is killed, and with it that."""
    b = bundle(root)
    fifo = root.dir / "fifo"
    os.mkfifo(fifo)
    b.config["hooks"] = {"createContainer": [{"path": "/bin/cat", "args": ["cat", str(fifo)]}]}
    b.save()
    p = Points(root)
    create = root.popen(*root.runtime_argv("create", "--bundle", b.path, "c1"), **QUIET)
    harness.wait_for(lambda: '"pid"' in "".join(
        f.read_text() for f in root.runtime_root.glob("c1/state.json")))
    start = time.monotonic()
    root.runtime("delete", "--force", "c1").ok()
    assert time.monotonic() - start < 8
    assert create.wait(10) != 0
    assert not list(root.runtime_root.glob("c*"))
    p.nothing_left(0)  # the hook, which ran in the container's namespaces, has ended with it


def test_delete_by_force_says_that_a_hook_of_the_host_holds_it_up(root):
    b = bundle(root)
    wait = f"while ! [ -e {b.path}/go ]; do sleep 0.05; done"
    b.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", wait]}]}
    b.save()
    create = root.popen(*root.runtime_argv("create", "--bundle", b.path, "c1"), **QUIET)
    harness.wait_for(lambda: '"pid"' in "".join(
        f.read_text() for f in root.runtime_root.glob("c1/state.json")))
    r = root.runtime("delete", "--force", "c1")
    (b.path / "go").touch()
    r.fails("container c1 is busy", "hook", code=1)
    assert create.wait(30) != 0
    clean(root)


def test_a_planned_cgroup_of_another_container_is_left_alone(root):
    """A create that was killed early only planned it; who has it by then keeps it."""
    b = bundle(root)
    b.linux["cgroupsPath"] = "/inro/shared"
    b.save()
    root.runtime("run", "--detach", "--bundle", b.path, "c1", **QUIET).ok()
    early = root.runtime_root / "c2"
    early.mkdir(mode=0o700)
    (early / "state.json").write_text(json.dumps(
        {"ociVersion": "1.2.0", "id": "c2", "cgroupsPath": "/inro/shared", "cgroupsPlanned": True}))
    r = root.runtime("delete", "--force", "c2").ok()
    assert "leaving the cgroup of container c2 alone" in r.err
    assert not early.exists()
    assert '"running"' in root.runtime("state", "c1").ok().out


@pytest.mark.parametrize("text", [
    '{"ociVersion":"1.2.0","id":"c2","pid":1,"pidStartTime":0}',
    '{"ociVersion":"1.2.0","id":"c2","pid":-1}',
    '{"ociVersion":"1.2.0","id":"c2","cgroupPaths":["/sys/fs/cgroup/pids/../../../../{victim}"]}',
    '{"ociVersion":"1.2.0","id":"c2","cgroupPaths":["{victim}"]}', "{", "", "null", "[]"])
def test_a_state_that_nobody_wrote(root, text):
    """delete --force removes it, and what it names is no cgroup of a container."""
    victim = root.dir / "victim"
    (victim / "child").mkdir(parents=True)
    early = root.runtime_root / "c2"
    early.mkdir(mode=0o700, parents=True)
    (early / "state.json").write_text(text.replace("{victim}", str(victim)[1:] if "/{" not in text
                                                   else str(victim)))
    root.runtime("delete", "--force", "c2").ok()
    assert not early.exists() and (victim / "child").is_dir()
