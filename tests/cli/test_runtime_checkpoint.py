# SPDX-License-Identifier: Apache-2.0
"""inro-runtime checkpoint and restore with the machine's own criu."""

import array
import contextlib
import fcntl
import functools
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time

import pytest

import harness

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
# Numbers in a file on a tmpfs, through a descriptor that stays open.
COUNT = "exec 9>/dev/shm/n; i=0; while :; do i=$((i+1)); echo $i >&9; sleep 0.05; done"


@pytest.fixture(autouse=True)
def needs_criu():
    harness.needs_criu()


@functools.cache
def tracks_memory():
    done = subprocess.run(["criu", "check", "--feature", "mem_dirty_track"],
                          capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture
def box(root):
    """A bundle that counts."""
    return root.bundle("sh", "-c", COUNT)


def state(who, cid):
    return json.loads(who.runtime("state", cid).ok().out)


def inside(who, cid, path):
    return pathlib.Path(f"/proc/{state(who, cid)['pid']}/root{path}")


def numbers(who, cid):
    path = inside(who, cid, "/dev/shm/n")
    if not path.exists():
        return []
    return [int(n) for n in path.read_text().split("\n")[:-1]]


def counted(who, cid, more_than):
    found = harness.wait_for(lambda: [n for n in [numbers(who, cid)] if len(n) > more_than],
                             10, f"more than {more_than} numbers")[0]
    assert found == list(range(1, len(found) + 1))
    return len(found)


def start(bundle, cid="c1"):
    bundle.save()
    bundle.who.runtime("run", "--detach", "--bundle", bundle.path, cid, **QUIET).ok()


def images(who, name="img"):
    return who.dir / name


def checkpoint(who, *options, cid="c1", name="img", **kw):
    return who.runtime("checkpoint", "--image-path", images(who, name), *options, cid, **kw)


def restore(bundle, *options, cid="c1", name="img"):
    """Detached; the output goes to a file, as the container keeps it."""
    who = bundle.who
    out = who.dir / "restore.out"
    with open(out, "wb") as f:
        done = who.runtime("restore", "--detach", "--bundle", bundle.path, "--image-path",
                           images(who, name), *options, cid, stdout=f, stderr=f)
    done.err = out.read_text()
    return done


def gone(who, cid="c1"):
    who.runtime("state", cid).fails("does not exist")
    assert cid not in who.runtime("list", "-q").ok().out.split()


def mounts(who, cid):
    """What is mounted where, with all options, order and ids aside."""
    pid = state(who, cid)["pid"]
    found = []
    for line in pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        before, after = line.split(" - ")
        root, place, options = before.split()[3:6]
        found.append((place, root, options, after.split()[0]))
    return sorted(found)


def test_processes_go_on(root, box):
    start(box)
    before = counted(root, "c1", 5)
    checkpoint(root).ok()
    gone(root)
    restore(box, cid="c1").ok()
    assert state(root, "c1")["status"] == "running"
    counted(root, "c1", before + 5)
    root.runtime("kill", "c1", "KILL").ok()
    harness.wait_for(lambda: state(root, "c1")["status"] == "stopped")
    root.runtime("delete", "c1").ok()
    gone(root)


def test_another_id_and_twice(root, box):
    start(box)
    before = counted(root, "c1", 5)
    checkpoint(root).ok()
    for cid in ("c2", "c3"):
        pid_file = root.dir / f"{cid}.pid"
        restore(box, "--pid-file", pid_file, cid=cid).ok()
        pid = state(root, cid)["pid"]
        assert int(pid_file.read_text()) == pid
        groups = pathlib.Path(f"/proc/{pid}/cgroup").read_text()
        assert f"/inro/{cid}\n" in groups and "/inro/c1\n" not in groups
        counted(root, cid, before + 3)
        root.runtime("delete", "--force", cid).ok()


@pytest.mark.parametrize("again", [True, False])
def test_readiness_socket(root, box, again):
    """Its directory is a mount from outside, which is there after as before; also for who restores
    without NOTIFY_SOCKET. Nobody waits for READY=1: the container may have said it long ago."""
    env = {**os.environ, "NOTIFY_SOCKET": str(root.dir / "systemd.sock")}
    box.save()
    root.runtime("create", "--bundle", box.path, "c1", env=env, **QUIET).ok()
    root.runtime("start", "c1").ok()
    before = counted(root, "c1", 5)
    assert "/run/notify" in [m[0] for m in mounts(root, "c1")]
    checkpoint(root).ok()
    gone(root)
    with pytest.MonkeyPatch.context() as m:
        if again:
            m.setenv("NOTIFY_SOCKET", env["NOTIFY_SOCKET"])
        restore(box).ok()
    counted(root, "c1", before + 5)
    where = [m for m in mounts(root, "c1") if m[0] == "/run/notify"]
    assert len(where) == 1 and "ro" in where[0][2].split(",")
    outside = root.runtime_root / "c1/notify"
    (outside / "here").touch()
    assert inside(root, "c1", "/run/notify/here").exists()
    checkpoint(root, name="img2").ok()
    restore(box, name="img2").ok()
    root.runtime("delete", "--force", "c1").ok()
    gone(root)


def test_leave_running(root, box):
    start(box)
    pid, before = state(root, "c1")["pid"], counted(root, "c1", 5)
    checkpoint(root, "--leave-running").ok()
    assert state(root, "c1")["pid"] == pid
    counted(root, "c1", before + 5)
    root.runtime("delete", "--force", "c1").ok()
    restore(box).ok()
    counted(root, "c1", before)


def test_paused(root, box):
    start(box)
    counted(root, "c1", 5)
    root.runtime("pause", "c1").ok()
    checkpoint(root, "--leave-running").ok()
    assert state(root, "c1")["status"] == "paused"
    root.runtime("resume", "c1").ok()
    counted(root, "c1", len(numbers(root, "c1")) + 3)


def test_pre_dump(root, box):
    start(box)
    if not tracks_memory():
        checkpoint(root, "--pre-dump", name="pre").fails("does not track changed memory")
        counted(root, "c1", len(numbers(root, "c1")) + 3)
        return
    checkpoint(root, "--pre-dump", name="pre").ok()
    before = counted(root, "c1", len(numbers(root, "c1")) + 3)
    checkpoint(root, "--parent-path", "../pre").ok()
    assert os.readlink(images(root) / "parent") == "../pre"
    restore(box).ok()
    counted(root, "c1", before + 3)


def test_chain_of_pre_dumps(root, box):
    """Each has what has changed since the one before; all are needed to restore."""
    if not tracks_memory():
        harness.machine_cannot("its kernel does not track changed memory")
    start(box)
    checkpoint(root, "--pre-dump", name="one").ok()
    counted(root, "c1", len(numbers(root, "c1")) + 3)
    checkpoint(root, "--pre-dump", "--parent-path", "../one", name="two").ok()
    before = counted(root, "c1", len(numbers(root, "c1")) + 3)
    checkpoint(root, "--parent-path", "../two").ok()
    assert os.readlink(images(root, "two") / "parent") == "../one"
    gone(root)
    restore(box).ok()
    counted(root, "c1", before + 3)
    root.runtime("delete", "--force", "c1").ok()
    shutil.rmtree(images(root, "one"))
    restore(box).fails("criu")
    gone(root)


@contextlib.contextmanager
def mounted(*args):
    subprocess.run(["mount", *map(str, args)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", args[-1]], check=True)


def test_mounts_below_a_recursive_bind_mount(root, box):
    data, other = root.dir / "data", root.dir / "other"
    for d in (data / "tmp", data / "deep/bound", other):
        d.mkdir(parents=True)
    (other / "word").write_text("of the host\n")
    with mounted("-t", "tmpfs", "t", data / "tmp"), mounted("--bind", other, data / "deep/bound"):
        (data / "tmp/word").write_text("of the tmpfs\n")
        box.mount("/data", "bind", data, "rbind", "rprivate")
        start(box)
        counted(root, "c1", 1)
        before = mounts(root, "c1")
        assert {m[0] for m in before} >= {"/data", "/data/tmp", "/data/deep/bound"}
        checkpoint(root).ok()
        (data / "tmp/word").write_text("changed since\n")
        restore(box).ok()
        assert mounts(root, "c1") == before
        assert inside(root, "c1", "/data/tmp/word").read_text() == "changed since\n"
        inside(root, "c1", "/data/deep/bound/new").write_text("x")
        assert (other / "new").read_text() == "x"
        root.runtime("delete", "--force", "c1").ok()


def test_mounts(root, box):
    data = root.dir / "data"
    (data / "sub").mkdir(parents=True)
    (data / "word").write_text("hello")
    box.mount("/data", "bind", data, "rbind", "ro", "nosuid")
    box.mount("/data/sub", "tmpfs", "tmpfs", "size=1m", "nodev")
    box.mount("/etc/word", "bind", data / "word", "bind")
    box.mount("/scratch", "bind", data, "bind", "rw")
    (box.rootfs / "run").rmdir()
    (box.rootfs / "run").symlink_to("var")
    box.mount("/run/linked", "bind", data, "bind")
    start(box)
    counted(root, "c1", 1)
    before = mounts(root, "c1")
    checkpoint(root).ok()
    restore(box).ok()
    assert mounts(root, "c1") == before
    assert inside(root, "c1", "/data/word").read_text() == "hello"
    inside(root, "c1", "/scratch/new").write_text("x")
    assert (data / "new").read_text() == "x"
    counted(root, "c1", len(numbers(root, "c1")) + 2)


def test_mountpoints_are_made(root, box):
    """A root filesystem like the one of the first container before it was created."""
    data = root.dir / "data"
    data.mkdir()
    box.mount("/new/data", "bind", data, "bind")
    box.mount("/new/tmp", "tmpfs", "tmpfs")
    start(box)
    checkpoint(root).ok()
    shutil.rmtree(box.rootfs / "new")
    restore(box).ok()
    counted(root, "c1", 1)


def test_read_only_root(root, box):
    box.config["root"]["readonly"] = True
    start(box)
    before = mounts(root, "c1")
    checkpoint(root).ok()
    restore(box).ok()
    assert mounts(root, "c1") == before


@pytest.mark.parametrize("own", [True, False], ids=["cgroupns", "host"])
def test_cgroup_mount(root, box, own):
    box.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev", "relatime")
    if not own:
        box.linux["namespaces"].remove({"type": "cgroup"})
    start(box)
    counted(root, "c1", 1)
    before = [m[0] for m in mounts(root, "c1")]
    checkpoint(root).ok()
    restore(box, cid="c2").ok()
    assert [m[0] for m in mounts(root, "c2")] == before
    pid = state(root, "c2")["pid"]
    for procs in inside(root, "c2", "/sys/fs/cgroup").glob("**/cgroup.procs"):
        if own:
            assert str(pid) in procs.read_text().split()


def test_limits(root, box):
    box.linux["resources"] = {"pids": {"limit": 57}}
    start(box)
    checkpoint(root).ok()
    box.linux["resources"] = {"pids": {"limit": 58}}
    box.save()
    restore(box).ok()
    groups = [d / "inro/c1/pids.max" for d in (pathlib.Path("/sys/fs/cgroup"),
                                              pathlib.Path("/sys/fs/cgroup/pids"))]
    assert [g.read_text() for g in groups if g.exists()] == ["58\n"]


class ConsoleSocket:
    """Where the terminal's master arrives."""

    def __init__(self, who):
        self.path = str(who.dir / "tty.sock")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        self.sock.listen()

    def master(self):
        self.sock.settimeout(10)
        conn = self.sock.accept()[0]
        with conn:
            conn.settimeout(10)
            ancillary = conn.recvmsg(64, socket.CMSG_SPACE(4))[1]
        self.sock.close()
        os.unlink(self.path)
        fds = array.array("i")
        fds.frombytes(ancillary[0][2][:4])
        return fds[0]


def read_until(fd, word):
    text = b""
    os.set_blocking(fd, False)

    def more():
        nonlocal text
        with contextlib.suppress(BlockingIOError):
            text += os.read(fd, 4096)
        return word in text

    harness.wait_for(more, 10, f"{word} in the terminal's output")


def test_terminal(root):
    b = root.bundle("sh", "-c", "n=0; while read l; do n=$((n+1)); echo got-$l-$n; done")
    b.process["terminal"] = True
    b.save()
    console = ConsoleSocket(root)
    root.runtime("run", "-d", "--bundle", b.path, "--console-socket", console.path, "c1").ok()
    master = console.master()
    os.write(master, b"one\n")
    read_until(master, b"got-one-1")
    checkpoint(root).ok()
    os.close(master)
    restore(b).fails("--console-socket")
    console = ConsoleSocket(root)
    restore(b, "--console-socket", console.path).ok()
    master = console.master()
    os.write(master, b"two\n")
    read_until(master, b"got-two-2")
    os.close(master)


def test_foreground(root):
    b = root.bundle("sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.1; done; echo end; exit 7")
    b.save()
    root.popen(*root.runtime_argv("run", "-d", "--bundle", b.path, "c1"), stdin=subprocess.DEVNULL,
               stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.close()
    harness.wait_for(lambda: "c1" in root.runtime("list", "-q").out and
                     state(root, "c1")["status"] == "running")
    checkpoint(root).ok()
    p = root.popen(*root.runtime_argv("restore", "--bundle", b.path, "--image-path", images(root),
                                      "c2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    harness.wait_for(lambda: "c2" in root.runtime("list", "-q").out and
                     state(root, "c2")["status"] == "running", 15)
    (b.rootfs / "tmp/go").touch()
    out, err = p.communicate(timeout=20)
    # The pipe that was standard output is replaced by the new one.
    assert (out, p.returncode) == (b"end\n", 7), err
    gone(root, "c2")


TALK = """
mkfifo /dev/shm/in /dev/shm/hold
exec 8<>/dev/shm/hold 9<>/dev/shm/in
nc -l -p 5000 <&8 >/dev/shm/got &
sleep 0.3
nc 127.0.0.1 5000 <&9 &
i=0; while :; do i=$((i+1)); echo $i >&9; sleep 0.05; done
"""


def test_tcp_established(root):
    b = root.bundle("sh", "-c", TALK)
    start(b)

    def got():
        text = inside(root, "c1", "/dev/shm/got").read_text()
        return [int(n) for n in text.split("\n")[:-1]]

    harness.wait_for(lambda: inside(root, "c1", "/dev/shm/got").exists() and len(got()) > 3, 10)
    checkpoint(root).fails("tcp")
    before = got()
    harness.wait_for(lambda: len(got()) > len(before) + 3, 10, "the connection to go on")
    checkpoint(root, "--tcp-established").ok()
    restore(b, "--tcp-established").ok()
    harness.wait_for(lambda: len(got()) > len(before) + 15, 10, "the restored connection")
    numbers = got()
    assert numbers == list(range(1, len(numbers) + 1))


def locked(path):
    with open(path, encoding="ascii") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_file_locks_and_failing_dump(root):
    b = root.bundle("/locker", "/root/lock")
    shutil.copy(root.build / "tests/faults/locker", b.rootfs / "locker")
    start(b)
    lock = b.rootfs / "root/lock"
    harness.wait_for(lambda: lock.exists() and lock.read_text() == "locked\n")
    pid = state(root, "c1")["pid"]
    checkpoint(root).fails("criu failed: Error (", "locks", str(images(root) / "dump.log"))
    assert (state(root, "c1")["status"], state(root, "c1")["pid"]) == ("running", pid)
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    assert "\nState:\tS" in status and "\nTracerPid:\t0\n" in status
    checkpoint(root, "--file-locks").ok()
    assert not locked(lock)
    restore(b, "--file-locks").ok()
    assert locked(lock)


def test_joined_network_namespace(root, box):
    owner = root.bundle("sleep", "1000", name="owner")
    start(owner, "owner")
    path = f"/proc/{state(root, 'owner')['pid']}/ns/net"
    for ns in box.linux["namespaces"]:
        if ns["type"] == "network":
            ns["path"] = path
    start(box)
    before = counted(root, "c1", 3)
    checkpoint(root).ok()
    restore(box).ok()
    assert os.readlink(f"/proc/{state(root, 'c1')['pid']}/ns/net") == os.readlink(path)
    counted(root, "c1", before + 3)


def test_hooks_and_sysctl(root, box):
    log = root.dir / "hooks"
    box.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4242"}
    box.config["hooks"] = {
        name: [{"path": "/bin/sh", "args": ["sh", "-c", f"(echo {name}; cat) >>{log}"]}]
        for name in ("createRuntime", "poststart", "poststop")}
    start(box)
    checkpoint(root).ok()
    log.unlink()
    restore(box).ok()
    text = log.read_text()
    assert "createRuntime" in text and "poststop" not in text
    proc = inside(root, "c1", "/proc/sys")
    pid = state(root, "c1")["pid"]
    assert f'"pid": {pid}' in text
    assert (proc / "kernel/msgmax").exists()
    for path, value in (("net/ipv4/ip_forward", "1"), ("kernel/msgmax", "4242")):
        shown = subprocess.run(["nsenter", "-t", str(pid), "-n", "-i", "cat", f"/proc/sys/{path}"],
                               capture_output=True, text=True, check=True)
        assert shown.stdout.strip() == value
    root.runtime("delete", "--force", "c1").ok()
    assert "poststop" in log.read_text()


def test_user_namespace(root, box):
    box.linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        box.linux[key] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    for top, dirs, files in os.walk(box.rootfs):
        for entry in [".", *dirs, *files]:
            os.lchown(os.path.join(top, entry), 100000, 100000)
    for part in (root.dir, box.path):
        part.chmod(0o755)
    start(box)
    before = counted(root, "c1", 3)
    checkpoint(root).ok()
    restore(box).ok()
    counted(root, "c1", before + 3)


def test_failing_restore_leaves_nothing(root, box):
    start(box)
    checkpoint(root).ok()
    core = next(images(root).glob("core-*.img"))
    core.write_bytes(core.read_bytes()[:40])
    result = restore(box)
    result.fails("restoring container c1: criu failed: ", str(images(root) / "restore.log"))
    gone(root)
    assert list(root.runtime_root.glob("c*")) == []
    (box.rootfs / "missing").mkdir()
    box.mount("/missing", "bind", root.dir / "nowhere", "bind")
    restore(box).fails("/missing", "nowhere")
    gone(root)
    restore(box, name="empty").fails("--image-path")


def test_full_disk(root, box):
    start(box)
    before = counted(root, "c1", 3)
    full = root.dir / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", full], check=True)
    try:
        checkpoint(root, name="full").fails("checkpointing container c1", "criu failed")
        assert state(root, "c1")["status"] == "running"
        counted(root, "c1", before + 3)
    finally:
        subprocess.run(["umount", full], check=True)


def moments(longest, count):
    rng = random.Random(7)
    return [rng.uniform(0, longest) for _ in range(count)]


def killed(who, delay, *args):
    """The runtime is killed after a time; criu notices and cleans up."""
    p = who.popen(*who.runtime_argv(*args), **QUIET)
    time.sleep(delay)
    p.kill()
    p.wait()
    harness.wait_for(lambda: not subprocess.run(["pgrep", "-x", "criu"], check=False,
                                                stdout=subprocess.DEVNULL).returncode == 0,
                     20, "criu to end")


def test_killed_while_restoring(root, box):
    start(box)
    checkpoint(root).ok()
    for delay in moments(0.4, 8):
        killed(root, delay, "restore", "-d", "--bundle", box.path, "--image-path", images(root),
               "c1")
        root.runtime("delete", "--force", "c1").ok()
        gone(root)
    restore(box).ok()
    counted(root, "c1", len(numbers(root, "c1")) + 3)


def test_killed_while_dumping(root, box):
    start(box)
    before = counted(root, "c1", 3)
    for delay in moments(0.3, 8):
        killed(root, delay, "checkpoint", "--image-path", images(root, f"img{delay}"),
               "--leave-running", "c1")
        assert state(root, "c1")["status"] in ("running", "paused")
        root.runtime("resume", "c1")  # where the freezer was left
        before = counted(root, "c1", before + 2)
    assert state(root, "c1")["status"] == "running"
    os.kill(state(root, "c1")["pid"], signal.SIGKILL)
