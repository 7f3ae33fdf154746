# SPDX-License-Identifier: Apache-2.0
"""Escapes: files, links, directories, devices and mounts are exchanged under every operation of the
runtime (tests/faults/swapper.c), and nothing of the host may change or show in a container.

By default some ten thousand exchanges for each scenario; INRO_TEST_LONG=1: more than a million in
all. Each test prints how many there were.
"""

import contextlib
import hashlib
import os
import pathlib
import subprocess
import time
import uuid

import pytest

import engine
import harness

LONG = os.environ.get("INRO_TEST_LONG") == "1"
SWAPS = 150_000 if LONG else 8_000
STARTS = 300 if LONG else 15
SECONDS = 540 if LONG else 60  # a machine that is too busy ends in a failure, not in a hang

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Escape(AssertionError):
    """Something of the host was changed, or shown in a container."""


class Victim:
    """Directories and files of the host that nothing may touch or read."""

    NAMES = ("data", "var", "srv", "dev", "deep")

    def __init__(self, who, top):
        self.top = top
        self.secret = f"secret-{uuid.uuid4()}"
        top.mkdir()
        for name in self.NAMES:
            (top / name / "sub/pts").mkdir(parents=True)
            for f in ("file", "sub/file", "ptmx", "console", "null", "passwd"):
                (top / name / f).write_text(f"root:x:0:0::/{self.secret}:/bin/sh\n")
                (top / name / f).chmod(0o640)
        (top / "file").write_text(self.secret)
        for path in [top, *top.rglob("*")]:
            who.own(path)
            os.utime(path, (1_000_000_000, 1_000_000_000))
        self.before = self.look()

    def look(self):
        found = {}
        for path in [self.top, *sorted(self.top.rglob("*"))]:
            st = path.lstat()
            text = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path)] = (oct(st.st_mode), st.st_uid, st.st_gid, st.st_ino, st.st_mtime_ns,
                                hashlib.sha256(text).hexdigest())
        return found

    def check(self, result=None):
        now = self.look()
        changed = [k for k in now.keys() | self.before.keys() if now.get(k) != self.before.get(k)]
        if changed:
            raise Escape(f"changed on the host: {changed}: {[now.get(k) for k in changed]}{result}")
        if result is not None and self.secret in result.out + result.err:
            raise Escape(f"shown in the container: {result}")


