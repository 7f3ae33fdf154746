# SPDX-License-Identifier: Apache-2.0
"""pause, resume, and what the other verbs do with a paused container; kill -a."""

import contextlib
import json
import os
import pathlib
import re
import time

import pytest

import harness

COUNTER = "i=0; while :; do i=$((i+1)); echo $i >/count; sleep 0.01; done"


def state(who, cid="c1"):
    return json.loads(who.runtime("state", cid).ok().out)


def status(who, cid="c1"):
    return state(who, cid)["status"]


def start(bundle, cid="c1"):
    bundle.save()
    bundle.run("--detach", cid=cid, stdout=None, stderr=None).ok()
    return bundle


def count(bundle):
    try:
        return int((bundle.rootfs / "count").read_text() or 0)
    except FileNotFoundError:
        return 0


def stands_still(bundle):
    before = count(bundle)
    time.sleep(0.2)
    return count(bundle) == before


def counting(who, *namespaces_off):
    b = who.bundle("sh", "-c", COUNTER)
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] not in namespaces_off]
    start(b)
    harness.wait_for(lambda: count(b) > 2, what="the container to count")
    return b


def cgroup_pids(cid="c1"):
    """All processes in the container's cgroup, of either driver, as the host sees them."""
    found = set()
    for top, dirs, files in os.walk("/sys/fs/cgroup"):
        dirs[:] = [d for d in dirs if not d.startswith("inro-test-")]  # another run of the tests
        if "cgroup.procs" in files and re.search(rf"[/-]{cid}(\.scope)?(/|$)", top):
            with contextlib.suppress(OSError):  # systemd removes it meanwhile
                found.update(pathlib.Path(top, "cgroup.procs").read_text().split())
    return found


def freezer_of(pid):
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "freezer":
            return pathlib.Path("/sys/fs/cgroup/freezer" + path)
    return pathlib.Path("/nonexistent")


def test_pause_and_resume(root):
    b = counting(root)
    root.runtime("pause", "c1").ok()
    assert status(root) == "paused"
    assert json.loads(root.runtime("list", "--format", "json").ok().out)[0]["status"] == "paused"
    assert " paused " in root.runtime("list").ok().out
    assert stands_still(b)
    root.runtime("pause", "c1").fails("container not running", code=1)
    root.runtime("start", "c1").fails("cannot start a container in the paused state", code=1)
    root.runtime("delete", "c1").fails("cannot delete container c1 that is not stopped: paused",
                                       code=1)
    root.runtime("resume", "c1").ok()
    assert status(root) == "running"
    assert not stands_still(b)
    root.runtime("resume", "c1").fails("container not paused", code=1)


def test_created_container(root):
    b = root.bundle("sh", "-c", "echo started >/done")
    b.save()
    root.runtime("create", "--bundle", b.path, "c1", stdout=None, stderr=None).ok()
    root.runtime("pause", "c1").ok()
    assert status(root) == "paused"
    root.runtime("start", "c1").fails("paused state", code=1)
    root.runtime("resume", "c1").ok()
    assert status(root) == "created"
    root.runtime("start", "c1").ok()
    harness.wait_for((b.rootfs / "done").exists, what="the container's file")


def test_not_there_and_stopped(anyone):
    for verb in ("pause", "resume"):
        anyone.runtime(verb, "none").fails('container "none" does not exist', code=1)
        anyone.runtime(verb).fails(code=1)
    start(anyone.bundle("true"))
    harness.wait_for(lambda: status(anyone) == "stopped", what="the end")
    anyone.runtime("pause", "c1").fails("container not running", code=1)
    anyone.runtime("resume", "c1").fails("container not paused", code=1)


