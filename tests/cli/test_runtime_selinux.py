# SPDX-License-Identifier: Apache-2.0
"""process.selinuxLabel, linux.mountLabel and the label of the session keyring, under a policy that is
enforced. For a machine that was started with SELinux and has no policy to lose, the VM:

    INRO_VM_CMDLINE="security=selinux" tests/vm/vm test tests/cli/test_runtime_selinux.py
"""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import socket
import subprocess

import pytest

import harness
import selinux

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
OTHER_BOX = "box_u:box_r:box_t:s0:c1,c3"


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    selinux.load(tmp_path_factory.mktemp("selinux"))


@pytest.fixture
def enforced(policy):
    enforce = selinux.FS / "enforce"
    enforce.write_text("1")
    yield
    enforce.write_text("0")


@pytest.fixture
def box(root, enforced):
    """A function that makes a bundle with both labels."""
    def make(*args, name="bundle"):
        b = root.bundle(*args, name=name)
        b.process["selinuxLabel"] = selinux.BOX
        b.linux["mountLabel"] = selinux.BOX_FILE
        b.linux["maskedPaths"].remove("/proc/keys")
        selinux.label(b.rootfs, selinux.BOX_FILE)
        return b
    return make


def start(b, cid="c1"):
    b.save()
    b.who.runtime("run", "--detach", "--bundle", b.path, cid, **QUIET).ok()
    return json.loads(b.who.runtime("state", cid).ok().out)["pid"]


@pytest.mark.parametrize("nnp", [True, False])
def test_label_of_the_process(root, box, nnp):
    host = root.dir / "host"
    host.mkdir()
    (host / "x").write_text("of the host\n")
    b = box("sh", "-c", "cat /proc/self/attr/current; echo; echo 1 > /tmp/x; cat /tmp/x; cat /mnt/x")
    b.process["noNewPrivileges"] = nnp
    b.mount("/mnt", "bind", host, "bind")
    r = b.run()
    assert r.out.replace("\0", "").split() == [selinux.BOX, "1"], r
    assert "can't open '/mnt/x': Permission denied" in r.err


def test_label_of_mounts(root, box):
    b = box("sleep", "1000")
    b.mount("/own", "tmpfs", "tmpfs", f'context="{selinux.BOX_FILE.replace("c1,c2", "c2")}"')
    top = pathlib.Path(f"/proc/{start(b)}/root")
    for place in ("dev", "dev/null", "dev/shm", "dev/pts", "dev/mqueue", "sys/firmware"):
        assert selinux.label_of(top / place) == selinux.BOX_FILE, place
    assert selinux.label_of(top / "own").endswith(":box_file_t:s0:c2")
    assert "kernel_files_t" in selinux.label_of(top / "sys/kernel")
    r = root.runtime("exec", "c1", "sh", "-c", "for d in /dev/shm /dev/mqueue /own /dev; do "
                     ": > $d/x && echo $d; done; ls /sys/firmware; echo 2 > /dev/null").ok()
    assert r.out.split() == ["/dev/shm", "/dev/mqueue", "/own", "/dev"]


def test_without_a_mount_label(root, box):
    b = box("sh", "-c", "echo > /dev/shm/x")
    del b.linux["mountLabel"]
    b.run().fails("/dev/shm/x: Permission denied")


def test_terminal(root, box):
    b = box("sh", "-c", "cat /proc/self/attr/current; echo; tty; echo 3 > /dev/tty; echo 4 > /dev/console")
    b.process["terminal"] = True
    b.save()
    command = shlex.join(map(str, root.runtime_argv("run", "--bundle", b.path, "c1")))
    r = root.run("script", "-qec", command, "/dev/null")
    out = r.out.replace("^@", "").replace("\0", "")  # script's end of input; the label's
    assert out.split() == [selinux.BOX, "/dev/pts/0", "3", "4"], r