class Swapper:
    def __init__(self, who, pairs, mounts=(), moves=(), within=(), threads=2):
        options = ["-j", threads]
        for source, target in mounts:
            options += ["-m", source, target]
        for source, target in moves:
            options += ["-M", source, target]
        names = [name for pair in pairs for name in pair]
        self.argv = [*within, who.program("tests/faults/swapper"), *options, *names]

    def __enter__(self):
        self.p = subprocess.Popen([str(word) for word in self.argv], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        assert self.p.stdout.readline() == b"ready\n"
        return self

    def count(self):
        self.p.stdin.write(b"?\n")
        self.p.stdin.flush()
        return int(self.p.stdout.readline())

    def __exit__(self, *args):
        out, _ = self.p.communicate()
        self.total = int(out)
        assert self.p.returncode == 0


def pairs_below(who, top, victim):
    """In top: directories and files, and beside them what they are exchanged for."""
    pairs = []
    targets = {"data": victim.top / "data", "var": "../" * 30 + str(victim.top / "var")[1:],
               "srv": victim.top / "srv", "deep": victim.top / "deep"}
    for name, target in targets.items():
        directory, other = top / name, top / f"{name}.x"
        (directory / "sub").mkdir(parents=True, exist_ok=True)
        for f in ("file", "sub/file"):
            (directory / f).write_text("of the image\n")
        other.symlink_to(target)
        pairs.append((directory, other))
    # a level further down, so that ".." leads to different places at different times
    (top / "nest/sub/inner").mkdir(parents=True)
    (top / "nest/sub/file").write_text("of the image\n")
    (top / "flat").mkdir()
    pairs.append((top / "nest/sub", top / "flat"))
    # single files: for a link, a directory, a device
    (top / "one").write_text("of the image\n")
    (top / "one.x").symlink_to(victim.top / "file")
    pairs.append((top / "one", top / "one.x"))
    (top / "two").write_text("of the image\n")
    (top / "two.x").mkdir()
    pairs.append((top / "two", top / "two.x"))
    if not who.rootless:
        (top / "three").write_text("of the image\n")
        os.mknod(top / "three.x", 0o20666, os.makedev(1, 5))
        pairs.append((top / "three", top / "three.x"))
    return pairs


LOOK = "cd /; cat /one /data/file /var/sub/file /srv/file /deep/sub/file /nest/sub/file; ls -lR /data /var /srv; pwd"


def mounts(who, b):
    src = who.dir / "src"
    src.mkdir(exist_ok=True)
    for n, d in enumerate(("data", "var/sub", "srv", "deep/sub", "nest/sub")):
        b.mount(f"/{d}/bound{n}", "bind", src, "bind")
        b.mount(f"/{d}/tmp", "tmpfs", "tmpfs")
        b.mount(f"/{d}/file", "bind", b.path / "config.json", "bind")
        b.mount(f"/{d}/../../{d}/mq", "mqueue", "mqueue")
    b.mount("/one", "bind", b.path / "config.json", "bind", "ro")


def copyups(who, b):
    b.mount("/data", "tmpfs", "tmpfs", "tmpcopyup", "size=64k")
    b.mount("/var/sub", "tmpfs", "tmpfs", "tmpcopyup", "size=64k")
    b.mount("/copied", "tmpfs", "tmpfs", "tmpcopyup", "size=64k")
    copied = b.rootfs / "copied"
    copied.mkdir()
    for name in ("one", "two", "three"):
        (copied / name).symlink_to(f"../{name}")


def remounts(who, b):
    for d in ("data", "var/sub", "srv"):
        b.mount(f"/{d}/t", "tmpfs", "tmpfs")
        b.mount(f"/{d}/t", "none", "none", "remount", "ro", "nosuid")


def protects(who, b):
    b.linux["maskedPaths"] += ["/one", "/two", "/three", "/data/sub", "/var/file", "/srv/sub/file"]
    b.linux["readonlyPaths"] += ["/data", "/deep/sub", "/nest/sub/inner", "/var/sub", "/one"]


def cwds(who, b):
    b.process["cwd"] = "/data/made/for/it"


def cwds_there(who, b):
    b.process["cwd"] = "/nest/sub/inner/../../../deep/sub"


def devices(who, b):
    b.linux["devices"] = [
        {"path": f"/{d}/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o622, "uid": 7,
         "gid": 7} for d in ("data", "var/sub", "srv", "deep/sub", "nest/sub")]
    b.linux["devices"].append({"path": "/srv/fifo", "type": "p", "fileMode": 0o600, "uid": 9,
                               "gid": 9})


def console(who, b):
    """/dev itself is of the image, and exchanged."""
    b.config["mounts"] = [m for m in b.config["mounts"] if not m["destination"].startswith("/dev")]
    b.mount("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666", "mode=0620")
    b.process["terminal"] = True


def cgroups(who, b):
    b.mount("/data/cg", "cgroup", "cgroup", "ro")
    b.mount("/var/sub/cg", "cgroup", "cgroup", "ro")
    b.mount("/srv/proc", "proc", "proc")
    b.mount("/data/sub/sys", "sysfs", "sysfs", "ro")


def userns(who, b):
    maps = [{"containerID": 0, "hostID": 1900000000, "size": 60000}]
    b.linux["namespaces"].append({"type": "user"})
    b.linux["uidMappings"] = b.linux["gidMappings"] = maps
    for d in ("data", "srv", "deep/sub", "nest/sub"):
        b.mount(f"/{d}/sub", "bind", who.dir / "src", "bind", "idmap")
    (who.dir / "src").mkdir(exist_ok=True)


def hooks(who, b):
    true = {"path": "/bin/true"}
    b.config["hooks"] = {k: [true] for k in ("prestart", "createRuntime", "createContainer",
                                             "poststart", "poststop")}
    b.config["hooks"]["startContainer"] = [true]
    b.mount("/data/tmp", "tmpfs", "tmpfs")
    cwds(who, b)


OPERATIONS = [mounts, copyups, remounts, protects, cwds, cwds_there, devices, console, cgroups,
              userns, hooks]
UNPRIVILEGED = [mounts, copyups, protects, cwds, console]


def drive(who, swapper, victim, once):
    """Until there were enough exchanges and starts, and one that came through, for which there is time for
    six times as many. Returns the results."""
    results, end = [], time.monotonic() + SECONDS
    with swapper as s:
        while s.count() < SWAPS or len(results) < STARTS or (
                len(results) < 6 * STARTS and not any(r.code == 0 for r in results)):
            assert time.monotonic() < end, f"{s.count()} exchanges, {len(results)} starts"
            result = once(len(results))
            results.append(result)
            victim.check(result)
    assert swapper.total >= SWAPS
    print(f"swapper: {swapper.total} exchanges, {len(results)} operations, "
          f"{sum(r.code == 0 for r in results)} successful")
    return results


def enough(results):
    """Some must have come through, or nothing was tested behind the first step."""
    assert any(r.code == 0 for r in results), results[-3:]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda f: f.__name__)
