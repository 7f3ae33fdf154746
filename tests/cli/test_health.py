# SPDX-License-Identifier: Apache-2.0
"""Health checks: probes, what is shown of them, and what follows from them."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

import engine
import harness

TURNS = True
FAST = ("--health-interval", "100ms", "--health-timeout", "5s")


@pytest.fixture
def box(anyone):
    engine.box(anyone)
    yield anyone
    anyone.inro("rm", "-fa").ok()


def up(who, name, *options, command=("sleep", "1000"), image="box"):
    who.inro("run", "-d", "--name", name, *options, image, *command).ok()


def health(who, name):
    """State.Health; None: there is none."""
    return json.loads(who.inro("inspect", name).ok().out)[0]["State"].get("Health")


def wait_status(who, name, want):
    harness.wait_for(lambda: health(who, name)["Status"] == want, 15, f"{name} to be {want}")


def sh(who, name, line):
    return who.inro("exec", name, "sh", "-c", line).ok().out


def last(who, name):
    return health(who, name)["Log"][-1]


def test_command(box):
    up(box, "web", *FAST, "--health-cmd", "echo said; echo more >&2; test -f /well",
       "--health-retries", "2")
    assert "(health: starting)" in box.inro("ps").ok().out
    wait_status(box, "web", "unhealthy")
    assert "(unhealthy)" in box.inro("ps").ok().out
    entry = last(box, "web")
    assert entry["ExitCode"] == 1 and entry["Output"] == "said\nmore\n"
    assert entry["Start"] < entry["End"]
    assert health(box, "web")["FailingStreak"] >= 2
    sh(box, "web", "touch /well")
    wait_status(box, "web", "healthy")
    assert health(box, "web")["FailingStreak"] == 0
    told = lambda: box.inro("events", "--since", "1h", "--stream=false", "--filter",
                            "event=health_status", "--format", "{{.Action}}").ok().out
    harness.wait_for(lambda: told() == "health_status: unhealthy\nhealth_status: healthy\n")
    assert "(healthy)" in box.inro("ps").ok().out
    harness.wait_for(lambda: len(health(box, "web")["Log"]) == 5)
    assert box.inro("ps", "-q", "--filter", "health=healthy").ok().out
    assert not box.inro("ps", "-q", "--filter", "health=none").ok().out
    box.inro("ps", "--filter", "health=ill").fails("invalid filter", code=125)
    box.inro("stop", "-t", "0", "web").ok()
    assert health(box, "web")["Status"] == "unhealthy"  # as docker has it


def test_image_and_its_user(box):
    """HEALTHCHECK of an image; the probe is a process like the container's own."""
    engine.box(box, "checked", 'HEALTHCHECK --interval=100ms CMD ["sh", "-c", "id -u; echo $A"]',
               "ENV A=b", "USER 1000")
    up(box, "web", image="checked")
    wait_status(box, "web", "healthy")
    assert last(box, "web")["Output"] == "1000\nb\n"
    config = json.loads(box.inro("inspect", "web").ok().out)[0]["Config"]["Healthcheck"]
    assert config["Test"] == ["CMD", "sh", "-c", "id -u; echo $A"]
    assert config["Interval"] == 100000000 and config["Timeout"] == 30000000000
    for options in ["--no-healthcheck"], ["--health-cmd", "none"]:
        up(box, "none", *options, image="checked")
        assert health(box, "none") is None
        assert "health" not in box.inro("ps", "--filter", "name=none").ok().out
        box.inro("rm", "-f", "none").ok()


def test_output_is_bounded(box):
    up(box, "web", *FAST, "--health-cmd", "dd if=/dev/zero bs=1k count=300 2>/dev/null | tr '\\0' x")
    wait_status(box, "web", "healthy")
    assert last(box, "web")["Output"] == "x" * 4096 + "..."


