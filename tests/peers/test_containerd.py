# SPDX-License-Identifier: Apache-2.0
"""containerd with inro-runtime, by its own command line."""

import re

import harness


def test_run(ctr, scratch):
    rootfs = scratch / "rootfs"
    assert ctr.run("--rm", rootfs, "r1", "sh", "-c", "echo out; exit 3").code == 3
    ctr.run("--rm", rootfs, "r2", "/no/such").fails("/no/such: no such file or directory")
    ctr("container", "rm", "r2")
    r = ctr("run", "--rm", "--memory-limit", "50000000", "--read-only", "--cwd", "/tmp",
            "--seccomp", *ctr.run_options, rootfs, "r3", "sh", "-c",
            "pwd; touch /x; cat /proc/self/cgroup | grep -c /default/r3; "
            "grep Seccomp: /proc/self/status").ok()
    assert r.out.split() == ["/tmp", "9", "Seccomp:", "2"]
    r = ctr.on_terminal("-t", "--rm", rootfs, "r4", "tty")
    assert "/dev/pts/0" in r.ok().out


def test_life_in_the_background(ctr, scratch):
    ctr.run("-d", scratch / "rootfs", "b1", "sleep", "100").ok()
    assert "RUNNING" in ctr("task", "ls").out
    assert "pids.current" in ctr("task", "metrics", "b1").ok().out
    ctr("task", "kill", "-s", "KILL", "b1").ok()
    harness.wait_for(lambda: "STOPPED" in ctr("task", "ls").out)
    ctr("task", "rm", "b1").ok()
    ctr("container", "rm", "b1").ok()


def test_tasks(ctr, scratch):
    def scenario(engine):
        name = "t-" + engine.run_options[1].rsplit("/", maxsplit=1)[-1]
        engine.run("-d", "--memory-limit", "50000000", scratch / "rootfs", name, "sh", "-c",
                   "i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 0.02; done").ok()

        def execute(number, *args, options=()):
            return engine("task", "exec", "--exec-id", f"e{number}", *options, name, *args)
        seen = [(done.code, done.out) for done in (
            execute(1, "sh", "-c", "pwd; exit 4"),
            execute(2, "sh", "-c", "id -u; grep -e Cap -e NoNew /proc/self/status",
                    options=["--user", "1000", "--cwd", "/tmp"]),
            execute(3, "/no/such"), execute(4, "no-such-command"))]
        done = engine.on_terminal("exec", "-t", "--exec-id", "e5", name, "tty", verb="task")
        # ctr may come too late to set the size, and says so
        seen.append((done.code, re.findall("/dev/pts/[0-9]+", done.out)))
        engine("task", "pause", name).ok()
        seen.append(name + " paused" if "PAUSED" in engine("task", "ls").out else "not paused")
        seen[-1] = seen[-1].removeprefix(name)
        engine("task", "resume", name).ok()
        metrics = engine("task", "metrics", "--format", "json", name).ok().out
        # times of 0 are left out
        seen.append(sorted(set(re.findall(r'"(\w+)":', metrics)) - {"user", "kernel"}))
        seen.append(engine("task", "ps", name).ok().out.split()[:2])
        engine("task", "kill", "-a", "-s", "KILL", name).ok()
        harness.wait_for(lambda: re.search(name + r" .*STOPPED", engine("task", "ls").out))
        seen.append(engine("task", "rm", name).code)
        engine("container", "rm", name).ok()
        return seen
    seen = ctr.both(scenario)
    assert seen[0] == (4, "/\n") and seen[4] == (0, ["/dev/pts/0"]) and seen[5] == " paused"
    assert seen[2][0] != 0 and seen[3][0] != 0
