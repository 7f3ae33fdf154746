# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command lines stand on: who runs a command, bundles, and leftovers.

conftest.py turns these into fixtures; its docstring says how to write a test.
"""

import contextlib
import copy
import functools
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

BUSYBOX = "/bin/busybox"
# The ones that tests use, of its 270 applets: a link is not cheap everywhere.
APPLETS = """
    [ [[ awk base64 basename cat chgrp chmod chown chroot cmp cp cut date dd df diff dirname
    dmesg du echo env expr fallocate false find free getopt grep groups gunzip gzip head
    hostname id ifconfig ionice ip kill killall linux32 ln ls mkdir mkfifo mknod mktemp more
    mount mv nproc nsenter od pidof ping pivot_root printf ps pwd readlink realpath renice rm
    rmdir route sed seq setpriv setsid sh sha256sum sleep sort stat stty swapon sync sysctl
    tail tar taskset tee test timeout top touch tr true truncate tty umount uname uniq unlink
    unshare uptime usleep wc which who whoami xargs xz yes
""".split()
# Of other runs of the tests, and of systemd, which comes and goes.
FOREIGN_CGROUP = re.compile(r"^inro-test-\d+$|\.(service|mount|socket)$")
# Of inro-runtime, for all tests: --systemd-cgroup, in the VM.
RUNTIME_OPTIONS = os.environ.get("INRO_TEST_RUNTIME_OPTIONS", "").split()
# Of the rounds of a test that tries its luck, these are done: in the VM, which is slow, a quarter.
ROUNDS_PERCENT = int(os.environ.get("INRO_TEST_ROUNDS_PERCENT", "100"))
PATIENCE = int(os.environ.get("INRO_TEST_PATIENCE", "1"))  # waits this many times as long
TEST_SECONDS = 120 * PATIENCE  # for each of a test's set-up, itself, and its end
SHELL_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Containers of tests that say nothing are on no network: none is to be made of this machine's. Tests
# that write settings of their own begin with it.
NO_NETWORK = "[network]\ndefault = none\n"

# The set that docker gives.
DEFAULT_CAPS = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
    "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
]


def _mount(destination, fstype, source, *options):
    return {"destination": destination, "type": fstype, "source": source, "options": list(options)}


BASE_CONFIG = {
    "ociVersion": "1.0.2",
    "process": {
        "user": {"uid": 0, "gid": 0},
        "args": ["true"],
        "env": [SHELL_PATH],
        "cwd": "/",
        "capabilities": {
            "bounding": DEFAULT_CAPS, "effective": DEFAULT_CAPS, "permitted": DEFAULT_CAPS,
        },
        "noNewPrivileges": True,
    },
    "root": {"path": "rootfs"},
    "hostname": "box",
    "mounts": [
        _mount("/proc", "proc", "proc"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance",
               "ptmxmode=0666", "mode=0620"),
        _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777",
               "size=65536k"),
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
    ],
    "linux": {
        "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
        "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                          "/proc/sysrq-trigger"],
    },
}


def machine_cannot(reason):
    """Skips, for what this machine really can't do; any other skip is a failure in CI."""
    pytest.skip("this machine cannot: " + reason)


def rounds(count):
    """How often a test of a race tries, where that is count times on an ordinary machine."""
    return max(1, count * ROUNDS_PERCENT // 100)


@functools.cache
def _criu_problem():
    if not shutil.which("criu"):
        return "criu is not installed"
    done = subprocess.run(["criu", "check"], capture_output=True, text=True, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "Error" in line]
    return None if done.returncode == 0 else "criu check: " + (lines or ["failed"])[-1]


def needs_criu():
    if _criu_problem():
        machine_cannot(_criu_problem())


def wait_for(condition, seconds=5, what="condition"):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"timed out waiting for {what}"
        time.sleep(0.02)


@contextlib.contextmanager
def limit(seconds):
    """What is inside fails after that time, and what that leads to, if it hangs too, as long again."""
    def too_late(*_):
        pytest.fail(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, too_late)
    outer = signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *outer)
        signal.signal(signal.SIGALRM, before)


def is_dead(pid):
    """Gone, or a zombie: how soon its parent looks is not the runtime's business."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat[stat.rindex(")") + 2] in "ZX"


def exec_waiters(who):
    """Pids of those that wait for commands of `exec -d`."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (path / "comm").read_text() == "inro-exec\n" \
                    and str(who.run_dir) in (path / "cmdline").read_text():
                found.append(int(path.name))
        except OSError:
            pass
    return found


class Result:
    """Of a finished command: code, out, err (text)."""

    def __init__(self, argv, done):
        self.argv = argv
        # As a shell says it.
        self.code = done.returncode if done.returncode >= 0 else 128 - done.returncode
        self.out = done.stdout.decode(errors="replace")
        self.err = done.stderr.decode(errors="replace")

    def __repr__(self):
        command = " ".join(map(str, self.argv))
        return f"\n$ {command}\n{self.out}{self.err}[exit status {self.code}]"

    def ok(self):
        assert self.code == 0, self
        return self

    def fails(self, *words, code=None):
        """Non-zero (or exactly code) with each of the words in stderr."""
        assert self.code == code if code is not None else self.code != 0, self
        for word in words:
            assert word in self.err, f"{word!r} is not in stderr:{self}"
        return self


class Who:
    """A user who runs the programs, with state directories of their own."""

    def __init__(self, build, name, scratch):
        entry = pwd.getpwnam(name)
        self.build, self.name = build, name
        self.uid, self.gid = entry.pw_uid, entry.pw_gid
        self.rootless = self.uid != 0
        self.dir = scratch  # private to this test, owned by the user
        self.state = scratch / "state"
        self.run_dir = scratch / "run"
        for d in (self.dir, self.state, self.run_dir):
            d.mkdir(exist_ok=True)
            self.own(d)
        self.run_dir.chmod(0o700)
        self.env = {
            "PATH": os.environ["PATH"], "HOME": entry.pw_dir, "USER": name, "LANG": "C.UTF-8",
            "TMPDIR": str(self.dir), "XDG_RUNTIME_DIR": str(self.run_dir),
            "XDG_DATA_HOME": str(self.dir / "data"), "INRO_RUNROOT": str(self.run_dir / "inro"),
            "INRO_CONFIG": str(self.dir / "no-network.conf"),
        }
        (self.dir / "no-network.conf").write_text(NO_NETWORK)
        for key in os.environ:
            if key.endswith("SAN_OPTIONS") or key.startswith("INRO_TEST_"):
                self.env[key] = os.environ[key]

    def own(self, path):
        if os.geteuid() == 0:
            os.lchown(path, self.uid, self.gid)

    def program(self, name):
        return str(self.build / name)

    def _as_user(self, kw):
        if os.geteuid() != self.uid:
            kw.update(user=self.uid, group=self.gid, extra_groups=[])
        kw["env"] = {**self.env, **kw.pop("env", {})}
        kw.setdefault("cwd", str(self.dir))
        if "input" not in kw:
            kw.setdefault("stdin", subprocess.DEVNULL)
        return kw

    def run(self, *argv, timeout=60, **kw):
        """Runs a command to its end. Keywords as subprocess.run; env is added to the user's."""
        argv = [str(a) for a in argv]
        if isinstance(kw.get("input"), str):
            kw["input"] = kw["input"].encode()
        kw = self._as_user(kw)
        for stream in ("stdout", "stderr"):
            kw.setdefault(stream, subprocess.PIPE)
        done = self.within(subprocess.run, argv, timeout=timeout, check=False, **kw)
        done.stdout, done.stderr = done.stdout or b"", done.stderr or b""
        return Result(argv, done)

    def popen(self, *argv, **kw):
        return self.within(subprocess.Popen, [str(a) for a in argv], **self._as_user(kw))

    @staticmethod
    def within(function, *args, **kw):
        """Starts a program: here, unless a netmachine.Machine has put itself in this one's place."""
        return function(*args, **kw)

    @property
    def runtime_root(self):
        return self.state / "runtime"

    def runtime_argv(self, *args):
        return [self.program("inro-runtime"), "--root", self.runtime_root, *RUNTIME_OPTIONS, *args]

    def inro_argv(self, *args):
        return [self.program("inro"), "--root", self.state / "inro", *args]

    def runtime(self, *args, **kw):
        """inro-runtime with a state directory of this test."""
        return self.run(*self.runtime_argv(*args), **kw)

    def inro(self, *args, **kw):
        """inro with a store of this test."""
        return self.run(*self.inro_argv(*args), **kw)

    def bundle(self, *args, name="bundle", subids=False):
        """A bundle with a busybox root filesystem that runs args."""
        return Bundle(self, name, list(args) or ["true"], subids)

    def remove_containers(self):
        if self.runtime_root.is_dir():
            for entry in self.runtime_root.iterdir():
                if entry.is_dir():
                    done = self.runtime("delete", "--force", entry.name)
                    if done.code != 0:
                        print(f"delete --force {entry.name}: {done.code}: {done.err}")
        if (self.state / "inro").is_dir():
            ids = self.inro("ps", "-aq").out.split()
            if ids:
                self.inro("rm", "-f", *ids)

    def clean(self):
        """Removes what the test's containers left; what remains after that is a leak."""
        self.remove_containers()
        # a bundle is 130 entries: Python takes ten times as long
        subprocess.run([BUSYBOX, "rm", "-rf", str(self.dir)], stderr=subprocess.DEVNULL, check=False)


class Bundle:
    """config (a dict: change it, then save()), path, rootfs. Saved once when it is made."""

    def __init__(self, who, name, args, subids):
        self.who = who
        self.path = who.dir / name
        self.rootfs = self.path / "rootfs"
        self.config = copy.deepcopy(BASE_CONFIG)
        self.config["process"]["args"] = args
        if who.rootless:
            self._rootless(subids)
        make_rootfs(self.rootfs)
        self.give()
        self.save()

    def _rootless(self, subids):
        linux = self.config["linux"]
        linux["namespaces"].append({"type": "user"})
        for key, own, subfile in (("uidMappings", self.who.uid, "/etc/subuid"),
                                  ("gidMappings", self.who.gid, "/etc/subgid")):
            linux[key] = [{"containerID": 0, "hostID": own, "size": 1}]
            if subids:
                start, size = sub_ids(self.who.name, subfile)
                linux[key].append({"containerID": 1, "hostID": start, "size": size})

    def give(self):
        """Makes the user the owner of all of the bundle."""
        if self.who.uid == os.geteuid():
            return
        self.who.own(self.path)
        for top, dirs, files in os.walk(self.path):
            for entry in dirs + files:
                path = os.path.join(top, entry)
                if os.path.islink(path) or os.stat(path).st_nlink == 1 or os.path.isdir(path):
                    self.who.own(path)

    def save(self):
        path = self.path / "config.json"
        path.write_text(json.dumps(self.config, indent=1))
        self.who.own(path)
        return self

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    def mount(self, destination, fstype, source, *options):
        """Adds a mount."""
        self.config["mounts"].append(_mount(destination, fstype, str(source), *options))
        return self.save()

    def run(self, *options, cid="c1", **kw):
        """Saves and runs it in the foreground: inro-runtime run."""
        self.save()
        return self.who.runtime("run", *options, "--bundle", self.path, cid, **kw)


def sub_ids(name, path):
    for line in pathlib.Path(path).read_text().splitlines():
        owner, start, size = line.split(":")
        if owner == name:
            return int(start), int(size)
    return machine_cannot(f"{name} has no subordinate ids in {path}")


def make_rootfs(rootfs):
    """A root filesystem of busybox and APPLETS."""
    for d in ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "var"):
        (rootfs / d).mkdir(parents=True, exist_ok=True)
    (rootfs / "tmp").chmod(0o1777)
    shutil.copy(BUSYBOX, rootfs / "bin/busybox")
    for applet in APPLETS:
        os.symlink("busybox", f"{rootfs}/bin/{applet}")
    (rootfs / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n"
                                       "nobody:x:65534:65534:nobody:/:/bin/false\n")
    (rootfs / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")


class Leftovers:
    """What a container could leave on the machine, compared before and after a test."""

    SECONDS = 3  # the kernel takes namespaces and cgroups down a little later

    def __init__(self):
        self.before = self.look()
        # which may only execute their program after this look
        self.processes = tuple(found.partition("(")[0] for found in self.before if found.startswith("process "))

    @staticmethod
    def look():
        found = set()
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            found.add("mount " + line.split()[4])
        for top, dirs, _ in os.walk("/sys/fs/cgroup"):
            dirs[:] = [d for d in dirs if not FOREIGN_CGROUP.search(d)]
            # the shared parent and the monitors' cgroup are made once, and stay
            found.update(f"cgroup {top}/{d}" for d in dirs if d not in ("inro", "monitors"))
        found.update(f"interface {name}" for _, name in socket.if_nameindex())
        for path in ("/run/inro", "/var/lib/inro"):
            if os.access(path, os.R_OK):  # a user can't look into root's, nor leave anything there
                found.update(f"file {path}/{name}" for name in ["", *os.listdir(path)])
        if os.environ.get("INRO_TEST_ENV"):
            found.update(_processes(int(os.environ["INRO_TEST_ENV"])))
        return found

    def check(self, ignored=lambda found: False):
        end = time.monotonic() + self.SECONDS * PATIENCE
        while True:
            left = {found for found in self.look() - self.before
                    if not ignored(found) and not found.startswith(self.processes)}
            if not left:
                return
            if time.monotonic() > end:
                pytest.fail("left behind: " + ", ".join(sorted(map(_described, left))))
            time.sleep(0.05)


def _described(found):
    """A process with its command line, and its parent's: whose it is."""
    if not found.startswith("process "):
        return found
    pid = found.split()[1]
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        lines = [pathlib.Path(f"/proc/{p}/cmdline").read_bytes().decode(errors="replace")
                 .replace("\0", " ").strip()[:200] for p in (pid, status.split("PPid:")[1].split()[0])]
    except OSError:  # gone by now
        return found
    return f"{found}: {lines[0]!r}, child of {lines[1]!r}"


def _processes(top):
    """Living processes that descend from the process top."""
    parents, names = {}, {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = stat[stat.rindex(")") + 2:].split(" ", 2)[:2]
        parents[int(pid)] = int(parent)
        if state not in "ZX":
            names[int(pid)] = stat[stat.index("(") + 1:stat.rindex(")")]
    for pid, name in names.items():
        ancestor = pid
        while ancestor not in (0, top):
            ancestor = parents.get(ancestor, 0)
        if ancestor == top:
            yield f"process {pid} ({name})"
