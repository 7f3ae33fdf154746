# SPDX-License-Identifier: Apache-2.0
"""Containers that do evil to processes which enter them: what exec must withstand."""

import json
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import threading
import time

import pytest

import harness
from test_cve_fds import bait, open_dirs

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def start(who, b, cid="c1", **kw):
    b.save()
    who.runtime("run", "--detach", "--bundle", b.path, cid, **{**QUIET, **kw}).ok()
    return b


def give_caps(b, *names):
    for caps in b.process["capabilities"].values():
        caps.extend(names)


class Lurker:
    """A container whose first process looks into all that enter it."""

    def __init__(self, who, mode, prepare):
        self.who = who
        self.b = who.bundle("/lurker", "/bin/busybox", *mode)
        shutil.copy(who.build / "tests/faults/lurker", self.b.rootfs / "lurker")
        prepare(self.b)
        self.b.give()
        self.found = who.dir / "found"
        with open(self.found, "wb") as f:
            start(who, self.b, stdout=f)
        harness.wait_for(lambda: "ready" in self.found.read_text(), what="the lurker")

    def watch(self):
        """Enters until it has looked at a process of the runtime, and then some more."""
        for n in range(1000):
            self.who.runtime("exec", "c1", "true").ok()
            if n >= harness.rounds(60) and "first" in self.found.read_text():
                break

    def finish(self):
        """Its findings, and how often it looked at a process of the runtime."""
        self.who.runtime("kill", "c1", "TERM").ok()
        harness.wait_for(lambda: "seen" in self.found.read_text(), what="the lurker's end")
        lines = self.found.read_text().splitlines()[1:]
        return sorted(set(lines[:-1]) - {"first"}), int(lines[-1].split()[1])


def no_change(b):
    pass


def privileged_for_long(b):
    """Without no_new_privs loading a filter takes CAP_SYS_ADMIN, in there."""
    b.process["noNewPrivileges"] = False
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["acct"], "action": "SCMP_ACT_ERRNO"}]}


@pytest.mark.parametrize("prepare", [no_change, privileged_for_long])
def test_cve_2016_9962_nobody_looks_into_a_process_that_enters(anyone, prepare):
    lurker = Lurker(anyone, [], prepare)
    lurker.watch()
    found, seen = lurker.finish()
    assert found == []
    assert seen > 0


@pytest.mark.parametrize("prepare", [no_change, privileged_for_long])
def test_cve_2016_9962_and_2019_5736_whoever_may_trace_finds_nothing_of_the_host(root, prepare):
    """With CAP_SYS_PTRACE: no descriptor, no directory, and no program that could be written."""
    def prepare_all(b):
        prepare(b)
        give_caps(b, "CAP_SYS_PTRACE")
    lurker = Lurker(root, ["--no-ptrace"], prepare_all)
    lurker.watch()
    found, seen = lurker.finish()
    assert found == []
    assert seen > 0


def pod_member(who, lurker, name, *argv):
    """A container in the lurker's pid namespace, with its root filesystem."""
    b = who.bundle(*argv, name=name)
    b.config["root"]["path"] = str(lurker.b.rootfs)
    pid = json.loads(who.runtime("state", "c1").ok().out)["pid"]
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "pid"]
    b.linux["namespaces"].append({"type": "pid", "path": f"/proc/{pid}/ns/pid"})
    return b


def give_ptrace(b):
    give_caps(b, "CAP_SYS_PTRACE")


@pytest.mark.parametrize("prepare", [no_change, privileged_for_long])
def test_cve_2016_9962_a_neighbour_gets_hold_of_no_init_that_has_more_rights(root, prepare):
    """A container joins the pid namespace of another, which has CAP_SYS_PTRACE in the same user
    namespace. What that one can trace of it must be no stronger than the program."""
    lurker = Lurker(root, ["--stronger"], give_ptrace)
    for n in range(25):
        b = pod_member(root, lurker, f"b{n}", "/bin/busybox", "true")
        give_ptrace(b)
        prepare(b)
        b.run(cid=f"b{n}").ok()
    found, seen = lurker.finish()
    assert found == []
    assert seen > 0


