# SPDX-License-Identifier: Apache-2.0
"""inro system check: every kind of damage is found, told of the right image, and made good."""

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import tarfile
import time

import pytest

import engine
from layers import Layout, config, docker_archive, entry, hardlink, sha, tar, xattr

TURNS = True  # see conftest.py

BASE = tar(entry("etc/"), entry("etc/base", "base"), entry("bin/"), entry("bin/tool", "x" * 5000, mode=0o755),
           entry("link", link="etc/base"), hardlink("etc/same", "etc/base"))
TOP = tar(entry("etc/.wh.base"), entry("opt/deep/er/file", "deep"), entry("other/"),
          entry("other/.wh..wh..opq"), xattr("other/x", "data", user__key="value"))
ALONE = tar(entry("alone", "a"))


def store(who):
    return who.state / "inro"


def database(who, *statements):
    db = sqlite3.connect(store(who) / "inro.db")
    rows = [db.execute(text).fetchall() for text in statements]
    db.commit()
    db.close()
    return rows[0]


def load(who, name, *members):
    who.inro("load", input=docker_archive(list(members), tags=[name], compress="gzip")).ok()


def check(who, *options, code=0):
    done = who.inro("system", "check", "--format", "json", *options)
    assert done.code == code, done.out + done.err
    return json.loads(done.out)


def tree(who, layer):
    return store(who) / "layers" / sha(layer)[7:] / "fs"


def own(who, path):
    os.chown(path, who.uid, who.gid, follow_symlinks=False)


@pytest.fixture
def two(anyone):
    """Images made:1 of two layers and alone:1."""
    load(anyone, "made:1", BASE, TOP)
    load(anyone, "alone:1", ALONE)
    return anyone


def blobs_of(who, name):
    image = database(who, f"SELECT image FROM image_names WHERE name LIKE '%/{name}'")[0][0]
    rows = database(who, f"SELECT digest FROM content WHERE kind = 'blob' AND image = '{image}'")
    return image, [store(who) / "blobs/sha256" / digest[7:] for digest, in rows]


def test_nothing_is_wrong(two):
    engine.box(two)
    two.inro("run", "--name", "made", "box", "sh", "-c", "echo x >/file").ok()
    two.inro("commit", "made", "again:1").ok()
    report = check(two)
    assert not report["Errors"] and report["Images"] == report["Leftovers"] == []
    assert (report["CheckedImages"], report["CheckedLayers"], report["CheckedContainers"]) == (4, 5, 1)
    out = two.inro("system", "check").ok().out
    assert out.startswith("Checked 4 images, ") and out.endswith("1 containers: no damage\n")
    assert two.inro("system", "check", "--quick", "--repair").ok().out.endswith("no damage\n")


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_damaged_blobs(two):
    """Each blob of an image, flipped and missing; the other image is not blamed."""
    image, blobs = blobs_of(two, "made:1")
    assert len(blobs) == 4
    for path in blobs:
        whole = path.read_bytes()
        flip(path)
        assert not check(two, "--quick")["Errors"]
        report = check(two, code=125)
        assert [x["Id"] for x in report["Images"]] == [image]
        assert any(f"blob sha256:{path.name}: has other content" in p
                   for p in report["Images"][0]["Problems"])
        path.unlink()
        for options in ([], ["--quick"]):
            report = check(two, *options, code=125)
            assert f"blob sha256:{path.name}: is missing" in report["Images"][0]["Problems"]
        path.write_bytes(whole)
        own(two, path)
    assert not check(two)["Errors"]
    flip(blobs[0])
    done = two.inro("system", "check")
    done.fails("damage detected in local storage", code=125)
    assert f"Damaged image {image} (made:1):\n\tblob " in done.out and "inro pull" in done.out
    out = two.inro("system", "check", "--repair").ok().out
    assert f"Deleted damaged image: {image}\n" in out
    assert "alone" in two.inro("images").ok().out and "made" not in two.inro("images").ok().out
    assert not any(path.exists() for path in blobs)
    assert not check(two)["Errors"]


def chmod(path):
    path.chmod(0o600)


def touch(path):
    os.utime(path, (1, 1))


