# SPDX-License-Identifier: Apache-2.0
"""inro save: what is in the archives and directories, and who else can read them."""

import hashlib
import io
import json
import os
import pty
import random
import shutil
import subprocess
import sys
import tarfile
import time

import pytest

import harness
from layers import Layout, docker_archive, entry, look, sha, tar

BASE = tar(entry("etc/"), entry("etc/name", "base"), entry("big", random.Random(1).randbytes(300_000)))
UPPER = tar(entry("etc/"), entry("etc/name", "upper"), entry(".wh.big"))
NAMES = ["docker.io/library/made:1", "docker.io/library/made:2", "example.com:5000/x/y:z"]


def store(who):
    return who.state / "inro"


def load(who, data):
    who.inro("load", input=data).ok()


def made(who):
    """An image under three names, and one with a layer of it under a fourth."""
    load(who, docker_archive([BASE, UPPER], tags=["made:1", "made:2", "example.com:5000/x/y:z"],
                             compress="gzip"))
    load(who, docker_archive([BASE], tags=["other:1"], compress="gzip"))


def save(who, *args, **kw):
    path = who.dir / "saved.tar"
    who.inro("save", "-o", path, *args, **kw).ok()
    return path


def members(path):
    with tarfile.open(path) as archive:
        return {m.name: archive.extractfile(m).read() if m.isfile() else None for m in archive}


def rows(who):
    """{id: (manifest, names)} from the database, read by its own tool."""
    done = subprocess.run(
        ["sqlite3", store(who) / "inro.db", "SELECT id, images.manifest, group_concat(name) FROM images"
         " LEFT JOIN (SELECT * FROM image_names ORDER BY name) ON image = id GROUP BY id"],
        stdout=subprocess.PIPE, check=True)
    lines = [line.split("|") for line in done.stdout.decode().splitlines()]
    return {iid: (manifest, sorted(names.split(","))) for iid, manifest, names in lines}


def test_archive_is_layout_and_docker_archive(anyone):
    made(anyone)
    found = members(save(anyone, "made:1", "example.com:5000/x/y:z", "other"))
    assert list(found)[:4] == ["oci-layout", "index.json", "manifest.json", "blobs"]
    blobs = {name.split("/")[-1]: data for name, data in found.items()
             if name.startswith("blobs/sha256/")}
    assert len(blobs) == 6  # two manifests, two configs, and the layers once
    for name, data in blobs.items():
        assert hashlib.sha256(data).hexdigest() == name
        assert data == (store(anyone) / "blobs/sha256" / name).read_bytes()
    index = json.loads(found["index.json"])
    names = [m["annotations"]["io.containerd.image.name"] for m in index["manifests"]]
    assert names == [NAMES[0], NAMES[2], "docker.io/library/other:1"]
    assert [m["annotations"]["org.opencontainers.image.ref.name"]
            for m in index["manifests"]] == ["1", "z", "1"]
    assert all(m["size"] == len(blobs[m["digest"][7:]]) for m in index["manifests"])
    docker = json.loads(found["manifest.json"])
    assert [e["RepoTags"] for e in docker] == [["made:1", "example.com:5000/x/y:z"], ["other:1"]]
    assert all(name in found for e in docker for name in [e["Config"], *e["Layers"]])


def test_words(root):
    """A repository means all of its tags, an id the image without names."""
    made(root)
    iid = root.inro("images", "-q", "--no-trunc", "made:1").ok().out.strip()
    for word, want in (("made", ["made:1", "made:2"]), ("made:2", ["made:2"]), (iid, None),
                       (iid[7:19], None)):
        entries = json.loads(members(save(root, word))["manifest.json"])
        assert [e.get("RepoTags") for e in entries] == [want], word
    root.inro("save", "-o", root.dir / "x", "nothing:1").fails("No such image: nothing:1")
    root.inro("save", "-o", root.dir / "x", "host").fails("can't be saved")
    assert not (root.dir / "x").exists()


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_round_trip(anyone, form):
    made(anyone)
    before = rows(anyone)
    path = save(anyone, "--format", form, *NAMES, "other:1")
    assert ("manifest.json" in members(path)) == (form == "docker-archive")
    for name in [*NAMES, "other:1"]:
        anyone.inro("rmi", name).ok()
    assert rows(anyone) == {} and os.listdir(store(anyone) / "blobs/sha256") == []
    anyone.inro("load", "-i", path).ok()
    assert rows(anyone) == before


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_same_bytes(root, form):
    made(root)
    first = save(root, "--format", form, "made", "other").read_bytes()
    time.sleep(1.1)
    args = ["save", "--format", form, "made", "other"]
    with open(root.dir / "by-pipe", "wb") as out:
        piped = root.popen(*root.inro_argv(*args), stdout=subprocess.PIPE)
        shutil.copyfileobj(piped.stdout, out)
        assert piped.wait() == 0
    assert (root.dir / "by-pipe").read_bytes() == first
    with open(root.dir / "appended", "ab") as out:  # copy_file_range(2) refuses such a file
        root.inro(*args, stdout=out).ok()
    assert (root.dir / "appended").read_bytes() == first
    dated = save(root, *args[1:], env={"SOURCE_DATE_EPOCH": "86400"})
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        assert {m.mtime for m in archive} == {0}
    with tarfile.open(dated) as archive:
        assert {m.mtime for m in archive} == {86400}
    root.inro(*args, env={"SOURCE_DATE_EPOCH": "-1"}).fails("SOURCE_DATE_EPOCH", code=125)


