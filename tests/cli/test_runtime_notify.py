# SPDX-License-Identifier: Apache-2.0
"""NOTIFY_SOCKET: what a container says to systemd, and what of that systemd hears."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

import harness

INSIDE = "/run/notify/notify.sock"


class Env:
    """No systemd, but variables."""

    def __init__(self, env):
        self.env = env


class Systemd:
    """What listens at NOTIFY_SOCKET. Keeps descriptors until release(): a barrier waits for that."""

    def __init__(self, address):
        self.address = str(address)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.address.replace("@", "\0", 1) if self.address[0] == "@"
                       else self.address)
        if self.address[0] == "/":
            os.chmod(self.address, 0o777)
        self.env = {"NOTIFY_SOCKET": self.address}
        self.fds = []

    def hear(self, seconds=10):
        """The next message, None when none comes."""
        self.sock.settimeout(seconds)
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, 10000, 8)
        except (socket.timeout, BlockingIOError):
            return None
        self.fds += fds
        return data.decode()

    def release(self):
        while self.fds:
            os.close(self.fds.pop())

    def close(self):
        self.release()
        self.sock.close()


@pytest.fixture
def systemd(anyone):
    listening = Systemd(anyone.dir / "systemd.sock")
    yield listening
    listening.close()


def service(who, script, **kw):
    """A bundle that runs a shell script in which notifier is a command."""
    b = who.bundle("sh", "-c", script, **kw)
    shutil.copy(who.program("tests/faults/notifier"), b.rootfs / "bin/notifier")
    (b.rootfs / "tmp").chmod(0o1777)
    return b


def start_runtime(who, systemd, *args, without=None, **kw):
    """Output goes to a file: the container of a runtime that ends has it open, too. Without: system
    calls that are missing."""
    before = [who.program("tests/faults/enosys"), without, "--"] if without else []
    with open(who.dir / "output", "wb") as out:
        process = who.popen(*before, *who.runtime_argv(*args), env=systemd.env, stdout=out,
                            stderr=out, **kw)
    process.output = who.dir / "output"
    return process


def end(process, seconds=20):
    code = process.wait(timeout=seconds)
    return code, process.output.read_text()


def detached(who, *args, **env):
    """The same for one that ends soon; its exit status must be 0."""
    assert end(start_runtime(who, Env(env), *args))[0] == 0
    return (who.dir / "output").read_text()


def still_runs(process):
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)


def ready(pid):
    return f"READY=1\nMAINPID={pid}\n"


def pid_of(who, cid="c1"):
    return json.loads(who.runtime("state", cid).ok().out)["pid"]


def test_run(anyone, systemd):
    """Nothing but READY=1 is passed on, once; later messages find a reader."""
    b = service(anyone, "echo $NOTIFY_SOCKET; grep /run/notify /proc/self/mounts; "
                "notifier send=STATUS=mine send=FDSTORE=1 barrier "
                "'send=STATUS=mine\\nREADY=1\\nMAINPID=1\\nERRNO=2' barrier many=100 send=READY=1; "
                "sleep 0.2; exit 3")
    process = start_runtime(anyone, systemd, "run", "--bundle", b.path, "c1")
    code, out = end(process)
    lines = out.splitlines()
    assert code == 3 and lines[0] == INSIDE and lines[2:] == ["closed", "closed"], out
    assert set("ro nosuid nodev noexec".split()) <= set(lines[1].split()[3].split(",")), out
    assert systemd.hear() == ready(process.pid)
    assert systemd.hear(0) is None and not systemd.fds
    assert not (anyone.runtime_root / "c1").exists()


@pytest.mark.parametrize("by_start", [False, True])
def test_others_go_on_while_it_is_waited_for(anyone, systemd, by_start):
    """No lock is held: a container that never gets ready can be looked at, killed and deleted."""
    b = service(anyone, "trap 'exit 0' USR1; touch /tmp/runs; while :; do usleep 20000; done")
    if by_start:
        detached(anyone, "create", "--bundle", b.path, "c1", **systemd.env)
        process = start_runtime(anyone, systemd, "start", "c1")
    else:
        process = start_runtime(anyone, systemd, "run", "-d", "--bundle", b.path, "c1")
    harness.wait_for(lambda: (b.rootfs / "tmp/runs").exists())
    still_runs(process)
    began = time.monotonic()
    assert json.loads(anyone.runtime("state", "c1").ok().out)["status"] == "running"
    anyone.runtime("delete", "c1").fails("not stopped")
    anyone.runtime("kill", "c1", "USR1").ok()
    anyone.runtime("delete", "--force", "c1").ok()
    assert time.monotonic() - began < 5
    end(process)
    anyone.runtime("state", "c1").fails("does not exist")


def test_interrupted_after_somebody_else_has_deleted_it(anyone, systemd):
    """What has the same name by then is another's."""
    b = service(anyone, "touch /tmp/runs; sleep 100")
    process = start_runtime(anyone, systemd, "run", "-d", "--bundle", b.path, "c1")
    harness.wait_for(lambda: (b.rootfs / "tmp/runs").exists())
    still_runs(process)
    process.send_signal(signal.SIGSTOP)
    anyone.runtime("delete", "--force", "c1").ok()
    detached(anyone, "create", "--bundle", b.path, "c1")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    end(process)
    assert json.loads(anyone.runtime("state", "c1").ok().out)["status"] == "created"
    anyone.runtime("delete", "--force", "c1").ok()