def replace(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name, harm, word", [
    ("bin/tool", flip, "/bin/tool has other content"),
    ("bin/tool", chmod, "/bin/tool has other attributes"),
    ("bin/tool", touch, "/bin/tool has another time"),
    ("bin/tool", os.unlink, "/bin/tool is missing"),
    ("link", replace, "/link is of another type"),
    ("etc", shutil.rmtree, "/etc is missing"),
    ("new", lambda path: path.write_text("x"), "/new is not part of it"),
])
def test_damaged_layers(two, name, harm, word):
    image, blobs = blobs_of(two, "made:1")
    path = tree(two, BASE) / name
    was = path.lstat() if path.is_symlink() or path.exists() else None
    parent = path.parent.stat()
    harm(path)
    if path.exists():
        own(two, path)
    if was and harm in (flip, chmod):
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    os.utime(path.parent, ns=(parent.st_atime_ns, parent.st_mtime_ns))
    assert not check(two, "--quick")["Errors"]
    report = check(two, code=125)
    assert [x["Id"] for x in report["Images"]] == [image]
    problem, = report["Images"][0]["Problems"]
    assert problem.startswith(f"layer {sha(BASE)}: ") and word in problem
    # Its blob is whole: nobody need get it again.
    found, = check(two, "--repair")["Images"]
    assert not found["Removed"] and found["Problems"] == [problem + ": unpacked again"]
    assert all(path.exists() for path in blobs) and (tree(two, BASE) / "bin/tool").read_text() == "x" * 5000
    report = check(two)
    assert not report["Errors"] and report["Leftovers"] == []


@pytest.mark.parametrize("part", ["", "fs", "info.json"])
def test_a_layer_that_is_gone(two, part):
    """It is made again of its blob, even when nothing says any more which one that is."""
    path = tree(two, TOP).parent / part
    path.unlink() if part == "info.json" else shutil.rmtree(path)
    report = check(two, "--quick", code=125)
    assert re.match(f"layer {sha(TOP)}: (is missing|has no description)", report["Images"][0]["Problems"][0])
    assert report["Images"][0]["Names"] == ["docker.io/library/made:1"]
    found, = check(two, "-r")["Images"]
    assert not found["Removed"] and found["Problems"][0].endswith(": unpacked again")
    assert not check(two)["Errors"]


@pytest.mark.parametrize("part", ["layer", "fs", "blob"])
def test_something_else_in_its_place(two, part):
    """Whoever brings an image puts right what only has the name."""
    image, blobs = blobs_of(two, "made:1")
    path = {"layer": tree(two, TOP).parent, "fs": tree(two, TOP), "blob": blobs[0]}[part]
    if part == "blob":
        path.unlink()
        path.mkdir()
    else:
        shutil.rmtree(path)
        path.write_text("x")
    own(two, path)
    assert [x["Id"] for x in check(two, "--quick", code=125)["Images"]] == [image]
    load(two, "made:1", BASE, TOP)
    assert not check(two)["Errors"]


def test_fifo_as_a_blob(two):
    """Nobody waits for somebody to write to it."""
    image, blobs = blobs_of(two, "made:1")
    for path in blobs:
        path.unlink()
        os.mkfifo(path)
        own(two, path)
    for options in ([], ["--quick"]):
        report = check(two, *options, code=125)
        assert f"blob sha256:{blobs[0].name}: is not a file" in report["Images"][0]["Problems"]
    for args in (["save", "made:1"], ["history", "made:1"]):
        two.inro(*args).fails("is not a file", code=125)
    load(two, "made:1", BASE, TOP)
    assert not check(two)["Errors"]


def test_what_is_not_ours_is_collected(two):
    """A directory where blobs are keeps nobody from collecting, and its name steers no terminal."""
    stray = store(two) / "blobs/sha256/\x1b[31mred"
    stray.mkdir()
    (stray / "in").write_text("x")
    own(two, stray / "in")
    own(two, stray)
    out = two.inro("system", "check").ok().out
    assert "Leftover blobs/sha256/?[31mred" in out and "\x1b" not in out
    two.inro("image", "prune", "-f").ok()
    assert not stray.exists()


def test_another_blob_of_the_layer(two):
    """A layer is compared with what any of its blobs gives: the first may have gone with its image."""
    conf = config([BASE], author="another")
    two.inro("load", input=docker_archive([BASE], tags=["other:1"], conf=conf, compress="zstd")).ok()
    two.inro("rmi", "made:1").ok()
    assert not check(two)["Errors"]
    path = tree(two, BASE) / "bin/tool"
    was = path.stat()
    flip(path)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    report = check(two, code=125)
    assert "/bin/tool has other content" in report["Images"][0]["Problems"][0]
    assert not check(two, "-r")["Images"][0]["Removed"]
    assert not check(two)["Errors"]


