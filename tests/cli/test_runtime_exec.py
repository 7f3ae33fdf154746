# SPDX-License-Identifier: Apache-2.0
"""inro-runtime exec."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

import harness

LOOP = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"]


class Box:
    """A running container "c1"."""

    def __init__(self, who, prepare=None, subids=False):
        self.who = who
        self.bundle = who.bundle(*LOOP, subids=subids)
        if prepare:
            prepare(self.bundle)
            self.bundle.save()
        who.runtime("run", "--detach", "--bundle", self.bundle.path, "c1",
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()

        self.pid = json.loads(who.runtime("state", "c1").ok().out)["pid"]

    def exec(self, *args, **kw):
        """runtime exec [OPTION...] c1 COMMAND..., options before "--"."""
        at = args.index("--") if "--" in args else 0
        options, command = args[:at], args[at + ("--" in args):]
        return self.who.runtime("exec", *options, "c1", *command, **kw)

    def sh(self, script, *options, **kw):
        return self.exec(*options, "--", "sh", "-c", script, **kw)


@pytest.fixture
def box(anyone):
    return Box(anyone)


def test_output_and_status(box):
    done = box.sh("echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")


def change_env(config):
    config.write_text(config.read_text().replace("KEPT=1", "KEPT=2"))


def no_namespaces(config):
    parsed = json.loads(config.read_text())
    parsed["linux"]["namespaces"] = []
    config.write_text(json.dumps(parsed))


def break_it(config):
    config.write_text("{")


@pytest.mark.parametrize("change", [change_env, no_namespaces, break_it, pathlib.Path.unlink])
def test_the_bundle_has_changed(anyone, change):
    """What counts is what the container was created with."""
    box = Box(anyone, lambda b: b.process["env"].append("KEPT=1"))
    change(box.bundle.path / "config.json")
    done = box.sh("echo $KEPT; cat /proc/1/comm")
    assert (done.ok().out, done.err) == ("1\nsh\n", "")


def test_without_a_kept_configuration(anyone):
    """A container of an inro-runtime that kept none."""
    box = Box(anyone, lambda b: b.process["env"].append("KEPT=1"))
    kept = anyone.runtime_root / "c1/config.json"
    assert kept.read_bytes() == (box.bundle.path / "config.json").read_bytes()
    kept.unlink()
    change_env(box.bundle.path / "config.json")
    assert box.sh("echo $KEPT").out == "2\n"


def test_is_in_the_container(box):
    out = box.sh("hostname; for n in pid net ipc uts mnt cgroup user; do "
                 "[ $(readlink /proc/self/ns/$n) = $(readlink /proc/1/ns/$n) ] || echo $n; "
                 "done; cat /proc/self/cgroup > /tmp/own; cmp /tmp/own /proc/1/cgroup").ok().out
    assert out == "box\n"


def test_status_of_a_signal(box):
    assert box.sh("kill -9 $$").code == 137


def test_options_change_the_process(box):
    out = box.sh("pwd; echo $A $HOME; grep -E 'CapPrm|CapAmb|NoNewPrivs' /proc/self/status",
                 "--cwd", "/tmp", "--env", "A=1=2", "--cap", "CAP_SYS_TIME").ok().out
    caps = 1 << 25
    for name in harness.DEFAULT_CAPS:
        caps |= 1 << CAPS[name]
    assert out.split() == ["/tmp", "1=2", "/root", "CapPrm:", f"{caps:016x}",
                           "CapAmb:", "0" * 16, "NoNewPrivs:", "1"]


CAPS = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FSETID": 4, "CAP_FOWNER": 3, "CAP_MKNOD": 27,
        "CAP_NET_RAW": 13, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SETFCAP": 31, "CAP_SETPCAP": 8,
        "CAP_NET_BIND_SERVICE": 10, "CAP_SYS_CHROOT": 18, "CAP_KILL": 5, "CAP_AUDIT_WRITE": 29}


def test_user(anyone):
    box = Box(anyone, subids=True)
    (box.bundle.rootfs / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n"
                                                  "joe:x:1000:1001::/home/joe:/bin/sh\n")
    (box.bundle.rootfs / "etc/group").write_text("root:x:0:\nwheel:x:10:joe\n")
    show = "id -u; id -g; id -G; echo $HOME"
    assert box.sh(show, "--user", "5", "-g", "7", "-g", "8").ok().out == "5\n0\n0 7 8\n/\n"
    assert box.sh(show, "--user", "1000:9").ok().out == "1000\n9\n9\n/home/joe\n"
    assert box.sh(show, "--user", "joe").ok().out == "1000\n1001\n1001 10\n/home/joe\n"
    box.sh(show, "--user", "ann").fails("no such user", "ann", code=255)
    box.sh(show, "--user", "-1").fails(code=255)


def test_process_file(box):
    path = box.who.dir / "process.json"
    process = {"args": ["sh", "-c", "pwd; echo $A; cat /proc/self/oom_score_adj"], "cwd": "/tmp",
               "env": [harness.SHELL_PATH, "A=b"], "user": {"uid": 0, "gid": 0}}
    path.write_text(json.dumps(process))
    assert box.exec("--process", path, "--").ok().out.split()[:2] == ["/tmp", "b"]
    path.write_text(json.dumps({**process, "cwd": "tmp"}))
    box.exec("--process", path, "--").fails("cwd", "absolute", code=255)
    path.write_text('{"args": [}')
    box.exec("--process", path, "--").fails("process.json", code=255)


@pytest.mark.parametrize("command, words", [
    ("nothere", 'exec: "nothere": executable file not found in $PATH'),
    ("/bin/nothere", 'exec: "/bin/nothere": stat /bin/nothere: no such file or directory'),
    ("/etc/passwd", "permission denied"),
    ("/etc", "is a directory"),
])
def test_words_of_a_wrong_command(box, command, words):
    box.exec("--", command).fails("exec failed: ", words, code=255)


def test_container_must_run(anyone):
    anyone.runtime("exec", "c1", "true").fails("does not exist", code=255)
    box = Box(anyone)
    pidfile = box.who.dir / "pid"
    box.who.runtime("exec", "--pid-file", pidfile, "c1", "nothere").fails(code=255)
    assert not pidfile.exists()
    box.who.runtime("kill", "c1", "KILL").ok()
    harness.wait_for(lambda: box.exec("--", "true").code == 255)
    box.exec("--", "true").fails("cannot exec in a stopped container", code=255)


def test_created_container(root):
    bundle = root.bundle("true")
    root.runtime("create", "--bundle", bundle.path, "c1", stdout=None, stderr=None).ok()
    assert root.runtime("exec", "c1", "hostname").ok().out == "box\n"


def test_created_container_of_a_user(user):
    bundle = user.bundle("true")
    user.runtime("create", "--bundle", bundle.path, "c1", stdout=None, stderr=None).ok()
    user.runtime("exec", "c1", "hostname").fails("before start", code=255)


def test_detached(box):
    pidfile = box.who.dir / "pid"
    box.exec("--detach", "--pid-file", pidfile, "--", "sleep", "100", stdout=None,
             stderr=None).ok()
    pid = int(pidfile.read_text())
    with open(f"/proc/{pid}/cgroup") as own, open(f"/proc/{box.pid}/cgroup") as first:
        assert own.read() == first.read()
    os.kill(pid, signal.SIGKILL)


def test_ps(box):
    pids = json.loads(box.who.runtime("ps", "--format", "json", "c1").ok().out)
    assert box.pid in pids
    lines = box.who.runtime("ps", "c1", "-o", "comm,pid").ok().out.splitlines()
    assert lines[0].split() == ["COMMAND", "PID"]
    assert ["sh", str(box.pid)] in [line.split() for line in lines[1:]]
    box.who.runtime("ps", "c1", "-o", "comm").fails("PID")


# --- terminals ---


def read_until(fd, word, seconds=10):
    text = b""
    end = time.monotonic() + seconds
    while word not in text and time.monotonic() < end:
        if not select.select([fd], [], [], 0.5)[0]:
            continue
        try:
            text += os.read(fd, 4096)
        except OSError:
            break
    return text


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def test_terminal_in_the_foreground(box):
    """Size, later sizes, input, the interrupt character; the user's terminal is set back."""
    master, slave = pty.openpty()
    set_size(slave, 33, 99)
    before = termios.tcgetattr(slave)
    script = ("trap 'stty size; exit 5' WINCH; tty; stty size; test -c /dev/tty && echo ctty; "
              "ps -o pid,sid | awk -v p=$$ '$1 == p && $2 == p {print \"leader\"}'; read x; "
              "echo got $x; while :; do sleep 0.05; done")
    with box.who.popen(*box.who.runtime_argv("exec", "--tty", "c1", "sh", "-c", script),
                       stdin=slave, stdout=slave, stderr=slave) as p:
        text = read_until(master, b"ctty")
        assert b"/dev/pts/0" in text and b"33 99" in text
        harness.wait_for(lambda: termios.tcgetattr(slave) != before, what="raw mode")
        os.write(master, b"hello\n")
        assert b"got hello" in read_until(master, b"got hello")
        set_size(slave, 20, 50)
        p.send_signal(signal.SIGWINCH)
        assert b"20 50" in read_until(master, b"20 50")
        assert p.wait(10) == 5
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_interrupt_character(box):
    master, slave = pty.openpty()
    with box.who.popen(*box.who.runtime_argv("exec", "-t", "c1", "sh", "-c", "echo on; sleep 99"),
                       stdin=slave, stdout=slave, stderr=slave) as p:
        read_until(master, b"on")
        os.write(master, b"\x03")
        assert p.wait(10) == 130
    os.close(master)
    os.close(slave)


