# SPDX-License-Identifier: Apache-2.0
"""docker with inro-runtime, by containerd's shim."""

import pytest

import harness


@pytest.mark.parametrize("command, code", [
    (["true"], 0), (["sh", "-c", "exit 3"], 3), (["no-such-command"], 127), (["/no/such"], 127),
    (["/etc/passwd"], 126), (["/etc"], 126), (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137),
])
def test_exit_status(docker, command, code):
    assert docker.run("--rm", "--network", "none", "box", *command).code == code


def test_life_in_the_background(docker):
    docker.run("-d", "--name", "web", "box", "sh", "-c",
               'trap "echo term; exit 7" TERM; echo up; while :; do sleep 0.05; done').ok()
    harness.wait_for(lambda: "up" in docker("logs", "web").ok().out, 10)
    docker("stop", "-t", "5", "web").ok()
    assert docker("inspect", "-f", "{{.State.ExitCode}} {{.State.Status}}",
                  "web").out.strip() == "7 exited"
    docker("start", "web").ok()
    docker("restart", "-t", "5", "web").ok()
    docker("kill", "web").ok()
    assert docker("wait", "web").ok().out.strip() == "137"
    docker("rm", "web").ok()


def test_limits_network_and_init(docker):
    r = docker.run("--rm", "--memory", "64m", "--pids-limit", "50", "--cpus", "0.5", "--user",
                   "alice", "--read-only", "--init", "--hostname", "h1", "--ulimit",
                   "nofile=100:200", "box", "sh", "-c",
                   "id -un; cat /sys/fs/cgroup/memory/memory.limit_in_bytes "
                   "/sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us; hostname; "
                   "ulimit -n; cat /proc/1/comm; ip -o -4 addr show eth0 | wc -l").ok()
    assert r.out.split() == ["alice", "67108864", "50", "50000", "h1", "100", "docker-init", "1"]


def test_out_of_memory(docker):
    docker.run("--name", "big", "--network", "none", "--memory", "20m", "box", "sh", "-c",
               "dd if=/dev/zero of=/dev/null bs=60M count=1; exit $?").fails(code=137)
    docker("rm", "big").ok()


def test_privileged_on_a_terminal(docker):
    # docker sets the size a little after the start
    r = docker.on_terminal("--rm", "-it", "--privileged", "box", "sh", "-c",
                           "mkdir /m && mount -t tmpfs t /m && tty; "
                           "until stty size | grep 101; do usleep 20000; done 2>/dev/null")
    assert "/dev/pts/0\r\n33 101\r\n" in r.ok().out


def test_restart_policy(docker):
    docker.run("-d", "--name", "again", "--network", "none", "--restart", "on-failure:2", "box",
               "sh", "-c", "exit 5").ok()
    harness.wait_for(lambda: docker("inspect", "-f", "{{.RestartCount}} {{.State.Status}}",
                                    "again").out.split() == ["2", "exited"], 20)
    docker("rm", "again").ok()