OPAQUE = tar(entry(".wh..wh..opq"), entry("only", "x"))


def test_what_is_noted_beside_a_layer(anyone):
    """How a layer is shown depends on it: marks that have gone, and others that have come."""
    load(anyone, "marks:1", BASE, TOP, OPAQUE)
    for gone, come in (([(OPAQUE, "opaque"), (TOP, "implied.json")], [(BASE, "implied.json")]),
                       ([(OPAQUE, "noroot")], [(TOP, "opaque")])):
        for layer, mark in gone:
            (tree(anyone, layer).parent / mark).unlink()
        for layer, mark in come:
            path = tree(anyone, layer).parent / mark
            assert not path.exists()
            path.write_text('{"implied":["etc"]}')
            own(anyone, path)
        found, = check(anyone, "-r")["Images"]
        problems = "\n".join(found["Problems"])
        for layer, _ in gone + come:
            assert f"layer {sha(layer)}: has a wrong " in problems
        assert not found["Removed"] and problems.count(": unpacked again") == len(gone + come)
        assert all((tree(anyone, layer).parent / mark).exists() for layer, mark in gone)
        assert not any((tree(anyone, layer).parent / mark).exists() for layer, mark in come)
    assert not check(anyone)["Errors"]


def test_directories_that_a_layer_does_not_name(anyone):
    """What they look like comes from other layers: it must be there, and right. Alone, it is as made up."""
    load(anyone, "shims:1", tar(entry("opt/", mode=0o700, uid=5), entry("opt/deep/", mode=0o711)), TOP)
    shims = tree(anyone, TOP).parent / "shims"
    look = lambda: [(p.stat().st_mode, p.stat().st_uid) for p in sorted(shims.rglob("opt"))]
    was = look()
    assert len(was) == 1 and not check(anyone)["Errors"]
    # One that is for no image's stack of layers is in nobody's way.
    stale = next(shims.iterdir()).with_name("ab" * 32)
    stale.mkdir()
    own(anyone, stale)
    left, = check(anyone, "--quick")["Leftovers"]
    assert left["Path"] == str(stale.relative_to(store(anyone))) and stale.exists()
    assert check(anyone, "--quick", "--repair")["Leftovers"][0]["Removed"] and not stale.exists()
    for harm in (shutil.rmtree, lambda path: next(path.rglob("opt")).chmod(0o755)):
        harm(shims)
        report = check(anyone, code=125)
        assert f"the attributes of directories above layer {sha(TOP)}" in report["Images"][0]["Problems"][0]
        found, = check(anyone, "--repair")["Images"]
        assert found["Problems"][0].endswith(": made again") and not found["Removed"]
        assert look() == was and not check(anyone)["Errors"]
    # Whoever shows the image makes what is missing.
    shutil.rmtree(shims)
    script = "stat -c '%a %u' $($inro image mount shims:1)/opt"
    env = {"inro": shlex.join(map(str, anyone.inro_argv()))}
    assert anyone.run(*anyone.inro_argv("unshare", "sh", "-ec", script), env=env).ok().out == "700 5\n"
    assert look() == was
    path = tree(anyone, TOP) / "opt/deep/er"
    os.utime(path, (1, 1))
    report = check(anyone)
    assert not report["Errors"], report
    path.chmod(0o700)
    assert "/opt/deep/er has other attributes" in check(anyone, code=125)["Images"][0]["Problems"][0]
    check(anyone, "-r")
    assert not check(anyone)["Errors"]


def test_deep_trees(root):
    """However deep: more levels than a process has files."""
    deep = "/".join(["d"] * 260)
    layer = tar(*[entry(deep[:2 * n - 1] + "/") for n in range(1, 260)], entry(deep + "/"), entry(deep + "/f", "x"))
    load(root, "deep:1", layer)
    (tree(root, layer) / deep / "f").chmod(0o600)
    assert "/f has other attributes" in check(root, code=125)["Images"][0]["Problems"][0]
    check(root, "-r")