def test_timeout(box):
    up(box, "web", "--health-interval", "100ms", "--health-timeout", "300ms",
       "--health-retries", "1", "--health-cmd", "echo begun; sleep 987 & sleep 986; echo no")
    wait_status(box, "web", "unhealthy")
    entry = last(box, "web")
    assert entry["ExitCode"] == -1
    assert entry["Output"] == "Health check exceeded timeout (300ms): begun\n"
    # what was too slow does not stay: one may be running just now
    shown = box.inro("top", "web", "-o", "pid,args").ok().out
    assert shown.count("sleep 987") <= 1 and shown.count("sleep 986") <= 1


def test_program_that_is_not_there(box):
    up(box, "web", *FAST, "--health-cmd", '["CMD", "no-such-probe"]', "--health-retries", "1")
    wait_status(box, "web", "unhealthy")
    assert last(box, "web")["ExitCode"] == -1 and "no-such-probe" in last(box, "web")["Output"]


def test_probe_now(box):
    up(box, "web", "--health-interval", "disable", "--health-cmd", "test -f /well",
       "--health-retries", "2")
    r = box.inro("healthcheck", "run", "web")
    assert (r.code, r.out) == (1, "starting\n")
    # What this one changes is told of: whoever asks meanwhile waits, and is told of a probe of
    # its own.
    with contextlib.closing(sqlite3.connect(box.state / "inro/inro.db")) as db:
        db.execute("BEGIN IMMEDIATE")
        r = box.inro("healthcheck", "run", "web")
        assert (r.code, r.out) == (1, "unhealthy\n")
        with box.popen(*box.inro_argv("healthcheck", "run", "web"), text=True,
                       stdout=subprocess.PIPE) as later:
            time.sleep(0.2)
            assert later.poll() is None
            db.rollback()
            assert later.communicate(timeout=20 * harness.PATIENCE)[0] == "unhealthy\n"
    assert later.returncode == 1
    sh(box, "web", "touch /well")
    assert box.inro("healthcheck", "run", "web").ok().out == ""
    # nobody else has probed it
    assert [e["ExitCode"] for e in health(box, "web")["Log"]] == [1, 1, 1, 0]
    box.inro("stop", "-t", "0", "web").ok()
    box.inro("healthcheck", "run", "web").fails("is not running", code=125)
    up(box, "plain")
    box.inro("healthcheck", "run", "plain").fails("has no defined healthcheck", code=125)


def test_inro_is_being_exchanged(root):
    """What follows from a probe is inro's to do: once it is there again."""
    programs = root.dir / "programs"
    programs.mkdir()
    for name in ("inro", "inro-monitor"):
        shutil.copy(root.program(name), programs)
    engine.box(root)
    root.run(programs / "inro", *root.inro_argv("run", "-d", "--name", "web", "--health-cmd", "false",
             "--health-retries", "1", "--health-interval", "disable", "--health-on-failure", "stop",
             "--stop-timeout", "0", "box", "sleep", "1000")[1:]).ok()
    (programs / "inro").rename(programs / "gone")
    r = root.inro("healthcheck", "run", "web")
    assert (r.code, r.out) == (1, "unhealthy\n")
    time.sleep(0.2)
    assert root.inro("inspect", "-f", "{{.State.Status}}", "web").ok().out == "running\n"
    (programs / "gone").rename(programs / "inro")
    root.inro("wait", "web", timeout=20 * harness.PATIENCE).ok()
    assert root.inro("events", "--since", "1h", "--until", "0s", "--filter", "event=health_status",
                     "--format", "{{.Status}}").ok().out


def test_paused_is_not_probed(root):
    engine.box(root)
    up(root, "web", *FAST, "--health-cmd", "echo x >> /probes", "--health-retries", "1")
    wait_status(root, "web", "healthy")
    root.inro("pause", "web").ok()
    # for one that had begun
    harness.wait_for(lambda: health(root, "web") == (time.sleep(0.3), health(root, "web"))[1])
    before = health(root, "web")
    root.inro("healthcheck", "run", "web").fails("is paused", code=125)
    time.sleep(0.4)
    assert health(root, "web") == before
    root.inro("unpause", "web").ok()
    harness.wait_for(lambda: last(root, "web")["Start"] > before["Log"][-1]["End"])
    assert health(root, "web")["Status"] == "healthy"
    root.inro("rm", "-fa").ok()


