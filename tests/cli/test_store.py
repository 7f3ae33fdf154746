# SPDX-License-Identifier: Apache-2.0
"""The store's upkeep: its budget, room on the disk, what killed commands leave, and in which order it
is written."""

import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import threading
import time

import pytest

import engine
import harness
from layers import Layout, docker_archive, entry, sha, tar


def store(who):
    return who.state / "inro"


def names(who):
    rows = [json.loads(x) for x in who.inro("images", "--format", "json").ok().out.splitlines()]
    return sorted(f"{row['Repository']}:{row['Tag']}" for row in rows)


def noise(size, name="data"):
    return tar(entry(name, os.urandom(size)))


def load(who, tag, *layers):
    who.inro("load", input=docker_archive(list(layers), tags=[tag])).ok()


@pytest.fixture
def conf(anyone):
    path = anyone.dir / "inro.conf"
    path.touch()
    anyone.env["INRO_CONFIG"] = str(path)
    return lambda text: path.write_text(text + "\n" + harness.NO_NETWORK)


# ---- image.max_size ----

def test_old_images_go_whatever_adds_new_ones(anyone, conf):
    """Each image takes 2 MB, its blob and its layer; the budget has room for two and a half."""
    box = engine.rootfs_tar(anyone)
    load(anyone, "a:1", noise(1_000_000))
    load(anyone, "b:1", noise(1_000_000))
    conf("[image]\nmax_size = 5m\n")
    load(anyone, "c:1", noise(1_000_000))
    harness.wait_for(lambda: names(anyone) == ["b:1", "c:1"], what="the oldest to go")
    anyone.inro("import", "-", "d:1", input=noise(1_000_000)).ok()
    harness.wait_for(lambda: names(anyone) == ["c:1", "d:1"], what="the oldest to go")
    conf("[image]\nmax_size = 100m\n")
    anyone.inro("import", box, "box").ok()
    anyone.inro("run", "--name", "made", "box", "sh", "-c", "head -c 3000000 /dev/urandom >f").ok()
    taken = sum(int(anyone.run("du", "-s", "-B1", store(anyone) / name).out.split()[0])
                for name in ("blobs", "layers"))
    conf(f"[image]\nmax_size = {taken + 5000000}\n")
    anyone.inro("commit", "made", "e:1").ok()
    harness.wait_for(lambda: names(anyone) == ["box:latest", "d:1", "e:1"], what="the oldest to go")


def test_claims_evict_nothing(anyone, conf):
    """A file that claims to have 3 GB takes none of the budget."""
    load(anyone, "old:1", noise(1000))
    conf("[image]\nmax_size = 5m\n")
    info, data = entry("big", b"1\n0\n1\n".ljust(512, b"\0") + b"x", pax_headers={
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "big",
        "GNU.sparse.realsize": str(3 << 30)})
    load(anyone, "claims:1", tar((info, data)))
    tree = store(anyone) / "layers" / sha(tar((info, data)))[7:]
    assert (tree / "fs/big").stat().st_size == 3 << 30
    harness.wait_for((tree / "usage").exists, what="the budget's look")
    load(anyone, "small:1", noise(1000))
    time.sleep(0.5)
    assert names(anyone) == ["claims:1", "old:1", "small:1"]


def test_nothing_goes_when_it_would_not_be_enough(anyone, conf):
    load(anyone, "old:1", noise(1000))
    conf("[image]\nmax_size = 1m\n")
    load(anyone, "large:1", noise(2_000_000))
    harness.wait_for(lambda: (store(anyone) / "layers").is_dir() and
                     all((d / "usage").exists() for d in (store(anyone) / "layers").iterdir()),
                     what="the budget's look")
    time.sleep(0.3)
    assert names(anyone) == ["large:1", "old:1"]


# ---- room on the disk ----

