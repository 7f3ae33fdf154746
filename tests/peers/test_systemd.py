# SPDX-License-Identifier: Apache-2.0
"""Engines that have systemd make the cgroups, on a machine with systemd and cgroup v2 alone: what the
container, its scope and the engine's command line show is the same with the engine's usual runtime.

    make check-vm-engines
"""

import os
import pathlib
import re
import subprocess

import pytest

import engines
import harness

CGROUPS = pathlib.Path("/sys/fs/cgroup")
FILES = "memory.max memory.swap.max cpu.max pids.max"
PROPERTIES = ["MemoryMax", "CPUQuotaPerSecUSec", "TasksMax", "Delegate", "CollectMode", "Slice"]
# containerd leaves out what is 0, so that the rest varies
METRICS = {"active_anon", "anon", "cpu", "current", "io", "limit", "memory", "memory_events", "nr_periods",
           "pids", "slab", "swap_limit", "system_usec", "usage", "usage_limit", "usage_usec", "user_usec"}


@pytest.fixture(autouse=True, scope="session")
def systemd():
    if not os.path.exists("/run/systemd/system") or not (CGROUPS / "cgroup.controllers").exists():
        harness.machine_cannot("it is not run by systemd with cgroup v2 alone")


def cgroup_of(pid):
    return pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()[-1].split("::")[1]


def scope_of(pid):
    """The unit's cgroup. crun puts the container's own below it, and the limits there."""
    return re.match(r".*?\.scope", cgroup_of(pid)).group(0)


class Machine:
    """What systemd says."""

    def __init__(self, who, *options):
        self.who = who
        self.systemctl = ["systemctl", *options]
        self.units = []  # what show() has shown

    def show(self, unit):
        lines = self.who.run(*self.systemctl, "show", unit, *(f"--property={p}" for p in PROPERTIES)).ok().out
        self.units.append(sorted(lines.split()))

    def scopes(self):
        listed = self.who.run(*self.systemctl, "list-units", "--all", "--plain", "--no-legend",
                              "--type=scope").ok().out
        return {line.split()[0] for line in listed.splitlines() if line}


def kernel_files(pid):
    cgroup = CGROUPS / cgroup_of(pid).lstrip("/")
    return {name: (cgroup / name).read_text().split() for name in FILES.split()}


def life(engine, machine, pid_format="{{.State.Pid}}"):
    """A container from run to rm; what was seen, without its id."""
    before = machine.scopes()
    engine.run("-d", "--name", "box1", "--network", "none", "--memory", "64m", "--memory-swap", "96m",
               "--cpus", "0.5", "--pids-limit", "40", "--cpu-shares", "512", "box", "sh", "-c",
               "trap exit TERM; while :; do sleep 0.1; done").ok()
    seen = {}
    try:
        pid = int(engine("inspect", "-f", pid_format, "box1").ok().out)
        unit = os.path.basename(scope_of(pid))
        cid = engine("inspect", "-f", "{{.Id}}", "box1").ok().out.strip()
        seen["place"] = scope_of(pid).replace(cid, "ID")
        machine.show(unit)
        seen["limits"] = kernel_files(pid)
        seen["inside"] = engine("exec", "box1", "sh", "-c", "cat /proc/self/cgroup; cd /sys/fs/cgroup; "
                                f"for f in {FILES}; do [ -e $f ] && echo $f; done").ok().out
        seen["exec"] = engine("exec", "box1", "sh", "-c", "exit 4").code
        seen["top"] = "sh" in engine("top", "box1", *([] if "podman" in str(engine.argv) else
                                                     ["-eo", "pid,comm"])).ok().out
        engine("update", "--memory", "80m", "--memory-swap", "100m", "--cpus", "0.25", "box1").ok()
        seen["updated"] = kernel_files(pid)
        machine.show(unit)
        engine("pause", "box1").ok()
        seen["paused"] = engine("inspect", "-f", "{{.State.Status}}", "box1").out
        frozen = [(d / "cgroup.events").read_text() for d in
                  (CGROUPS / scope_of(pid).lstrip("/"), *(CGROUPS / scope_of(pid).lstrip("/")).glob("*/"))]
        assert any("frozen 1" in text for text in frozen)
        engine("unpause", "box1").ok()
        stats = engine("stats", "--no-stream", "--format", "{{.PIDs}} {{.MemUsage}}", "box1").ok().out
        seen["stats"] = int(stats.split()[0]) in (1, 2), stats.split()[-1]
        seen["exec after"] = engine("exec", "box1", "sh", "-c", "exit 5").code
    finally:
        engine("rm", "-f", "box1").ok()
    harness.wait_for(lambda: not machine.scopes() - before, what="the scope to go")
    assert not (CGROUPS / scope_path(seen["place"], cid)).exists()
    return seen