def test_output_appears_whole_or_not_at_all(anyone):
    made(anyone)
    target = anyone.dir / "here"
    target.write_text("old")
    target.chmod(0o666)
    (anyone.dir / "link").symlink_to("here")
    before = set(os.listdir(anyone.dir))
    layer = max((store(anyone) / "blobs/sha256").iterdir(), key=lambda p: p.stat().st_size)
    data = layer.read_bytes()
    layer.write_bytes(data[:-1])
    anyone.inro("save", "-o", target, "made").fails("blob sha256:" + layer.name)
    anyone.inro("save", "-o", anyone.dir / "new", "made").fails("blob sha256:" + layer.name)
    (anyone.dir / "empty").mkdir()
    anyone.own(anyone.dir / "empty")
    for name in ("dir", "empty"):
        anyone.inro("save", "--format", "oci-dir", "-o", anyone.dir / name,
                    "made").fails(layer.name)
    (anyone.dir / "empty").rmdir()
    layer.unlink()
    anyone.inro("save", "-o", target, "made").fails("blob sha256:" + layer.name)
    assert set(os.listdir(anyone.dir)) == before and target.read_text() == "old"
    layer.write_bytes(data)
    anyone.own(layer)
    anyone.inro("save", "-o", anyone.dir / "link", "made").ok()
    assert set(os.listdir(anyone.dir)) == before and (anyone.dir / "link").is_symlink()
    assert "index.json" in members(target)
    # What is no file is written as it is.
    anyone.inro("save", "-o", "/dev/null", "made").ok()
    assert os.stat("/dev/null").st_rdev == os.makedev(1, 3)


def test_full_disk(root):
    made(root)
    root.inro("save", "-o", "/dev/full", "made").fails("No space left on device")
    with open("/dev/full", "wb") as full:
        root.inro("save", "made", stdout=full).fails("No space left on device")


def test_killed_leaves_nothing(root):
    """The reader of a FIFO stops in the middle; so does a save to a file, which has no name yet."""
    made(root)
    before = set(os.listdir(root.dir))
    os.mkfifo(root.dir / "fifo")
    saving = root.popen(*root.inro_argv("save", "-o", root.dir / "fifo", "made"),
                        stderr=subprocess.PIPE)
    with open(root.dir / "fifo", "rb") as fifo:
        fifo.read(100)
    assert saving.wait(10) != 0
    os.unlink(root.dir / "fifo")
    assert set(os.listdir(root.dir)) == before
    # While an image is saved nothing of it is collected.
    os.mkfifo(root.dir / "fifo")
    saving = root.popen(*root.inro_argv("save", "-o", root.dir / "fifo", "made:1"))
    with open(root.dir / "fifo", "rb") as fifo:
        head = fifo.read(100)
        root.inro("rmi", "-f", *NAMES, "other:1").ok()
        assert len(os.listdir(store(root) / "blobs/sha256")) > 0
        data = head + fifo.read()
    assert saving.wait(10) == 0
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert len(archive.getmembers()) == 9
    assert os.listdir(store(root) / "blobs/sha256") == []


def test_interrupted_directory_goes(root):
    """The signal is pending before the program starts, so it always comes in the middle."""
    made(root)
    block = ("import os, signal, sys\n"
             "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
             "os.kill(os.getpid(), signal.SIGTERM)\nos.execv(sys.argv[1], sys.argv[1:])")
    argv = root.inro_argv("save", "--format", "oci-dir", "-o", root.dir / "out", "made")
    root.run(sys.executable, "-c", block, *argv).fails("saving images", "anceled")
    assert [n for n in os.listdir(root.dir) if "out" in n] == []


