# SPDX-License-Identifier: Apache-2.0
"""containerd with inro-runtime, by its own command line."""

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