def test_a_container_is_set_up_outside_of_the_pid_namespace_that_it_joins(root):
    """While hooks run, say. Its own are outside as well, and may have more rights than it has."""
    lurker = Lurker(root, ["--stronger"], give_ptrace)
    b = pod_member(root, lurker, "b", "/bin/busybox", "sh", "-c",
                   "echo $$; grep -c . /proc/$$/status; cat /proc/1/cmdline")
    give_ptrace(b)
    states = root.dir / "states"
    hook = [{"path": "/bin/sh", "args": ["sh", "-c", f"cat >>{states}; echo >>{states}; sleep 0.3; "
                                                     f"cp {lurker.found} {root.dir}/before"]}]
    own = [{"path": "/bin/sh", "args": ["sh", "-c", f"cat >>{states}; readlink /proc/self/ns/pid "
                                                    f">{root.dir}/pidns; sleep 0.3"]}]
    b.config["hooks"] = {"createRuntime": hook, "createContainer": own}
    out = b.run(cid="b").ok().out
    assert int(out.split()[0]) > 1 and "/lurker" in out
    # before 6.17 a process inside opens the procfs, with one capability and a filter of few calls
    if tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 17):
        assert "first" not in (root.dir / "before").read_text()
    assert (root.dir / "pidns").read_text().strip() == os.readlink("/proc/self/ns/pid")
    pids = [int(n) for n in re.findall(r'"pid": *([0-9]+)', states.read_text())]
    assert len(pids) == 2 and len(set(pids)) == 1 and pids[0] > 1
    assert lurker.finish()[0] == []


def test_the_process_that_is_left_of_a_set_up_outside_is_the_containers(root):
    """Its pid is in the state, the pid file and the hooks from start on, and it gets the signals."""
    first = sleeper(root)
    pid = json.loads(root.runtime("state", "c1").ok().out)["pid"]
    b = root.bundle("sh", "-c", "trap 'exit 7' TERM; sleep 1000 & wait", name="b")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "pid"]
    b.linux["namespaces"].append({"type": "pid", "path": f"/proc/{pid}/ns/pid"})
    b.linux["namespaces"].append({"type": "time"})
    b.config["root"]["path"] = str(first.rootfs)
    b.process["rlimits"] = [{"type": "RLIMIT_NPROC", "soft": 50, "hard": 60}]
    b.process["scheduler"] = {"policy": "SCHED_OTHER", "nice": 5}
    posted = root.dir / "posted"
    b.config["hooks"] = {"poststart": [{"path": "/bin/sh", "args": ["sh", "-c", f"cat >{posted}"]}]}
    b.save()
    pidfile = root.dir / "pid"
    root.runtime("create", "--bundle", b.path, "--pid-file", pidfile, "b", **QUIET).ok()
    recorded = int(pidfile.read_text())
    assert json.loads(root.runtime("state", "b").ok().out)["pid"] == recorded
    assert os.readlink(f"/proc/{recorded}/ns/pid") == os.readlink(f"/proc/{pid}/ns/pid")
    assert os.readlink(f"/proc/{recorded}/ns/time") != os.readlink("/proc/self/ns/time")
    assert os.getsid(recorded) == recorded
    with open(f"/proc/{recorded}/limits", encoding="ascii") as f:
        assert re.search(r"Max processes +50 +60", f.read())
    assert os.getpriority(os.PRIO_PROCESS, recorded) == 5
    root.runtime("start", "b").ok()
    assert json.loads(posted.read_text())["pid"] == recorded
    root.runtime("exec", "b", "true").ok()
    root.runtime("kill", "b", "KILL").ok()
    harness.wait_for(lambda: json.loads(root.runtime("state", "b").out)["status"] == "stopped")
    root.runtime("delete", "b").ok()


def sleeper(who, prepare=no_change):
    b = who.bundle("sleep", "1000")
    prepare(b)
    return start(who, b)


