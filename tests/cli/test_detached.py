# SPDX-License-Identifier: Apache-2.0
"""Containers that outlive the command: create, start, run -d, attach, and restart policies."""

import fcntl
import json
import os
import pathlib
import pty
import queue
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import engine
import harness

F_OFD_SETLK = 37
LOOP = "trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done"


def detached(who, *args):
    """`run -d`; the id."""
    cid = who.inro("run", "-d", *args).ok().out.strip()
    assert re.fullmatch("[0-9a-f]{64}", cid)
    return cid


def state(who, name, *fields):
    """Of `inspect`: the members of State, or others by their path."""
    template = " ".join("{{.%s}}" % f for f in fields or ["State.Status"])
    return who.inro("inspect", "--format", template, name).ok().out.strip()


def wait_state(who, name, want, seconds=10):
    harness.wait_for(lambda: state(who, name) == want, seconds, f"{name} to be {want}")


def is_open(fd, lock):
    try:
        return os.readlink(fd) == str(lock) and fd.stat().st_ino == lock.stat().st_ino
    except OSError:  # one that is just being closed says nothing of the others
        return False


def monitor_of(who, cid):
    """The pid of the process that holds the container's lock."""
    lock = who.run_dir / "inro/containers" / cid / "lock"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(is_open(fd, lock) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()):
                return int(pid)
        except OSError:
            continue
    raise AssertionError("no monitor")  # and no 0, which kill(2) takes for all tests


def init_of(who, cid):
    return json.loads((who.run_dir / "inro/runtime" / cid / "state.json").read_text())["pid"]


def control_of(who, cid):
    """A short path of its control socket."""
    link = who.dir / "link"
    if not link.is_symlink():
        link.symlink_to(who.run_dir / "inro/containers" / cid)
    return link / "ctl"


def size_of(path):
    return len(path.read_text()) if path.exists() else 0


# ---- run -d ----

def test_run_in_the_background(anyone):
    box = engine.box(anyone)
    cid = detached(anyone, "--name", "web", box, "sh", "-c", "sleep 0.5; exit 6")
    assert state(anyone, "web", "Id", "State.Status") == f"{cid} running"
    wait_state(anyone, "web", "exited")
    assert state(anyone, "web", "State.ExitCode") == "6"
    assert "Exited (6)" in anyone.inro("ps", "-a").ok().out
    anyone.inro("rm", "web").ok()


def test_removed_at_its_end(anyone):
    detached(anyone, "--rm", engine.box(anyone), "sleep", "0.2")
    harness.wait_for(lambda: not engine.containers(anyone), 10, "the end")
    assert os.listdir(anyone.state / "inro/containers") == []
    harness.wait_for(lambda: not os.listdir(anyone.run_dir / "inro/containers"))


def test_output_of_a_detached_one_holds_nothing_up(anyone):
    box = engine.box(anyone)
    detached(anyone, "--name", "web", box, "sh", "-c",
             "dd if=/dev/zero bs=1k count=3000 2>/dev/null; exit 3")
    wait_state(anyone, "web", "exited")
    assert state(anyone, "web", "State.ExitCode") == "3"


def test_what_cannot_start(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "-d", "--name", "bad", box, "no-such-command").fails(code=127)
    assert "Exited (127)" in anyone.inro("ps", "-a").ok().out
    anyone.inro("run", "-d", "--rm", box, "no-such-command").fails(code=127)
    assert len(engine.containers(anyone)) == 1


def test_nothing_of_the_caller_stays_open(anyone):
    """Neither its pipes nor its directory are held by who stays behind."""
    box = engine.box(anyone)
    where = anyone.dir / "where"
    where.mkdir(mode=0o755)
    anyone.own(where)
    # communicate() waits for the end of stdout and stderr, which all who have them must close
    cid = anyone.inro("run", "-d", box, "sleep", "60", cwd=where, timeout=20).ok().out.strip()
    monitor = monitor_of(anyone, cid)
    assert not os.readlink(f"/proc/{monitor}/cwd").startswith(str(where))


def test_terminal_in_the_background(anyone):
    detached(anyone, "--name", "web", "-t", engine.box(anyone), "sh", "-c",
             "[ -t 0 ] && [ -t 1 ] && exit 5")
    wait_state(anyone, "web", "exited")
    assert state(anyone, "web", "State.ExitCode") == "5"


def test_stdin_of_a_detached_one_stays_open(anyone):
    cid = detached(anyone, "-i", engine.box(anyone), "sh", "-c", "cat; exit 9")
    time.sleep(0.3)
    assert state(anyone, cid) == "running"
    anyone.inro("rm", "-f", cid).ok()