def test_session_keyring(root, box):
    """SELinux hides keys that the process may not see: a keyring with its maker's label."""
    show = "grep -o '_ses[^:]*' /proc/keys | sort -u"
    r = box("sh", "-c", show).run(cid="first").ok()
    assert r.out.split() == ["_ses.first"], r
    start(box("sleep", "1000", name="second"))
    r = root.runtime("exec", "c1", "sh", "-c", show).ok()
    assert r.out.split() == ["_ses.c1"], r


def test_exec(root, box):
    b = box("sleep", "1000")
    (b.rootfs / "c2").write_text("both\n")
    selinux.label(b.rootfs, selinux.BOX_FILE)
    os.setxattr(b.rootfs / "c2", "security.selinux", b"box_u:object_r:box_file_t:s0:c2\0")
    start(b)
    show = "cat /proc/self/attr/current; echo; cat /c2"
    r = root.runtime("exec", "c1", "sh", "-c", show).ok()
    assert r.out.replace("\0", "").split() == [selinux.BOX, "both"], r
    # busybox itself is not for these categories
    root.runtime("exec", "--process-label", OTHER_BOX, "c1", "/bin/busybox", "true").fails(
        "Permission denied", code=255)
    r = root.runtime("exec", "--process-label", "box_u:box_r:box_t:s0:c0.c3", "c1", "sh", "-c", show).ok()
    assert r.out.replace("\0", "").split() == ["box_u:box_r:box_t:s0:c0.c3", "both"], r
    r = root.runtime("exec", "--process-label", "box_u:box_r:no_such_t:s0", "c1", "true")
    r.fails("applying SELinux label box_u:box_r:no_such_t:s0", "Invalid argument", code=255)


def test_create_and_start(root, box):
    b = box("sleep", "1000").save()
    b.save()
    root.runtime("create", "--bundle", b.path, "c1", **QUIET).ok()
    pid = json.loads(root.runtime("state", "c1").ok().out)["pid"]
    current = pathlib.Path(f"/proc/{pid}/attr/current")
    assert "host_t" in current.read_text()
    root.runtime("start", "c1").ok()
    harness.wait_for(lambda: current.read_text().rstrip("\0\n") == selinux.BOX)


def test_labels_that_the_policy_lacks(root, box):
    b = box("true")
    b.process["selinuxLabel"] = "box_u:box_r:no_such_t:s0"
    b.run().fails("applying SELinux label box_u:box_r:no_such_t:s0", code=1)
    b = box("true", name="second")
    b.linux["mountLabel"] = "box_u:object_r:no_such_t:s0"
    b.run().fails("mounting /dev", code=1)


@pytest.mark.parametrize("how", ["run", "create"])
def test_notification_socket(root, box, how):
    """The container may write to it, whose directory lies with the runtime's state."""
    b = box("sh", "-c", "notifier send=READY=1; sleep 1000")
    shutil.copy(root.program("tests/faults/notifier"), b.rootfs / "bin/notifier")
    selinux.label(b.rootfs, selinux.BOX_FILE)
    place = root.dir / "systemd.sock"
    env = {"NOTIFY_SOCKET": str(place)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(place))
        systemd.settimeout(20)
        b.save()
        verb = ["run", "--detach"] if how == "run" else ["create"]
        with root.popen(*root.runtime_argv(*verb, "--bundle", b.path, "c1"), env=env, **QUIET) as first:
            if how == "create":
                assert first.wait(20) == 0
                first = root.popen(*root.runtime_argv("start", "c1"), env=env, **QUIET)
            text, fds, _, _ = socket.recv_fds(systemd, 4096, 8)
            assert text.decode().startswith("READY=1\n")
            while first.poll() is None:  # a barrier
                while fds:
                    os.close(fds.pop())
                with contextlib.suppress(TimeoutError):
                    systemd.settimeout(0.2)
                    fds = socket.recv_fds(systemd, 4096, 8)[1]
            assert first.returncode == 0