def test_cve_2019_5736_program_is_the_runtime(root):
    """The image's program is a link to whoever executes it: inro-runtime, at the mercy of the
    container. Its file must not be the one that the host executes, or not be writable."""
    b = sleeper(root)
    (b.rootfs / "evil").symlink_to("/proc/self/exe")
    os.mkfifo(b.rootfs / "fifo")  # opening it for the log waits for a reader
    pidfile = root.dir / "pid"
    root.runtime("exec", "--detach", "--pid-file", pidfile, "c1", "/evil", "--log=/fifo", "list",
                 **QUIET).ok()
    exe = f"/proc/{int(pidfile.read_text())}/exe"
    harness.wait_for(lambda: os.path.exists(exe))
    sealed = os.readlink(exe).startswith("/memfd:")
    assert sealed or os.statvfs(exe).f_flag & os.ST_RDONLY
    with open(root.program("inro-runtime"), "rb") as f, open(exe, "rb") as g:
        assert f.read(64) == g.read(64)


def test_cve_2022_29162_no_inheritable_capabilities(anyone):
    sleeper(anyone)
    out = anyone.runtime("exec", "c1", "grep", "-E", "CapInh|CapAmb", "/proc/self/status").ok().out
    assert out.split() == ["CapInh:", "0" * 16, "CapAmb:", "0" * 16]


def test_cve_2024_21626_working_directory_of_exec(anyone):
    sleeper(anyone)
    host = bait(anyone)
    with open_dirs(host / "a/b"):
        for n in range(3, 31):
            r = anyone.runtime("exec", "--cwd", f"/proc/self/fd/{n}", "c1", "sh", "-c",
                               "pwd; ls .. ../../../..", close_fds=False)
            assert r.code != 0 and r.out == "", r


@pytest.mark.parametrize("kind", ["program", "search path"])
def test_cve_2024_21626_program_of_exec_through_a_leaked_fd(anyone, kind):
    b = sleeper(anyone)
    (b.rootfs / "bin/echo").unlink()
    host = bait(anyone)
    with open_dirs(host / "a/b"):
        for n in range(3, 24):
            path = f"/proc/self/fd/{n}/../.."
            if kind == "program":
                r = anyone.runtime("exec", "c1", f"{path}/echo", "host program", close_fds=False)
            else:
                r = anyone.runtime("exec", "--env", f"PATH={path}", "c1", "echo", "host program",
                                   close_fds=False)
            assert r.code != 0 and "host program" not in r.out, r


def test_fds_of_the_caller_are_closed(anyone):
    sleeper(anyone)
    with open_dirs(anyone.dir):
        out = anyone.runtime("exec", "c1", "ls", "-l", "/proc/self/fd", close_fds=False).ok().out
    assert str(anyone.dir) not in out


