# SPDX-License-Identifier: Apache-2.0
"""update: new limits for a container that runs."""

import json
import os

import pytest

import cgroups
import harness

MIB = 1 << 20


def running(who, resources=None):
    b = who.bundle("sleep", "60")
    if resources:
        b.linux["resources"] = resources
    b.save()
    b.run("--detach", stdout=None, stderr=None).ok()
    pid = json.loads(who.runtime("state", "c1").ok().out)["pid"]
    return cgroups.Files(pid)


def memory(files):
    return files.get("memory", "memory.limit_in_bytes", "memory.max")


def is_unlimited(text):
    return text == "max" or int(text) > 1 << 60


def cpu(files):
    """(quota, period)"""
    if cgroups.is_v2("cpu"):
        quota, period = files.get("cpu", "", "cpu.max").split()
        return (-1 if quota == "max" else int(quota)), int(period)
    return int(files.get("cpu", "cpu.cfs_quota_us", "")), \
        int(files.get("cpu", "cpu.cfs_period_us", ""))


def pids(files):
    return files.get("pids", "pids.max", "pids.max")


def has_swap(files):
    return files.path("memory", "memory.memsw.limit_in_bytes", "memory.swap.max").exists()


def total(files):
    """Limit of memory and swap together."""
    if not cgroups.is_v2("memory"):
        return int(files.get("memory", "memory.memsw.limit_in_bytes", ""))
    return int(memory(files)) + int(files.get("memory", "", "memory.swap.max"))


def test_flags(root):
    f = running(root)
    root.runtime("update", "--memory", "64m", "--pids-limit", "20", "--cpu-quota", "50000",
                 "--cpu-period", "200000", "--cpu-share", "512", "c1").ok()
    assert memory(f) == str(64 * MIB) and pids(f) == "20" and cpu(f) == (50000, 200000)
    assert f.get("cpu", "cpu.shares", "cpu.weight") == ("512" if not cgroups.is_v2("cpu") else "59")
    # Only what is named changes.
    root.runtime("update", "--pids-limit=-1", "c1").ok()
    assert memory(f) == str(64 * MIB) and pids(f) == "max" and cpu(f) == (50000, 200000)
    root.runtime("update", "--cpu-quota", "70000", "c1").ok()
    assert cpu(f) == (70000, 200000)
    root.runtime("update", "--cpu-period", "100000", "c1").ok()
    assert cpu(f) == (70000, 100000)
    root.runtime("update", "--cpu-quota", "-1", "--memory", "-1", "c1").ok()
    assert cpu(f) == (-1, 100000) and is_unlimited(memory(f))


@pytest.mark.parametrize("word, value", [
    ("67108864", 64 * MIB), ("64m", 64 * MIB), ("64M", 64 * MIB), ("65536kb", 64 * MIB),
    ("0.0625g", 64 * MIB), ("64MiB", 64 * MIB),
])
def test_sizes(root, word, value):
    f = running(root)
    root.runtime("update", "--memory", word, "c1").ok()
    assert memory(f) == str(value)


def test_resources_from_file_and_stdin(root):
    f = running(root)
    path = root.dir / "new.json"
    path.write_text(json.dumps({"memory": {"limit": 32 * MIB}, "pids": {"limit": 7},
                                "cpu": {"cpus": "0"}}))
    root.runtime("update", "--resources", path, "c1").ok()
    assert memory(f) == str(32 * MIB) and pids(f) == "7"
    assert f.get("cpuset", "cpuset.cpus", "cpuset.cpus") == "0"
    root.runtime("update", "-r", "-", "c1", input='{"pids": {"limit": 9}}').ok()
    assert memory(f) == str(32 * MIB) and pids(f) == "9"
    # With a document the other options are ignored, as by runc.
    root.runtime("update", "-r", path, "--pids-limit", "11", "c1").ok()
    assert pids(f) == "7"


def test_wrong_values(root):
    f = running(root)
    before = memory(f), pids(f), cpu(f)
    for words, message in (
            (("--memory", "lots"), "--memory"),
            (("--memory", "-2"), "--memory"),
            (("--pids-limit", "many"), "--pids-limit"),
            (("--cpu-period", "-1"), "--cpu-period"),
            (("--blkio-weight", "5"), "blockIO.weight: expected an integer from 10 to 1000"),
            (("--cpuset-cpus", "0-"), "cpu.cpus"),
            (("--memory", "64m", "--memory-swap", "32m"), "memory.swap"),
            (("--cpu-idle", "2"), "cpu.idle"),
            (("--l3-cache-schema", "L3:0=f"), "Intel RDT: the container was made without linux.intelRdt"),
            (("--resources", "/no/such/file"), "/no/such/file")):
        root.runtime("update", *words, "c1").fails(message, code=1)
    root.runtime("update", "-r", "-", "c1", input="{").fails("resources", code=1)
    root.runtime("update", "-r", "-", "c1", input='{"memory": {"limit": "1g"}}').fails(
        "memory.limit: expected an integer", code=1)
    assert (memory(f), pids(f), cpu(f)) == before