def test_kill_9_of_a_paused_container(root):
    """A v1 freezer holds back even SIGKILL."""
    counting(root)
    pid = state(root)["pid"]
    root.runtime("pause", "c1").ok()
    root.runtime("kill", "c1", "TERM").ok()
    root.runtime("kill", "c1", "USR1").ok()
    assert status(root) == "paused" and not harness.is_dead(pid)
    root.runtime("kill", "c1", "KILL").ok()
    harness.wait_for(lambda: status(root) == "stopped", what="the end")
    root.runtime("delete", "c1").ok()


def test_signal_waits_for_resume(root):
    b = root.bundle("sh", "-c", "trap 'echo got >/signal' USR1; " + COUNTER)
    start(b)
    harness.wait_for(lambda: count(b) > 2, what="the container to count")
    root.runtime("pause", "c1").ok()
    root.runtime("kill", "c1", "USR1").ok()
    time.sleep(0.1)
    assert not (b.rootfs / "signal").exists()
    root.runtime("resume", "c1").ok()
    harness.wait_for((b.rootfs / "signal").exists, what="the signal")


def test_delete_force_of_a_paused_container(root):
    counting(root)
    pid = state(root)["pid"]
    root.runtime("pause", "c1").ok()
    root.runtime("delete", "--force", "c1").ok()
    assert harness.is_dead(pid)
    root.runtime("state", "c1").fails("does not exist", code=1)


@pytest.mark.parametrize("how", ["kill", "kill all", "delete"])
def test_paused_container_inside_of_one(root, how):
    """A freezer below the container's, as an engine inside of it has one."""
    b = root.bundle("sh", "-c", "sleep 60 & sleep 60 & echo 2 >/count; wait")
    start(b)
    harness.wait_for(lambda: count(b) == 2 and len(cgroup_pids()) == 3, what="three processes")
    init, pids = state(root)["pid"], cgroup_pids()
    freezer = freezer_of(init)
    if not (freezer / "freezer.state").exists():
        harness.machine_cannot("it has no v1 freezer")
    for name, pid in zip(("in", "in/side"), sorted(pids - {str(init)})):
        (freezer / name).mkdir()
        (freezer / name / "cgroup.procs").write_text(pid)
    (freezer / "in/side/freezer.state").write_text("FROZEN")
    (freezer / "in/freezer.state").write_text("FROZEN")
    if how == "delete":
        root.runtime("delete", "--force", "c1").ok()
        assert not freezer.exists()
    else:
        root.runtime("kill", *["--all"] * (how == "kill all"), "c1", "KILL").ok()
        harness.wait_for(lambda: status(root) == "stopped", what="the end")
    assert all(map(harness.is_dead, pids))


@pytest.mark.parametrize("paused", [False, True])
def test_shared_pid_namespace(root, paused):
    """Where the kernel does not end all with the first process, kill -9 and delete -f do."""
    b = root.bundle("sh", "-c", "for i in 1 2 3; do setsid sleep 60 & done; echo 1 >/count; wait")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "pid"]
    start(b)
    harness.wait_for(lambda: count(b) == 1 and len(cgroup_pids()) == 4, what="four processes")
    pids = cgroup_pids()
    if paused:
        root.runtime("pause", "c1").ok()
        root.runtime("delete", "--force", "c1").ok()
    else:
        root.runtime("kill", "c1", "9").ok()
    harness.wait_for(lambda: all(map(harness.is_dead, pids)), what="the end of all")
    assert status(root) == "stopped" if not paused else True


def test_kill_all(root):
    """kill -a reaches every process."""
    b = root.bundle("sh", "-c", "for i in 1 2 3; do sh /child & done; trap '' USR1; "
                                "while :; do sleep 1; done")
    (b.rootfs / "child").write_text("trap 'touch /got.$$' USR1\ntouch /up.$$\n"
                                    "while :; do sleep 0.01; done\n")
    start(b)
    harness.wait_for(lambda: len(list(b.rootfs.glob("up.*"))) == 3, what="three shells")
    root.runtime("kill", "--all", "c1", "USR1").ok()
    harness.wait_for(lambda: len(list(b.rootfs.glob("got.*"))) == 3, what="three signals")
    root.runtime("kill", "-a", "c1", "KILL").ok()
    harness.wait_for(lambda: status(root) == "stopped", what="the end")
    root.runtime("kill", "-a", "c1", "KILL").ok()
    root.runtime("kill", "c1", "KILL").fails("container not running", code=1)


