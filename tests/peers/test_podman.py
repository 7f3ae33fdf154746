# SPDX-License-Identifier: Apache-2.0
"""podman and buildah with inro-runtime."""

import json
import re

import pytest

import harness


@pytest.mark.parametrize("command, code", [
    (["true"], 0), (["sh", "-c", "exit 3"], 3), (["no-such-command"], 127), (["/no/such"], 127),
    (["/etc/passwd"], 126), (["/etc"], 126), (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137),
])
def test_exit_status(podman, command, code):
    assert podman.run("--rm", "--network", "none", "box", *command).code == code


def test_life_in_the_background(podman):
    podman.run("-d", "--name", "web", "--network", "none", "box", "sh", "-c",
               'trap "echo term; exit 7" TERM; echo up; while :; do sleep 0.05; done').ok()
    harness.wait_for(lambda: "up" in podman("logs", "web").ok().out, 10)
    podman("stop", "-t", "5", "web").ok()
    assert podman("inspect", "-f", "{{.State.ExitCode}} {{.State.Status}}",
                  "web").out.strip() == "7 exited"
    assert podman("logs", "web").out.split() == ["up", "term"]
    podman("start", "web").ok()
    podman("kill", "web").ok()
    assert podman("wait", "web").ok().out.strip() == "137"
    podman("rm", "web").ok()


def test_limits_user_and_mounts(podman, scratch):
    r = podman.run("--rm", "--network", "none", "--memory", "64m", "--pids-limit", "50",
                   "--cpus", "0.5", "--user", "alice", "--read-only", "-v",
                   f"{scratch}/rootfs/etc:/mnt:ro", "--cap-drop", "all", "box", "sh", "-c",
                   "id -un; cat /sys/fs/cgroup/*/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max "
                   "/sys/fs/cgroup/cpu/cpu.cfs_quota_us; touch /x /mnt/x; grep CapEff "
                   "/proc/self/status; cat /mnt/passwd | wc -l").ok()
    words = r.out.split()
    assert words == ["alice", "67108864", "50", "50000", "CapEff:", "0" * 16, "2"]
    assert r.err.count("Read-only file system") == 2


def test_user_namespace(podman):
    r = podman.run("--rm", "--network", "none", "--uidmap", "0:100000:5000", "--gidmap",
                   "0:100000:5000", "box", "sh", "-c",
                   "id -u; stat -c %u /etc/passwd; cat /proc/self/uid_map").ok()
    assert r.out.split() == ["0", "0", "0", "100000", "5000"]


def test_terminal(podman):
    # podman sets the size beside the start, which it may be behind
    r = podman.on_terminal("--rm", "-it", "--network", "none", "box", "sh", "-c",
                           "tty; until stty size | grep 101; do usleep 20000; done 2>/dev/null")
    assert r.ok().out.split()[:3] == ["/dev/pts/0", "33", "101"]


def test_hooks(podman):
    hooks, mark = podman.who.dir / "hooks", podman.who.dir / "told"
    hooks.mkdir()
    (hooks / "all.json").write_text(json.dumps({
        "version": "1.0.0", "when": {"always": True},
        "hook": {"path": "/bin/sh", "args": ["sh", "-c", f"cat >> {mark}"]},
        "stages": ["prestart", "createRuntime", "poststart", "poststop"]}))
    where = podman.argv.index("--root")
    argv = [*podman.argv[:where], "--hooks-dir", str(hooks), *podman.argv[where:]]
    podman.who.run(*argv, "run", "--rm", "--network", "none", "box", "sleep", "0.5").ok()
    assert re.findall(r'"status": *"(\w+)"', mark.read_text()) == [
        "creating", "creating", "running", "stopped"]


def test_rootless(users_podman):
    r = users_podman.run("--rm", "--network", "none", "box", "sh", "-c",
                         "id -u; cat /proc/self/uid_map | wc -l; touch /x && chown 5:5 /x; "
                         "stat -c %u /x").ok()
    assert r.out.split() == ["0", "2", "5"]
    assert users_podman.run("--rm", "--network", "none", "box", "/no/such").code == 127
    r = users_podman.run("--rm", "--network", "none", "--user", "alice", "box", "id", "-un").ok()
    assert r.out == "alice\n"
    r = users_podman.on_terminal("--rm", "-it", "--network", "none", "box", "tty")
    assert r.ok().out.split() == ["/dev/pts/0"]


def test_buildah(podman, scratch):
    file = scratch / "Containerfile"
    file.write_text("FROM scratch\nCOPY rootfs /\nENV A=b\n"
                    'RUN echo "one $A" > /one && mkdir -p /opt/d && chown alice /opt/d\n'
                    "USER alice\nWORKDIR /opt/d\nRUN id -un > who && pwd >> who\n"
                    "USER root\nRUN rm /one\nRUN --mount=type=tmpfs,target=/t touch /t/x\n")
    dirs = ["--root", podman.who.dir / "b", "--runroot", podman.who.dir / "br"]
    runtime = ["--runtime", podman.who.program("inro-runtime"), "--isolation", "oci"]
    podman.who.run("buildah", *dirs, "bud", *runtime, "--network", "none", "-t", "built", "-f", file,
                   scratch).ok()
    box = podman.who.run("buildah", *dirs, "from", "built").ok().out.strip()
    r = podman.who.run("buildah", *dirs, "run", *runtime, "--network", "none", box, "sh", "-c",
                       "cat who; ls /one; exit 5").fails(code=5)
    assert r.out.split() == ["alice", "/opt/d"]
    podman.who.run("buildah", *dirs, "rm", "-a").ok()