def test_all_or_nothing(root):
    """The last of the limits can't be set: those before it are taken back."""
    f = running(root, {"memory": {"limit": 64 * MIB}, "pids": {"limit": 30},
                       "cpu": {"quota": 50000, "period": 100000}})
    text = json.dumps({"memory": {"limit": 128 * MIB}, "pids": {"limit": 12},
                       "cpu": {"quota": 20000},
                       "hugepageLimits": [{"pageSize": "12345KB", "limit": 0}]})
    root.runtime("update", "-r", "-", "c1", input=text).fails("updating container c1", code=1)
    assert memory(f) == str(64 * MIB) and pids(f) == "30" and cpu(f) == (50000, 100000)


def test_memory_and_swap_together(root):
    f = running(root, {"memory": {"limit": 64 * MIB}})
    if not has_swap(f):
        harness.machine_cannot("count swap")
    # The kernel keeps limit <= limit with swap at every moment: either may have to come first.
    for limit, swap in ((64, 128), (256, 512), (32, 64), (32, 32), (256, 256)):
        root.runtime("update", "--memory", f"{limit}m", "--memory-swap", f"{swap}m", "c1").ok()
        assert memory(f) == str(limit * MIB) and total(f) == swap * MIB
    # Memory alone leaves the sum, and may not be more than it.
    root.runtime("update", "--memory", "128m", "c1").ok()
    assert memory(f) == str(128 * MIB) and total(f) == 256 * MIB
    root.runtime("update", "--memory", "512m", "c1").fails("memory and swap together", "hint:",
                                                           code=1)
    assert memory(f) == str(128 * MIB) and total(f) == 256 * MIB
    root.runtime("update", "--memory-swap", "160m", "c1").ok()
    assert memory(f) == str(128 * MIB) and total(f) == 160 * MIB
    # Without a limit of memory there is none of swap.
    root.runtime("update", "--memory", "-1", "c1").ok()
    assert is_unlimited(memory(f))
    assert is_unlimited(f.get("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"))
    root.runtime("update", "--memory", "512m", "c1").ok()
    assert memory(f) == str(512 * MIB)


def test_burst_and_quota(root):
    f = running(root, {"cpu": {"quota": 50000, "period": 100000}})
    if not f.path("cpu", "cpu.cfs_burst_us", "cpu.max.burst").exists():
        harness.machine_cannot("let CPU time be saved up")
    root.runtime("update", "--cpu-burst", "40000", "c1").ok()
    assert f.get("cpu", "cpu.cfs_burst_us", "cpu.max.burst") == "40000"
    root.runtime("update", "--cpu-burst", "60000", "c1").fails("cpu.burst", code=1)
    # The burst must not be more than the quota at any moment.
    root.runtime("update", "--cpu-quota", "20000", "--cpu-burst", "10000", "c1").ok()
    assert cpu(f) == (20000, 100000)
    assert f.get("cpu", "cpu.cfs_burst_us", "cpu.max.burst") == "10000"
    root.runtime("update", "--cpu-burst", "0", "c1").ok()
    assert f.get("cpu", "cpu.cfs_burst_us", "cpu.max.burst") == "0"


def test_idle(root):
    f = running(root)
    if not f.path("cpu", "cpu.idle", "cpu.idle").exists():
        harness.machine_cannot("make a cgroup idle")
    root.runtime("update", "--cpu-idle", "1", "c1").ok()
    assert f.get("cpu", "cpu.idle", "cpu.idle") == "1"
    # Shares can be set only when it is no longer idle.
    root.runtime("update", "--cpu-idle", "0", "--cpu-share", "2048", "c1").ok()
    assert f.get("cpu", "cpu.idle", "cpu.idle") == "0"
    assert f.get("cpu", "cpu.shares", "cpu.weight") in ("2048", "174")


def test_limit_below_what_is_used(root):
    """v1 refuses, v2 refuses with checkBeforeUpdate."""
    # Nothing of a tmpfs can be reclaimed without swap.
    b = root.bundle("sh", "-c", "head -c 50000000 /dev/zero >/dev/shm/x; echo >/up; sleep 60")
    b.linux["resources"] = {"memory": {"limit": 256 * MIB, "swap": 256 * MIB}}
    b.save()
    b.run("--detach", stdout=None, stderr=None).ok()
    f = cgroups.Files(json.loads(root.runtime("state", "c1").ok().out)["pid"])
    harness.wait_for((b.rootfs / "up").exists, seconds=30, what="memory to be used")
    used = int(f.get("memory", "memory.usage_in_bytes", "memory.current"))
    assert used > 20 * MIB
    new = {"memory": {"limit": 8 * MIB, "swap": 8 * MIB, "checkBeforeUpdate": True}}
    root.runtime("update", "-r", "-", "c1", input=json.dumps(new)).fails(
        "memory.limit", "in use", code=1)
    assert memory(f) == str(256 * MIB)
    assert json.loads(root.runtime("state", "c1").ok().out)["status"] == "running"