@contextlib.contextmanager
def fd_receiver(who):
    """A socket's path, and a list that gets the fds sent to it."""
    path = who.dir / "console.sock"
    received = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        who.own(path)
        server.listen()

        def receive():
            conn, _ = server.accept()
            with conn:
                received.extend(socket.recv_fds(conn, 4096, 4)[1])
        thread = threading.Thread(target=receive)
        thread.start()
        yield path, received
        thread.join(10)


def test_console_socket(box):
    with fd_receiver(box.who) as (path, fds):
        box.exec("--tty", "--detach", "--console-socket", path, "--", "sh", "-c",
                 "read x; echo got $x", stdout=None, stderr=None).ok()
    assert len(fds) == 1
    os.write(fds[0], b"hello\n")
    assert b"got hello" in read_until(fds[0], b"got hello")
    os.close(fds[0])


def test_detached_terminal_needs_a_socket(box):
    box.exec("--tty", "--detach", "--", "true").fails("--console-socket", code=255)


def test_pidfd_socket(box):
    with fd_receiver(box.who) as (path, fds):
        box.exec("--detach", "--pidfd-socket", path, "--", "sleep", "100", stdout=None,
                 stderr=None).ok()
    signal.pidfd_send_signal(fds[0], signal.SIGKILL)
    os.close(fds[0])


