# SPDX-License-Identifier: Apache-2.0
"""inro-runtime exec."""

import json
import os
import signal
import subprocess

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


@pytest.fixture
def rootbox(root):
    return Box(root)


def test_output_and_status(box):
    done = box.sh("echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")


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


def test_ps(rootbox):
    box = rootbox
    pids = json.loads(box.who.runtime("ps", "--format", "json", "c1").ok().out)
    assert box.pid in pids
    lines = box.who.runtime("ps", "c1", "-o", "comm,pid").ok().out.splitlines()
    assert lines[0].split() == ["COMMAND", "PID"]
    assert ["sh", str(box.pid)] in [line.split() for line in lines[1:]]
    box.who.runtime("ps", "c1", "-o", "comm").fails("PID")