def test_last_word(anyone, systemd):
    b = service(anyone, "notifier send=READY=1")
    for i in range(5):
        process = start_runtime(anyone, systemd, "run", "--bundle", b.path, f"c{i}")
        assert end(process) == (0, "") and systemd.hear() == ready(process.pid)


@pytest.mark.parametrize("by_start", [False, True])
def test_waits_until_ready(anyone, systemd, by_start):
    """run -d and start end when the container is ready and systemd has heard it."""
    b = service(anyone, "notifier send=STATUS=mine; until test -e /tmp/go; do usleep 20000; done; "
                "notifier send=READY=1; sleep 100")
    if by_start:
        detached(anyone, "create", "--bundle", b.path, "c1", **systemd.env)
        process = start_runtime(anyone, systemd, "start", "c1")
    else:
        process = start_runtime(anyone, systemd, "run", "-d", "--bundle", b.path, "c1")
    still_runs(process)
    assert systemd.hear(0) is None
    (b.rootfs / "tmp/go").touch()
    assert systemd.hear() == ready(pid_of(anyone))
    assert systemd.hear() == "BARRIER=1" and len(systemd.fds) == 1
    still_runs(process)
    systemd.release()
    assert end(process) == (0, "")
    anyone.runtime("delete", "--force", "c1").ok()


def test_ends_without_being_ready(anyone, systemd):
    b = service(anyone, "exit 1")
    assert end(start_runtime(anyone, systemd, "run", "-d", "--bundle", b.path, "c1")) == (0, "")
    detached(anyone, "create", "--bundle", b.path, "c2", **systemd.env)
    assert end(start_runtime(anyone, systemd, "start", "c2")) == (0, "")
    assert systemd.hear(0) is None


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
def test_interrupted(anyone, systemd, signo):
    b = service(anyone, "echo > /tmp/up; sleep 100")
    detached(anyone, "create", "--bundle", b.path, "c1", **systemd.env)
    process = start_runtime(anyone, systemd, "start", "c1")
    harness.wait_for((b.rootfs / "tmp/up").exists)
    process.send_signal(signo)
    code, out = end(process)
    assert code == 1 and "interrupted by signal" in out
    assert '"stopped"' in anyone.runtime("state", "c1").ok().out
    anyone.runtime("delete", "c1").ok()
    (b.rootfs / "tmp/up").unlink()
    process = start_runtime(anyone, systemd, "run", "-d", "--bundle", b.path, "c1")
    harness.wait_for((b.rootfs / "tmp/up").exists)
    process.send_signal(signo)
    assert end(process)[0] == 1
    anyone.runtime("state", "c1").fails("does not exist")