@pytest.fixture
def small_disk(root):
    """A store on a disk of its own."""
    made = []
    def make(**options):
        place = store(root)
        place.mkdir()
        words = ",".join(f"{k}={v}" for k, v in options.items())
        subprocess.run(["mount", "-t", "tmpfs", "-o", words, "tmpfs", place], check=True)
        made.append(place)
        return place
    yield make
    for place in made:
        subprocess.run(["umount", place], check=True)


class Watch:
    """How little room there was at worst."""

    def __init__(self, place):
        self.place, self.least, self.end = place, (1 << 60, 1 << 60), False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.end:
            st = os.statvfs(self.place)
            self.least = tuple(map(min, self.least, (st.f_bavail * st.f_frsize, st.f_favail)))
            time.sleep(0.002)

    def stop(self):
        self.end = True
        self.thread.join()
        return self.least


def test_layers_share_the_room_on_the_disk(root, small_disk):
    """Each of them would fit, all of them would not: the disk never gets full."""
    place = small_disk(size="64m")
    layout = Layout()
    image = layout.image([tar(entry(f"file{i}", bytes(24 << 20))) for i in range(4)], "gzip")
    watch = Watch(place)
    done = root.inro("load", input=layout.archive(image))
    least, _ = watch.stop()
    # which of the two is said is a matter of who writes last
    assert any(word in done.fails(code=125).err for word in ("the disk is nearly full", "the disk has no room for more"))
    assert least > 1 << 20
    assert os.listdir(place / "staging") == [] and os.listdir(place / "layers") == []


def test_full_disk_is_said_to_be_full(root, small_disk):
    place = small_disk(size="2m")
    layout = Layout()
    image = layout.image([tar(entry("file", b"x"))], "gzip")
    root.inro("images").ok()
    with open(place / "fill", "wb", buffering=0) as f, pytest.raises(OSError):
        while True:
            f.write(bytes(4096))
    root.inro("load", input=layout.archive(image)).fails("the disk has no room for more", code=125)


def test_files_share_the_inodes_of_the_disk(root, small_disk):
    place = small_disk(size="200m", nr_inodes=20000)
    members = [entry(f"{i}") for i in range(30000)]
    watch = Watch(place)
    done = root.inro("import", "-", "many", input=tar(*members))
    _, least = watch.stop()
    done.fails("inodes would be left", code=125)
    assert least > 100
    assert os.listdir(place / "layers") == []
    root.inro("import", "-", "few", input=tar(*members[:5000])).ok()


# ---- what is left ----

def test_partial_downloads_are_shown_and_removed(anyone):
    engine.box(anyone)
    assert "Partial" not in anyone.inro("system", "df").ok().out
    (store(anyone) / "partial").mkdir(exist_ok=True)
    path = store(anyone) / "partial" / ("ab" * 32)
    path.write_bytes(os.urandom(1 << 20))
    anyone.own(path.parent)
    anyone.own(path)
    row = anyone.inro("system", "df").ok().out.splitlines()[-1]
    assert row.split() == ["Partial", "Downloads", "1", "0", "1.049MB", "1.049MB", "(100%)"]
    with open(path, "rb") as file:
        subprocess.run(["flock", "-n", str(file.fileno())], pass_fds=[file.fileno()], check=True)
        row = anyone.inro("system", "df").ok().out.splitlines()[-1]
        assert row.split()[2:] == ["1", "1", "1.049MB", "0B", "(0%)"]
        anyone.inro("image", "prune", "-f").ok()
        assert path.exists()
    assert "Total reclaimed space: 1.049MB" in anyone.inro("image", "prune", "-f").ok().out
    assert not path.exists()


def test_what_a_killed_command_left_goes_in_the_background(anyone):
    engine.box(anyone)
    dead = store(anyone) / "staging/dead"
    for i in range(50):
        (dead / f"layer-x/fs/{i}").mkdir(parents=True)
        (dead / f"layer-x/fs/{i}/file").write_text("x")
    subprocess.run(["chown", "-R", f"{anyone.uid}:{anyone.gid}", dead], check=True)
    anyone.inro("system", "df").ok()
    harness.wait_for(lambda: not dead.exists(), what="the background to remove it")


