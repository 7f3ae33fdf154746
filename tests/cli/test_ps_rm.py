# SPDX-License-Identifier: Apache-2.0
"""Listing and removing containers, and what happens when somebody is killed."""

import fcntl
import json
import os
import pathlib
import signal
import struct
import subprocess
import time

import pytest

import engine
import harness

F_OFD_SETLK = 37  # fcntl(2)
READY = "echo ready; exec sleep 1000"
# pid 1 gets no signal that it has no handler for
HANDLER = "trap 'exit 42' INT TERM; echo ready; while :; do sleep 0.05; done"


def monitor_of(client):
    """The pid of the monitor that this inro started."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = stat[stat.rindex(")") + 2:].split()
        if "(inro-monitor)" in stat and int(fields[1]) == client.pid and fields[0] != "Z":
            return int(pid)
    raise AssertionError("no monitor")


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def init_of(who, cid):
    return json.loads((who.run_dir / "inro/runtime" / cid / "state.json").read_text())["pid"]


def test_ps_shows_what_runs(anyone):
    box = engine.box(anyone)
    client = engine.start(anyone, "--name", "web", box, "sh", "-c", READY)
    anyone.inro("run", "--name", "done", box, "sh", "-c", "exit 4").fails(code=4)

    lines = anyone.inro("ps").ok().out.splitlines()
    assert lines[0].split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS",
                                "PORTS", "NAMES"]
    assert len(lines) == 2 and lines[1].endswith("web") and " Up " in lines[1]
    assert '"sh -c \'echo ready; …' in lines[1]
    assert "Exited (4)" in anyone.inro("ps", "-a").ok().out
    assert len(anyone.inro("ps", "-aq").ok().out.split()) == 2
    full = anyone.inro("ps", "-q", "--no-trunc").ok().out.strip()
    assert len(full) == 64
    row = json.loads(anyone.inro("ps", "--format", "json").ok().out)
    assert row["Names"] == "web" and row["Image"] == "box" and full.startswith(row["ID"])
    assert anyone.inro("ps", "--format", "{{.Names}}").ok().out == "web\n"

    anyone.inro("rm", "web").fails("container is running", code=1)
    assert anyone.inro("rm", "-f", "web").ok().out == "web\n"
    assert client.wait(10) == 137
    anyone.inro("rm", "done").ok()
    assert engine.containers(anyone) == []


def test_rm(anyone):
    box = engine.box(anyone)
    for name in ("one", "two"):
        anyone.inro("run", "--name", name, box, "true").ok()
    cid = anyone.inro("ps", "-aq").ok().out.split()[0]
    r = anyone.inro("rm", "nothing", "one", cid)
    r.fails("No such container: nothing", code=1)
    assert r.out == f"one\n{cid}\n"
    assert anyone.inro("rm", "-f", "nothing").code == 0
    assert os.listdir(anyone.state / "inro/containers") == []
    anyone.inro("rm").fails(code=125)


def test_name_in_use(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "--name", "web", box, "true").ok()
    anyone.inro("run", "--rm", "--name", "web", box, "true").fails(
        'The container name "web" is already in use by container', code=125)
    assert len(engine.containers(anyone)) == 1


def test_two_at_once_with_one_name(anyone):
    box = engine.box(anyone)
    argv = anyone.inro_argv("run", "--name", "web", box, "sleep", "0.5")
    clients = [anyone.popen(*argv, stderr=subprocess.PIPE) for _ in range(4)]
    codes = sorted(c.wait(20) for c in clients)
    assert codes == [0, 125, 125, 125]
    assert len(engine.containers(anyone)) == 1


def test_many_at_once(anyone):
    box = engine.box(anyone)
    clients = [anyone.popen(*anyone.inro_argv("run", "--rm", box, "sh", "-c", f"exit {i}"))
               for i in range(8)]
    assert [c.wait(30) for c in clients] == list(range(8))
    assert engine.containers(anyone) == []


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_signals_go_to_the_container(anyone, signo):
    client = engine.start(anyone, "--rm", engine.box(anyone), "sh", "-c", HANDLER)
    client.send_signal(signo)
    assert client.wait(10) == 42
    assert engine.containers(anyone) == []


def test_signals_stay_here_without_proxy(anyone):
    box = engine.box(anyone)
    client = engine.start(anyone, "--name", "web", "--sig-proxy=false", box, "sh", "-c", HANDLER)
    client.terminate()
    assert client.wait(10) == -signal.SIGTERM
    assert " Up " in anyone.inro("ps").ok().out
    anyone.inro("rm", "-f", "web").ok()


def test_killed_client(anyone):
    """The container goes on, its output is thrown away, and its end is recorded."""
    box = engine.box(anyone)
    client = engine.start(anyone, "--name", "web", box, "sh", "-c",
                          "echo ready; i=0; while [ $i -lt 3000 ]; do echo $i$i$i$i$i$i$i$i$i$i; "
                          "i=$((i+1)); done; sleep 0.5; exit 6")
    client.kill()
    client.wait()
    assert " Up " in anyone.inro("ps").ok().out
    harness.wait_for(lambda: "Exited (6)" in anyone.inro("ps", "-a").ok().out, 10)
    harness.wait_for(lambda: not os.path.exists(f"/proc/{client.pid}"), 5)
    anyone.inro("rm", "web").ok()


def test_killed_client_with_rm(anyone):
    client = engine.start(anyone, "--rm", engine.box(anyone), "sh", "-c",
                          "echo ready; sleep 0.5")
    client.kill()
    client.wait()
    directory = anyone.state / "inro/containers"
    assert len(os.listdir(directory)) == 1
    harness.wait_for(lambda: os.listdir(directory) == [], 10, "the clean-up")
    harness.wait_for(lambda: engine.containers(anyone) == [], 5)


@pytest.mark.parametrize("rm", [True, False])
def test_killed_monitor(anyone, rm):
    """Nothing of the container survives its monitor, and the client says what happened."""
    options = ["--rm"] if rm else []
    client = engine.start(anyone, "--name", "web", *options, engine.box(anyone), "sh", "-c", READY,
                          stderr=subprocess.PIPE)
    init = init_of(anyone, engine.containers(anyone)[0])
    os.kill(monitor_of(client), signal.SIGKILL)
    _, err = client.communicate(timeout=10)
    assert client.returncode == 125 and b"monitor" in err
    harness.wait_for(lambda: not alive(init), 5, "the container's end")
    assert len(engine.containers(anyone)) == (0 if rm else 1)
    if not rm:
        assert "Exited (137)" in anyone.inro("ps", "-a").ok().out


def test_killed_monitor_and_client(anyone):
    """The next command repairs the record."""
    client = engine.start(anyone, "--name", "web", engine.box(anyone), "sh", "-c", READY)
    init = init_of(anyone, engine.containers(anyone)[0])
    monitor = monitor_of(client)
    client.kill()
    os.kill(monitor, signal.SIGKILL)
    client.wait()
    harness.wait_for(lambda: not alive(monitor))
    assert "Exited (137)" in anyone.inro("ps", "-a").ok().out
    harness.wait_for(lambda: not alive(init), 5, "the container's end")
    anyone.inro("rm", "web").ok()


def test_lost_run_directory(anyone):
    """After a reboot /run is empty: what the database calls running is not."""
    box = engine.box(anyone)
    anyone.inro("run", "--name", "web", box, "true").ok()
    db = anyone.state / "inro/inro.db"
    anyone.run("sqlite3", db, "UPDATE containers SET status = 'running'").ok()
    for path in sorted((anyone.run_dir / "inro").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert "Exited (137)" in anyone.inro("ps", "-a").ok().out


def test_run_directory_without_a_record(anyone):
    """What an inro leaves that is killed before it has made the record."""
    anyone.inro("ps").ok()
    runs = anyone.run_dir / "inro/containers"
    left, held, young = (runs / (letter * 64) for letter in "abc")
    for path in (left, held, young):
        path.mkdir(mode=0o700)
        (path / "lock").touch()
        anyone.own(path / "lock")
        anyone.own(path)
    for path in (left, held):
        os.utime(path, (0, 0))
    with open(held / "lock", "r+b") as lock:
        fcntl.fcntl(lock, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
        anyone.inro("ps").ok()
        assert sorted(runs.iterdir()) == [held, young]
    for path in (held, young):
        (path / "lock").unlink()
        path.rmdir()


def test_full_disk(root):
    small = root.dir / "small"
    small.mkdir()
    root.run("mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", small).ok()
    try:
        argv = [root.program("inro"), "--root", small / "state"]
        root.run(*argv, "run", "--rm", "host", "true").ok()
        root.run("dd", "if=/dev/zero", f"of={small}/fill", "bs=1k")
        r = root.run(*argv, "run", "--rm", "--name", "web", "host", "true")
        r.fails("inro: ", code=125)
        assert "No space left on device" in r.err or "full" in r.err, r
        (small / "fill").unlink()
        assert os.listdir(small / "state/containers") == []
        root.run(*argv, "run", "--rm", "--name", "web", "host", "true").ok()
        assert root.run(*argv, "ps", "-aq").ok().out == ""
    finally:
        root.run("umount", small).ok()


def test_database_of_a_newer_version(anyone):
    engine.box(anyone)
    anyone.run("sqlite3", anyone.state / "inro/inro.db", "PRAGMA user_version=999").ok()
    anyone.inro("ps").fails("newer inro", code=125)
    anyone.run("sqlite3", anyone.state / "inro/inro.db", "PRAGMA user_version=1").ok()


def test_database_that_is_none(anyone):
    directory = anyone.state / "inro"
    directory.mkdir()
    (directory / "inro.db").write_bytes(b"garbage" * 1000)
    anyone.own(directory)
    anyone.own(directory / "inro.db")
    anyone.inro("ps").fails("inro.db", code=125)
    (directory / "inro.db").unlink()


def test_run_directory_of_somebody_else(user):
    """The fallback in /tmp is taken only when it is the user's own."""
    env = {"XDG_RUNTIME_DIR": "", "INRO_RUNROOT": ""}
    path = pathlib.Path(f"/tmp/inro-{user.uid}")
    if os.geteuid() != 0:
        harness.machine_cannot("make a directory of another user without root")
    path.mkdir()
    try:
        path.chmod(0o777)
        user.inro("ps", env=env).fails("refusing", str(path), code=125)
    finally:
        path.rmdir()
    try:
        user.inro("ps", env=env).ok()
        assert path.stat().st_mode & 0o777 == 0o700
    finally:
        harness.shutil.rmtree(path)


def test_time_stays_right(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "--name", "web", box, "true").ok()
    time.sleep(1.1)
    assert "1 second ago" in anyone.inro("ps", "-a").ok().out \
        or "2 seconds ago" in anyone.inro("ps", "-a").ok().out


def test_first_use_by_many_at_once(anyone):
    for n in range(5):
        clients = [anyone.popen(anyone.program("inro"), "--root", anyone.state / f"new{n}", "ps", "-q")
                   for _ in range(6)]
        assert [c.wait(60) for c in clients] == [0] * 6