def test_killed_monitor_of_a_detached_one(anyone):
    cid = detached(anyone, "--restart", "always", engine.box(anyone), "sleep", "60")
    init = init_of(anyone, cid)
    os.kill(monitor_of(anyone, cid), signal.SIGKILL)
    harness.wait_for(lambda: "Exited (137)" in anyone.inro("ps", "-a").ok().out)
    harness.wait_for(lambda: harness.is_dead(init))
    anyone.inro("start", cid).ok()
    assert state(anyone, cid) == "running"


# ---- create and start ----

def test_create_and_start_again_and_again(anyone):
    box = engine.box(anyone)
    cid = anyone.inro("create", "--name", "web", box, "sh", "-c",
                      "echo x >> /count; exit $(wc -l < /count)").ok().out.strip()
    assert state(anyone, "web", "Id", "State.Status", "State.StartedAt") == \
        f"{cid} created 0001-01-01T00:00:00Z"
    assert anyone.inro("ps", "-q").ok().out == ""
    assert " Created " in anyone.inro("ps", "-a").ok().out
    for n in (1, 2, 3):
        assert anyone.inro("start", "web").ok().out == "web\n"
        wait_state(anyone, "web", "exited")
        assert state(anyone, "web", "State.ExitCode") == str(n)
    assert anyone.inro("start", "-a", "web").code == 4
    anyone.inro("rm", "web").ok()


def test_started_with_its_output(anyone):
    box = engine.box(anyone)
    anyone.inro("create", "--name", "web", box, "sh", "-c", "echo out; echo err >&2; exit 3").ok()
    for _ in range(2):
        r = anyone.inro("start", "-a", "web")
        assert (r.code, r.out, r.err) == (3, "out\n", "err\n")
    anyone.inro("create", "-i", "--name", "cat", box, "cat").ok()
    for text in ("one\n", "two\n"):
        assert anyone.inro("start", "-ai", "cat", input=text).ok().out == text


def test_created_with_rm(anyone):
    box = engine.box(anyone)
    anyone.inro("create", "--rm", "--name", "web", box, "true").ok()
    anyone.inro("start", "web").ok()
    harness.wait_for(lambda: not engine.containers(anyone), 10, "the end")
    anyone.inro("create", "--rm", "--name", "web", box, "sh", "-c", "exit 4").ok()
    assert anyone.inro("start", "-a", "web").code == 4
    assert engine.containers(anyone) == []


def test_start_of_what_runs(anyone):
    cid = detached(anyone, engine.box(anyone), "sleep", "60")
    init = init_of(anyone, cid)
    assert anyone.inro("start", cid).ok().out == cid + "\n"
    assert init_of(anyone, cid) == init


def test_start_goes_on_after_one_that_fails(anyone):
    box = engine.box(anyone)
    anyone.inro("create", "--name", "one", box, "sleep", "60").ok()
    anyone.inro("create", "--name", "bad", box, "no-such-command").ok()
    r = anyone.inro("start", "none", "bad", "one").fails("No such container: none",
                                                         "no-such-command", code=1)
    assert r.out == "one\n"
    assert state(anyone, "bad", "State.Status", "State.ExitCode") == "exited 127"
    anyone.inro("start", "-a", "one", "bad").fails("multiple containers", code=125)


def test_many_starts_at_once(anyone):
    """One of them starts it, for the others it runs."""
    box = engine.box(anyone)
    anyone.inro("create", "--name", "web", box, "sh", "-c",
                "echo x >> /count; sleep 60").ok()
    clients = [anyone.popen(*anyone.inro_argv("start", "web"), stdout=subprocess.DEVNULL)
               for _ in range(8)]
    assert [c.wait(30) for c in clients] == [0] * 8
    cid = engine.containers(anyone)[0]
    count = anyone.state / "inro/containers" / cid / "upper/count"
    harness.wait_for(count.exists)
    assert size_of(count) == 2