def test_a_killed_collection_is_taken_up(anyone):
    """Its mark is there until its end; who adds images next looks for it."""
    engine.box(anyone)
    blob = store(anyone) / "blobs/sha256" / ("cd" * 32)
    for path in (blob, store(anyone) / "collect"):
        path.write_text("x")
        anyone.own(path)
    load(anyone, "a:1", noise(10))
    assert not blob.exists() and not (store(anyone) / "collect").exists()


# ---- the order on the disk ----

def calls(who, traced, *args, **kw):
    """Lines of strace of what the main process, or all (-f), has called."""
    path = who.dir / "trace"
    if not shutil.which("strace"):
        harness.machine_cannot("strace is not installed")
    who.run("strace", "-y", *traced, "-o", path, *who.inro_argv(*args), **kw).ok()
    return path.read_text().splitlines()


def test_no_file_goes_before_its_row(root):
    """A row that came back after a power cut would name files that are gone."""
    engine.box(root)
    lines = calls(root, ["-e", "trace=fdatasync,fsync,unlinkat,renameat"], "rmi", "box")
    def first(pattern):
        return next(i for i, line in enumerate(lines) if re.search(pattern, line))
    assert first(r"f(data)?sync\(.*inro\.db-wal") < first(r"unlinkat\(.*blobs/sha256")
    assert first(r"f(data)?sync\(.*inro\.db-wal") < first(r"renameat\(.*/layers>")


def test_what_can_not_be_had_again_is_on_the_disk(root):
    """However much that is. What is pulled or loaded can wait."""
    layer = noise(40_000_000)
    lines = calls(root, ["-e", "trace=syncfs"], "import", "-", "big", input=layer)
    assert any(re.search(r"syncfs\(.*= 0", line) for line in lines)
    assert os.listdir(store(root) / "unsynced") == []
    root.inro("rmi", "big").ok()
    root.inro("import", engine.rootfs_tar(root), "box").ok()
    root.inro("run", "--name", "made", "box", "sh", "-c", "head -c 40000000 /dev/urandom >f").ok()
    lines = calls(root, ["-e", "trace=syncfs"], "commit", "made", "big")
    assert any(re.search(r"syncfs\(.*= 0", line) for line in lines)
    assert os.listdir(store(root) / "unsynced") == []


# ---- commit ----

def state_of(who, cid):
    done = who.run(who.program("inro-runtime"), "--root", who.run_dir / "inro/runtime", "state",
                   cid)
    return json.loads(done.out)["status"] if done.code == 0 else None


def busy(root, size):
    """A container with so many bytes of its own that goes on writing."""
    engine.box(root)
    script = (f"head -c {size} /dev/urandom >big; echo ready; "
              "i=0; while :; do i=$((i+1)); echo $i >tick; usleep 10000; done")
    client = engine.start(root, "--name", "busy", "box", "sh", "-c", script)
    return client, root.inro("ps", "-q", "--no-trunc").ok().out.strip()


@pytest.mark.parametrize("how", [9, 15])
def test_no_container_stays_frozen(root, how):
    """Killed in the middle, and interrupted: then the container goes on."""
    client, cid = busy(root, 300_000_000)
    try:
        commit = root.popen(*root.inro_argv("commit", "busy", "half"), stderr=subprocess.PIPE)
        harness.wait_for(lambda: state_of(root, cid) == "paused", what="the pause")
        commit.send_signal(how)
        _, said = commit.communicate(timeout=20)
        if how == 9:
            assert commit.returncode == -9
        else:
            assert commit.returncode == 125 and b"interrupted by signal 15 (TERM)" in said
            assert os.listdir(store(root) / "staging") == []
        harness.wait_for(lambda: state_of(root, cid) == "running", what="the container to go on")
        path = store(root) / "containers" / cid / "upper/tick"
        tick = path.read_text()
        harness.wait_for(lambda: path.read_text() not in (tick, ""), what="a tick")
        assert "half" not in root.inro("images").ok().out
    finally:
        root.inro("rm", "-f", "busy").ok()
        client.communicate(timeout=20)


