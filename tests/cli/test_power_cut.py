# SPDX-License-Identifier: Apache-2.0
"""What a power cut leaves: the store's file system is shut down in the middle of a command, so that
nothing more of what was written reaches the disk, and mounted again."""

import fcntl
import json
import os
import random
import struct
import subprocess
import threading
import time

import pytest

import engine
import harness
from layers import docker_archive, entry, tar

SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN of ext4
NOLOGFLUSH = 2         # not even what the journal has in memory
LOST = "was not on the disk yet when the machine went down"


class Disk:
    """An ext4 in a file, which the store is on."""

    def __init__(self, who):
        self.who, self.place, self.file = who, who.state / "inro", who.dir / "disk"
        self.place.mkdir()
        with open(self.file, "wb") as file:
            file.truncate(400 << 20)
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
        """Another boot: the marks of the last one are of the past."""
        self.umount()
        self.mount()
        marks = self.place / "unsynced"
        for name in os.listdir(marks) if marks.is_dir() else []:
            (marks / name).unlink()
            os.symlink("another-boot", marks / name)


@pytest.fixture
def disk(root):
    made = Disk(root)
    yield made
    made.umount()


class Work(threading.Thread):
    """Commands that change the store, one after the other, until one fails."""

    def __init__(self, who, number, remote):
        super().__init__()
        self.who, self.number, self.remote = who, number, remote
        self.safe = set()  # names that must be there and whole, whatever happens

    def do(self, *args, **kw):
        return self.who.inro(*args, **kw).code == 0

    def run(self):
        for i in range(100):
            name = f"n{self.number}-{i}"
            members = [entry(f"{name}/{k}", os.urandom(2000)) for k in range(200)]
            big = entry("big", os.urandom(random.choice([1000, 3_000_000, 20_000_000])))
            archive = docker_archive([tar(*members), tar(big)], tags=[f"{name}:1"])
            if not self.do("load", input=archive):
                return
            if not self.do("pull", self.remote):
                return
            if not self.do("import", "-", f"{name}:2", input=tar(*members, big)):
                return
            self.safe.add(f"{name}:2")
            if not self.do("commit", "made", f"{name}:3"):
                return
            self.safe.add(f"{name}:3")
            self.safe.discard(f"{name}:2")
            if not self.do("rmi", self.remote, f"{name}:1") or not self.do("rmi", f"{name}:2"):
                return
            if i:
                self.safe.discard(f"n{self.number}-{i - 1}:3")
                if not self.do("rmi", f"n{self.number}-{i - 1}:3"):
                    return


def check(who, *options):
    done = who.inro("system", "check", "--format", "json", *options)
    return done, json.loads(done.out)


def test_the_store_is_whole_after_a_power_cut(root, disk, registries):
    reg = registries.start()
    reg.push("app", "1", [tar(*[entry(f"app/{k}", os.urandom(3000)) for k in range(500)]),
                          tar(entry("large", os.urandom(30_000_000)))])
    engine.box(root)
    root.inro("run", "--name", "made", "box", "sh", "-c", "head -c 5000000 /dev/urandom >/f").ok()
    subprocess.run(["sync", "-f", disk.place], check=True)
    keep = {"box:latest"}
    for number in range(int(os.environ.get("INRO_TEST_POWER_CUTS") or harness.rounds(6))):
        work = Work(root, number, f"{reg.host}/app:1")
        work.start()
        time.sleep(random.uniform(0.05, 3))
        disk.cut()
        work.join()
        disk.power_on()
        done, report = check(root)
        assert report["Database"] == [] and report["Containers"] == [], (number, done)
        for image in report["Images"]:
            # a row may have come to the disk before what it names: that is fetched again
            assert all(LOST in problem or problem.endswith(": is missing")
                       for problem in image["Problems"]), (number, image)
            names = {name.rpartition("/")[2] for name in image["Names"]}
            assert not names & (keep | work.safe), (number, image)
        out = root.inro("images", "--format", "{{.Repository}}:{{.Tag}}").ok().out.split()
        assert keep | work.safe <= set(out), (number, out, work.safe)
        done, _ = check(root, "--repair")
        assert done.code == 0, (number, done)
        done, report = check(root)
        assert done.code == 0 and report["Leftovers"] == [], (number, done)
        names = [name for name in root.inro(
            "images", "--format", "{{.Repository}}:{{.Tag}}").ok().out.split()
                 if name not in keep and "<none>" not in name]
        if names:
            root.inro("rmi", *names).ok()


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