def test_start_and_rm_at_once(anyone):
    box = engine.box(anyone)
    for _ in range(harness.rounds(8)):
        anyone.inro("create", "--name", "web", box, "sleep", "60").ok()
        start = anyone.popen(*anyone.inro_argv("start", "web"), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        remove = anyone.inro("rm", "web")
        started = start.wait(30) == 0
        assert started == (remove.code != 0), remove
        assert engine.containers(anyone) == [] if not started else state(anyone, "web") == "running"
        anyone.inro("rm", "-f", "web").ok()
        assert os.listdir(anyone.state / "inro/containers") == []
        assert os.listdir(anyone.run_dir / "inro/containers") == []


def test_start_after_a_reboot(anyone):
    """Nothing is left in the run directory then."""
    box = engine.box(anyone)
    cid = detached(anyone, "--name", "web", box, "sh", "-c", "echo x >> /count; sleep 60")
    count = anyone.state / "inro/containers" / cid / "upper/count"
    harness.wait_for(lambda: size_of(count) == 2)
    os.kill(monitor_of(anyone, cid), signal.SIGKILL)
    init = init_of(anyone, cid)
    os.kill(init, signal.SIGKILL)
    harness.wait_for(lambda: harness.is_dead(init))
    anyone.runtime_state = anyone.run_dir / "inro/runtime"
    anyone.run(anyone.program("inro-runtime"), "--root", anyone.runtime_state, "delete", "--force",
               cid).ok()
    for path in sorted((anyone.run_dir / "inro").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    anyone.inro("start", "web").ok()
    assert state(anyone, "web") == "running"
    harness.wait_for(lambda: size_of(count) == 4)


# ---- whoever is killed ----

def killed_at(who, count, *args, **kw):
    """Runs inro again and again, each time killed at another of its system calls; yields the first
    time, when it is not killed, too."""
    report = who.dir / "report"
    argv = [who.program("tests/faults/killat"), "-o", report]
    who.run(*argv, 0, "--", *who.inro_argv(*args), **kw).ok()
    calls = int(report.read_text().split()[-1])
    yield 0
    for n in range(calls // count, calls, calls // count):
        who.run(*argv, n, "--", *who.inro_argv(*args), **kw)
        yield n


def test_killed_create_leaves_no_container(anyone):
    box = engine.box(anyone)
    for _ in killed_at(anyone, 6, "create", "--name", "web", box, "true"):
        if engine.containers(anyone):
            anyone.inro("start", "-a", "web").ok()
            anyone.inro("rm", "web").ok()
        anyone.inro("create", "--name", "web", box, "true").ok()
        anyone.inro("rm", "web").ok()


def test_killed_rm_is_finished_by_the_next_command(anyone):
    """The container is there, whole, or nothing of it is."""
    box = engine.box(anyone)
    make = ("create", "--name", "web", "-v", "/vol", box, "cat", "/etc/passwd")
    anyone.inro(*make).ok()
    for _ in killed_at(anyone, 8, "rm", "-v", "web"):
        if engine.containers(anyone):
            anyone.inro("start", "-a", "web").ok()
            anyone.inro("rm", "-v", "web").ok()
        assert os.listdir(anyone.state / "inro/containers") == []
        assert anyone.inro("volume", "ls", "-q").ok().out == ""
        anyone.inro(*make).ok()


def test_rm_of_several_that_is_interrupted(anyone):
    """What it has killed it removes and names, before it gives in; what comes later it leaves."""
    box = engine.box(anyone)
    cids = [anyone.inro("run", "-d", "--name", f"c{i}", box, "sleep", "1000").ok().out.strip() for i in range(2)]
    first = monitor_of(anyone, cids[0])
    os.kill(first, signal.SIGSTOP)
    rest = ["none"] * 16
    rm = anyone.popen(*anyone.inro_argv("rm", "-f", "c0", "c1", "c0", *rest), stdout=subprocess.PIPE,
                      stderr=subprocess.PIPE)
    harness.wait_for(lambda: "running" not in anyone.inro("ps", "--filter", "name=c1", "--format", "{{.State}}").ok().out)
    rm.send_signal(signal.SIGINT)
    time.sleep(0.1)
    os.kill(first, signal.SIGCONT)
    out, err = rm.communicate(timeout=20 * harness.PATIENCE)
    assert rm.returncode == -signal.SIGINT and out.decode() == "c0\nc1\n"
    # Of two words for one container the second is too late; what is behind the sixteenth was not looked at.
    assert err.decode().count("No such container") == 1 + len(rest) - 3
    assert anyone.inro("ps", "-aq").ok().out == ""


def test_rm_of_several_with_nohup(anyone):
    """A signal that the caller ignores ends nothing."""
    box = engine.box(anyone)
    cid = anyone.inro("run", "-d", "--name", "c0", box, "sleep", "1000").ok().out.strip()
    anyone.inro("create", "--name", "c1", box, "true").ok()
    monitor, init = monitor_of(anyone, cid), init_of(anyone, cid)
    os.kill(monitor, signal.SIGSTOP)
    rm = anyone.popen("sh", "-c", 'trap "" HUP; exec "$@"', "sh",
                      *anyone.inro_argv("rm", "-f", "--ignore", "c0", *["none"] * 16, "c1"), stdout=subprocess.PIPE)
    harness.wait_for(lambda: harness.is_dead(init))
    rm.send_signal(signal.SIGHUP)
    os.kill(monitor, signal.SIGCONT)
    out, _ = rm.communicate(timeout=20 * harness.PATIENCE)
    assert rm.returncode == 0 and out.decode() == "c0\nc1\n"


def test_name_of_what_a_killed_rm_has_left(anyone):
    box = engine.box(anyone)
    for i, verb in enumerate((["create", "--name", "web", box, "true"], ["rename", "other", "web"])):
        anyone.inro("create", "--name", "web", box, "true").ok()
        if i:
            anyone.inro("create", "--name", "other", box, "true").ok()
        anyone.run("sqlite3", anyone.state / "inro/inro.db",
                   "UPDATE containers SET status = 'removing' WHERE name = 'web'").ok()
        anyone.inro(*verb).ok()
        assert len(os.listdir(anyone.state / "inro/containers")) == 1
        anyone.inro("create", "--name", "web", box, "true").fails("is already in use", code=125)
        anyone.inro("rm", "web").ok()


def test_the_newest_without_what_a_killed_rm_has_left(anyone):
    box = engine.box(anyone)
    for name in ("one", "two", "three", "four"):
        anyone.inro("create", "--name", name, box, "true").ok()

    def names(*words):
        return anyone.inro("ps", "--format", "{{.Names}}", *words).ok().out.split()
    assert names("-l") == ["four"] and names("-n", "3") == ["four", "three", "two"]
    anyone.run("sqlite3", anyone.state / "inro/inro.db",
               "UPDATE containers SET status = 'removing' WHERE name = 'four'").ok()
    assert names("-n", "2") == ["three", "two"]
    assert len(os.listdir(anyone.state / "inro/containers")) == 3
    assert anyone.inro("inspect", "-f", "{{.Name}}", "-l").ok().out.strip("/\n") == "three"
    assert names("-n", "9") == ["three", "two", "one"]


def test_start_that_waits_for_a_killed_rm(anyone):
    cid = anyone.inro("create", "--name", "web", engine.box(anyone), "true").ok().out.strip()
    with open(anyone.run_dir / "inro/containers" / cid / "lock", "r+b") as lock:
        fcntl.fcntl(lock, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
        start = anyone.popen(*anyone.inro_argv("start", "web"), stderr=subprocess.PIPE)
        time.sleep(0.2)
        anyone.run("sqlite3", anyone.state / "inro/inro.db",
                   "UPDATE containers SET status = 'removing'").ok()
    assert b"No such container: web" in start.communicate(timeout=20)[1]
    assert start.returncode == 1 and os.listdir(anyone.state / "inro/containers") == []


def test_killed_run_leaves_the_truth(anyone):
    box = engine.box(anyone)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for _ in killed_at(anyone, 6, "run", "-d", "--name", "web", box, "sleep", "60", **quiet):
        for cid in engine.containers(anyone):
            harness.wait_for(lambda: state(anyone, "web") in ("running", "exited"))
            if state(anyone, "web") == "running":
                assert not harness.is_dead(init_of(anyone, cid))
            anyone.inro("rm", "-f", "web").ok()
        anyone.inro("run", "--rm", "--name", "web", box, "true").ok()


def test_killed_start_can_be_repeated(anyone):
    box = engine.box(anyone)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    anyone.inro("create", "--name", "web", box, "sh", "-c", "exit 3").ok()
    for _ in killed_at(anyone, 6, "start", "web", **quiet):
        assert anyone.inro("start", "-a", "web").code in (0, 3)
        wait_state(anyone, "web", "exited")
        assert anyone.inro("start", "-a", "web").code == 3


def test_killed_clean_up(anyone):
    """Without a restart, and with one."""
    box = engine.box(anyone)
    cid = anyone.inro("create", "--restart", "on-failure", "--name", "web", box, "sleep",
                      "60").ok().out.strip()
    directory = anyone.run_dir / "inro/containers" / cid
    report = anyone.dir / "report"

    def clean_up(n, status):
        """What becomes of a monitor whose container has ended with this status."""
        anyone.run("sqlite3", anyone.state / "inro/inro.db",
                   "UPDATE containers SET status = 'running'").ok()
        with open(directory / "lock", "r+b") as lock, \
                socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
            fcntl.fcntl(lock, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
            path = control_of(anyone, cid)
            path.unlink(missing_ok=True)
            control.bind(str(path))
            anyone.own(path)
            control.listen()
            fds = [lock.fileno(), control.fileno()]
            argv = anyone.inro_argv("__cleanup", "--lock", fds[0], "--control", fds[1], cid, status)
            return anyone.run(anyone.program("tests/faults/killat"), "-o", report, n, "--", *argv,
                              pass_fds=fds)

    def crash():
        if state(anyone, "web") == "running":
            init = init_of(anyone, cid)
            os.kill(monitor_of(anyone, cid), signal.SIGKILL)
            wait_state(anyone, "web", "exited")
            harness.wait_for(lambda: harness.is_dead(init))

    for status, end in ((0, "exited"), (7, "running")):
        crash()
        clean_up(0, status).ok()
        assert state(anyone, "web") == end
        calls = int(report.read_text().split()[-1])
        for n in range(calls // 5, calls, calls // 5):
            crash()
            clean_up(n, status)
            harness.wait_for(lambda: state(anyone, "web") in ("exited", "running"))
            anyone.inro("start", "web").ok()
            assert state(anyone, "web") == "running"


def test_user_namespace_of_its_own(root):
    box = engine.box(root)
    root.inro("create", "--userns", "private", "--name", "web", box, "sh", "-c",
              "echo x >> /count; exit $(wc -l < /count)").ok()
    assert root.inro("start", "-a", "web").code == 1
    assert root.inro("start", "-a", "web").code == 2


def test_host_image_again(root):
    root.inro("create", "--name", "web", "host", "sh", "-c",
              "echo x >> /usr/count-inro; exit $(wc -l < /usr/count-inro)").ok()
    assert root.inro("start", "-a", "web").code == 1
    assert root.inro("start", "-a", "web").code == 2
    assert not os.path.exists("/usr/count-inro")


def test_inspect_shows_how_it_lives(anyone):
    box = engine.box(anyone, "box", "STOPSIGNAL SIGINT")
    anyone.inro("create", "-i", "--restart", "on-failure:4", "--stop-timeout", "7", "--name", "web",
                box, "true").ok()
    assert state(anyone, "web", "HostConfig.RestartPolicy.Name",
                 "HostConfig.RestartPolicy.MaximumRetryCount", "Config.StopSignal",
                 "Config.StopTimeout", "Config.OpenStdin") == "on-failure 4 SIGINT 7 true"
    anyone.inro("create", "--rm", "--stop-signal", "HUP", "--name", "hup", box, "true").ok()
    assert state(anyone, "hup", "HostConfig.RestartPolicy.Name", "HostConfig.AutoRemove",
                 "Config.StopSignal") == "no true HUP"


# ---- files and names ----

def test_cidfile_and_pidfile(anyone):
    box = engine.box(anyone)
    cid = detached(anyone, "--cidfile", "cid", "--pidfile", "pid", box, "sleep", "60")
    assert (anyone.dir / "cid").read_text() == cid
    assert int((anyone.dir / "pid").read_text()) == init_of(anyone, cid)
    anyone.inro("run", "--cidfile", "cid", box, "true").fails("container ID file found", code=125)
    assert engine.containers(anyone) == [cid]
    anyone.inro("run", "--cidfile", "other", "--user", "mallory", box, "true").fails("mallory")
    assert not (anyone.dir / "other").exists()


def test_replace(anyone):
    box = engine.box(anyone)
    first = detached(anyone, "--name", "web", box, "sleep", "60")
    second = detached(anyone, "--name", "web", "--replace", box, "sleep", "60")
    assert engine.containers(anyone) == [second] != [first]
    anyone.inro("run", "--replace", box, "true").fails("--name", code=125)
    anyone.inro("run", "--rm", "--replace", "--name", "new", box, "true").ok()


# ---- attach ----

def joined(who, *args, **kw):
    return who.popen(*who.inro_argv("attach", *args), stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE, **kw)


def test_attach_by_several(anyone):
    """Each gets all of both streams, and the exit status."""
    box = engine.box(anyone)
    detached(anyone, "-i", "--name", "web", box, "sh", "-c",
             "read x; seq 20000; echo $x >&2; exit 7")
    clients = [joined(anyone, "web", stdin=subprocess.PIPE) for _ in range(3)]
    time.sleep(0.5)  # all have joined
    clients[0].stdin.write(b"word\n")
    clients[0].stdin.flush()
    numbers = "".join(f"{n}\n" for n in range(1, 20001)).encode()
    for client in clients:
        assert client.communicate(timeout=20) == (numbers, b"word\n")
        assert client.returncode == 7


def test_attach_to_a_foreground_one(anyone):
    client = engine.start(anyone, "--name", "web", engine.box(anyone), "sh", "-c", LOOP)
    other = joined(anyone, "web")
    time.sleep(0.3)
    client.send_signal(signal.SIGTERM)
    assert client.wait(10) == 42 and other.wait(10) == 42


def test_signals_through_attach(anyone):
    detached(anyone, "--name", "web", engine.box(anyone), "sh", "-c", LOOP)
    client = joined(anyone, "web")
    time.sleep(0.5)
    client.send_signal(signal.SIGTERM)
    assert client.wait(10) == 42
    wait_state(anyone, "web", "exited")


def test_attached_one_that_is_killed(anyone):
    """The container goes on."""
    detached(anyone, "--name", "web", engine.box(anyone), "yes")
    client = joined(anyone, "web")
    assert client.stdout.read(10)
    client.kill()
    client.wait()
    assert state(anyone, "web") == "running"
    client = joined(anyone, "web")
    assert client.stdout.read(10)
    client.kill()


def test_attached_one_that_closes_one_stream(root):
    """It keeps the other, for longer than somebody who reads nothing is waited for."""
    box = engine.box(root)
    detached(root, "-i", "--name", "web", box, "sh", "-c",
             "read x; seq 100000; read x; echo end >&2; exit 7")
    client = joined(root, "web", stdin=subprocess.PIPE)
    time.sleep(0.5)
    client.stdin.write(b"go\n")
    client.stdin.flush()
    time.sleep(1)  # the pipes are full
    client.stdout.close()
    time.sleep(10.2)
    client.stdin.write(b"go\n")
    client.stdin.flush()
    assert client.stderr.read() == b"end\n" and client.wait(20) == 7


def test_attached_one_that_never_reads(anyone):
    """It is let go, and told why: nothing else is wrong."""
    detached(anyone, "-i", "--name", "web", engine.box(anyone), "sh", "-c",
             "read x; seq 100000; exec sleep 1000")
    with joined(anyone, "web", stdin=subprocess.PIPE) as client:
        time.sleep(0.5)
        client.stdin.write(b"go\n")
        client.stdin.flush()
        assert client.wait(20 * harness.PATIENCE) == 125
        assert b"nobody read here" in client.stderr.read()
    assert state(anyone, "web") == "running"
    harness.wait_for(lambda: anyone.inro("logs", "--tail", "1", "web").ok().out == "100000\n",
                     what="the rest of its output")


def test_attach_refused(anyone):
    box = engine.box(anyone)
    anyone.inro("create", "--name", "web", box, "true").ok()
    anyone.inro("attach", "web").fails("You cannot attach to a stopped container", code=125)
    anyone.inro("attach", "none").fails("No such container: none", code=125)


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, who, *args):
        self.fd, theirs = pty.openpty()
        self.process = who.popen(*who.inro_argv(*args), stdin=theirs, stdout=theirs, stderr=theirs,
                                 start_new_session=True)
        os.close(theirs)
        self.text = b""

    def until(self, word):
        end = time.monotonic() + 20
        while word not in self.text:
            assert time.monotonic() < end, self.text
            try:
                self.text += os.read(self.fd, 4096)
            except OSError:
                break
        assert word in self.text, self.text

    def write(self, data):
        os.write(self.fd, data)

    def wait(self):
        code = self.process.wait(20)
        os.close(self.fd)
        return code


def test_detach_keys(anyone):
    box = engine.box(anyone)
    run = Terminal(anyone, "run", "-it", "--name", "web", box, "sh")
    run.write(b"echo $((40 + 2)).\n")
    run.until(b"42.")
    run.write(b"\x10\x11")
    assert run.wait() == 0
    assert state(anyone, "web") == "running"

    other = Terminal(anyone, "attach", "--detach-keys", "ctrl-x", "web")
    other.write(b"echo $((50 + 3)).\n")
    other.until(b"53.")
    other.write(b"\x18")
    assert other.wait() == 0

    last = Terminal(anyone, "attach", "web")
    last.write(b"echo $((60 + 4)).\n")
    last.until(b"64.")
    last.write(b"exit 5\n")
    assert last.wait() == 5
    wait_state(anyone, "web", "exited")


# ---- restart policies ----

def test_restarts_until_it_succeeds(anyone):
    box = engine.box(anyone)
    detached(anyone, "--restart", "on-failure", "--name", "web", box, "sh", "-c",
             "echo x >> /count; [ $(wc -l < /count) = 3 ]")
    harness.wait_for(lambda: state(anyone, "web", "State.Status", "State.ExitCode",
                                   "RestartCount") == "exited 0 2", 20, "the third run")


def test_restarts_are_counted(anyone):
    box = engine.box(anyone)
    detached(anyone, "--restart", "on-failure:2", "--name", "web", box, "sh", "-c",
             "echo x >> /count; exit 9")
    harness.wait_for(lambda: state(anyone, "web", "State.Status", "State.ExitCode",
                                   "RestartCount") == "exited 9 2", 20, "the last run")
    cid = engine.containers(anyone)[0]
    count = anyone.state / "inro/containers" / cid / "upper/count"
    assert size_of(count) == 6
    anyone.inro("start", "web").ok()  # counts from the beginning
    harness.wait_for(lambda: size_of(count) == 12, 20, "more runs")


def test_removed_while_it_restarts(anyone):
    box = engine.box(anyone)
    cid = detached(anyone, "--restart", "always", "--name", "web", box, "true")
    harness.wait_for(lambda: state(anyone, "web") == "restarting", 20)
    anyone.inro("attach", "web").fails("container", code=125)
    anyone.inro("rm", "web").fails("container is running", code=1)
    start = time.monotonic()
    anyone.inro("rm", "-f", "web").ok()
    assert time.monotonic() - start < 5
    assert engine.containers(anyone) == []
    assert not (anyone.run_dir / "inro/containers" / cid).exists()


@pytest.mark.parametrize("verb", ["stop", "kill"])
def test_stopped_one_is_not_restarted(anyone, verb):
    box = engine.box(anyone)
    detached(anyone, "--restart", "always", "--name", "web", box, "sh", "-c", LOOP)
    anyone.inro(verb, "web").ok()
    assert state(anyone, "web", "State.Status", "RestartCount") == "exited 0"


def test_stopped_while_it_restarts(anyone):
    box = engine.box(anyone)
    detached(anyone, "--restart", "always", "--name", "web", box, "false")
    harness.wait_for(lambda: state(anyone, "web", "RestartCount") == "3", 20)
    anyone.inro("stop", "web").ok()
    assert state(anyone, "web", "State.Status", "State.ExitCode") == "exited 1"


def test_time_to_stop_of_its_own(anyone):
    box = engine.box(anyone)
    detached(anyone, "--stop-timeout", "0", "--name", "web", box, "sh", "-c",
             "trap '' TERM; while :; do sleep 0.05; done")
    start = time.monotonic()
    anyone.inro("stop", "web").ok()
    assert time.monotonic() - start < 8
    assert state(anyone, "web", "State.ExitCode") == "137"


def test_foreground_one_that_is_restarted(anyone):
    """Whoever ran it leaves with the first end, as with docker."""
    box = engine.box(anyone)
    r = anyone.inro("run", "--restart", "always", "--name", "web", box, "sh", "-c",
                    "echo x >> /count; [ $(wc -l < /count) -gt 1 ] && exec sleep 60; echo out; exit 3")
    assert (r.code, r.out) == (3, "out\n")
    harness.wait_for(lambda: state(anyone, "web", "State.Status", "RestartCount") == "running 1",
                     20, "the second run")


def test_killed_while_it_waits_to_restart(anyone):
    """The next command tells the truth, and it can be started again."""
    box = engine.box(anyone)
    cid = detached(anyone, "--restart", "on-failure", "--name", "web", box, "sh", "-c",
                   "echo x >> /count; [ $(wc -l < /count) -lt 6 ] && exit 4; exec sleep 60")
    count = anyone.state / "inro/containers" / cid / "upper/count"
    harness.wait_for(lambda: size_of(count) >= 6, 20)  # then it waits for 400 ms
    harness.wait_for(lambda: state(anyone, "web") == "restarting", 20)
    os.kill(monitor_of(anyone, cid), signal.SIGKILL)
    harness.wait_for(lambda: state(anyone, "web", "State.Status", "State.ExitCode") == "exited 4")
    anyone.inro("start", "web").ok()


@pytest.mark.parametrize("args, word", [
    (["--restart", "often"], "unknown policy 'often'"),
    (["--restart", "always:3"], "maximum retry count"),
    (["--restart", "always", "--rm"], "--restart and --rm"),
    (["--detach-keys", "ctrl-"], "detach keys"),
    (["--stop-signal", "NONE"], "NONE"),
])
def test_refused(anyone, args, word):
    box = engine.box(anyone)
    for verb in ("run", "create"):
        if verb == "create" and "--detach-keys" in args:
            continue
        anyone.inro(verb, *args, box, "true").fails(word, code=125)
    assert engine.containers(anyone) == []


# ---- the control socket ----

def test_control_socket_is_its_owners(root, user):
    cid = detached(root, engine.box(root), "sleep", "60")
    path = control_of(root, cid)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    script = ("import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
              "s.connect(sys.argv[1])")
    user.run("python3", "-c", script, path).fails("PermissionError")
    root.run("python3", "-c", script, path).ok()


def test_garbage_at_the_control_socket(anyone):
    """It harms nobody but its sender."""
    cid = detached(anyone, "--name", "web", engine.box(anyone), "sh", "-c", LOOP)
    path = control_of(anyone, cid)
    script = """import os, socket, struct, sys
for data in (b"", b"x", b"x" * 5000, struct.pack("IiqI", 99, 1, 0, 0)[:16],
             struct.pack("Iiq", 99, 1, 0), struct.pack("Iiq", 4, 0, 0),
             struct.pack("Iiq", 9, 77, 0), struct.pack("Iiq", 9, -1, 0),
             struct.pack("Iiq", 3, 9999, 0)):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    try:
        s.send(data)
        socket.send_fds(s, [b"y"], [0, 1, 2])
    except OSError:
        pass  # it was thrown out
many = []
for _ in range(200):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(0.5)
    try:
        s.connect(sys.argv[1])
        many.append(s)
    except OSError:
        break
"""
    anyone.run("python3", "-c", script, path).ok()
    assert state(anyone, "web") == "running"
    client = joined(anyone, "web")
    time.sleep(0.3)
    client.send_signal(signal.SIGTERM)
    assert client.wait(10) == 42


def test_systemd_is_told(anyone):
    """As a unit with Type=notify: the main process is the monitor, which ends with the container."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        path = anyone.run_dir / "notify"
        sock.bind(str(path))
        path.chmod(0o777)
        sock.settimeout(20)
        pid_file = anyone.dir / "monitor.pid"
        client = anyone.popen(*anyone.inro_argv(
            "run", "-d", "--sdnotify", "conmon", "--conmon-pidfile", pid_file, "--name", "web",
            engine.box(anyone), "sleep", "1000"), env={"NOTIFY_SOCKET": str(path)},
            stdout=subprocess.PIPE)
        told, _, _, _ = socket.recv_fds(sock, 4096, 4)
        barrier, fds, _, _ = socket.recv_fds(sock, 4096, 4)
        assert client.poll() is None, "it has not waited until the message was read"
        for fd in fds:
            os.close(fd)
        cid = client.communicate(timeout=20)[0].decode().strip()
    monitor = monitor_of(anyone, cid)
    assert told.decode().split() == ["READY=1", f"MAINPID={monitor}"] and monitor
    assert barrier == b"BARRIER=1" and pid_file.read_text() == str(monitor)
    anyone.inro("rm", "-f", "web").ok()
    anyone.inro("run", "--rm", "--sdnotify", "never", "box", "true").fails("never", code=125)


class Hears(threading.Thread):
    """Listens as systemd does: each message to say(), barriers are let go at once."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.said = sock, queue.Queue()
        self.start()

    def run(self):
        while True:
            told, fds, _, _ = socket.recv_fds(self.sock, 4096, 4)
            for fd in fds:
                os.close(fd)
            if told == b"END":
                return
            if told != b"BARRIER=1":
                self.said.put(told.decode().split())

    def say(self):
        return self.said.get(timeout=20)


def test_systemd_is_told_later(anyone):
    """That it is ready the container says, or its health; which process is the main one, `run`."""
    box = engine.box(anyone)
    notifier = f"{anyone.program('tests/faults/notifier')}:/bin/notifier:ro"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        path = anyone.run_dir / "notify"
        sock.bind(str(path))
        path.chmod(0o777)
        hears, env = Hears(sock), {"NOTIFY_SOCKET": str(path)}
        go = "until test -e /tmp/go; do sleep 0.05; done;"
        cid = anyone.inro("run", "-d", "--name", "says", "--sdnotify", "container", "-v", notifier, box, "sh", "-c",
                          f"echo $NOTIFY_SOCKET; notifier send=STATUS=x send=MAINPID=1; {go} "
                          "notifier send=READY=1 many=100; exec sleep 1000", env=env).ok().out.strip()
        main = [f"MAINPID={monitor_of(anyone, cid)}"]
        assert hears.say() == main
        anyone.inro("exec", "says", "touch", "/tmp/go").ok()
        assert hears.say() == ["READY=1", *main]
        assert anyone.inro("logs", "says").ok().out.splitlines()[0] == "/run/notify/notify.sock"

        client = anyone.popen(*anyone.inro_argv(
            "run", "-d", "--name", "well", "--sdnotify", "healthy", "--health-file", "/tmp/go", "--health-interval",
            "100ms", "--health-retries", "1000", box, "sh", "-c", "exec sleep 1000"), env=env, stdout=subprocess.PIPE)
        first = hears.say()
        assert first[0].startswith("MAINPID=") and len(first) == 1 and client.poll() is None
        anyone.inro("exec", "well", "touch", "/tmp/go").ok()
        assert hears.say() == ["READY=1", *first]
        assert client.wait(20) == 0 and client.stdout.read()
        client.stdout.close()
        # One that ends before it is healthy is not waited for.
        done = anyone.inro("run", "-d", "--sdnotify", "healthy", "--health-file", "/no", box, "true", env=env).ok()
        assert "is not told that container" in done.err and len(hears.say()) == 1
        anyone.inro("rm", "-fa").ok()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"END", str(path))
        hears.join(20)
    anyone.inro("run", "-d", "--sdnotify", "healthy", "box", "true").fails("there is no health check", code=125)
    anyone.inro("run", "--sdnotify", "healthy", "--health-file", "/x", "box", "true").fails("--detach", code=125)