def test_paused_and_created(root):
    f = running(root)
    root.runtime("pause", "c1").ok()
    root.runtime("update", "--memory", "64m", "--pids-limit", "5", "c1").ok()
    assert memory(f) == str(64 * MIB) and pids(f) == "5"
    assert json.loads(root.runtime("state", "c1").ok().out)["status"] == "paused"
    b = root.bundle("true", name="b2")
    b.save()
    root.runtime("create", "--bundle", b.path, "c2", stdout=None, stderr=None).ok()
    root.runtime("update", "--memory", "64m", "c2").ok()
    pid = json.loads(root.runtime("state", "c2").ok().out)["pid"]
    assert memory(cgroups.Files(pid)) == str(64 * MIB)


def test_not_there_and_stopped(anyone):
    anyone.runtime("update", "--memory", "64m", "none").fails('container "none" does not exist',
                                                              code=1)
    b = anyone.bundle("true")
    b.run("--detach", stdout=None, stderr=None).ok()
    harness.wait_for(lambda: '"stopped"' in anyone.runtime("state", "c1").out, what="the end")
    anyone.runtime("update", "--memory", "64m", "c1").fails("container not running", code=1)


def test_device_rules_stay(root):
    """A document with devices, as containerd sends it, changes none: others may have added some."""
    b = root.bundle("sh", "-c", "while ! [ -e /go ]; do sleep 0.02; done; "
                                "cat /dev/null && echo yes >/result || echo no >/result; sleep 60")
    b.save()
    b.run("--detach", stdout=None, stderr=None).ok()
    new = {"devices": [{"allow": False, "access": "rwm"},
                       {"allow": False, "type": "c", "major": 1, "minor": 3, "access": "rwm"}],
           "pids": {"limit": 50}}
    root.runtime("update", "-r", "-", "c1", input=json.dumps(new)).ok()
    (b.rootfs / "go").touch()
    harness.wait_for((b.rootfs / "result").exists, what="the result")
    harness.wait_for(lambda: (b.rootfs / "result").read_text() == "yes\n", what="yes")


def test_block_devices(root):
    """One line for each device, and back to what it was after a failure."""
    devices = [d for d in os.listdir("/sys/block") if d.startswith("loop")] or os.listdir("/sys/block")
    major, minor = map(int, open(f"/sys/block/{sorted(devices)[0]}/dev").read().split(":"))
    f = running(root)
    path = f.path("blkio", "blkio.throttle.read_bps_device", "io.max")
    if cgroups.is_v2("blkio"):
        path = f.path("io", "", "io.max")
    if not path.exists():
        harness.machine_cannot("limit block I/O")

    def update(rate, **more):
        device = {"major": major, "minor": minor, "rate": rate}
        return root.runtime("update", "-r", "-", "c1", input=json.dumps(
            {"blockIO": {"throttleReadBpsDevice": [device]}, **more}))

    before = path.read_text()
    bad = {"hugepageLimits": [{"pageSize": "12345KB", "limit": 0}]}
    update(1 << 20, **bad).fails("hugepageLimits", code=1)
    assert path.read_text() == before
    update(1 << 20).ok()
    after = path.read_text()
    assert f"{major}:{minor} " in after and str(1 << 20) in after
    update(2 << 20, **bad).fails("hugepageLimits", code=1)
    assert path.read_text() == after
    update(0).ok()
    assert path.read_text() == before


def test_kernel_memory_is_ignored(root):
    f = running(root)
    r = root.runtime("update", "--kernel-memory", "64m", "--kernel-memory-tcp", "64m",
                     "--memory", "96m", "c1").ok()
    assert "ignored" in r.err and memory(f) == str(96 * MIB)


def test_unprivileged_without_cgroups(user):
    """There is nothing to change: unlike at the start, where it is the main thing to run, an error."""
    user.bundle("sleep", "60").run("--detach", stdout=None, stderr=None).ok()
    pid = json.loads(user.runtime("state", "c1").ok().out)["pid"]
    result = user.runtime("update", "--memory", "64m", "c1")
    if "/c1" in open(f"/proc/{pid}/cgroup").read():
        result.ok()
        assert memory(cgroups.Files(pid)) == str(64 * MIB)
    else:
        result.fails("updating container c1: setting memory.limit", "hint:", code=1)


def test_unprivileged_start_names_the_limits_that_are_left_out(user):
    b = user.bundle("sleep", "60")
    b.linux["resources"] = {"memory": {"limit": 64 * MIB}, "pids": {"limit": 20},
                            "cpu": {"shares": 512}}
    with open(user.dir / "err", "wb") as err:
        b.run("--detach", stdout=None, stderr=err).ok()
    said = (user.dir / "err").read_text()
    pid = json.loads(user.runtime("state", "c1").ok().out)["pid"]
    if "/c1" in open(f"/proc/{pid}/cgroup").read():
        assert said == "" and memory(cgroups.Files(pid)) == str(64 * MIB)
    else:
        assert said.count("\n") == 1
        assert said.endswith("without them: memory.limit, cpu.shares, pids.limit\n")