@pytest.mark.parametrize("kind", ["fifo", "directory", "device", "loop", "huge", "terminal"])
def test_passwd_of_the_container_is_hostile(root, kind):
    b = sleeper(root)
    passwd = b.rootfs / "etc/passwd"
    passwd.unlink()
    if kind == "fifo":
        os.mkfifo(passwd)
    elif kind == "directory":
        passwd.mkdir()
    elif kind == "device":
        os.mknod(passwd, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # zero: without an end
    elif kind == "loop":
        passwd.symlink_to("passwd")
    elif kind == "huge":
        with open(passwd, "w", encoding="ascii") as f:
            f.truncate(1 << 40)
    else:
        passwd.symlink_to("/dev/tty")
    began = time.monotonic()
    assert root.runtime("exec", "c1", "sh", "-c", "echo $HOME").ok().out == "/\n"
    root.runtime("exec", "--user", "joe", "c1", "true").fails("joe", code=255)
    assert time.monotonic() - began < 10


FAKE_PTS = {
    "no devpts": "umount /dev/pts",
    "a fifo": "umount /dev/pts; mkfifo /dev/pts/ptmx",
    "a link": "umount /dev/pts; ln -s /proc/sysrq-trigger /dev/pts/ptmx",
    "another device": "umount /dev/pts; mknod /dev/pts/ptmx c 1 3",
    "a device above it": "mount --bind /dev/zero /dev/pts/ptmx",
    "a file above it": "touch /tmp/f; mount --bind /tmp/f /dev/pts/ptmx",
    "elsewhere": "umount /dev/pts; rmdir /dev/pts; ln -s /proc/1/root/tmp /dev/pts; "
                 "mkfifo /tmp/ptmx",
}


@pytest.mark.parametrize("how", FAKE_PTS)
def test_cve_2025_52565_terminal_of_a_container_that_replaced_devpts(root, how):
    sleeper(root, lambda b: give_caps(b, "CAP_SYS_ADMIN"))
    root.runtime("exec", "c1", "sh", "-c", FAKE_PTS[how]).ok()
    root.runtime("exec", "-t", "c1", "true", timeout=10).fails("setting up the console", code=255)
    root.runtime("exec", "c1", "true").ok()


@pytest.mark.parametrize("how", ["no proc", "tmpfs", "covered files"])
def test_cve_2019_16884_and_2025_52881_labels_of_exec_go_to_procfs(root, how):
    """Whatever the container has at /proc, the label is written to the kernel's own, which knows
    no such profile here; a file at its place would take it."""
    fake = "for f in attr/exec attr/apparmor/exec; do for s in self thread-self; do " \
           "mkdir -p /proc/$s/attr/apparmor; echo > /proc/$s/$f; done; done"
    script = {
        "no proc": "umount /proc",
        "tmpfs": "mount -t tmpfs none /proc; " + fake,
        "covered files": "mkdir -p /tmp/p; mount --bind /tmp/p /proc/1/attr; mount --bind /tmp/p "
                         "/proc/self/attr || true",
    }[how]
    sleeper(root, lambda b: (give_caps(b, "CAP_SYS_ADMIN"), b.linux.pop("maskedPaths"),
                             b.linux.pop("readonlyPaths")))
    root.runtime("exec", "c1", "sh", "-c", script).ok()
    root.runtime("exec", "--apparmor", "nosuch", "c1", "true").fails("AppArmor", code=255)
    root.runtime("exec", "--process-label", "nosuch_t", "c1", "true").fails("SELinux", code=255)
    root.runtime("exec", "c1", "true").ok()


def capabilities(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in f)
    return int(lines["CapPrm"], 16) | int(lines["CapEff"], 16) | int(lines["CapInh"], 16)


@pytest.mark.parametrize("prepare", [no_change, privileged_for_long])
def test_a_created_container_waits_with_no_more_capabilities_than_its_program_gets(root, prepare):
    """Who shares its pid namespace, or was executed in it, may trace it for as long."""
    b = root.bundle("sleep", "1000")
    prepare(b)
    give_caps(b, "CAP_SYS_PTRACE")
    b.save()
    pidfile = root.dir / "pid"
    root.runtime("create", "--bundle", b.path, "--pid-file", pidfile, "c1", **QUIET).ok()
    pid = int(pidfile.read_text())
    waiting = capabilities(pid)
    root.runtime("start", "c1").ok()
    assert waiting == capabilities(pid) != 0


@pytest.mark.parametrize("denied", ["clone", "getcwd", "accept4", "setsid", "access"])
def test_a_filter_that_is_in_the_runtimes_way_is_loaded_behind_it(root, denied):
    """It may forbid what the runtime does, but nothing that its program needs."""
    def forbid(b):
        b.process["noNewPrivileges"] = False
        b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": [denied, "clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
    b = root.bundle("sleep", "1000")
    forbid(b)
    b.save()
    root.runtime("create", "--bundle", b.path, "c1", **QUIET).ok()
    root.runtime("start", "c1").ok()
    out = root.runtime("exec", "c1", "grep", "Seccomp:", "/proc/self/status").ok().out
    assert out.split() == ["Seccomp:", "2"]


def held_at_execve(who, prepare, **kw):
    """A process that was to be executed in a container, held by a seccomp agent that never
    answers. Yields its pid, and the command that waits for it."""
    agent = socket.socket(socket.AF_UNIX)
    agent.bind(str(who.dir / "agent"))
    agent.listen(8)
    b = who.bundle("sleep", "1000")
    b.process["noNewPrivileges"] = False
    rule = {"names": ["acct"], "action": "SCMP_ACT_NOTIFY"}
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule],
                          "listenerPath": str(who.dir / "agent")}
    prepare(b)
    start(who, b)
    rule["names"] = ["execve"]
    (who.runtime_root / "c1/config.json").write_text(json.dumps(b.config))
    pidfile = who.dir / "pid"
    with who.popen(*who.runtime_argv("exec", "--pid-file", pidfile, "c1", "true"), **QUIET,
                   **kw) as p:
        harness.wait_for(lambda: pidfile.exists() and pidfile.read_text(), what="the pid file")
        pid = int(pidfile.read_text())
        harness.wait_for(lambda: "seccomp" in pathlib.Path(f"/proc/{pid}/wchan").read_text(),
                         what="the call of execve")
        yield pid, p
        who.runtime("kill", "c1", "KILL").ok()
        p.wait(10)
    agent.close()