def test_killed_start(anyone, systemd):
    """delete --force does not wait for a start that waits; a killed one leaves nothing in the way."""
    b = service(anyone, "echo > /tmp/up; sleep 100")
    for i, cid in enumerate(("c1", "c2")):
        detached(anyone, "create", "--bundle", b.path, cid, **systemd.env)
        process = start_runtime(anyone, systemd, "start", cid)
        harness.wait_for((b.rootfs / "tmp/up").exists)
        (b.rootfs / "tmp/up").unlink()
        if i:
            process.kill()
            process.wait()
        anyone.runtime("delete", "--force", cid).ok()
        assert i or end(process) == (0, "")
        assert not (anyone.runtime_root / cid).exists()


def test_only_on_one_side(anyone, systemd):
    """Created with the variable and started without, or the other way around: nobody waits."""
    b = service(anyone, "echo $NOTIFY_SOCKET > /tmp/env; exec sleep 100")
    detached(anyone, "create", "--bundle", b.path, "c1")
    anyone.runtime("start", "c1", env=systemd.env).ok()
    harness.wait_for(lambda: (b.rootfs / "tmp/env").exists() and
                     (b.rootfs / "tmp/env").read_text() == "\n")
    assert not (b.rootfs / "run/notify").exists()
    b = service(anyone, "echo $NOTIFY_SOCKET; notifier send=READY=1", name="b2")
    detached(anyone, "create", "--bundle", b.path, "c2", **systemd.env)
    anyone.runtime("start", "c2").ok()
    harness.wait_for(lambda: (anyone.dir / "output").read_text() == INSIDE + "\nENOENT\n")
    assert systemd.hear(0) is None


def test_not_set(anyone):
    b = service(anyone, "echo x$NOTIFY_SOCKET; ls /run")
    assert b.run(env={"NOTIFY_SOCKET": ""}).ok().out == "x\n"
    assert b.run().ok().out == "x\n"


def test_abstract(root):
    systemd = Systemd(f"@inro-test-{os.getpid()}")
    b = service(root, "notifier send=READY=1")
    process = start_runtime(root, systemd, "run", "--bundle", b.path, "c1")
    assert end(process) == (0, "") and systemd.hear() == ready(process.pid)
    systemd.close()


def test_nobody_listens(anyone):
    """The container runs all the same."""
    b = service(anyone, "notifier send=READY=1; echo ran; sleep 0.1")
    none = str(anyone.dir / "none")
    r = b.run(env={"NOTIFY_SOCKET": none}).ok()
    assert r.out == "ran\n" and f"connecting to {none}: No such file" in r.err
    assert none in detached(anyone, "run", "-d", "--bundle", b.path, "c1", NOTIFY_SOCKET=none)
    b = service(anyone, "echo x$NOTIFY_SOCKET", name="b2")
    for address in ("vsock:2:1", "relative", "@", "/" + "x" * 108):
        r = b.run(cid="c2", env={"NOTIFY_SOCKET": address}).ok()
        assert r.out == "x\n" and "not the address of a Unix socket" in r.err


def test_engines_own_socket(anyone, systemd):
    """Engines that pass messages on themselves write the variable into the configuration."""
    b = service(anyone, "echo $NOTIFY_SOCKET; ls /run; sleep 0.1")
    b.process["env"].append("NOTIFY_SOCKET=/engines/own")
    assert b.run(env=systemd.env).ok().out == "/engines/own\n"
    detached(anyone, "run", "-d", "--bundle", b.path, "c1", **systemd.env)


def test_any_user_of_the_container(root):
    """Also where its root is not ours."""
    systemd = Systemd(root.dir / "systemd.sock")
    for name, mapped in (("b1", False), ("b2", True)):
        b = service(root, "notifier send=READY=1", name=name)
        b.process["user"] = {"uid": 1000, "gid": 1000}
        if mapped:
            b.linux["namespaces"].append({"type": "user"})
            ids = [{"containerID": 0, "hostID": 200000, "size": 65536}]
            b.linux.update(uidMappings=ids, gidMappings=ids)
            b.mount("/run", "tmpfs", "tmpfs", "mode=755")
        process = start_runtime(root, systemd, "run", "--bundle", b.save().path, "c1", umask=0o077)
        assert end(process) == (0, "") and systemd.hear() == ready(process.pid)
    systemd.close()


