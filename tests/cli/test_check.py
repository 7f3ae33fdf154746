# SPDX-License-Identifier: Apache-2.0
"""inro system check: every kind of damage is found, told of the right image, and made good."""

import json
import os
import shutil
import sqlite3
import tarfile
import time

import pytest

import engine
from layers import docker_archive, entry, hardlink, sha, tar, xattr

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
    assert done.code == code, done
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
    assert check(two, "--repair")["Images"][0]["Removed"]
    assert not tree(two, BASE).exists() and not any(path.exists() for path in blobs)
    load(two, "made:1", BASE, TOP)
    assert not check(two)["Errors"]


def test_a_layer_that_is_gone(two):
    shutil.rmtree(tree(two, TOP).parent)
    report = check(two, "--quick", code=125)
    assert f"layer {sha(TOP)}: is missing" in report["Images"][0]["Problems"]
    assert report["Images"][0]["Names"] == ["docker.io/library/made:1"]
    assert check(two, "-r")["Images"][0]["Removed"]
    assert not check(two)["Errors"]


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