def test_kill_all_of_a_fork_bomb(root):
    """Nothing gets away by forking while the signals are sent."""
    b = root.bundle("sh", "-c", "f() { touch /up; f & }; while :; do f; done")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "pid"]
    b.linux["resources"] = {"pids": {"limit": 40}}
    start(b)
    harness.wait_for((b.rootfs / "up").exists, what="the bomb")
    root.runtime("kill", "--all", "c1", "KILL").ok()
    harness.wait_for(lambda: all(map(harness.is_dead, cgroup_pids())), what="the end of all")
    root.runtime("delete", "c1").ok()


def signalled(who):
    """kill --all, again and again, each time held up at another file of the freezer, with a signal that
    does no harm."""
    start(who.bundle("sh", "-c", "while :; do sleep 0.05; done"))
    report = who.dir / "report"
    killat = [who.program("tests/faults/killat"), "-d", 300 * harness.PATIENCE, "-p", "freeze", "-o",
              report]
    for n in range(1, 40):
        with who.popen(*killat, n, "--", *who.runtime_argv("kill", "--all", "c1", "URG")) as kill:
            yield kill
            assert kill.wait(20 * harness.PATIENCE) == 0
        if report.read_text().startswith("no hit"):
            assert n > 3
            return
    pytest.fail("it opens too many files")


def test_pause_beside_kill_all(root):
    """A signal for all processes stops them for a moment: a pause in it is not lost, nor refused."""
    for _ in signalled(root):
        time.sleep(0.15 * harness.PATIENCE)
        root.runtime("pause", "c1").ok()
        harness.wait_for(lambda: status(root) == "paused")
        time.sleep(0.3 * harness.PATIENCE)
        assert status(root) == "paused"
        root.runtime("resume", "c1").ok()


def test_exec_beside_kill_all(root):
    """Which is no pause: it is waited for."""
    met = 0
    for kill in signalled(root):
        harness.wait_for(lambda k=kill: status(root) == "paused" or k.poll() is not None, 20)
        met += kill.poll() is None
        root.runtime("exec", "c1", "true").ok()
    assert met or harness.PATIENCE > 1  # where all takes its time, the moment may be missed


def test_unprivileged_without_a_freezer(user):
    """Where the user may not write any freezer the error says what would help."""
    start(user.bundle("sleep", "60"))
    if cgroup_pids():
        user.runtime("pause", "c1").ok()
        assert status(user) == "paused"
        user.runtime("resume", "c1").ok()
        assert status(user) == "running"
    else:
        user.runtime("pause", "c1").fails("pausing container c1", "freezer", "hint:", code=1)
        assert status(user) == "running"


@pytest.mark.parametrize("kind, code", [("poststart", "0"), ("createRuntime", "1")])
def test_a_hook_may_pause_its_own_container(root, kind, code):
    """Once it runs, under the lock of the command that waits for the hook; and then the hook fails."""
    b = root.bundle("sleep", "100")
    pause = " ".join(map(str, root.runtime_argv("pause", "c1")))
    b.config["hooks"] = {kind: [{"path": "/bin/sh", "args": [
        "sh", "-c", f"cat >/dev/null; {pause}; echo $? >{root.dir}/code; exit 1"]}]}
    b.save()
    began = time.monotonic()
    root.runtime("run", "--detach", "--bundle", b.path, "c1", stdout=None, timeout=30).fails(
        "poststart" if kind == "poststart" else "createRuntime", code=1)
    assert time.monotonic() - began < 8
    assert (root.dir / "code").read_text() == code + "\n"
    root.runtime("state", "c1").fails("does not exist")
