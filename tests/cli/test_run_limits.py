# SPDX-License-Identifier: Apache-2.0
"""inro run's limits that few ask for, by what the container's cgroup says then."""

import pathlib

import engine


def cgroup(who, options, *files):
    box = engine.box(who)
    return who.inro("run", "--rm", *options, box, "sh", "-c",
                    "cd /sys/fs/cgroup; cat " + " ".join(files)).ok().out.splitlines()


def test_memory_ways(root):
    lines = cgroup(root, ["--memory", "64m", "--memory-swappiness", "30", "--oom-kill-disable"],
                   "memory/memory.swappiness", "memory/memory.oom_control")
    assert lines[:2] == ["30", "oom_kill_disable 1"]


def test_no_killer_without_a_limit_is_warned_of(root):
    done = root.inro("run", "--rm", "--oom-kill-disable", engine.box(root), "true").ok()
    assert "--memory" in done.err


def test_rates_of_devices(root):
    lines = cgroup(root, [
        "--device-read-bps", "/dev/loop0:1mb", "--device-read-bps", "/dev/loop1:2048",
        "--device-write-bps", "/dev/loop0:3kb", "--device-read-iops", "/dev/loop0:40",
        "--device-write-iops", "/dev/loop0:50",
    ], *(f"blkio/blkio.throttle.{what}_device"
         for what in ("read_bps", "write_bps", "read_iops", "write_iops")))
    assert sorted(lines[:2]) == ["7:0 1048576", "7:1 2048"]
    assert lines[2:] == ["7:0 3072", "7:0 40", "7:0 50"]


def test_device_rules(root):
    with_rule, without = (
        root.inro("run", "--rm", *options, "--cap-add", "MKNOD", engine.box(root), "sh", "-c",
                  "mknod /tmp/fuse c 10 229; head -c 0 /tmp/fuse")
        for options in (["--device-cgroup-rule", "c 10:229 rw"], []))
    assert with_rule.ok().err == ""
    without.fails("Operation not permitted", code=1)


def test_settings_of_cgroup2(root):
    """This machine's cgroups are v1, where there are none."""
    if pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists():
        assert cgroup(root, ["--cgroup-conf", "memory.high=1073741824"],
                      "memory.high") == ["1073741824"]
    else:
        root.inro("run", "--rm", "--cgroup-conf", "memory.high=1g", engine.box(root),
                  "true").fails("cgroup v2", code=125)


REFUSED = [
    (["--blkio-weight", "9"], ["Range of blkio weight is from 10 to 1000"]),
    (["--blkio-weight-device", "/dev/loop0:2000"], ["Range of blkio weight"]),
    (["--blkio-weight-device", "/dev/loop0"], ["--blkio-weight-device", "bad format"]),
    (["--device-read-bps", "/dev/loop0:fast"], ["--device-read-bps", "invalid rate"]),
    (["--device-read-iops", "/dev/loop0:1mb"], ["--device-read-iops", "invalid rate"]),
    (["--device-write-bps", "loop0:1mb"], ["bad format for device path"]),
    (["--device-write-bps", "/dev/null:1mb"], ["/dev/null is not a block device"]),
    (["--device-write-iops", "/dev/no-such:1"], ["/dev/no-such", "No such file"]),
    (["--device-cgroup-rule", "c 10:229"], ["invalid device cgroup format 'c 10:229'"]),
    (["--memory-swappiness", "101"], ["valid memory swappiness range is 0-100"]),
    (["--kernel-memory", "1g"], ["--kernel-memory", "--memory"]),
    (["--cgroups", "disabled"], ["--cgroups disabled"]),
    (["--cgroup-conf", "memory.high"], ["memory.high", "FILE=VALUE"]),
]


def test_refused(root):
    box = engine.box(root)
    for options, words in REFUSED:
        root.inro("run", "--rm", *options, box, "true").fails(*words, code=125)
    assert not engine.containers(root)