def test_says_nothing(anyone, systemd):
    """Too long, with a NUL, or not that word."""
    b = service(anyone, "notifier big=4097 big=100000 'send=READY=1\\n\\0X=1' send=READY=10 "
                "send=XREADY=1 send=READY=0 'send= READY=1' send= 'send=\\n\\n' many=500; "
                "echo > /tmp/said; until test -e /tmp/go; do usleep 20000; done; "
                "notifier big=4096; sleep 100")
    process = start_runtime(anyone, systemd, "run", "-d", "--bundle", b.path, "c1")
    harness.wait_for((b.rootfs / "tmp/said").exists)
    still_runs(process)
    assert systemd.hear(0) is None
    (b.rootfs / "tmp/go").touch()
    assert systemd.hear() == ready(pid_of(anyone)) and systemd.hear() == "BARRIER=1"
    systemd.release()
    assert end(process)[0] == 0
    anyone.runtime("delete", "--force", "c1").ok()


def test_interrupted_while_another_command_has_the_container(anyone, systemd):
    """For longer than it waits at first: nothing of it is left all the same."""
    b = service(anyone, "touch /tmp/runs; sleep 100")
    process = start_runtime(anyone, systemd, "run", "-d", "--bundle", b.path, "c1")
    harness.wait_for((b.rootfs / "tmp/runs").exists)
    still_runs(process)
    fd = os.open(anyone.runtime_root / "c1", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    pid = pid_of(anyone)
    process.send_signal(signal.SIGTERM)
    harness.wait_for(lambda: harness.is_dead(pid), 10, "its processes to be ended first")
    os.close(fd)
    code, out = end(process)
    assert code == 1 and "interrupted by signal 15" in out and "stays" not in out
    anyone.runtime("state", "c1").fails("does not exist")


def test_container_replaces_the_socket(anyone, systemd):
    """A container with the right to change its mounts puts links to a host's file there, before
    and after the runtime made the socket."""
    victim = anyone.dir / "victim"
    victim.write_text("whole")
    victim.chmod(0o600)
    anyone.own(victim)
    b = service(anyone, f"mount -o remount,rw,bind /run/notify; cd /run/notify; rm -f notify.sock; "
                f"ln -s {victim} notify.sock; mkdir -p a/b/c; ln -s / a/b/root; echo > /tmp/done; "
                "sleep 100")
    for kind in b.process["capabilities"].values():
        if "CAP_SYS_ADMIN" not in kind:
            kind.append("CAP_SYS_ADMIN")
    b.save()
    process = start_runtime(anyone, systemd, "run", "-d", "--bundle", b.path, "c1")
    harness.wait_for((b.rootfs / "tmp/done").exists)
    assert (anyone.runtime_root / "c1/notify/notify.sock").is_symlink()
    anyone.runtime("kill", "c1", "KILL").ok()
    assert end(process) == (0, "")
    anyone.runtime("delete", "c1").ok()
    assert not (anyone.runtime_root / "c1").exists()

    b = service(anyone, "notifier send=READY=1; sleep 100", name="b2")
    detached(anyone, "create", "--bundle", b.path, "c2", **systemd.env)
    os.symlink(victim, anyone.runtime_root / "c2/notify/notify.sock")
    process = start_runtime(anyone, systemd, "start", "c2")
    assert systemd.hear() == ready(pid_of(anyone, "c2")) and systemd.hear() == "BARRIER=1"
    systemd.release()
    assert end(process) == (0, "")
    assert victim.read_text() == "whole" and victim.stat().st_mode & 0o777 == 0o600
    anyone.runtime("delete", "--force", "c2").ok()


def test_without_pidfds(anyone, systemd):
    """Where a sandbox lacks them the end of the container is seen all the same."""
    b = service(anyone, "until test -e /tmp/go; do usleep 20000; done")
    detached(anyone, "create", "--bundle", b.path, "c1", **systemd.env)
    for args in (["start", "c1"], ["run", "-d", "--bundle", b.path, "c2"]):
        (b.rootfs / "tmp/go").unlink(missing_ok=True)
        process = start_runtime(anyone, systemd, *args, without="pidfd_open,pidfd_send_signal")
        still_runs(process)
        (b.rootfs / "tmp/go").touch()
        assert end(process) == (0, "")
