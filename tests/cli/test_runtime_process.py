# SPDX-License-Identifier: Apache-2.0
"""process.scheduler, ioPriority, execCPUAffinity and linux.personality: each policy, class, word."""

import os

import pytest

import harness


def stat_fields(text):
    """Of /proc/self/stat, numbered as in proc(5)."""
    return ["", "", ""] + text[text.rindex(")") + 1:].split()


@pytest.mark.parametrize("scheduler,policy,priority", [
    ({"policy": "SCHED_OTHER", "nice": 7}, 0, 7),
    ({"policy": "SCHED_BATCH", "nice": 3}, 3, 3),
    ({"policy": "SCHED_IDLE"}, 5, 0),
    ({"policy": "SCHED_FIFO", "priority": 7}, 1, 7),
    ({"policy": "SCHED_RR", "priority": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
     2 | 0x40000000, 3),
    ({"policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 10000000,
      "period": 10000000, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, 6 | 0x40000000, 0),
])
def test_scheduler(root, scheduler, policy, priority):
    # The program itself is asked: what a shell forks may have another one.
    b = root.bundle("cat", "/proc/self/stat")
    b.process["scheduler"] = scheduler
    r = b.run()
    if "not permitted" in r.err and os.path.exists("/sys/fs/cgroup/cpu/cpu.rt_runtime_us"):
        harness.machine_cannot("its cgroup v1 gives this cgroup no realtime")
    fields = stat_fields(r.ok().out)
    assert int(fields[41]) == policy & 0xff
    assert int(fields[19 if policy & 0xff in (0, 3) else 40]) == priority


@pytest.mark.parametrize("scheduler,word", [
    ({"policy": "SCHED_WHAT"}, "policy"), ({"policy": "SCHED_FIFO"}, "priority"),
    ({"policy": "SCHED_OTHER", "nice": 40}, "nice"),
    ({"policy": "SCHED_OTHER", "runtime": 5}, "runtime"),
    ({"policy": "SCHED_OTHER", "flags": ["NO_FLAG"]}, "flags"),
    ({"policy": "SCHED_DEADLINE", "runtime": 20, "deadline": 10}, "runtime")])
def test_scheduler_that_cannot_be(anyone, scheduler, word):
    b = anyone.bundle("true")
    b.process["scheduler"] = scheduler
    b.run().fails(f"process.scheduler.{word}", code=1)


def test_unprivileged_realtime_names_the_member(user):
    b = user.bundle("true")
    b.process["scheduler"] = {"policy": "SCHED_FIFO", "priority": 50}
    b.run().fails("process.scheduler", code=1)


@pytest.mark.parametrize("io_class,priority,shown", [
    ("IOPRIO_CLASS_BE", 6, "best-effort: prio 6"), ("IOPRIO_CLASS_RT", 1, "realtime: prio 1"),
    ("IOPRIO_CLASS_IDLE", 0, "idle")])
def test_io_priority(root, io_class, priority, shown):
    b = root.bundle("sh", "-c", "ionice -p $$")
    b.process["ioPriority"] = {"class": io_class, "priority": priority}
    assert b.run().ok().out.strip() == shown


@pytest.mark.parametrize("value,word", [
    ({"class": "IOPRIO_CLASS_NONE", "priority": 1}, "class"),
    ({"class": "IOPRIO_CLASS_BE", "priority": 8}, "priority")])
def test_io_priority_that_cannot_be(anyone, value, word):
    b = anyone.bundle("true")
    b.process["ioPriority"] = value
    b.run().fails(f"process.ioPriority.{word}", code=1)


@pytest.mark.parametrize("value,word", [
    ({"initial": "a"}, "initial"), ({"final": "0-"}, "final"), ({"final": "3-1"}, "final"),
    ({"initial": ",1"}, "initial")])
def test_exec_cpu_affinity_that_cannot_be(anyone, value, word):
    b = anyone.bundle("true")
    b.process["execCPUAffinity"] = value
    b.run().fails(f"process.execCPUAffinity.{word}", code=1)


@pytest.mark.parametrize("domain", ["LINUX", "LINUX32"])
def test_personality(anyone, domain):
    b = anyone.bundle("sh", "-c", "cat /proc/self/personality; uname -m")
    b.linux["personality"] = {"domain": domain}
    number, machine = b.run().ok().out.split()
    assert int(number, 16) == {"LINUX": 0, "LINUX32": 8}[domain]
    assert (machine == os.uname().machine) == (domain == "LINUX")


@pytest.mark.parametrize("value,word", [({"domain": "BSD"}, "domain"), ({}, "domain"),
                                        ({"domain": "LINUX", "flags": ["X"]}, "flags[0]")])
def test_personality_that_cannot_be(anyone, value, word):
    """config-linux.md: "Currently no flag values are supported"."""
    b = anyone.bundle("true")
    b.linux["personality"] = value
    b.run().fails(f"linux.personality.{word}", code=1)


def test_umask_and_supplementary_groups_of_a_user(root):
    b = root.bundle("sh", "-c", "umask; id -u; id -g; id -G")
    b.process["user"] = {"uid": 7, "gid": 8, "umask": 0o37, "additionalGids": [9, 10]}
    assert b.run().ok().out.split() == ["0037", "7", "8", "8", "9", "10"]


@pytest.mark.parametrize("value", [-1001, 1001])
def test_oom_score_out_of_range(anyone, value):
    b = anyone.bundle("true")
    b.process["oomScoreAdj"] = value
    b.run().fails("process.oomScoreAdj", code=1)


def test_oom_score_is_inherited_when_not_given(root):
    b = root.bundle("cat", "/proc/self/oom_score_adj")
    own = int(open("/proc/self/oom_score_adj", encoding="ascii").read())
    r = root.run("sh", "-c", f"echo {own + 7} > /proc/self/oom_score_adj; exec "
                 + " ".join(map(str, root.runtime_argv("run", "--bundle", b.path, "c1"))))
    assert r.ok().out == f"{own + 7}\n"


def test_unknown_members_are_ignored(anyone):
    """config.md, "Extensibility"."""
    b = anyone.bundle("echo", "ran")
    b.config["x-future"] = {"a": [1]}
    b.process["x-future"] = True
    b.linux["x-future"] = "x"
    b.config["mounts"][0]["x-future"] = None
    b.linux["namespaces"][0]["x-future"] = 1
    assert b.run().ok().out == "ran\n"


def test_console_size_without_a_terminal_is_ignored(anyone):
    b = anyone.bundle("echo", "ran")
    b.process["consoleSize"] = {"height": 10, "width": 20}
    assert b.run().ok().out == "ran\n"