def test_escapes_while_a_container_is_made(root, operation):
    victim = Victim(root, root.dir / "victim")
    b = root.bundle("sh", "-c", LOOK)
    pairs = pairs_below(root, b.rootfs, victim)
    if operation is console:
        (b.rootfs / "dev.x").symlink_to(victim.top / "dev")
        pairs.append((b.rootfs / "dev", b.rootfs / "dev.x"))
    if operation is userns:
        for path in [b.rootfs, *b.rootfs.rglob("*")]:
            os.lchown(path, 1900000000, 1900000000)
    operation(root, b)
    b.save()
    enough(drive(root, Swapper(root, pairs), victim, lambda n: b.run(cid=f"c{n}", timeout=20)))


@pytest.mark.parametrize("operation", UNPRIVILEGED, ids=lambda f: f.__name__)
def test_escapes_of_unprivileged_containers(user, operation):
    """The user owns the victim: what keeps the runtime out is not the file's mode."""
    victim = Victim(user, user.dir / "victim")
    b = user.bundle("sh", "-c", LOOK)
    pairs = pairs_below(user, b.rootfs, victim)
    operation(user, b)
    b.give()
    b.save()
    enough(drive(user, Swapper(user, pairs), victim, lambda n: b.run(cid=f"c{n}", timeout=20)))