def test_no_room_to_check(root):
    """What can't be looked at is not called damaged, and nothing goes for that."""
    load(root, "made:1", BASE, TOP)
    place = store(root) / "staging"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", place], check=True)
    try:
        for options in ([], ["--repair"]):
            done = root.inro("system", "check", *options)
            done.fails("not all of the local storage could be checked", code=125)
            assert "Unchecked image" in done.out and "can't be checked: " in done.out
            assert "Damaged" not in done.out and done.out.endswith(" containers: not all could be checked\n")
    finally:
        subprocess.run(["umount", place], check=True)
    assert not check(root)["Errors"] and "made" in root.inro("images").ok().out


@contextlib.contextmanager
def readonly(who):
    """The store on a file system that takes no changes, as after an error of the disk."""
    place = store(who)
    subprocess.run(["mount", "--bind", place, place], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def test_on_a_read_only_file_system(two):
    """What can be looked at is, and the rest is named."""
    with readonly(two):
        report = check(two, code=125)
        assert "read-only" in report["Unchecked"][0] and not report["Images"] and not report["Leftovers"]
        assert report["CheckedBlobs"] and report["CheckedLayers"]
        done = two.inro("system", "check")
        done.fails("not all of the local storage could be checked", code=125)
        assert "Not checked:" in done.out and done.out.endswith(": not all could be checked\n")
        assert "--repair" not in done.out
        assert not check(two, "--quick")["Unchecked"]  # that all was done
        two.inro("system", "check", "--repair").fails("repairing", "Read-only file system", code=125)
    flip(blobs_of(two, "made:1")[1][0])
    with readonly(two):
        report = check(two, code=125)
        assert "has other content" in report["Images"][0]["Problems"][0]
        two.inro("system", "check").fails("damage detected", code=125)
    assert check(two, "--repair")["Unchecked"] == []


def test_what_was_not_on_the_disk(two):
    marks = store(two) / "unsynced"
    marks.mkdir(exist_ok=True)
    for name in (f"layer-{sha(TOP)[7:]}", f"layer-{'ab' * 32}"):
        os.symlink("another-boot", marks / name)
        own(two, marks / name)
    own(two, marks)
    report = check(two, "--quick", code=125)
    assert "when the machine went down" in report["Images"][0]["Problems"][0]
    assert [x["Path"] for x in report["Leftovers"]] == [f"unsynced/layer-{'ab' * 32}"]
    check(two, "--repair")
    assert not check(two)["Errors"] and check(two)["Leftovers"] == []


def test_leftovers(two):
    """What nobody needs is no damage. It goes with --repair."""
    paths = {}
    for name, old in (("blobs/sha256/" + "ab" * 32, 0), ("partial/" + "cd" * 32, 1),
                      ("partial/" + "ef" * 32, 0), ("layers/" + "12" * 32 + "/fs/file", 0),
                      ("containers/" + "34" * 32 + "/upper/file", 1)):
        path = store(two) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        for part in (path, *list(path.parents)[:3]):
            own(two, part)
        top = store(two) / "/".join(name.split("/")[:3 if name.startswith("blobs") else 2])
        if old:
            os.utime(top, (time.time() - 100000,) * 2)
        paths[str(top.relative_to(store(two)))] = top
    young = "partial/" + "ef" * 32
    report = check(two)
    assert not report["Errors"]
    assert {x["Path"] for x in report["Leftovers"]} == set(paths) - {young}
    assert all(path.exists() for path in paths.values())
    report = check(two, "--repair")
    assert all(x["Removed"] for x in report["Leftovers"])
    assert [p for p in paths if paths[p].exists()] == [young]
    assert [x["Path"] for x in check(two, "--max", "0s")["Leftovers"]] == [young]
    assert check(two)["Leftovers"] == []
    two.inro("system", "check", "--max", "soon").fails("expected a duration", code=125)


def test_rows(two):
    image, _ = blobs_of(two, "made:1")
    database(two, "PRAGMA foreign_keys = OFF",
             "INSERT INTO image_names (name, image) VALUES ('docker.io/library/no:1', 'sha256:00')")
    database(two, f"DELETE FROM content WHERE kind = 'layer' AND image = '{image}'")
    report = check(two, code=125)
    assert report["Database"] == ["1 rows of image_names are of images that are not there",
                                  f"image {image}: its layer {sha(BASE)} is not counted as needed"]
    report = check(two, "--repair")
    assert len(report["Database"]) == 2 and report["Images"] == []
    assert not check(two)["Errors"]
    two.inro("image", "prune", "-f").ok()
    assert tree(two, BASE).exists()


def test_every_manifest_counts(anyone):
    """One config with two manifests: names lead to both."""
    for name, how in (("one:1", "gzip"), ("two:1", "zstd")):
        layout = Layout()
        anyone.inro("load", input=layout.archive(layout.image([BASE, TOP], how, name=name))).ok()
    image, blobs = blobs_of(anyone, "one:1")
    other, = database(anyone, "SELECT manifest FROM image_names WHERE name LIKE '%/two:1'")[0]
    assert len(blobs) == 7 and blobs_of(anyone, "two:1")[0] == image
    layers = [d["digest"] for d in json.loads((store(anyone) / "blobs/sha256" / other[7:]).read_text())["layers"]]
    for gone in ([other], layers[:1], [other, *layers]):
        words = ", ".join(f"'{digest}'" for digest in gone)
        database(anyone, f"DELETE FROM content WHERE digest IN ({words})")
        problem, = check(anyone, "--quick", code=125)["Database"]
        assert problem.startswith(f"image {image}: its blob ") and problem.endswith("is not counted as needed")
        assert check(anyone, "--quick", "-r")["Database"] == [problem + ": counted again"]
        anyone.inro("image", "prune", "-f").ok()
        assert not check(anyone)["Errors"] and all(path.exists() for path in blobs)
    database(anyone, f"UPDATE images SET layers = '{sha(BASE)}'")
    assert "its layers are not those" in check(anyone, "--quick", code=125)["Images"][0]["Problems"][0]


def test_rows_with_nonsense(two):
    """Neither collecting nor checking trips over it."""
    image, _ = blobs_of(two, "made:1")
    database(two, f"INSERT INTO content VALUES ('{image}', 'blob', 'nonsense', 1)",
             f"INSERT INTO content VALUES ('{image}', 'layer', 'sha512:' || hex(zeroblob(64)), 1)",
             "INSERT INTO images (id, manifest, created_ns, size, layers) VALUES ('odd', 'x', 0, 0, 'y,z')")
    two.inro("image", "prune", "-f").ok()
    report = check(two, "--quick", code=125)
    assert "blob nonsense: is no sha256 digest" in str(report["Images"])
    assert report["Database"] == ["image odd: its row names no digests"]
    assert tree(two, BASE).exists()


def test_container_without_a_record(two):
    """A database of yesterday: what runs today keeps its files."""
    engine.box(two)
    client = engine.start(two, "--name", "runs", "box", "sh", "-c", "echo ready; sleep 1000")
    rows = database(two, "SELECT * FROM containers")
    db = sqlite3.connect(store(two) / "inro.db")
    database(two, "DELETE FROM containers")
    path = store(two) / "containers" / rows[0][0]
    os.utime(path, (1, 1))
    database(two, "DELETE FROM image_names WHERE name LIKE '%/box:%'")
    database(two, f"DELETE FROM content WHERE image = '{rows[0][2]}'")
    database(two, f"DELETE FROM images WHERE id = '{rows[0][2]}'")
    done = two.inro("system", "check", "--repair")
    done.fails("still present", code=125)
    assert f"container {rows[0][0]} runs and is not there: nothing is removed" in done.out
    assert len(os.listdir(store(two) / "layers")) == 4
    db.execute(f"INSERT INTO containers VALUES ({', '.join('?' * len(rows[0]))})", rows[0])
    db.commit()
    db.close()
    two.inro("rm", "-f", "runs").ok()
    client.wait(10)
    check(two, "--repair")
    assert len(os.listdir(store(two) / "layers")) == 3


def test_damaged_layers_in_use(two):
    """What can be made good another time stays."""
    engine.box(two)
    path = two.state / "inro/layers"
    layer, = [p for p in path.iterdir() if (p / "fs/bin/busybox").exists()]
    (layer / "fs/new").write_text("x")
    with open(store(two) / "lock") as lock:  # somebody else adds an image
        fcntl.flock(lock, fcntl.LOCK_SH)
        done = two.inro("system", "check", "--repair")
        done.fails("still present", code=125)
        assert "/new is not part of it" in done.out and "the store is in use" in done.out
        assert "Deleted" not in done.out
    client = engine.start(two, "--name", "runs", "box", "sh", "-c", "echo ready; sleep 1000")
    done = two.inro("system", "check", "--repair")
    done.fails("still present", code=125)
    assert "a container runs on it" in done.out and "Deleted" not in done.out
    two.inro("rm", "-f", "runs").ok()
    client.wait(10)
    assert "unpacked again" in two.inro("system", "check", "--repair").ok().out
    assert not (layer / "fs/new").exists() and (layer / "fs/bin/busybox").exists()


def test_whole_ids_before_names(two):
    """Nobody gets another image or container in the way by naming one like it."""
    image, _ = blobs_of(two, "made:1")
    two.inro("tag", "alone:1", image).ok()
    assert json.loads(two.inro("inspect", image).ok().out)[0]["Id"] == image
    engine.box(two)
    two.inro("run", "--name", "first", "box", "true").ok()
    first, = engine.containers(two)
    two.inro("run", "--name", first, "box", "true").ok()
    two.inro("rm", first).ok()
    assert two.inro("ps", "-a", "--format", "{{.Names}}").out == first + "\n"


def test_broken_database(two):
    two.inro("system", "df").ok()
    path = store(two) / "inro.db"
    database(two, "PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    page = 4096
    for at in range(page, len(data), page):  # all but the schema
        data[at:at + 100] = b"\xff" * 100
    path.write_bytes(data)
    done = two.inro("system", "check")
    assert done.code == 125 and ("malformed" in done.err or "Damaged database" in done.out), done
    assert len(os.listdir(store(two) / "layers")) == 3  # nobody has acted on it


def test_containers(two):
    engine.box(two)
    for name in ("one", "two"):
        two.inro("run", "--name", name, "box", "true").ok()
    one, other = (two.inro("ps", "-aq", "--no-trunc", "--filter", f"name={n}").out.strip()
                  for n in ("one", "two"))
    (store(two) / "containers" / one / "config.json").unlink()
    report = check(two, "--quick", code=125)
    assert [(x["Id"], x["Names"], x["Problems"]) for x in report["Containers"]] == \
        [(one, ["one"], ["its config.json is missing"])]
    check(two, "--quick", "--repair", code=125)
    report = check(two, "--quick", "--force")
    assert report["Containers"][0]["Removed"]
    assert two.inro("ps", "-aq", "--no-trunc").out.split() == [other]


def test_images_that_containers_have_stay(two):
    engine.box(two)
    two.inro("run", "--name", "keeps", "box", "true").ok()
    image, blobs = blobs_of(two, "box:latest")
    blobs[0].unlink()
    done = two.inro("system", "check", "--repair")
    done.fails("still present after repair attempt", "--force", code=125)
    assert "containers use it" in done.out and "box" in two.inro("images").ok().out
    done = two.inro("system", "check", "--force").ok()
    assert f"Deleted damaged image: {image}" in done.out
    assert two.inro("ps", "-aq").out == "" and "box" not in two.inro("images").ok().out
    assert not check(two)["Errors"]


def test_odd_layers_are_whole(anyone):
    """Everything that a layer can hold compares equal to itself; lists and implied directories, too."""
    odd = tar(entry("dev", kind=tarfile.DIRTYPE, mode=0o700), entry("dev/null", kind=tarfile.CHRTYPE),
              entry("fifo", kind=tarfile.FIFOTYPE, mode=0o620), entry("set", "x", mode=0o4755, uid=7, gid=8),
              xattr("cap", "x", security__capability=bytes.fromhex(
                  "0100000200040000000000000000000000000000").decode("latin-1")),
              entry("un/named/dir/file", "x"), entry("time", "x", pax_headers={"mtime": "1600000000.123456789"}),
              entry("d" * 100 + "/" + "e" * 100, "long"), entry("closed/", mode=0), entry("closed/in", "x"),
              entry("open/", mode=0o1777), *[entry("/".join(["deep"] * n) + "/") for n in range(1, 60)])
    load(anyone, "odd:1", BASE, odd)
    load(anyone, "odd:2", odd, BASE)
    anyone.inro("manifest", "create", "list:1", "odd:1").ok()
    report = check(anyone)
    assert not report["Errors"] and report["Leftovers"] == [], report