SERVER = r"""
while :; do
    printf 'HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n' "$(cat /answer)" | nc -l -p 8080 >>/request
done"""


def test_http_and_tcp(box):
    """Answered by busybox's nc, on the container's own loopback."""
    common = (*FAST, "--health-retries", "1")
    up(box, "web", *common, "--health-http", ":8080/ready?x=1",
       command=("sh", "-c", "echo 204 Fine > /answer;" + SERVER))
    wait_status(box, "web", "healthy")
    assert "GET /ready?x=1: HTTP/1.1 204 Fine" in last(box, "web")["Output"]
    request = sh(box, "web", "cat /request")
    assert request.startswith("GET /ready?x=1 HTTP/1.1") and "Host: localhost:8080" in request
    sh(box, "web", "echo 503 Busy > /answer")
    wait_status(box, "web", "unhealthy")
    box.inro("rm", "-f", "web").ok()
    up(box, "port", *common, "--health-tcp", "8081")
    wait_status(box, "port", "unhealthy")
    assert "Connection refused" in last(box, "port")["Output"]
    box.inro("exec", "-d", "port", "sh", "-c", "while :; do nc -l -p 8081 </dev/null; done").ok()
    wait_status(box, "port", "healthy")


def test_hostile_servers(box):
    servers = {
        "silent": ("sleep 1000 | nc -l -p 8080", "exceeded timeout"),
        "endless": ("yes | nc -l -p 8080", "not HTTP's"),
        "zeros": ("(printf HTTP/1.1; cat /dev/zero) | nc -l -p 8080", "not HTTP's"),
        "short": ("nc -l -p 8080 </dev/null", "closed the connection|reset by peer"),
    }
    for name, (serve, _) in servers.items():
        up(box, name, "--health-interval", "100ms", "--health-timeout", "1s", "--health-retries", "1",
           "--health-http", "http://127.0.0.1:8080/",
           command=("sh", "-c", f"while :; do {serve}; done"))
    for name, (_, words) in servers.items():
        harness.wait_for(lambda: any(re.search(words, e["Output"]) for e in health(box, name)["Log"]), 15,
                         f"{name}: {words}")


def test_file(box):
    up(box, "web", *FAST, "--health-file", "/run/alive:1m", "--health-retries", "1",
       command=("sh", "-c", "mkdir -p /run; exec sleep 1000"))
    wait_status(box, "web", "unhealthy")
    assert "/run/alive: No such file" in last(box, "web")["Output"]
    sh(box, "web", "touch /run/alive")
    wait_status(box, "web", "healthy")
    sh(box, "web", "touch -d '2020-01-01 00:00' /run/alive")
    wait_status(box, "web", "unhealthy")
    # neither is a pipe waited for, nor a link followed out of the container
    sh(box, "web", "rm /run/alive; mkfifo /run/alive")
    wait_status(box, "web", "healthy")
    sh(box, "web", "rm /run/alive; ln -s /proc/self/exe /run/alive")
    wait_status(box, "web", "unhealthy")


def test_actions(box):
    bad = ("--health-cmd", "test -f /well", "--health-retries", "1", *FAST)
    up(box, "killed", *bad, "--health-on-failure", "kill")
    up(box, "stopped", *bad, "--health-on-failure", "stop", "--restart", "always",
       command=("sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.05; done"))
    for name, code in ("killed", 137), ("stopped", 7):
        harness.wait_for(lambda: "exited" in box.inro("inspect", "-f", "{{.State.Status}}", name).out,
                         15, name)
        state = json.loads(box.inro("inspect", name).ok().out)[0]["State"]
        assert state["ExitCode"] == code
    up(box, "again", *bad, "--health-on-failure", "restart", "--stop-timeout", "0", command=(
        "sh", "-c", "echo up >> /starts; test $(wc -l < /starts) = 1 || touch /well; exec sleep 1000"))
    wait_status(box, "again", "healthy")
    assert sh(box, "again", "cat /starts") == "up\nup\n"