def scope_path(place, cid):
    return place.replace("ID", cid).lstrip("/")


def too_big(engine, machine):
    before = machine.scopes()
    done = engine.run("--name", "big", "--network", "none", "--memory", "20m", "--memory-swap", "20m",
                      "box", "sh", "-c", "exec dd if=/dev/zero of=/dev/null bs=60M count=1")
    try:
        return done.code, engine("inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}",
                                 "big").ok().out.split()
    finally:
        engine("rm", "-f", "big").ok()
        harness.wait_for(lambda: not machine.scopes() - before, what="the scope to go")


def check_life(seen, machine):
    first, updated = machine.units[:2]  # inro-runtime's: systemd knows the limits, too
    assert {"MemoryMax=67108864", "CPUQuotaPerSecUSec=500ms", "TasksMax=40", "Delegate=yes"} <= set(first)
    assert {f"MemoryMax={80 << 20}", "CPUQuotaPerSecUSec=250ms", "TasksMax=40"} <= set(updated)
    assert seen["limits"]["memory.max"] == ["67108864"]
    assert seen["limits"]["memory.swap.max"] == [str(32 << 20)]
    assert seen["limits"]["cpu.max"] == ["50000", "100000"] and seen["limits"]["pids.max"] == ["40"]
    limits = seen["updated"]
    assert limits["memory.max"] == [str(80 << 20)] and limits["cpu.max"] == ["25000", "100000"]
    assert seen["exec"] == 4 and seen["exec after"] == 5 and seen["top"] and seen["stats"][0]


def test_podman(podman_systemd):
    machine = Machine(podman_systemd.who)
    seen = podman_systemd.both(lambda engine: life(engine, machine))
    check_life(seen, machine)
    assert seen["place"] == "/machine.slice/libpod-ID.scope"
    assert podman_systemd.both(lambda engine: too_big(engine, machine))[0] == 137


def test_rootless_podman(users_podman_systemd):
    machine = Machine(users_podman_systemd.who, "--user")
    seen = users_podman_systemd.both(lambda engine: life(engine, machine))
    check_life(seen, machine)
    assert re.fullmatch(r"/user\.slice/user-(\d+)\.slice/user@\1\.service/user\.slice/libpod-ID\.scope",
                        seen["place"])
    assert users_podman_systemd.both(lambda engine: too_big(engine, machine))[0] == 137


def test_docker(docker_systemd):
    machine = Machine(docker_systemd.who)
    seen = docker_systemd.both(lambda engine: life(engine, machine))
    check_life(seen, machine)
    assert seen["place"] == "/system.slice/docker-ID.scope"
    assert docker_systemd.both(lambda engine: too_big(engine, machine))[0] == 137


def test_containerd(ctr, scratch):
    machine = Machine(ctr.who)

    def scenario(engine):
        before = machine.scopes()
        options = ["--runc-systemd-cgroup", "--cgroup", "system.slice:ctr:c1", "--memory-limit",
                   "50000000", "--cpus", "0.5"]
        engine.run("-d", *options, scratch / "rootfs", "c1", "sh", "-c",
                   "i=0; while :; do i=$((i+1)); sleep 0.1; done").ok()
        try:
            pid = int(engine("task", "ls").ok().out.splitlines()[1].split()[1])
            machine.show("ctr-c1.scope")
            seen = {"place": scope_of(pid), "limits": kernel_files(pid)}
            seen["exec"] = engine("task", "exec", "--exec-id", "e1", "c1", "sh", "-c", "exit 4").code
            engine("task", "pause", "c1").ok()
            seen["paused"] = "PAUSED" in engine("task", "ls").out
            engine("task", "resume", "c1").ok()
            metrics = engine("task", "metrics", "--format", "json", "c1").ok().out
            seen["metrics"] = METRICS - set(re.findall(r'"(\w+)":', metrics))
        finally:
            engine("task", "kill", "-a", "-s", "KILL", "c1")
            harness.wait_for(lambda: "STOPPED" in engine("task", "ls").out)
            engine("task", "rm", "c1").ok()
            engine("container", "rm", "c1").ok()
        harness.wait_for(lambda: not machine.scopes() - before, what="the scope to go")
        return seen
    seen = ctr.both(scenario)
    assert seen["place"] == "/system.slice/ctr-c1.scope" and seen["exec"] == 4 and seen["paused"]
    assert not seen["metrics"]
    assert seen["limits"]["memory.max"] == ["49999872"]
    assert seen["limits"]["cpu.max"] == ["50000", "100000"]
    assert {"MemoryMax=50000000", "CPUQuotaPerSecUSec=500ms"} <= set(machine.units[0]), machine.units