# --- signals and ends ---


def test_signals_are_passed_on(box):
    script = "trap 'echo usr1; exit 3' USR1; echo on; while :; do sleep 0.02; done"
    with box.who.popen(*box.who.runtime_argv("exec", "c1", "sh", "-c", script),
                       stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"on\n"
        p.send_signal(signal.SIGUSR1)
        assert p.stdout.read() == b"usr1\n"
        assert p.wait(10) == 3


def test_killed_runtime_leaves_the_process(box):
    pidfile = box.who.dir / "pid"
    with box.who.popen(*box.who.runtime_argv("exec", "--pid-file", pidfile, "c1", "sleep", "100"),
                       stdout=subprocess.DEVNULL) as p:
        harness.wait_for(lambda: pidfile.exists() and pidfile.read_text(), what="the pid file")
        comm = pathlib.Path("/proc", pidfile.read_text(), "comm")
        harness.wait_for(lambda: comm.read_text() == "sleep\n", what="the program")
        p.kill()
    assert comm.read_text() == "sleep\n"
    box.who.runtime("delete", "--force", "c1").ok()
    harness.wait_for(lambda: not comm.exists() or comm.read_text() != "sleep\n", what="its end")


def test_runtime_killed_at_any_time_leaves_no_half_entered_process(box):
    """What is left runs the program, in the container; nothing of the runtime hangs around."""
    for delay in range(30):
        p = box.who.popen(*box.who.runtime_argv("exec", "c1", "true"), stdout=subprocess.DEVNULL)
        time.sleep(delay * 0.0002)
        p.kill()
        p.wait()
    box.exec("--", "true").ok()
    # the fixture that looks for processes left behind says whether one is


def test_many_at_once(box):
    running = [box.who.popen(*box.who.runtime_argv("exec", "c1", "sh", "-c", f"exit {n}"))
               for n in range(100)]
    assert [p.wait(120) for p in running] == list(range(100))


def test_paused(root):
    box = Box(root)
    root.runtime("pause", "c1").ok()
    box.exec("--", "true").fails("paused", "--ignore-paused", code=255)
    with root.popen(*root.runtime_argv("exec", "--ignore-paused", "c1", "true")) as p:
        with pytest.raises(subprocess.TimeoutExpired):
            p.wait(0.3)
        root.runtime("resume", "c1").ok()
        assert p.wait(10) == 0
    # What fails because the container ends says so.
    root.runtime("pause", "c1").ok()
    with root.popen(*root.runtime_argv("exec", "--ignore-paused", "c1", "true"), text=True,
                    stderr=subprocess.PIPE) as p:
        with pytest.raises(subprocess.TimeoutExpired):
            p.wait(0.3)
        root.runtime("kill", "c1", "KILL").ok()
        assert "cannot exec in a stopped container" in p.communicate(timeout=10 * harness.PATIENCE)[1]
    assert p.returncode == 255


def is_runtime(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"inro-runtime")
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("signo, options", [(signal.SIGTERM, []), (signal.SIGINT, []),
                                            (signal.SIGTERM, ["--detach"])])
def test_waiting_for_a_paused_container_can_be_interrupted(root, signo, options):
    """The container stays paused; what was to be executed is never. On cgroup v1 the process that
    would have stays frozen, with what it was given: so the message goes to a file."""
    box = Box(root)
    root.runtime("pause", "c1").ok()
    with open(root.dir / "said", "w+") as said, root.popen(
            *root.runtime_argv("exec", "--ignore-paused", "--pid-file", root.dir / "pid", *options,
                               "c1", "touch", "/ran"), stdout=said, stderr=said) as p:
        with pytest.raises(subprocess.TimeoutExpired):
            p.wait(0.5)
        p.send_signal(signo)
        assert p.wait(10) == 255
        said.seek(0)
        assert f"interrupted by signal {int(signo)}" in said.read()
    assert not (root.dir / "pid").exists()
    assert json.loads(root.runtime("state", "c1").out)["status"] == "paused"
    pids = json.loads(root.runtime("ps", "--format", "json", "c1").out)
    root.runtime("resume", "c1").ok()
    harness.wait_for(lambda: not any(map(is_runtime, pids)))
    box.sh("test -e /ran").fails(code=1)


@pytest.mark.parametrize("own, option, result", [
    (True, [], "1"), (False, [], "0"), (False, ["--no-new-privs"], "1"),
    (False, ["--no-new-privs=true"], "1"), (True, ["--no-new-privs=false"], "0"),
    (True, ["--no-new-privs", "--no-new-privs=false"], "0"),
])
def test_no_new_privs(anyone, own, option, result):
    b = anyone.bundle("sleep", "100")
    b.process["noNewPrivileges"] = own
    b.save()
    anyone.runtime("run", "--detach", "--bundle", b.path, "c1", stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL).ok()
    out = anyone.runtime("exec", *option, "c1", "grep", "NoNewPrivs", "/proc/self/status").ok().out
    assert out.split() == ["NoNewPrivs:", result]
    anyone.runtime("exec", "--no-new-privs=maybe", "c1", "true").fails(
        "expected true or false", code=1)


# --- what config.json says ---


def test_seccomp_filter_of_the_container(anyone):
    def prepare(b):
        b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
    box = Box(anyone, prepare)
    box.sh("mkdir /tmp/x").fails("No space left")
    assert "Seccomp:\t2" in box.exec("--", "cat", "/proc/self/status").ok().out


def test_limits_affinity_priority_and_umask(root):
    def prepare(b):
        b.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
                                {"type": "RLIMIT_NPROC", "soft": 900, "hard": 1000}]
        b.process["execCPUAffinity"] = {"initial": "0", "final": "1"}
        b.process["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE", "priority": 0}
        b.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5,
                                  "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
        b.process["user"]["umask"] = 0o027
        b.process["oomScoreAdj"] = 500
    if len(os.sched_getaffinity(0)) < 2:
        harness.machine_cannot("tell two processors apart: it has one")
    box = Box(root, prepare)
    out = box.sh("ulimit -n; ulimit -Hn; awk '/processes/ {print $3}' /proc/self/limits; umask; cat /proc/self/oom_score_adj; ionice; "
                 "grep Cpus_allowed_list /proc/self/status; cut -d' ' -f19,41 /proc/$$/stat").ok().out
    assert out.split() == ["100", "200", "900", "0027", "500", "idle", "Cpus_allowed_list:", "1", "5", "3"]