def test_stop_of_one_that_gets_ill_by_it(box):
    """Nobody asks for its end a second time, nor starts it again."""
    up(box, "web", *FAST, "--health-cmd", "test ! -e /going", "--health-retries", "1",
       "--health-on-failure", "restart", command=(
           "sh", "-c", "trap 'echo term >> /terms; touch /going' TERM;"
           " while ! [ -e /done ]; do sleep 0.05; done"))
    wait_status(box, "web", "healthy")
    stop = box.popen(*box.inro_argv("stop", "-t", "60", "web"), stdout=subprocess.PIPE)
    told = lambda: box.inro("events", "--stream=false", "--filter", "container=web", "--format",
                            "{{.Action}}").ok().out.splitlines()
    harness.wait_for(lambda: "health_status: unhealthy" in told(), 15)
    time.sleep(0.3)  # for what would follow
    assert sh(box, "web", "cat /terms") == "term\n"
    sh(box, "web", "touch /done")
    assert stop.communicate(timeout=20)[0] == b"web\n"
    time.sleep(0.3)
    assert told().count("start") == 1


def test_startup_probe(box):
    up(box, "web", *FAST, "--health-cmd", "echo real >> /log", "--health-startup-cmd",
       "echo startup >> /log; test -f /started", "--health-startup-interval", "50ms",
       "--health-startup-success", "2")
    harness.wait_for(lambda: sh(box, "web", "cat /log 2>/dev/null || :").count("startup") > 2)
    assert health(box, "web")["Status"] == "starting" and "real" not in sh(box, "web", "cat /log")
    sh(box, "web", "touch /started")
    wait_status(box, "web", "healthy")


def test_wait_for_conditions(box):
    up(box, "web", *FAST, "--health-cmd", "test -f /well", "--health-retries", "1")
    waiting = box.popen(*box.inro_argv("wait", "--condition", "healthy", "-i", "20ms", "web"),
                        stdout=subprocess.PIPE)
    assert box.inro("wait", "--condition", "unhealthy", "web").ok().out == "-1\n"
    assert box.inro("wait", "--condition", "stopped", "--condition", "running", "web").ok().out == "-1\n"
    assert waiting.poll() is None
    sh(box, "web", "touch /well")
    assert waiting.communicate(timeout=15)[0] == b"-1\n"
    up(box, "plain", command=("sh", "-c", "exit 3"))
    assert box.inro("wait", "--condition", "exited", "plain").ok().out == "3\n"
    box.inro("wait", "--condition", "healthy", "plain").fails("no defined healthcheck", code=1)
    # Of one that somebody has stopped no policy makes anything.
    up(box, "kept", *FAST, "--health-cmd", "true", "--restart", "always", "--stop-timeout", "0")
    box.inro("stop", "kept").ok()
    box.inro("wait", "--condition", "healthy", "-i", "0", "kept").fails("has ended with status 137", code=1)
    box.inro("wait", "--condition", "odd", "plain").fails(code=125)


def test_nothing_of_a_probe_stays(box):
    """Of a container that ends in the middle of one, also when its monitor is killed."""
    up(box, "web", "--health-interval", "50ms", "--health-cmd", "sleep 1000", "--rm")
    harness.wait_for(lambda: "sleep 1000" in box.inro("top", "web", "-o", "pid,args").ok().out)
    pid = box.inro("inspect", "-f", "{{.State.Pid}}", "web").ok().out.strip()
    box.inro("kill", "web").ok()
    harness.wait_for(lambda: not engine.containers(box))
    harness.wait_for(lambda: harness.is_dead(int(pid)))
    up(box, "web", "--health-interval", "50ms", "--health-cmd", "sleep 1000")
    harness.wait_for(lambda: "sleep 1000" in box.inro("top", "web", "-o", "pid,args").ok().out)
    pid = int(box.inro("inspect", "-f", "{{.State.Pid}}", "web").ok().out)
    stat = open(f"/proc/{pid}/stat", encoding="utf8").read()
    box.run("kill", "-9", stat[stat.rindex(")") + 2:].split()[1]).ok()
    harness.wait_for(lambda: "exited" in box.inro("inspect", "-f", "{{.State.Status}}", "web").out)


