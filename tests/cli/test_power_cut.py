# SPDX-License-Identifier: Apache-2.0
"""What a power cut leaves: the store's file system is shut down in the middle of a command, so that
nothing more of what was written reaches the disk, and mounted again."""

import fcntl
import functools
import gzip
import json
import os
import random
import re
import shutil
import struct
import subprocess
import threading
import time

import pytest

import engine
import harness
from layers import docker_archive, entry, sha, tar

SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN of ext4
NOLOGFLUSH = 2         # not even what the journal has in memory
GETFLAGS = 0x80086601  # FS_IOC_GETFLAGS
TOPDIR = 0x00020000    # FS_TOPDIR_FL
LOST = "was not on the disk yet when the machine went down"
TOLD = "not known to be whole since the machine went down: "


def another_boot(store):
    """What the last one has left there is of the past."""
    marks = store / "unsynced"
    for path in [*marks.iterdir()] if marks.is_dir() else []:
        relink(path)
    if (store / "looked").is_symlink():
        relink(store / "looked")


def relink(path):
    st = path.lstat()
    path.unlink()
    os.symlink("another-boot", path)
    os.chown(path, st.st_uid, st.st_gid, follow_symlinks=False)


class Disk:
    """An ext4 in a file, which the store is on."""

    def __init__(self, who):
        self.who, self.place, self.file = who, who.state / "inro", who.dir / "disk"
        self.place.mkdir()
        with open(self.file, "wb") as file:
            file.truncate(800 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.file], check=True)
        self.mount()

    def mount(self):
        done = subprocess.run(["mount", "-o", "loop,commit=1", self.file, self.place],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            harness.machine_cannot("mount a file: " + done.stderr.strip())

    def umount(self):
        """Processes in the background may be at it for a moment."""
        harness.wait_for(lambda: subprocess.run(["umount", self.place], check=False,
                                                stderr=subprocess.DEVNULL).returncode == 0,
                         seconds=20, what="the disk to be let go")

    def cut(self):
        fd = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(fd)

    def power_on(self):
        self.umount()
        self.mount()
        another_boot(self.place)


@pytest.fixture
def disk(root):
    made = Disk(root)
    yield made
    made.umount()


@functools.cache
def files(count, size=2000):
    return [(f"f{k}", os.urandom(size)) for k in range(count)]


def some_layer(name):
    return tar(*(entry(f"{name}/{k}", data) for k, data in files(200)))


class Work(threading.Thread):
    """Commands that change the store, one after the other, until one fails."""

    def __init__(self, who, number, remotes):
        super().__init__()
        self.who, self.number, self.remotes = who, number, remotes
        self.safe = {}  # name: id of what must be there and whole, whatever happens

    def do(self, *args, **kw):
        done = self.who.inro(*args, **kw)
        if done.code:
            raise InterruptedError
        return done.out.strip()

    def made(self, name, ident):
        self.safe[name] = ident.rpartition("sha256:")[2][:12]

    def remove(self, *names):
        """While it is being done, it may have been done."""
        for name in names:
            self.safe.pop(name, None)
        self.do("rmi", *names)

    def load(self, name, layer, big):
        self.do("load", input=docker_archive([layer, big], tags=[f"{name}-l:1"]))
        self.remove(f"{name}-l:1")

    def pull(self, name, layer, big):
        for remote in self.remotes:
            self.do("pull", "-q", remote)
        self.remove(self.remotes[-1])

    def make(self, name, layer, big):
        """What nobody else has. The same content comes in once more, and that is no harm."""
        self.made(f"{name}-i:1", self.do("import", "-", f"{name}-i:1", input=layer))
        self.do("tag", f"{name}-i:1", f"{name}-t:1")
        self.safe[f"{name}-t:1"] = self.safe[f"{name}-i:1"]
        self.made(f"{name}-c:1", self.do("commit", "made", f"{name}-c:1"))
        archive = self.who.dir / "again.tar"
        self.do("save", "-o", archive, f"{name}-i:1", f"{name}-c:1")
        self.do("load", "-i", archive)
        self.remove(f"{name}-c:1")

    def lists(self, name, layer, big):
        self.made(f"{name}-m:1", self.do("manifest", "create", f"{name}-m:1"))
        self.do("manifest", "annotate", "--index", "--annotation", "a=b", f"{name}-m:1")
        path = self.who.dir / "file"
        path.write_bytes(layer)
        self.made(f"{name}-a:1", self.do("artifact", "add", f"{name}-a:1", path))

    def copy(self, name, layer, big):
        layout = f"oci:{self.who.dir}/layout:box"
        if not (self.who.dir / "layout").exists():
            self.do("image", "copy", "box", layout)
        self.do("image", "copy", layout, f"{name}-o:1")
        self.do("image", "copy", "--all", f"oci:{self.who.dir}/both:both", f"{name}-k:1")
        self.do("image", "prune", "-f")

    def run(self):
        steps = [self.load, self.pull, self.make, self.lists, self.copy]
        try:
            for i in range(100):
                name = f"n{self.number}-{i}"
                big = tar(entry("big", os.urandom(random.choice([1000, 3_000_000, 40_000_000]))))
                random.shuffle(steps)
                for step in steps:
                    step(name, some_layer(name), big)
                for old in [old for old in self.safe if not old.startswith(name)]:
                    self.remove(old)
        except InterruptedError:
            pass


def check(who, *options):
    done = who.inro("system", "check", "--format", "json", *options)
    return done, json.loads(done.out)


def listed(who):
    """{name: the beginning of its id}"""
    out = who.inro("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").ok().out
    out += who.inro("artifact", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}").ok().out
    pairs = (line.split() for line in out.splitlines())
    return {name: ident.rpartition("sha256:")[2][:12] for name, ident in pairs}


def look(who, work, keep):
    """The first commands after a power cut, then a check of all."""
    first = who.inro("images", "-q")
    assert first.code == 0, first
    done, quick = check(who, "--quick")
    # whoever looks first is told of each that may not be whole, and of no other
    assert (TOLD in first.err) == bool(quick["Images"]), (first, quick)
    assert TOLD not in done.err
    done, report = check(who)
    assert report["Database"] == [] and report["Containers"] == [], done
    damaged = set()
    for image in report["Images"]:
        # a row may have come to the disk before what it names: that is fetched again
        assert all(LOST in problem or problem.endswith(": is missing")
                   for problem in image["Problems"]), image
        damaged |= {name.rpartition("/")[2] for name in image["Names"] or ["<none>"]}
    there = listed(who)
    expected = keep | {name.rpartition("/")[2]: ident for name, ident in work.safe.items()}
    found = {name.rpartition("/")[2]: ident for name, ident in there.items()}
    assert expected.items() <= found.items(), (expected, found)
    assert not damaged & set(expected), (damaged, expected)
    for name in there:
        if "-m:" in name or "-a:" in name or "<none>" in name:
            continue
        run = who.inro("run", "--rm", "--pull", "never", name, "/none/such")
        short = name.rpartition("/")[2]
        # half an image never runs: the program is looked for in a whole one, and not found
        if short not in damaged:
            assert run.code == 127, run
        elif run.code != 127:  # what is missing is its manifest
            assert run.code == 125 and re.search("(get|copy) the (image|list).* again", run.err), run
    return damaged


def test_the_store_is_whole_after_a_power_cut(root, disk, registries):
    reg = registries.start()
    small = tar(*[entry(f"app/{k}", data) for k, data in files(200)])
    for name, size in (("app", 1000), ("big", 45_000_000)):
        reg.push(name, "1", [small, tar(entry("large", os.urandom(size)))])
    remotes = [f"{reg.host}/app:1", f"{reg.host}/big:1"]
    engine.box(root)
    root.inro("manifest", "create", "both:1", "box").ok()
    root.inro("image", "copy", "--all", "both:1", f"oci:{root.dir}/both:both").ok()
    root.inro("rmi", "both:1").ok()
    root.inro("run", "--name", "made", "box", "sh", "-c", "head -c 5000000 /dev/urandom >/f").ok()
    subprocess.run(["sync", "-f", disk.place], check=True)
    keep, found = listed(root), 0
    for number in range(int(os.environ.get("INRO_TEST_POWER_CUTS") or harness.rounds(6))):
        work = Work(root, number, remotes)
        work.start()
        time.sleep(random.uniform(0.05, 4))
        disk.cut()
        work.join()
        disk.power_on()
        found += bool(look(root, work, keep))
        for remote in remotes:  # which heals, too
            root.inro("pull", "-q", remote).ok()
        root.inro("run", "--rm", "--pull", "never", remotes[1], "/none/such").fails(code=127)
        done, _ = check(root, "--repair")
        assert done.code == 0, (number, done)
        done, report = check(root)
        assert done.code == 0 and report["Leftovers"] == [], (number, done)
        names = [name for name in listed(root) if name not in keep and "<none>" not in name]
        if names:
            root.inro("rmi", *names).ok()
        root.inro("image", "prune", "-f").ok()
    print(f"{number + 1} power cuts, {found} of them with images to be fetched again")


# ---- what a row names and the disk has not ----

def store(who):
    return who.state / "inro"


BASE = tar(entry("etc/", mode=0o711), entry("etc/base", "base"))
UPPER = tar(entry("etc/upper", "x"))


def lose(who, *paths):
    """Rows came to the disk, these names did not."""
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    another_boot(store(who))


def test_rows_without_files_are_told_of_and_fetched_again(anyone, registries):
    """By the first command, whichever that is; a container gets all of the image, or none."""
    reg = registries.start()
    layers = [engine.rootfs_tar(anyone).read_bytes(), gzip.compress(BASE)]
    image = reg.push("app", "1", layers)
    name = f"{reg.host}/app:1"
    engine.box(anyone)
    anyone.inro("pull", name).ok()
    blobs = store(anyone) / "blobs/sha256"
    layer = store(anyone) / "layers" / sha(BASE)[7:]
    for paths in ([layer], [blobs / sha(image.config)[7:]],
                  [layer, *(blobs / d[7:] for d in (image.digest, image.layers[1]))]):
        lose(anyone, *paths)
        first = anyone.inro("ps").ok()
        assert f"{TOLD}{name}; `inro pull` or `inro load` gets an image again" in first.err
        assert TOLD not in anyone.inro("images").ok().err
        anyone.inro("run", "--rm", "--pull", "never", name, "true").fails(
            "get the image again", code=125)
        done = anyone.inro("run", "--rm", name, "cat", "/etc/base").ok()
        assert done.out == "base" and f"getting it again from {reg.host}/app@" in done.err
        anyone.inro("pull", name).ok()  # the manifest, which no container needs
        done, report = check(anyone)
        assert done.code == 0, report
    assert anyone.inro("images").ok().err == ""


def test_what_nobody_can_fetch_is_told_of(anyone):
    engine.box(anyone)
    anyone.inro("load", input=docker_archive([BASE], tags=["alpine:1"])).ok()
    lose(anyone, store(anyone) / "layers" / sha(BASE)[7:])
    done = anyone.inro("run", "--rm", "alpine:1", "true")
    done.fails(f"{TOLD}alpine:1;", "get the image again", code=125)
    assert "getting it again" not in done.err  # a stranger's image of that name, that is
    assert anyone.inro("run", "--rm", "box", "echo", "fine").ok().out == "fine\n"
    anyone.inro("load", input=docker_archive([BASE], tags=["alpine:1"])).ok()
    anyone.inro("run", "--rm", "--pull", "never", "alpine:1", "/x").fails(code=127)
    another_boot(store(anyone))
    assert anyone.inro("images", "-q").ok().err == ""


def test_lists_without_an_index(anyone, registries):
    """Of what was copied from a registry, the hint is the command that mends it."""
    reg = registries.start()
    blobs = store(anyone) / "blobs/sha256"
    engine.box(anyone)
    before = {*blobs.iterdir()}
    anyone.inro("manifest", "create", "both:1", "box").ok()
    index, = {*blobs.iterdir()} - before
    lose(anyone, index)
    again = "copy the list here again, or remove it (inro manifest rm both:1)"
    done = anyone.inro("run", "--rm", "both:1", "true").fails(f"{TOLD}both:1;", again, code=125)
    assert "get the image again" not in done.err
    anyone.inro("manifest", "rm", "both:1").ok()
    anyone.inro("manifest", "create", "both:1", "box").ok()
    anyone.inro("image", "copy", "--all", "both:1", f"docker://{reg.host}/both:1").ok()
    anyone.inro("manifest", "rm", "both:1").ok()
    source = f"docker://{reg.host}/both@sha256:{index.name}"
    anyone.inro("image", "copy", "--all", source, "copied:1").ok()
    lose(anyone, index)
    done = anyone.inro("run", "--rm", "copied:1", "true").fails(code=125)
    command = re.search("get the list again: inro (.*)", done.err)[1]
    assert command == f"image copy --all {source} copied:1"
    anyone.inro(*command.split()).ok()
    assert anyone.inro("run", "--rm", "--pull", "never", "copied:1", "echo", "fine").ok().out == "fine\n"
    assert check(anyone)[0].code == 0


def test_several_are_told_of_in_one_line(root):
    archives = [docker_archive([tar(entry(f"f{i}", str(i)))], tags=[f"i{i}:1"]) for i in range(5)]
    for archive in archives:
        root.inro("load", input=archive).ok()
    lose(root, *(store(root) / "layers").iterdir())
    line, = root.inro("images", "-q").ok().err.splitlines()
    assert " and 2 more; " in line
    for archive in archives:
        root.inro("load", input=archive).ok()
    another_boot(store(root))
    assert root.inro("images", "-q").ok().err == ""


def test_shims_that_went_with_a_layer_come_back(anyone):
    """Another image has brought the layer again, and nothing of what this one needs on top of it."""
    box = engine.rootfs_tar(anyone).read_bytes()
    anyone.inro("load", input=docker_archive([box, BASE, UPPER], tags=["one:1"])).ok()
    shims = store(anyone) / "layers" / sha(UPPER)[7:] / "shims"
    lose(anyone, shims)
    stat = anyone.inro("run", "--rm", "--pull", "never", "one:1", "stat", "-c", "%a", "/etc").ok()
    assert stat.out == "711\n" and shims.is_dir()


def test_what_is_on_the_disk_after_all_counts_again(anyone):
    """As when the machine was switched off in good order, before the marks had gone."""
    engine.box(anyone)
    anyone.inro("load", input=docker_archive([BASE], tags=["one:1"])).ok()
    anyone.inro("load", input=docker_archive([UPPER], tags=["two:1"])).ok()
    marks = store(anyone) / "unsynced"
    names = [*os.listdir(store(anyone) / "blobs/sha256"),
             *(f"layer-{name}" for name in os.listdir(store(anyone) / "layers"))]
    for name in names:
        os.symlink("another-boot", marks / name)
        os.chown(marks / name, anyone.uid, anyone.gid, follow_symlinks=False)
    file = store(anyone) / "layers" / sha(UPPER)[7:] / "fs/etc/upper"
    file.write_bytes(b"")
    another_boot(store(anyone))
    assert TOLD in anyone.inro("images", "-q").ok().err
    anyone.inro("run", "--rm", "box", "true").fails(LOST, "get the image again", code=125)
    done, report = check(anyone)
    assert [image["Names"] for image in report["Images"]] == [["docker.io/library/two:1"]]
    assert report["Images"][0]["Problems"] == [f"layer {sha(UPPER)}: {LOST}"]
    assert anyone.inro("run", "--rm", "box", "echo", "fine").ok().out == "fine\n"
    assert os.listdir(marks) == [f"layer-{sha(UPPER)[7:]}"]
    check(anyone, "--repair")
    assert not check(anyone)[1]["Errors"] and os.listdir(marks) == []


# ---- marks, and what they stand for ----

def test_the_same_content_again_stays_as_it_is(root):
    """A new copy would have a mark, and a power cut would take an image that was safe."""
    engine.box(root)
    blobs = store(root) / "blobs/sha256"
    before = {path.name: path.stat().st_ino for path in blobs.iterdir()}
    root.inro("save", "-o", root.dir / "box.tar", "box").ok()
    root.inro("load", "-i", root.dir / "box.tar").ok()
    assert {path.name: path.stat().st_ino for path in blobs.iterdir()}.items() >= before.items()
    # and what is damaged does not stay
    for path in blobs.iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    shutil.rmtree(next((store(root) / "layers").iterdir()))
    root.inro("load", "-i", root.dir / "box.tar").ok()
    done, report = check(root)
    assert done.code == 0, report


def stopped(pid):
    """Does strace hold it?"""
    for _ in range(5):
        try:
            state = open(f"/proc/{pid}/stat", encoding="ascii").read().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state != "t":
            return False
        time.sleep(0.1)
    return True


def test_a_mark_that_came_later_stays(root):
    """Its layer has been removed and added again while the disk was being written: what took the
    old mark away must not take that of the new one, which nobody has written yet."""
    if not shutil.which("strace"):
        harness.machine_cannot("strace is not installed")
    archive = root.dir / "image.tar"
    archive.write_bytes(docker_archive([BASE], tags=["one:1"]))
    mark = store(root) / "unsynced" / f"layer-{sha(BASE)[7:]}"

    def load(delay):
        proc = root.popen("strace", "-o", "/dev/null", "-e", "trace=syncfs", "-e",
                          f"inject=syncfs:delay_enter={delay}000000", *root.inro_argv("load", "-i", archive))
        children = f"/proc/{proc.pid}/task/{proc.pid}/children"
        def inro():
            return open(children, encoding="ascii").read().split()
        harness.wait_for(lambda: inro() and stopped(inro()[0]), what="syncfs")
        return proc, int(inro()[0])

    first, _ = load(3)
    old = os.readlink(mark)
    root.inro("rmi", "one:1").ok()
    assert not os.path.lexists(mark)
    second, inro = load(1000)
    try:
        new = os.readlink(mark)
        assert new != old
        assert first.wait(60) == 0
        assert os.readlink(mark) == new
    finally:
        os.kill(inro, 9)
        second.kill()
        second.wait(20)
    root.inro("load", "-i", archive).ok()  # what is there is written now
    assert not os.path.lexists(mark)


def test_what_a_user_makes_is_on_the_disk(root, disk):
    """Nobody has it but this machine: it is there when the command that makes it has ended."""
    data = os.urandom(40_000_000)
    path = root.dir / "file"
    path.write_bytes(data)
    root.inro("manifest", "create", "list:1").ok()
    root.inro("manifest", "annotate", "--index", "--annotation", "a=b", "list:1").ok()
    root.inro("artifact", "add", "art:1", path).ok()
    disk.cut()
    disk.power_on()
    done, report = check(root)
    assert done.code == 0 and not report["Images"], done
    assert json.loads(root.inro("manifest", "inspect", "list:1").ok().out)["annotations"] == {
        "a": "b"}
    root.inro("artifact", "extract", "art:1", root.dir / "out").ok()
    assert (root.dir / "out").read_bytes() == data


def test_what_is_unpacked_gets_inodes_of_its_own(root, disk):
    """Not those next to what was removed last, which ext4 steps over one by one for some minutes."""
    archive = root.dir / "image.tar"
    archive.write_bytes(docker_archive([some_layer("x")], ["x:1"]))
    root.inro("load", "-i", archive).ok()
    fd = os.open(disk.place / "staging", os.O_RDONLY)
    try:
        flags = struct.unpack("I", fcntl.ioctl(fd, GETFLAGS, bytes(4)))[0]
    finally:
        os.close(fd)
    assert flags & TOPDIR