def test_listen_fds(box):
    fd = os.open("/dev/null", os.O_RDONLY)
    pid_is_the_runtimes = "LISTEN_PID=$$ exec \"$@\""
    out = box.who.run("bash", "-c", pid_is_the_runtimes + f" 3<&{fd}", "sh",
                      *box.who.runtime_argv("exec", "c1", "sh", "-c",
                                            "echo $LISTEN_FDS $LISTEN_PID; test -c /dev/fd/3"),
                      env={"LISTEN_FDS": "1"}, pass_fds=[fd]).ok().out
    os.close(fd)
    assert out == "1 1\n"


def test_preserve_fds(box):
    r, w = os.pipe()
    done = box.who.run("bash", "-c", f'exec "$@" 3>&{w}', "sh",
                       *box.who.runtime_argv("exec", "--preserve-fds", "1", "c1", "sh", "-c",
                                             "echo there >&3"), pass_fds=[w])
    os.close(w)
    assert os.read(r, 100) == b"there\n", done
    os.close(r)
    box.exec("--preserve-fds", "9", "--", "true").fails("--preserve-fds", code=255)


# --- namespaces and cgroups ---


def test_shared_pid_namespace(root):
    """As in a pod: exec's process is one of the host's pid namespace."""
    def prepare(b):
        b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "pid"]
    box = Box(root, prepare)
    out = box.sh("readlink /proc/self/ns/pid; readlink /proc/self/ns/mnt; "
                 f"readlink /proc/{box.pid}/ns/mnt").ok().out.split()
    assert out[0] == os.readlink("/proc/self/ns/pid") and out[1] == out[2]