def test_a_pause_of_somebody_else_stays(root):
    client, cid = busy(root, 1000)
    try:
        runtime = [root.program("inro-runtime"), "--root", root.run_dir / "inro/runtime"]
        root.run(*runtime, "pause", cid).ok()
        root.inro("commit", "busy", "made").ok()
        assert state_of(root, cid) == "paused"
        root.run(*runtime, "resume", cid).ok()
        root.inro("commit", "busy", "made").ok()
        assert state_of(root, cid) == "running"
    finally:
        root.inro("rm", "-f", "busy").ok()
        client.communicate(timeout=20)


SPARSE = ("truncate -s 3G hole; printf end | dd of=middle bs=1 seek=2147483648 2>/dev/null; "
          "printf begin | dd of=middle conv=notrunc 2>/dev/null; truncate -s 2500000000 middle; "
          "head -c 30000000 /dev/zero >zeros")


def test_holes_stay_holes(anyone):
    """A file of 3 GB that has nothing but a hole takes nothing, neither room nor time."""
    engine.box(anyone)
    anyone.inro("run", "--name", "made", "box", "sh", "-c", SPARSE).ok()
    anyone.inro("commit", "made", "sparse:1", timeout=20).ok()
    out = anyone.dir / "out.tar"
    anyone.inro("export", "-o", out, "made", timeout=20).ok()
    assert out.stat().st_size < 100 << 20
    with tarfile.open(out) as archive:
        found = {m.name: m for m in archive}
        assert found["hole"].size == 3 << 30 and found["middle"].size == 2500000000
        data = archive.extractfile(found["middle"])
        assert data.read(6) == b"begin\0"
        data.seek((2 << 30) - 1)
        assert data.read(5) == b"\0end\0"
    script = ("stat -c '%s %b' hole middle; head -c 5 middle; "
              "dd if=middle bs=1 skip=2147483648 count=3 2>/dev/null")
    lines = anyone.inro("run", "--rm", "sparse:1", "sh", "-c", script).ok().out.splitlines()
    (hole, hole_blocks), (middle, middle_blocks) = (line.split() for line in lines[:2])
    assert (hole, middle) == (str(3 << 30), "2500000000")
    assert int(hole_blocks) == 0 and int(middle_blocks) < 1000
    assert lines[2] == "beginend"


def test_umoci_reads_the_holes(root):
    if not shutil.which("umoci"):
        harness.machine_cannot("umoci is not installed")
    engine.box(root)
    root.inro("run", "--name", "made", "box", "sh", "-c",
              "truncate -s 100M hole; printf x | dd of=hole bs=1 seek=50000000 conv=notrunc").ok()
    root.inro("commit", "made", "sparse:1").ok()
    root.inro("save", "--format", "oci-dir", "-o", root.dir / "lay", "sparse:1").ok()
    root.run("umoci", "unpack", "--image", "lay:1", "bundle").ok()
    with open(root.dir / "bundle/rootfs/hole", "rb") as file:
        data = file.read()
    assert len(data) == 100 << 20 and data[50000000:50000001] == b"x" and data.count(b"\0") == len(data) - 1


def test_directories_of_a_foreign_group(anyone):
    """Below one with the set-group-ID bit, whose group no user namespace has."""
    if os.geteuid() == 0:
        os.chown(anyone.state, -1, 12345)
    anyone.state.chmod(0o2755)
    box = engine.box(anyone)
    containers = anyone.state / "inro/containers"
    containers.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        os.chown(containers, anyone.uid, 12345)
    containers.chmod(0o2755)
    for options in ([], ["--userns", "keep-id"], ["--uidmap", "0:1:100", "--gidmap", "0:1:100"])[:3 - anyone.rootless]:
        out = anyone.inro("run", "--rm", "--user", "0", *options, box, "sh", "-c",
                          "touch /new; stat -c %u:%g:%a / /new /etc/hosts").ok().out
        assert out == "0:0:755\n0:0:644\n0:0:644\n", options