def test_the_environment_of_the_caller_is_not_in_the_process_that_enters(root):
    """Whoever may trace it could read it there."""
    secret = "token-of-the-host-" + "x" * 30
    for pid, _ in held_at_execve(root, lambda b: give_caps(b, "CAP_SYS_PTRACE"),
                              env={**os.environ, "SECRET": secret}):
        with open(f"/proc/{pid}/environ", "rb") as f:
            assert f.read().strip(b"\0") == b""
        assert pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() == b"inro-runtime init\0"
        with open(f"/proc/{pid}/maps", encoding="ascii") as f:
            stack = next(line for line in f if "[stack]" in line).split()[0].split("-")
        begin, end = (int(word, 16) for word in stack)
        with open(f"/proc/{pid}/mem", "rb") as f:
            f.seek(begin)
            text = f.read(end - begin)
        assert secret.encode() not in text and b"--pid-file" not in text


def test_the_environment_of_the_caller_is_not_in_a_created_container(root):
    b = root.bundle("sleep", "1000")
    b.save()
    pidfile = root.dir / "pid"
    root.runtime("create", "--bundle", b.path, "--pid-file", pidfile, "c1",
                 env={**os.environ, "SECRET": "token-of-the-host"}, **QUIET).ok()
    proc = pathlib.Path(f"/proc/{int(pidfile.read_text())}")
    assert (proc / "environ").read_bytes().strip(b"\0") == b""
    assert (proc / "cmdline").read_bytes() == b"inro-runtime init\0"
    root.runtime("start", "c1").ok()
    out = root.runtime("exec", "c1", "env").ok().out
    assert "PATH=" in out and "token" not in out


def test_nothing_runs_when_exec_fails_at_the_console_socket(root):
    """The runtime fails while the process is being made already."""
    b = sleeper(root)
    path = root.dir / "console"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(8)
    stop = threading.Event()

    def hang_up():
        server.settimeout(0.2)
        while not stop.is_set():
            try:
                server.accept()[0].close()
            except TimeoutError:
                pass
    hanger = threading.Thread(target=hang_up)
    hanger.start()
    failed = []
    try:
        for n in range(100):
            r = root.runtime("exec", "--tty", "--detach", "--console-socket", path, "c1", "sh",
                             "-c", f"sleep 0.05; echo > /ran{n}", **QUIET)
            if r.code != 0:  # else the terminal was sent before it hung up
                failed.append(n)
            if len(failed) == 20:
                break
    finally:
        stop.set()
        hanger.join()
    time.sleep(0.3)
    assert failed
    assert [n for n in failed if (b.rootfs / f"ran{n}").exists()] == []
