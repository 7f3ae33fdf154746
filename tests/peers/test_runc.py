# SPDX-License-Identifier: Apache-2.0
"""What programs that know runc find in the same places."""

import json

import cgroups

# By runc only where they are not zero; counters that only newer kernels have; pressure only on v2.
OPTIONAL = {"raw", "psi", "cache", "max", "total", "throttling", "ioServiceBytesRecursive",
            "ioServicedRecursive"}


def members(value, path=""):
    found = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in OPTIONAL:
                found |= {f"{path}.{key}"} | members(inner, f"{path}.{key}")
    return found


def test_statistics_have_the_same_members(root):
    b = root.bundle("sleep", "60")
    b.linux["resources"] = {"pids": {"limit": 20}, "memory": {"limit": 64 << 20}}
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "cgroup"]
    b.save()
    seen = []
    for argv in (["runc", "--root", root.dir / "runc"], root.runtime_argv()):
        root.run(*argv, "run", "--detach", "--bundle", b.path, "c1", stdout=None, stderr=None).ok()
        try:
            seen.append(json.loads(root.run(*argv, "events", "--stats", "c1").ok().out))
        finally:
            root.run(*argv, "delete", "--force", "c1").ok()
    assert members(seen[0]) == members(seen[1])
    assert seen[0]["data"]["memory"]["usage"]["limit"] == seen[1]["data"]["memory"]["usage"]["limit"]
    assert seen[0]["data"]["pids"] == seen[1]["data"]["pids"]


def limits_after_each(root, argv, updates, files):
    pid = json.loads(root.run(*argv, "state", "c1").ok().out)["pid"]
    steps = []
    for words in updates:
        root.run(*argv, "update", *words, "c1").ok()
        found = {}
        for controller, names in files.items():
            where = cgroups.directory(pid, controller)
            for name in names:
                if (where / name).exists():
                    found[name] = (where / name).read_text()
        steps.append((words, found))
    return steps


def test_updates_have_the_same_effect(root):
    """The same flags leave the same limits."""
    b = root.bundle("sleep", "60")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "cgroup"]
    b.save()
    updates = [["--memory", "64m", "--memory-swap", "128m"], ["--memory", "96m"],
               ["--memory-swap", "256m"], ["--memory", "-1"], ["--cpu-quota", "50000"],
               ["--cpu-period", "50000"], ["--cpu-share", "512"], ["--pids-limit", "9"],
               ["--pids-limit", "-1"], ["--cpuset-cpus", "0"], ["--memory-reservation", "32m"]]
    files = {"memory": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
                        "memory.soft_limit_in_bytes", "memory.max", "memory.swap.max", "memory.low"),
             "cpu": ("cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.shares", "cpu.max",
                     "cpu.weight"),
             "cpuset": ("cpuset.cpus",), "pids": ("pids.max",)}
    seen = []
    for argv in (["runc", "--root", root.dir / "runc"], root.runtime_argv()):
        root.run(*argv, "run", "--detach", "--bundle", b.path, "c1", stdout=None, stderr=None).ok()
        try:
            seen.append(limits_after_each(root, argv, updates, files))
        finally:
            root.run(*argv, "delete", "--force", "c1").ok()
    assert seen[0] == seen[1]
