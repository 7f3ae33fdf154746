# SPDX-License-Identifier: Apache-2.0
"""events: statistics once or again and again, out-of-memory kills, until the container ends."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

import cgroups
import harness

MIB = 1 << 20


def start(who, *args, resources=None, cid="c1", without=()):
    b = who.bundle(*args, name="bundle-" + cid)
    if resources:
        b.linux["resources"] = resources
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] not in without]
    b.save()
    b.run("--detach", cid=cid, stdout=None, stderr=None).ok()
    return b


def follow(who, *options):
    return who.popen(*who.runtime_argv("events", *options, "c1"), stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE, text=True)


def stats(who):
    lines = who.runtime("events", "--stats", "c1").ok().out.splitlines()
    assert len(lines) == 1
    event = json.loads(lines[0])
    assert event["type"] == "stats" and event["id"] == "c1"
    return event["data"]


def test_stats(root):
    start(root, "sh", "-c", "head -c 20000000 /dev/zero >/dev/shm/x; sleep 60 & sleep 60 & wait",
          resources={"memory": {"limit": 64 * MIB}, "pids": {"limit": 30},
                     "cpu": {"quota": 50000, "period": 100000, "cpus": "0"}})
    harness.wait_for(lambda: stats(root)["pids"]["current"] == 3, what="three processes")
    data = stats(root)
    assert set(data) == {"cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt",
                         "network_interfaces"}
    assert data["pids"] == {"current": 3, "limit": 30}
    assert data["memory"]["usage"]["limit"] == 64 * MIB
    assert 20000000 < data["memory"]["usage"]["usage"] < 40 * MIB
    assert data["memory"]["usage"]["failcnt"] == 0
    assert data["memory"]["cache"] >= 20000000
    assert {"usage", "swap", "kernel", "kernelTCP", "raw"} <= set(data["memory"])
    assert data["cpu"]["usage"]["total"] > 1000000
    assert {"kernel", "user"} <= set(data["cpu"]["usage"])
    assert data["cpu"]["throttling"]["periods"] >= 1
    if not cgroups.is_v2("cpuset"):
        assert data["cpuset"]["cpus"] == [0] and data["cpuset"]["sched_load_balance"] == 1
        assert sum(data["cpu"]["usage"]["percpu"]) <= data["cpu"]["usage"]["total"] * 1.1


def test_cpu_time_grows_with_work(root):
    start(root, "sh", "-c", "while :; do :; done")
    first = stats(root)["cpu"]["usage"]["total"]
    harness.wait_for(lambda: stats(root)["cpu"]["usage"]["total"] > first + 50000000,
                     what="50 ms of work")
    root.runtime("pause", "c1").ok()
    first = stats(root)["cpu"]["usage"]["total"]
    time.sleep(0.2)
    assert stats(root)["cpu"]["usage"]["total"] == first


def test_follow_until_the_end(root):
    start(root, "sleep", "60")
    p = follow(root, "--interval", "50ms")
    before = time.monotonic()
    events = [json.loads(p.stdout.readline()) for _ in range(4)]
    assert 0.15 < time.monotonic() - before < 5
    assert [(e["type"], e["id"]) for e in events] == [("stats", "c1")] * 4
    assert p.poll() is None
    root.runtime("kill", "c1", "KILL").ok()
    out, err = p.communicate(timeout=5)
    assert p.returncode == 0 and err == ""
    assert all(json.loads(line)["type"] == "stats" for line in out.splitlines())


def test_end_is_seen_at_once(root):
    """Not only when the next statistics are due."""
    start(root, "sleep", "60")
    p = follow(root, "--interval", "1h")
    time.sleep(0.2)
    assert p.poll() is None
    root.runtime("delete", "--force", "c1").ok()
    assert p.communicate(timeout=5) == ("", "") and p.returncode == 0


def test_interrupted(root):
    start(root, "sleep", "60")
    p = follow(root, "--interval", "20ms")
    p.stdout.readline()
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=5)
    assert p.returncode == -signal.SIGINT
    assert json.loads(root.runtime("state", "c1").ok().out)["status"] == "running"


def test_reader_goes_away(root):
    start(root, "sleep", "60")
    p = follow(root, "--interval", "10ms")
    p.stdout.readline()
    p.stdout.close()
    assert p.wait(5) != 0
    p.stderr.close()


def has_memory():
    return not cgroups.is_v2("memory") or \
        "memory" in open("/sys/fs/cgroup/cgroup.controllers").read()


def test_out_of_memory(root):
    if not has_memory():
        harness.machine_cannot("limit memory")
    b = start(root, "sh", "-c", "while ! [ -e /go ]; do sleep 0.02; done; tail /dev/zero; "
                                "echo $? >/status; sleep 60",
              resources={"memory": {"limit": 16 * MIB, "swap": 16 * MIB}})
    p = follow(root, "--interval", "1h")
    harness.wait_for(lambda: is_watching(p.pid), 10, "the watch")
    time.sleep(0.1)
    (b.rootfs / "go").touch()
    assert json.loads(p.stdout.readline()) == {"type": "oom", "id": "c1"}
    harness.wait_for(lambda: (b.rootfs / "status").exists(), what="the kill")
    assert p.poll() is None
    root.runtime("kill", "c1", "KILL").ok()
    p.communicate(timeout=5)
    assert p.returncode == 0


def is_watching(pid):
    """v1: an eventfd, v2: inotify."""
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(fd) in ("anon_inode:[eventfd]", "anon_inode:inotify"):
                return True
        except FileNotFoundError:  # closed meanwhile
            pass
    return False


def ended_by_lack_of_memory(root):
    b = start(root, "sh", "-c", "while ! [ -e /go ]; do sleep 0.02; done; exec tail /dev/zero",
              resources={"memory": {"limit": 16 * MIB, "swap": 16 * MIB}})
    p = follow(root, "--interval", "1h")
    harness.wait_for(lambda: is_watching(p.pid), 10, "the watch")
    time.sleep(0.1)
    (b.rootfs / "go").touch()
    out, _ = p.communicate(timeout=10)
    assert p.returncode == 0
    return {"type": "oom", "id": "c1"} in [json.loads(line) for line in out.splitlines()]


def test_out_of_memory_ends_the_container(root):
    if not has_memory():
        harness.machine_cannot("limit memory")
    told = ended_by_lack_of_memory(root)
    # systemd removes the scope's cgroup, and the counter with it, at once: seldom before it is read
    for _ in range(2 if "--systemd-cgroup" in harness.RUNTIME_OPTIONS else 0):
        if not told:
            root.runtime("delete", "--force", "c1").ok()
            shutil.rmtree(root.dir / "bundle-c1")
            told = ended_by_lack_of_memory(root)
    assert told


def test_end_is_no_out_of_memory(root):
    """v1 signals the removal of the cgroup like a kill."""
    start(root, "sleep", "60")
    p = follow(root, "--interval", "1h")
    time.sleep(0.2)
    root.runtime("kill", "c1", "KILL").ok()
    root.runtime("delete", "--force", "c1").ok()
    assert p.communicate(timeout=5) == ("", "")


@pytest.mark.parametrize("word", ["0", "0s", "-1s", "5", "soon", "500us", "25h"])
def test_wrong_interval(root, word):
    start(root, "sleep", "60")
    root.runtime("events", f"--interval={word}", "c1").fails("--interval", code=1)


def test_not_there_and_stopped(anyone):
    for options in ((), ("--stats",)):
        anyone.runtime("events", *options, "none").fails('container "none" does not exist', code=1)
    start(anyone, "true")
    harness.wait_for(lambda: '"stopped"' in anyone.runtime("state", "c1").out, what="the end")
    for options in ((), ("--stats",)):
        anyone.runtime("events", *options, "c1").fails("container with id c1 is not running",
                                                       code=1)


def test_unprivileged(user):
    """Without a cgroup nothing is counted, and the error says so."""
    start(user, "sleep", "60")
    pid = json.loads(user.runtime("state", "c1").ok().out)["pid"]
    if "/c1" in open(f"/proc/{pid}/cgroup").read():
        assert stats(user)["cpu"]["usage"]["total"] > 0
    else:
        user.runtime("events", "--stats", "c1").fails("no cgroup of its own", code=1)
