# SPDX-License-Identifier: Apache-2.0
"""docker with inro-runtime, by containerd's shim."""

import re
import time

import pytest

import harness


@pytest.mark.parametrize("command, code", [
    (["true"], 0), (["sh", "-c", "exit 3"], 3), (["no-such-command"], 127), (["/no/such"], 127),
    (["/etc/passwd"], 126), (["/etc"], 126), (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137),
])
def test_exit_status(docker, command, code):
    assert docker.run("--rm", "--network", "none", "box", *command).code == code


def test_words_that_docker_knows(docker, scratch):
    """A program without its interpreter is 127, and for a file on a directory there is advice."""
    script = scratch / "script"
    script.write_text("#!/nosuch\n")
    script.chmod(0o755)
    docker.run("--rm", "--network", "none", "-v", f"{script}:/script", "box", "/script").fails(
        "exec /script: no such file or directory", code=127)
    docker.run("--rm", "--network", "none", "-v", f"{script}:/tmp", "box", "true").fails(
        "Are you trying to mount a directory onto a file", code=125)


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


@pytest.fixture
def box(docker):
    yield lambda engine, *args: engine.run("-d", "--name", "box1", *args).ok()
    docker("rm", "-f", "box1")


def test_exec(docker, box):
    def scenario(engine):
        box(engine, "--network", "none", "-e", "A=1", "--user", "alice", "box", "sleep", "100")
        seen = []
        for args in (["box1", "sh", "-c", "id -un; pwd; echo $A $HOME; exit 4"],
                     ["--user", "root", "-w", "/tmp", "-e", "A=2", "box1", "sh", "-c",
                      "id -un; pwd; echo $A $HOME"],
                     ["box1", "sh", "-c", "grep -e Cap -e Seccomp: -e NoNew /proc/self/status; "
                      "cat /proc/self/cgroup"],
                     ["box1", "no-such-command"], ["box1", "/no/such"], ["box1", "/etc/passwd"],
                     ["--user", "nobody-here", "box1", "true"],
                     ["box1", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"]):
            done = engine("exec", *args)
            out = re.sub("[0-9a-f]{64}", "ID", done.out)
            seen.append((done.code, out.replace("unable to start container process: ", "")))
        done = engine.who.run(*engine.argv, "exec", "-i", "box1", "cat", input="over the pipe\n")
        seen.append((done.code, done.out))
        engine("exec", "-d", "box1", "sh", "-c", "echo here > /tmp/detached").ok()
        harness.wait_for(lambda: engine("exec", "box1", "cat", "/tmp/detached").out == "here\n")
        done = engine.on_terminal("-it", "box1", "sh", "-c",
                                  "tty; until stty size | grep 101; do usleep 20000; done 2>/dev/null; "
                                  "exit 3", verb="exec")
        seen.append((done.code, done.out.split()))
        engine("rm", "-f", "box1").ok()
        return seen
    seen = docker.both(scenario)
    assert seen[0] == (4, "alice\n/\n1 /\n") and seen[1] == (0, "root\n/tmp\n2 /root\n")
    assert seen[-1] == (3, ["/dev/pts/0", "33", "101"])


def test_pause_top_and_stats(docker, box):
    def scenario(engine):
        box(engine, "--network", "none", "--memory", "64m", "box", "sh", "-c",
            "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done")
        top = engine("top", "box1", "-eo", "pid,comm").ok().out.split()
        engine("pause", "box1").ok()
        status = engine("inspect", "-f", "{{.State.Status}}", "box1").out
        refused = engine("exec", "box1", "true").code
        before = engine("logs", "box1").out
        time.sleep(0.2)
        assert engine("logs", "box1").out == before
        stats = engine("stats", "--no-stream", "--format", "{{.PIDs}} {{.MemUsage}}", "box1").ok().out
        engine("unpause", "box1").ok()
        harness.wait_for(lambda: len(engine("logs", "box1").out) > len(before))
        engine("rm", "-f", "box1").ok()
        return "sh" in top, status, refused, stats.split()[0], stats.split()[-1]
    assert docker.both(scenario) == (True, "paused\n", 1, "2", "64MiB")


def test_update(docker, box):
    def scenario(engine):
        box(engine, "--network", "none", "--memory", "64m", "--memory-swap", "64m", "box", "sleep",
            "100")
        engine("update", "--memory", "128m", "--memory-swap", "128m", "--cpus", "0.25",
               "--pids-limit", "33", "--cpu-shares", "300", "--cpuset-cpus", "1", "box1").ok()
        seen = engine("exec", "box1", "sh", "-c",
                      "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us "
                      "pids/pids.max cpu/cpu.shares cpuset/cpuset.cpus").ok().out.split()
        seen.append(engine("update", "--memory", "4m", "--memory-swap", "4m", "box1").code)
        engine("rm", "-f", "box1").ok()
        return seen
    assert docker.both(scenario)[:5] == ["134217728", "25000", "33", "300", "1"]


def test_copy_and_commit(docker, box, scratch):
    there, back = scratch / "dthere", scratch / "dback"
    there.write_text("carried\n")

    def scenario(engine):
        back.unlink(missing_ok=True)
        box(engine, "--network", "none", "box", "sleep", "100")
        engine("cp", there, "box1:/tmp/x").ok()
        engine("exec", "box1", "sh", "-c", "cat /tmp/x /tmp/x > /tmp/y").ok()
        engine("cp", "box1:/tmp/y", back).ok()
        changes = sorted(engine("diff", "box1").ok().out.split("\n"))
        engine("rm", "-f", "box1").ok()
        return back.read_text(), changes
    assert docker.both(scenario)[0] == "carried\ncarried\n"


def test_build(docker, scratch):
    """docker builds with its default runtime, which is inro-runtime here."""
    where = scratch / "build"
    where.mkdir()
    (where / "Dockerfile").write_text(
        "FROM box\nENV A=b\nWORKDIR /opt/d\nCOPY Dockerfile .\n"
        'RUN echo "one $A" > /one && chown alice /opt/d\nUSER alice\n'
        'RUN id -un > who && pwd >> who\nUSER root\nRUN rm /one\nCMD ["cat", "who"]\n')
    docker("build", "--network", "none", "-t", "built", where).ok()
    assert docker.run("--rm", "--network", "none", "built").ok().out == "alice\n/opt/d\n"
    (where / "Dockerfile").write_text("FROM box\nRUN exit 9\n")
    docker("build", where).fails("exit 9", "returned a non-zero code: 9")
    docker("rmi", "built").ok()


def test_compose(docker, scratch):
    where = scratch / "compose"
    where.mkdir()
    (where / "docker-compose.yml").write_text(
        'version: "2.4"\nservices:\n'
        "  web:\n    image: box\n    runtime: inro\n    mem_limit: 64m\n"
        '    command: sh -c "echo up > /www/index; exec httpd -f -h /www -p 80"\n'
        "    tmpfs: /www\n"
        "  client:\n    image: box\n    runtime: inro\n    depends_on: [web]\n"
        '    command: sh -c "until wget -q -O- http://web/index; do sleep 0.1; done"\n')
    compose = ["docker-compose", "-H", docker.argv[-1], "-p", "comp", "-f",
               where / "docker-compose.yml"]
    try:
        r = docker.who.run(*compose, "run", "--rm", "client").ok()
        assert "up" in r.out.split()
        r = docker.who.run(*compose, "exec", "-T", "web", "cat", "/www/index").ok()
        assert r.out == "up\n"
    finally:
        docker.who.run(*compose, "down", "-t", "0")