def parents():
    """{pid: its parent's}"""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                found[int(entry.name)] = int(stat[stat.rindex(")") + 2:].split()[1])
    return found


def test_killed_probe_takes_along_what_it_made(box):
    up(box, "web", "--health-interval", "50ms", "--health-timeout", "10m", "--health-http", ":8080",
       command=("sh", "-c", "while :; do sleep 1000 | nc -l -p 8080; done"))
    init = int(box.inro("inspect", "-f", "{{.State.Pid}}", "web").ok().out)

    def hanging():
        of = parents()
        for pid, probe in of.items():
            if probe != init and of.get(probe) == of[init]:
                time.sleep(0.3)  # one that found nobody has ended
                return not harness.is_dead(pid) and (pid, probe)
        return None

    pid, probe = harness.wait_for(hanging, 15)
    os.kill(probe, signal.SIGKILL)
    harness.wait_for(lambda: harness.is_dead(pid), what="the end of what is inside")


def test_update(box):
    """Of one that runs: a check where there was none, another command, none any more."""
    up(box, "web")
    box.inro("update", "--health-interval", "1s", "web").fails("has no health check", code=1)
    box.inro("update", *FAST, "--health-cmd", "test -f /well", "--health-retries", "1",
             "web").ok()
    wait_status(box, "web", "unhealthy")
    box.inro("update", "--health-cmd", "true", "web").ok()
    wait_status(box, "web", "healthy")
    config = json.loads(box.inro("inspect", "web").ok().out)[0]["Config"]["Healthcheck"]
    assert config["Test"] == ["CMD-SHELL", "true"] and config["Interval"] == 100000000
    assert config["Retries"] == 1
    box.inro("update", "--health-tcp", "no-port", "web").fails("no-port")
    box.inro("restart", "-t", "0", "web").ok()
    wait_status(box, "web", "healthy")
    box.inro("update", "--no-healthcheck", "web").ok()
    assert health(box, "web") is None
    box.inro("healthcheck", "run", "web").fails("no defined healthcheck")


def test_machine_that_goes_down(box):
    """What its health asks for comes too late then."""
    up(box, "web", "--health-cmd", "true", "--health-interval", "disable", "--health-on-failure", "restart",
       "--stop-timeout", "0")
    one = box.inro("inspect", "-f", "{{.Id}}", "web").ok().out.strip()

    def act():
        box.inro("__health", "--action", "restart", one, "unhealthy").ok()
        return box.inro("inspect", "-f", "{{.State.Status}} {{.State.StartedAt}}", "web").ok().out.split()

    was = box.inro("inspect", "-f", "{{.State.StartedAt}}", "web").ok().out.strip()
    state, started = act()
    assert state == "running" and started > was
    box.inro("stop", "--for-boot", "web").ok()
    assert act() == ["exited", started]
    box.inro("start", "web").ok()
    assert act()[0] == "running"


def test_wrong_options(box):
    for options, words in [
            (("--no-healthcheck", "--health-cmd", "x"),
             "--no-healthcheck conflicts with --health-* options"),
            (("--health-cmd", "x", "--health-retries", "-1"), "cannot be negative"),
            (("--health-http", "https://127.0.0.1/"), "https is not supported"),
            (("--health-tcp", "web:80"), "no name"),
            (("--health-on-failure", "kill"), "without a health check")]:
        box.inro("run", *options, "box", "true").fails(words, code=125)
