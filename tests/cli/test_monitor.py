# SPDX-License-Identifier: Apache-2.0
"""The monitor of a container that means it ill, and of a caller that goes away."""

import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

import cgroups
import engine
import harness
import test_faults_hang
from test_detached import detached, init_of, monitor_of, state, wait_state

TURNS = True


def cpu_seconds(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    user, system = text[text.rindex(")") + 2:].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def cpu_used(pid, seconds):
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return cpu_seconds(pid) - before


# ---- what a container can do ----

STEALER = """
cat /proc/self/fd/1 >/dev/null & cat /proc/self/fd/2 >/dev/null & cat /proc/self/fd/1 >/dev/null &
i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); echo $i; echo $i >&2; done
echo done >/tmp/done; sleep 1000
"""
FLUSHER = """
trap '' TTOU; i=0
while [ $i -lt 300 ]; do i=$((i + 1)); echo $i; stty -F /proc/self/fd/1 sane; done
echo done >/tmp/done; sleep 1000
"""


@pytest.mark.parametrize("options, script", [((), STEALER), (("-t",), FLUSHER)],
                         ids=["pipes", "terminal"])
def test_what_takes_its_own_output_back(anyone, options, script):
    """What poll(2) has promised is gone then: nobody waits for it."""
    box = engine.box(anyone)
    cid = detached(anyone, "--name", "web", *options, box, "sh", "-c", script)
    harness.wait_for((anyone.state / "inro/containers" / cid / "upper/tmp/done").exists, 20)
    monitor = monitor_of(anyone, cid)
    # An open file of it that could be waited for would do it harm some time.
    for fd in pathlib.Path(f"/proc/{monitor}/fd").iterdir():
        info = pathlib.Path(f"/proc/{monitor}/fdinfo/{fd.name}").read_text()
        flags = int(info.split("flags:")[1].split()[0], 8)
        if os.readlink(fd).startswith(("pipe:", "/dev/ptmx", "/dev/pts/ptmx")) \
                and flags & os.O_ACCMODE != os.O_WRONLY:
            assert flags & os.O_NONBLOCK, (fd, info)
    began = time.monotonic()
    anyone.inro("stop", "-t", "0", "web").ok()
    assert time.monotonic() - began < 4 * harness.PATIENCE  # a monitor that is stuck costs 5 s
    assert state(anyone, "web") == "exited"


def test_few_fds(anyone):
    """Who can't be let in waits, and the monitor does not spin."""
    box = engine.box(anyone)
    command = f"ulimit -n 40; exec {' '.join(map(str, anyone.inro_argv()))} \"$@\""
    cid = anyone.run("sh", "-c", command, "sh", "run", "-d", "--name", "web", box, "sleep",
                     "1000").ok().out.strip()
    monitor = monitor_of(anyone, cid)
    waiters = [anyone.popen(*anyone.inro_argv("wait", "web"), stdout=subprocess.PIPE)
               for _ in range(36)]
    fds = pathlib.Path(f"/proc/{monitor}/fd")
    harness.wait_for(lambda: len(list(fds.iterdir())) >= 40, 20, "all its fds to be taken")
    harness.wait_for(lambda: cpu_used(monitor, 0.6) < 0.2, 10, "the monitor to do nothing")
    os.kill(init_of(anyone, cid), signal.SIGKILL)
    for waiter in waiters:
        assert waiter.communicate(timeout=30 * harness.PATIENCE)[0] == b"137\n"


@pytest.mark.parametrize("options", [[], ["--network", "none"], ["--network", "host"],
                                     ["--userns", "private"]],
                         ids=["default", "none", "host", "mapped"])
def test_the_containers_network_namespace(anyone, options):
    """However it was made: it is the container's alone, its loopback is up, and it ends with it."""
    box = engine.box(anyone)
    cid = anyone.inro("run", "-d", *options, "--name", "web", box, "sleep", "1000").ok().out.strip()
    init, monitor = init_of(anyone, cid), monitor_of(anyone, cid)
    own = "--network host" in " ".join(options)
    space = os.readlink(f"/proc/{init}/ns/net")
    assert (space == os.readlink("/proc/self/ns/net")) == own
    assert os.readlink(f"/proc/{monitor}/ns/net") == os.readlink("/proc/self/ns/net")
    open_files = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{monitor}/fd").iterdir()]
    assert not [name for name in open_files if name.startswith("net:")], open_files
    if not own:
        addresses = anyone.inro("exec", "web", "cat", "/proc/net/fib_trie").ok().out
        assert "127.0.0.1" in addresses


# ---- before it runs ----

@pytest.mark.parametrize("options", [["--rm"], ["-d", "--rm"], []], ids=["run", "detached", "kept"])
def test_a_signal_before_it_runs(root, options):
    """Below a frozen cgroup a container does not begin. Nobody has to wait for that."""
    engine.box(root)
    with test_faults_hang.Parent(v1=False) as parent:
        parent.freeze()
        argv = root.inro_argv("run", *options, "--name", "web", "--cgroup-parent", parent.path,
                              "box", "true")
        with root.popen(*argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            harness.wait_for(lambda: list(parent.own.glob("*/cgroup.procs")), what="its cgroup")
            time.sleep(0.3)
            assert client.poll() is None
            client.send_signal(signal.SIGINT)
            try:
                out, err = client.communicate(timeout=10 * harness.PATIENCE)
            finally:
                client.kill()
        assert client.returncode == 125 and not out, err
        assert "starting container web: interrupted by signal 2 (INT)" in err.decode()
    if "--rm" in options:
        assert root.inro("ps", "-aq").ok().out == ""
    else:
        assert state(root, "web", "State.Status", "State.ExitCode") == "exited 125"


def test_inro_is_being_exchanged(anyone):
    """The monitor has the end recorded, and the restart done, once there is an inro again."""
    programs = anyone.dir / "programs"
    programs.mkdir()
    for name in "inro", "inro-monitor":
        shutil.copy(anyone.program(name), programs)
    cid = anyone.run(programs / "inro", *anyone.inro_argv(
        "run", "-d", "--restart", "on-failure:1", "--name", "web", engine.box(anyone), "sh", "-c",
        "[ -e /again ] && exit 4; touch /again; sleep 1000")[1:]).ok().out.strip()
    harness.wait_for((anyone.state / "inro/containers" / cid / "upper/again").exists, 20)
    monitor = monitor_of(anyone, cid)
    (programs / "inro").rename(programs / "gone")
    os.kill(init_of(anyone, cid), signal.SIGKILL)
    time.sleep(0.3)
    assert not harness.is_dead(monitor)
    (programs / "gone").rename(programs / "inro")
    wait_state(anyone, "web", "exited")
    assert anyone.inro("inspect", "-f", "{{.RestartCount}} {{.State.ExitCode}}",
                       "web").ok().out == "1 4\n"


def test_rm_of_what_could_not_be_ended(root):
    """Below a frozen cgroup of v1 nothing dies: what a start that was interrupted has made stays, and
    goes with the container."""
    engine.box(root)
    with test_faults_hang.Parent(v1=True) as parent:
        cid = root.inro("create", "--name", "web", "--cgroup-parent", parent.path, "box",
                        "true").ok().out.strip()
        parent.freeze()
        with root.popen(*root.inro_argv("start", "web"), stderr=subprocess.PIPE) as client:
            harness.wait_for(lambda: list(parent.own.glob("*/tasks")), what="its cgroup")
            time.sleep(0.3)
            client.send_signal(signal.SIGINT)
            err = client.communicate(timeout=20 * harness.PATIENCE)[1]
        assert client.returncode == 1 and b"interrupted by signal 2 (INT)" in err
        assert list(parent.own.glob(f"*{cid}*/tasks"))
        parent.freeze(False)
        root.inro("rm", "web").ok()
        assert not list(parent.own.glob("*/tasks"))


def test_a_signal_is_for_all_that_are_started(root):
    box = engine.box(root)
    with test_faults_hang.Parent(v1=False) as parent:
        parent.freeze()
        root.inro("create", "--name", "one", "--cgroup-parent", parent.path, box, "true").ok()
        root.inro("create", "--name", "two", box, "sleep", "1000").ok()
        with root.popen(*root.inro_argv("start", "one", "two"), stderr=subprocess.PIPE) as client:
            harness.wait_for(lambda: list(parent.own.glob("*/cgroup.procs")), what="its cgroup")
            time.sleep(0.3)
            client.send_signal(signal.SIGTERM)
            try:
                err = client.communicate(timeout=10 * harness.PATIENCE)[1]
            finally:
                client.kill()
        assert client.returncode == 1 and b"interrupted by signal 15 (TERM)" in err
    assert state(root, "one") == state(root, "two") == "created"
    assert root.inro("inspect", "-f", "{{.State.StartedAt}}", "one").ok().out.startswith("0001")


# ---- between an end and a restart ----

def test_stop_between_an_end_and_a_restart(anyone):
    """Nobody is told before the database knows."""
    box = engine.box(anyone)
    detached(anyone, "--name", "web", "--restart", "always", box, "false")
    with sqlite3.connect(anyone.state / "inro/inro.db") as db:
        db.isolation_level = None
        for _ in range(100):
            wait_state(anyone, "web", "restarting")
            db.execute("BEGIN IMMEDIATE")
            if state(anyone, "web") == "restarting":
                break
            db.execute("ROLLBACK")
        stop = anyone.popen(*anyone.inro_argv("stop", "web"), stdout=subprocess.PIPE)
        time.sleep(0.5)
        assert stop.poll() is None
        db.execute("ROLLBACK")
    assert stop.communicate(timeout=20)[0] == b"web\n" and stop.returncode == 0
    assert state(anyone, "web", "State.Status", "State.ExitCode") == "exited 1"
    anyone.inro("rm", "web").ok()


# ---- where it lives ----

class Session:
    """Cgroups like those of a login session, of this user, in which commands are run."""

    def __init__(self, who):
        self.who, self.path = who, f"/session{os.getpid()}"
        places = {pathlib.Path(where): name for name, where in cgroups.mounts().items()}
        self.tops = {top: name for top, name in places.items() if name != "cpuset"
                     and not name.startswith("name=") or name == "name=systemd"}

    def __enter__(self):
        for top in self.tops:
            own = top / self.path[1:]
            (own / "shell").mkdir(parents=True)
            if self.tops[top] == "":
                for path in (own, own / "shell"):
                    self.who.own(path)
                    self.who.own(path / "cgroup.procs")
        return self

    def __exit__(self, *_):
        self.who.inro("rm", "-fa")
        for top in self.tops:
            own = top / self.path[1:]
            for directory in (own / "inro/monitors", own / "inro", own / "shell/supervisor", own / "shell", own):
                if directory.exists():
                    harness.wait_for(lambda d=directory: self.removed(d), what=str(directory))

    @staticmethod
    def removed(directory):
        try:
            directory.rmdir()
        except OSError:
            return False
        return True

    def inro(self, *args):
        who = self.who
        join = [f"echo 0 >{top}{self.path}/shell/cgroup.procs" for top in self.tops]
        argv = ["sh", "-c", " && ".join([*join, 'exec "$@"']), "sh", "setpriv",
                f"--reuid={who.uid}", f"--regid={who.gid}", "--clear-groups", *who.inro_argv(*args)]
        done = subprocess.run([str(a) for a in argv], env=who.env, cwd=who.dir, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return harness.Result(argv, done)


def where_is(pid):
    """{controller: path}"""
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    fields = [line.split(":", 2) for line in lines]
    return {name: path for _, names, path in fields for name in names.split(",")}


def another_init(who, cid, old):
    try:
        return init_of(who, cid) != old and state(who, cid) == "running"
    except (FileNotFoundError, KeyError):  # it is just being made
        return False


def test_split_is_below_the_callers(root):
    """What --cgroups split runs is where a service's limits and end are for it."""
    engine.box(root)
    with Session(root) as session:
        cid = session.inro("run", "-d", "--cgroups", "split", "box", "sleep", "1000").ok().out.strip()
        place = f"{session.path}/shell/{cid}"
        assert where_is(monitor_of(root, cid))[""] == f"{session.path}/shell/supervisor"
        harness.wait_for(lambda: where_is(init_of(root, cid))[""] == place)
        assert where_is(init_of(root, cid)).get("pids", place) == place


@pytest.mark.parametrize("who", ["root", "user"])
def test_the_monitor_is_not_the_callers(request, root, who):
    """Its cgroup's limits are not for it, nor is its end; also behind a restart."""
    who = request.getfixturevalue(who)
    engine.box(who)
    with Session(who) as session:
        cid = session.inro("run", "-d", "--restart", "always", "--name", "web", "box",
                           "sleep", "1000").ok().out.strip()
        container = where_is(init_of(who, cid))
        for again in (False, True):
            if again:
                init = init_of(who, cid)
                os.kill(init, signal.SIGKILL)
                harness.wait_for(lambda old=init: another_init(who, cid, old), 20, "a restart")
            places = where_is(monitor_of(who, cid))
            # another test may have made a hierarchy for itself meanwhile
            v1 = {name: path for name, path in places.items() if name and name in session.tops.values()}
            if who.rootless:
                assert places[""] == f"{session.path}/inro/monitors"
            else:
                assert places[""] == "/inro/monitors" and set(v1.values()) <= {"/inro/monitors"}
            harness.wait_for(lambda: where_is(init_of(who, cid)) == container)
            # nor is the cgroup of the one that waits for a detached command
            harness.wait_for(lambda: not harness.exec_waiters(who), what="the end of the last one")
            session.inro("exec", "-d", "web", "sleep", "1001").ok()
            waiter, = harness.exec_waiters(who)
            assert where_is(waiter) == places
        for top, controller in session.tops.items():
            if not who.rootless or not controller:
                assert session.removed(top / session.path[1:] / "shell"), top


def test_memory(anyone):
    """What a start has used is given back: the issue's limit is 300 KiB, and 1,000 of them add up."""
    box = engine.box(anyone)
    cid = detached(anyone, "--name", "web", box, "sleep", "1000")
    monitor = monitor_of(anyone, cid)

    def private(name):
        total, here = 0, False
        for line in pathlib.Path(f"/proc/{monitor}/smaps").read_text().splitlines():
            if not line.split()[0].endswith(":"):
                here = name in line
            elif here and line.startswith("Private_Dirty:"):
                total += int(line.split()[1])
        return total
    harness.wait_for(lambda: private("[stack]") <= 24 * harness.PATIENCE)
    assert private("") <= 100 * harness.PATIENCE
