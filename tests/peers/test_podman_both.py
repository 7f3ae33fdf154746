# SPDX-License-Identifier: Apache-2.0
"""podman with inro-runtime beside the same commands with crun: what a user sees must be the same."""

import json
import pathlib
import re
import socket

import pytest

import harness

COUNT = 'i=0; while :; do echo $i > /count; i=$((i+1)); sleep 0.02; done'


@pytest.fixture
def box(podman):
    """Starts a container in the background and removes it in the end."""
    started = []

    def start(engine, *args, name="box1"):
        engine.run("-d", "--name", name, "--network", "none", *args).ok()
        started.append(name)

    yield start
    for name in started:
        podman("rm", "-f", "-t", "0", name)


def test_exec(podman, box):
    def scenario(engine):
        box(engine, "-e", "A=1", "--user", "alice", "box", "sleep", "100")
        seen = []
        for args in (["box1", "sh", "-c", "id -un; pwd; echo $A $HOME; exit 4"],
                     ["--user", "root", "-w", "/tmp", "-e", "A=2", "box1", "sh", "-c",
                      "id -un; pwd; echo $A $HOME"],
                     ["--privileged", "--user", "0", "box1", "sh", "-c",
                      "grep CapEff /proc/self/status"],
                     ["box1", "sh", "-c", "grep -e Cap -e Seccomp: -e NoNew /proc/self/status; "
                      "cat /proc/self/cgroup; ls -l /proc/self/ns | sed 's/.*>//'"],
                     ["box1", "no-such-command"], ["box1", "/no/such"], ["box1", "/etc/passwd"],
                     ["-w", "/no/such", "box1", "true"], ["--user", "nobody-here", "box1", "true"],
                     ["box1", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"]):
            done = engine("exec", *args)
            out = re.sub(r"\[\d+\]|libpod-\w+", "", done.out)
            seen.append((done.code, out))
        done = engine.who.run(*engine.argv, "exec", "-i", "box1", "cat", input="over the pipe\n")
        seen.append((done.code, done.out))
        engine("exec", "-d", "box1", "sh", "-c", "echo here > /tmp/detached")
        harness.wait_for(lambda: engine("exec", "box1", "cat", "/tmp/detached").out == "here\n")
        engine("rm", "-f", "-t", "0", "box1").ok()
        return seen
    seen = podman.both(scenario)
    assert seen[0] == (4, "alice\n/\n1 /\n")
    assert seen[1] == (0, "root\n/tmp\n2 /root\n")
    assert [code for code, _ in seen[4:7]] == [127, 127, 126]


def test_exec_on_a_terminal(podman, box):
    def scenario(engine):
        box(engine, "box", "sleep", "100")
        done = engine.on_terminal("-it", "box1", "sh", "-c",
                                  "tty; until stty size | grep 101; do usleep 20000; done 2>/dev/null; "
                                  "exit 3", verb="exec")
        engine("rm", "-f", "-t", "0", "box1").ok()
        return done.code, done.out.split()
    code, words = podman.both(scenario)
    assert code == 3 and words[:3] == ["/dev/pts/0", "33", "101"]


def test_pause(podman, box):
    def scenario(engine):
        box(engine, "box", "sh", "-c", COUNT)
        harness.wait_for(lambda: engine("exec", "box1", "cat", "/count").out)
        engine("pause", "box1").ok()
        status = engine("ps", "-a", "--format", "{{.State}}").out
        refused = engine("exec", "box1", "true").code
        engine("unpause", "box1").ok()
        first = int(engine("exec", "box1", "cat", "/count").ok().out)
        harness.wait_for(lambda: int(engine("exec", "box1", "cat", "/count").out or 0) > first)
        engine("pause", "box1").ok()
        engine("rm", "-f", "-t", "0", "box1").ok()
        return status, refused
    status, refused = podman.both(scenario)
    assert status == "Paused\n" and refused != 0


def test_healthcheck(podman, box):
    def scenario(engine):
        box(engine, "--health-cmd", "test -e /tmp/well", "--health-interval", "disable",
            "--health-retries", "1", "box", "sleep", "100")
        codes = [engine("healthcheck", "run", "box1").code]
        engine("exec", "box1", "touch", "/tmp/well").ok()
        codes.append(engine("healthcheck", "run", "box1").code)
        status = engine("inspect", "-f", "{{.State.Health.Status}}", "box1").out
        engine("rm", "-f", "-t", "0", "box1").ok()
        return codes, status
    assert podman.both(scenario) == ([1, 0], "healthy\n")


def test_copy(podman, box, scratch):
    there, back = scratch / "there", scratch / "back"
    there.write_text("carried\n")

    def scenario(engine):
        back.unlink(missing_ok=True)
        box(engine, "--tmpfs", "/t", "box", "sleep", "100")
        engine("cp", there, "box1:/t/x").ok()
        engine("exec", "box1", "sh", "-c", "cat /t/x /t/x > /t/y; ln -s /etc /t/l").ok()
        engine("cp", "box1:/t/y", back).ok()
        code = engine("cp", "box1:/t/no", back).code
        engine("rm", "-f", "-t", "0", "box1").ok()
        return back.read_text(), code
    assert podman.both(scenario)[0] == "carried\ncarried\n"


def test_user_namespace_by_itself(podman):
    for name in ("subuid", "subgid"):  # test-env's own files
        with open(f"/etc/{name}", "a", encoding="utf-8") as file:
            if "containers:" not in pathlib.Path(f"/etc/{name}").read_text():
                file.write("containers:1700000000:1000000\n")

    def scenario(engine):
        return engine.run("--rm", "--network", "none", "--userns=auto:size=4096", "box", "sh", "-c",
                          "id -u; stat -c %u /etc/passwd; awk '{print $1, $3}' /proc/self/uid_map; "
                          "touch /x && chown 7:7 /x && stat -c %u /x").ok().out.split()
    assert podman.both(scenario) == ["0", "0", "0", "4096", "7"]


def test_pod(podman):
    def scenario(engine):
        engine("pod", "create", "--name", "p1", "--network", "none", "--infra-image", "box",
               "--infra-command", "/bin/sleep 1000", "--share", "ipc,net,uts,pid",
               "--hostname", "podhost").ok()
        engine("run", "-d", "--pod", "p1", "--name", "m1", "box", "sh", "-c",
               "touch /dev/shm/shared; sleep 100").ok()
        seen = engine("run", "--rm", "--pod", "p1", "box", "sh", "-c",
                      "until ls /dev/shm; do sleep 0.05; done; hostname; ps | grep -c 'sleep 100$'; "
                      "ls /sys/class/net").ok().out.split()
        engine("pod", "pause", "p1").ok()
        states = engine("ps", "-a", "--filter", "pod=p1", "--format", "{{.State}}").out.split()
        engine("pod", "unpause", "p1").ok()
        engine("pod", "rm", "-f", "-t", "0", "p1").ok()
        return seen, states
    seen, states = podman.both(scenario)
    assert "shared" in seen and "podhost" in seen and set(states) == {"Paused"}


def test_limits_top_and_stats(podman, box):
    def scenario(engine):
        box(engine, "--memory", "64m", "--cpus", "0.5", "--pids-limit", "40", "--cpuset-cpus", "0",
            "box", "sleep", "100")
        seen = [engine("exec", "box1", "sh", "-c",
                       "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max "
                       "cpu/cpu.cfs_quota_us cpuset/cpuset.cpus").ok().out.split()]
        seen.append(engine("top", "box1", "pid", "comm", "user").ok().out.split())
        stats = json.loads(engine("stats", "--no-stream", "--format", "json", "box1").ok().out)[0]
        seen.append((stats["pids"], stats["mem_usage"].split("/")[1]))
        engine("rm", "-f", "-t", "0", "box1").ok()
        return seen
    limits, top, stats = podman.both(scenario)
    assert limits == ["67108864", "40", "50000", "0"]
    assert "sleep" in top and stats == ("1", " 67.11MB")


def test_update(podman, box):
    def scenario(engine):
        box(engine, "--memory", "64m", "box", "sleep", "100")
        engine("update", "--memory", "32m", "--cpus", "0.25", "box1").ok()
        seen = engine("exec", "box1", "sh", "-c",
                      "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes "
                      "cpu/cpu.cfs_quota_us").ok().out.split()
        engine("rm", "-f", "-t", "0", "box1").ok()
        return seen
    assert podman.both(scenario) == ["33554432", "25000"]


def test_rootless_exec_and_pause(users_podman):
    def scenario(engine):
        engine.run("-d", "--name", "ubox", "--network", "none", "--user", "alice", "box", "sleep",
                   "100").ok()
        seen = []
        for args in (["ubox", "sh", "-c", "id -un; exit 6"], ["--user", "0", "ubox", "id", "-u"],
                     ["ubox", "no-such-command"]):
            done = engine("exec", *args)
            seen.append((done.code, done.out))
        done = engine.on_terminal("-it", "ubox", "tty", verb="exec")
        seen.append((done.code, done.out.split()))
        engine("rm", "-f", "-t", "0", "ubox").ok()
        return seen
    seen = users_podman.both(scenario)
    assert seen == [(6, "alice\n"), (0, "0\n"), (127, ""), (0, ["/dev/pts/0"])]


def test_ready_for_systemd(podman, scratch, build):
    """podman listens for the container; its runtime adds nothing to that."""
    place = podman.who.dir / "systemd.sock"

    def scenario(engine):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            place.unlink(missing_ok=True)
            systemd.bind(str(place))
            systemd.settimeout(20)
            seen = engine.run(
                "--rm", "--network", "none", "--sdnotify", "container",
                "-v", f"{build}/tests/faults/notifier:/notifier", "box", "sh", "-c",
                "echo $NOTIFY_SOCKET; ls /run/notify; /notifier send=READY=1; usleep 300000",
                env={"NOTIFY_SOCKET": str(place)}).ok().out.split()
            while "READY=1" not in (message := systemd.recv(4096).decode()):
                pass
            return seen, re.sub(r"\d{2,}", "PID", message).split()
    seen, message = podman.both(scenario)
    assert seen == ["/run/notify/notify.sock", "notify.sock"] and "READY=1" in message