def test_container_without_pivot_root(root):
    b = root.bundle(*LOOP)
    b.run("--detach", "--no-pivot", stdout=None, stderr=None).ok()
    (b.rootfs / "mark").touch()
    assert "mark" in root.runtime("exec", "c1", "ls", "/").ok().out


def test_sub_cgroup(root):
    box = Box(root)
    paths = json.loads((root.runtime_root / "c1/state.json").read_text())["cgroupPaths"]
    pids = next((p for p in paths if "/pids/" in p), None)
    for path in paths:
        os.mkdir(path + "/sub")
        for name in ("cpuset.cpus", "cpuset.mems"):
            if os.path.exists(f"{path}/tasks") and os.path.exists(f"{path}/{name}"):
                text = pathlib.Path(path, name).read_text()
                pathlib.Path(path, "sub", name).write_text(text)
    assert "/sub\n" in box.exec("--cgroup", "sub", "--", "cat", "/proc/self/cgroup").ok().out
    box.exec("--cgroup", "nosub", "--", "true").fails("nosub", code=255)
    box.exec("--cgroup", "../..", "--", "cat", "/proc/self/cgroup").ok()
    if pids:
        out = box.exec("--cgroup", "pids:sub", "--", "cat", "/proc/self/cgroup").ok().out
        assert [line for line in out.splitlines() if line.endswith("/sub")] == \
            [line for line in out.splitlines() if ":pids:" in line]
        box.exec("--cgroup", "nothing:sub", "--", "true").fails("nothing", code=255)
        box.exec("--cgroup", ":sub", "--", "true").fails("empty", code=255)


def test_cgroup_that_the_container_made_an_inner_one(root):
    """cgroup2: with controllers for children it takes no process; exec goes where the first is."""
    box = Box(root)
    paths = json.loads((root.runtime_root / "c1/state.json").read_text())["cgroupPaths"]
    v2 = next((p for p in paths if not os.path.exists(p + "/tasks")), None)
    controllers = pathlib.Path(v2, "cgroup.controllers").read_text().split() if v2 else []
    if not controllers:
        harness.machine_cannot("make an inner cgroup: its cgroup2 has no controllers")
    sub = pathlib.Path(v2, "inner")
    sub.mkdir()
    for pid in pathlib.Path(v2, "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            (sub / "cgroup.procs").write_text(pid)
    def enable():
        try:
            pathlib.Path(v2, "cgroup.subtree_control").write_text("+" + controllers[0])
            return True
        except OSError:  # the loop's sleep was in between
            for pid in pathlib.Path(v2, "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    (sub / "cgroup.procs").write_text(pid)
            return False
    harness.wait_for(enable, what="controllers for children")
    assert "/inner\n" in box.exec("--", "cat", "/proc/self/cgroup").ok().out


CALLS = ["clone3", "openat2", "close_range", "pidfd_open", "faccessat2", "statx", "pidfd_getfd"]


@pytest.mark.parametrize("calls", [*CALLS, ",".join(CALLS)])
def test_without_system_calls(box, calls):
    r = box.who.run(box.who.program("tests/faults/enosys"), calls, "--",
                    *box.who.runtime_argv("exec", "--user", "0:0", "c1", "sh", "-c",
                                          "hostname; ls /proc/self/fd; exit 7"))
    assert (r.code, r.out) == (7, "box\n0\n1\n2\n3\n"), r