def test_refuses_terminals(anyone):
    made(anyone)
    ours, theirs = pty.openpty()
    try:
        anyone.inro("save", "made", stdout=theirs).fails("refusing to save to a terminal", "-o",
                                                         code=125)
    finally:
        os.close(ours)
        os.close(theirs)
    anyone.inro("save", "--format", "oci-dir", "made").fails("name it with -o", code=125)
    anyone.inro("save", "--format", "tgz", "made").fails("docker-archive", code=125)
    anyone.inro("save").fails(code=125)


def test_directories(anyone):
    made(anyone)
    layout, plain = anyone.dir / "layout", anyone.dir / "plain"
    layout.mkdir()
    anyone.own(layout)
    anyone.inro("save", "--format", "oci-dir", "-o", layout, "made", "other").ok()
    anyone.inro("save", "--format", "docker-dir", "-o", plain, "made:1").ok()
    archive = members(save(anyone, "--format", "oci-archive", "made", "other"))
    for name, data in archive.items():
        assert data is None or (layout / name).read_bytes() == data
    manifest = rows(anyone)[anyone.inro("images", "-q", "--no-trunc",
                                        "made:1").out.strip()][0]
    assert sha((plain / "manifest.json").read_bytes()) == manifest
    assert (plain / "version").read_text().startswith("Directory Transport Version: 1.")
    assert all(len(n) == 64 for n in os.listdir(plain) if n not in ("version", "manifest.json"))
    done = anyone.inro("save", "--format", "oci-dir", "-o", layout, "made")
    done.fails("exists and is no empty directory")
    anyone.inro("save", "--format", "docker-dir", "-o", anyone.dir / "x", "made",
                "other").fails("one image")
    assert not (anyone.dir / "x").exists()


READERS = {
    "docker-archive": ["docker-archive:saved.tar:made:1", "docker-archive:saved.tar:@0"],
    "oci-archive": ["oci-archive:saved.tar:2", "oci-archive:saved.tar:1"],
    "oci-dir": ["oci:saved.tar:1"],
    "docker-dir": ["dir:saved.tar"],
}


@pytest.mark.parametrize("form", READERS)
def test_skopeo_reads(root, form):
    if not shutil.which("skopeo"):
        harness.machine_cannot("skopeo is not installed")
    made(root)
    save(root, "--format", form, "made:1" if form == "docker-dir" else "made")
    iid = root.inro("images", "-q", "--no-trunc", "made:1").ok().out.strip()
    manifest = rows(root)[iid][0]
    for source in READERS[form]:
        raw = root.run("skopeo", "inspect", "--raw", source).ok().out
        if not source.startswith("docker-archive"):  # for which it makes one
            assert sha(raw.encode()) == manifest
        conf = root.run("skopeo", "inspect", "--config", "--raw", source).ok().out
        assert sha(conf.encode()) == iid
        shutil.rmtree(root.dir / "copy", ignore_errors=True)
        root.run("skopeo", "--insecure-policy", "copy", "-q", source, "oci:copy:x").ok()
    # The archive of the default form is a layout as well.
    if form == "docker-archive":
        raw = root.run("skopeo", "inspect", "--raw", "oci-archive:saved.tar:2").ok().out
        assert sha(raw.encode()) == manifest


def test_umoci_unpacks(root):
    if not shutil.which("umoci"):
        harness.machine_cannot("umoci is not installed")
    made(root)
    root.inro("save", "--format", "oci-dir", "-o", root.dir / "lay", "made:1").ok()
    root.run("umoci", "unpack", "--image", "lay:1", "bundle").ok()
    assert sorted(look(root.dir / "bundle/rootfs")) == [b".", b"etc", b"etc/name"]
    assert (root.dir / "bundle/rootfs/etc/name").read_text() == "upper"


def test_manifest_of_the_registry_survives(root):
    """A layout's own manifest, with members that inro knows nothing of, goes out as it came."""
    layout = Layout()
    desc = layout.image([BASE], name="made:9")
    doc = json.loads(layout.blobs[desc["digest"]])
    doc["x-unknown"], doc["annotations"] = [1, 2], {"a": "b"}
    text = json.dumps(doc, indent=3).encode()
    load(root, layout.archive(layout.blob(text, "manifest.v1+json",
                                          annotations=desc["annotations"])))
    found = members(save(root, "made:9"))
    assert found["blobs/sha256/" + sha(text)[7:]] == text