@contextlib.contextmanager
def shared_mount(path):
    """Mounts made below it reach the container's namespace, as those of a volume that is shared
    both ways do."""
    subprocess.run(["mount", "--bind", path, path], check=True)
    subprocess.run(["mount", "--make-shared", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.parametrize("terminal", [False, True])
def test_escapes_while_a_process_enters_a_container(root, terminal):
    """A running container exchanges what exec looks at: the working directory, the users, the
    program, the devices of the terminal."""
    victim = Victim(root, root.dir / "victim")
    b = root.bundle("sleep", "600")
    pairs = pairs_below(root, b.rootfs, victim)
    for name, target in (("etc/passwd", "data/passwd"), ("etc/group", "data/passwd")):
        (b.rootfs / (name + ".x")).symlink_to(victim.top / target)
        pairs.append((b.rootfs / name, b.rootfs / (name + ".x")))
    b.config["mounts"] = [m for m in b.config["mounts"] if not m["destination"].startswith("/dev")]
    b.mount("/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666", "mode=0620")
    (b.rootfs / "dev/pts").symlink_to("/pts")
    (b.rootfs / "dev/pts.x").symlink_to(victim.top / "dev/sub/pts")
    (b.rootfs / "dev/shm").mkdir()
    (b.rootfs / "prog").symlink_to("/bin/echo")
    (b.rootfs / "prog.x").symlink_to(victim.top / "file")
    pairs += [(b.rootfs / "dev/pts", b.rootfs / "dev/pts.x"), (b.rootfs / "prog",
                                                               b.rootfs / "prog.x")]
    b.save()
    root.runtime("run", "--detach", "--bundle", b.path, "c1", **QUIET).ok()
    asks = [["--cwd", "/data/sub", "c1", "sh", "-c", "pwd; ls -l; echo $HOME"],
            ["--user", "nobody", "c1", "sh", "-c", "echo $HOME; id"],
            ["--cwd", "/nest/sub/inner", "c1", "/prog", "ran"],
            ["--user", "root:nogroup", "--cwd", "/deep", "c1", "sh", "-c", LOOK]]
    options = ["--tty"] if terminal else []
    enough(drive(root, Swapper(root, pairs), victim, lambda n: root.runtime(
        "exec", *options, *asks[n % len(asks)], timeout=20)))


def test_escapes_while_a_container_gets_mounts(root):
    """`inro update --mount-add` and `--mount-rm`, where the container exchanges what the names lead
    to, for links to the host's names and to its /proc."""
    victim = Victim(root, root.dir / "victim")
    volume, src = root.dir / "volume", root.dir / "src"
    pairs = pairs_below(root, volume, victim)
    (volume / "proc").mkdir()
    (volume / "proc.x").symlink_to("/proc")
    pairs.append((volume / "proc", volume / "proc.x"))
    src.mkdir()
    root.inro("run", "-d", "--name", "web", "-v", f"{volume}:/v", engine.box(root), "sleep",
              "600").ok()
    look = ("exec", "web", "sh", "-c", "grep -E ' /(proc|sys)' /proc/mounts")
    before = root.inro(*look).ok().out
    places = ["data/sub/b", "nest/sub/inner/b", "var/sub/b", "deep/b", "proc/driver/b"]

    def once(n):
        place = f"/v/{places[n // 2 % len(places)]}{n // 2}"
        if n % 2:
            return root.inro("update", "--mount-rm", place, "web")
        return root.inro("update", "--mount-add", f"{src}:{place}", "web")

    enough(drive(root, Swapper(root, pairs), victim, once))
    assert root.inro(*look).ok().out == before


def test_escapes_through_mounts_that_come_and_go(root):
    """Somebody else's directory, with links to the victim in it, is mounted over the destination
    and taken away while the container is made."""
    victim = Victim(root, root.dir / "victim")
    top = root.dir / "shared"
    top.mkdir()
    with shared_mount(top):
        b = root.bundle("sh", "-c", LOOK, name="shared/bundle")
        pairs = pairs_below(root, b.rootfs, victim)
        evil = top / "evil"
        (evil / "real").mkdir(parents=True)
        for name in ("sub", "tmp", "bound0", "made"):
            (evil / name).symlink_to(victim.top / "data/sub")
        for operation in (mounts, protects, cwds, devices):
            operation(root, b)
        for name in ("steady", "steady2"):
            (b.rootfs / name).mkdir()
        b.mount("/steady/tmp", "tmpfs", "tmpfs")
        b.mount("/steady2/made/x", "bind", root.dir / "src", "bind")
        b.linux["maskedPaths"].append("/steady/sub/file")
        b.save()
        swapper = Swapper(root, pairs, [(evil, b.rootfs / "steady"), (evil, b.rootfs / "steady2")])
        drive(root, swapper, victim, lambda n: b.run(cid=f"c{n}", timeout=20))


def test_escapes_in_a_mount_namespace_that_is_joined(root):
    """Others are in it, who mount over the root filesystem while it is made, take mounts of the
    runtime away and move them: what they put there has links to the victim. The namespace is new
    each time, as it keeps what containers leave in it."""
    victim = Victim(root, root.dir / "victim")
    b = root.bundle("sh", "-c", LOOK)
    pairs = pairs_below(root, b.rootfs, victim)
    for operation in (mounts, protects, cwds, devices):
        operation(root, b)
    evil, aside = root.dir / "evil", root.dir / "aside"
    (evil / "real").mkdir(parents=True)
    aside.mkdir()
    for name in ("data", "var", "sub", "tmp", "made", "dev", "proc"):
        (evil / name).symlink_to(victim.top / "data/sub")
    for name in ("srv", "deep", "nest"):
        (evil / name).symlink_to("../" * 30 + str(victim.top / name)[1:])
    (b.rootfs / "steady").mkdir()
    b.mount("/steady/tmp", "tmpfs", "tmpfs")
    b.mount("/steady/made/x", "bind", root.dir / "src", "bind")
    b.linux["maskedPaths"].append("/steady/sub/file")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "mount"]
    namespace = {"type": "mount"}
    b.linux["namespaces"].append(namespace)
    inside = []

    def once(n):
        # By turns: over one directory, over all of it, and all of it moved.
        turns = [{"mounts": [(evil, b.rootfs / "steady")]}, {"mounts": [(evil, b.rootfs)]},
                 {"moves": [(b.rootfs, aside)]}]
        with Swapper(root, [], within=["unshare", "--mount", "--propagation", "private"],
                     **turns[n % len(turns)]) as s:
            namespace["path"] = f"/proc/{s.p.pid}/ns/mnt"
            result = b.run(cid=f"c{n}", timeout=20)
        inside.append(s.total)
        return result

    enough(drive(root, Swapper(root, pairs), victim, once))
    each = [sum(inside[turn::3]) for turn in range(3)]
    assert all(each)
    print(f"swapper: exchanges of mounts inside: {each}")


def test_escapes_while_a_container_is_deleted(root):
    """It makes, moves and removes cgroups below its own while it is deleted; others stay."""
    other = pathlib.Path("/sys/fs/cgroup/pids/inro/bystander")
    b = root.bundle("sh", "-c", "cd /sys/fs/cgroup/pids && while :; do mkdir -p a/b c; sleep 60 & "
                                "echo $! >a/b/cgroup.procs; mv a d; mv c a; rmdir a d/b d; done")
    b.mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw")
    b.save()
    if not other.parent.parent.joinpath("cgroup.procs").exists():
        harness.machine_cannot("no pids hierarchy of v1")
    other.parent.mkdir(exist_ok=True)
    other.mkdir()
    sleeper = subprocess.Popen(["sleep", "600"])
    try:
        (other / "cgroup.procs").write_text(str(sleeper.pid))
        for n in range(STARTS):
            root.runtime("run", "--detach", "--bundle", b.path, f"c{n}", **QUIET).ok()
            time.sleep(0.01)
            root.runtime("delete", "--force", f"c{n}").ok()
            assert sleeper.poll() is None and other.is_dir()
    finally:
        sleeper.kill()
        sleeper.wait()
        harness.wait_for(lambda: not (other / "cgroup.procs").read_text())
        other.rmdir()


# What runc did until CVE-2021-30465 and CVE-2018-15664: look at the path, then use its name.

def naive_make(rootfs, destination):
    path = rootfs / destination
    if not any(p.is_symlink() for p in [path.parent, path.parent.parent]):
        path.mkdir(parents=True, exist_ok=True)


def naive_device(rootfs, destination):
    path = rootfs / destination
    if not path.parent.is_symlink():
        os.mknod(path, 0o20666, os.makedev(1, 3))
        os.unlink(path)


def naive_read(rootfs, destination):
    path = rootfs / destination
    return "" if path.parent.is_symlink() else path.read_text()


@pytest.mark.parametrize("fn, destination", [(naive_make, "data/made"), (naive_device, "srv/node"),
                                             (naive_read, "var/file")])
def test_a_naive_runtime_is_caught(root, fn, destination):
    """The harness can fail: each way to escape is seen."""
    victim = Victim(root, root.dir / "victim")
    b = root.bundle("true")
    pairs = pairs_below(root, b.rootfs, victim)

    def once(n):
        out = ""
        for _ in range(4000):
            with contextlib.suppress(OSError):
                out += fn(b.rootfs, destination) or ""
            if victim.secret in out:
                break
        done = subprocess.CompletedProcess([], 0, out.encode(), b"")
        return harness.Result(["naive"], done)

    with pytest.raises(Escape):
        drive(root, Swapper(root, pairs), victim, once)
