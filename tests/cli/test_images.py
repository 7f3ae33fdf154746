# SPDX-License-Identifier: Apache-2.0
"""Images by name: import, load, images, rmi."""

import json
import os
import sqlite3
import subprocess
import time

import engine
import harness
import layers


def test_import_and_list(anyone):
    r = anyone.inro("import", "-c", "ENV A=b", engine.rootfs_tar(anyone), "box:v1").ok()
    assert r.out.startswith("sha256:") and len(r.out.strip()) == 71
    image_id = r.out.strip()[7:]
    lines = anyone.inro("images").ok().out.splitlines()
    assert lines[0].split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert lines[1].split()[:3] == ["box", "v1", image_id[:12]]
    assert anyone.inro("images", "-q").ok().out == image_id[:12] + "\n"
    assert anyone.inro("images", "-q", "--no-trunc").ok().out == f"sha256:{image_id}\n"
    digests = anyone.inro("images", "--digests").ok().out.splitlines()
    assert "DIGEST" in digests[0] and " sha256:" in digests[1]
    row = json.loads(anyone.inro("images", "--format", "json").ok().out)
    assert (row["Repository"], row["Tag"], row["ID"]) == ("box", "v1", image_id[:12])
    for word in ("box:v1", image_id, image_id[:6], "docker.io/library/box:v1"):
        assert anyone.inro("run", "--rm", word, "sh", "-c", "echo $A").ok().out == "b\n"
    anyone.inro("run", "--rm", "--pull", "never", "box", "true").fails("No such image: box",
                                                                        code=125)


def test_import_from_stdin(anyone):
    with open(engine.rootfs_tar(anyone), "rb") as tar:
        anyone.inro("import", "-", "box", stdin=tar).ok()
    anyone.inro("run", "--rm", "box", "true").ok()


def test_images_filter(anyone):
    engine.box(anyone, "one:a", "ENV X=1")
    engine.box(anyone, "one:b", "ENV X=2")
    engine.box(anyone, "two:a", "ENV X=3")
    assert len(anyone.inro("images").ok().out.splitlines()) == 4
    assert len(anyone.inro("images", "one").ok().out.splitlines()) == 3
    assert len(anyone.inro("images", "one:b").ok().out.splitlines()) == 2
    assert len(anyone.inro("images", "three").ok().out.splitlines()) == 1


def test_refused(anyone):
    tar = engine.rootfs_tar(anyone)
    anyone.inro("import", "/no/such/file").fails("/no/such/file", code=125)
    anyone.inro("import", tar, "Not/A:Good:Name").fails(code=125)
    anyone.inro("import", "-c", "RUN true", tar).fails("RUN true", code=125)
    junk = anyone.dir / "junk"
    junk.write_text("this is no archive\n" * 100)
    anyone.inro("load", "-i", junk).fails("inro: ", code=125)
    anyone.inro("load", "-i", "/no/such/file").fails("/no/such/file", code=125)
    anyone.inro("rmi", "no-such-image").fails("No such image: no-such-image", code=1)
    assert anyone.inro("images", "-q").ok().out == ""


def test_rmi(anyone):
    engine.box(anyone)
    image_id = anyone.inro("images", "-q", "--no-trunc").ok().out.strip()
    r = anyone.inro("rmi", "box").ok()
    assert r.out.splitlines()[0] == "Untagged: box:latest"
    assert f"Deleted: {image_id}" in r.out
    assert anyone.inro("images", "-q").ok().out == ""
    state = anyone.state / "inro"
    assert os.listdir(state / "layers") == [] and os.listdir(state / "blobs/sha256") == []


def test_rmi_of_an_image_in_use(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "--name", "web", box, "true").ok()
    anyone.inro("rmi", box).fails("must force", "is using its referenced image", code=1)
    assert anyone.inro("rmi", "-f", box).ok().out == "Untagged: box:latest\n"
    # its layers stay for the container
    assert len(os.listdir(anyone.state / "inro/layers")) == 1
    anyone.inro("rm", "web").ok()


def test_name_moves_to_the_newer_image(anyone):
    engine.box(anyone, "box", "ENV X=1")
    engine.box(anyone, "box", "ENV X=2")
    assert anyone.inro("run", "--rm", "box", "sh", "-c", "echo $X").ok().out == "2\n"
    rows = anyone.inro("images").ok().out.splitlines()[1:]
    assert sorted(row.split()[0] for row in rows) == ["<none>", "box"]


def test_version_and_info(anyone):
    assert "Version:" in anyone.inro("version").ok().out
    version = json.loads(anyone.inro("version", "--format", "json").ok().out)
    assert version["Client"]["Os"] == "linux" and version["Server"] == version["Client"]
    assert not (anyone.state / "inro").exists()  # needs no database
    engine.box(anyone)
    info = json.loads(anyone.inro("info", "--format", "json").ok().out)
    assert info["Images"] == 1 and info["Containers"] == 0
    assert info["Rootless"] == anyone.rootless
    assert "Images: 1" in anyone.inro("info").ok().out


def as_before(who):
    """The database as the first version of the schema had it."""
    db = sqlite3.connect(who.state / "inro/inro.db")
    db.executescript("""DROP TABLE content; DROP TABLE image_digests; DROP TABLE events;
        DROP TRIGGER containers_volume_uses; DROP TABLE volume_uses; DROP TABLE volumes;
        DROP TRIGGER containers_networks; DROP TRIGGER pods_networks; DROP TRIGGER containers_replicas;
        DROP TABLE services; DROP TABLE replicas; DROP TABLE networks;
        DROP TABLE endpoints; DROP TABLE leases; DROP TABLE ports;
        DROP TABLE id_blocks; DROP TABLE secrets;
        ALTER TABLE images DROP COLUMN kind; ALTER TABLE images DROP COLUMN variant;
        ALTER TABLE images DROP COLUMN tagged_ns; ALTER TABLE images DROP COLUMN last_used_ns;
        ALTER TABLE images DROP COLUMN made; ALTER TABLE image_names DROP COLUMN manifest;
        ALTER TABLE containers DROP COLUMN started_ns; ALTER TABLE containers DROP COLUMN restarts;
        ALTER TABLE containers DROP COLUMN options; ALTER TABLE containers DROP COLUMN stopped;
        ALTER TABLE containers DROP COLUMN oom_killed; ALTER TABLE containers DROP COLUMN asked;
        DROP INDEX containers_pod; ALTER TABLE containers DROP COLUMN pod; DROP TABLE pods;
        PRAGMA user_version=1;""")
    db.close()


def blob(who, digest):
    return who.state / "inro/blobs/sha256" / digest[7:]


def test_images_of_an_older_database_stay(anyone):
    engine.box(anyone, "one", "ENV X=1")
    engine.box(anyone, "two", "ENV X=2")
    before = set(os.listdir(anyone.state / "inro/blobs/sha256"))
    as_before(anyone)
    anyone.inro("rmi", "two").ok()
    assert anyone.inro("run", "--rm", "one", "sh", "-c", "echo $X").ok().out == "1\n"
    gone = before - set(os.listdir(anyone.state / "inro/blobs/sha256"))
    assert len(gone) == 2  # manifest and config; the layer is shared
    anyone.inro("rmi", "one").ok()
    assert os.listdir(anyone.state / "inro/blobs/sha256") == []


def test_a_corrupt_manifest_does_not_stop_collecting(anyone):
    for old in (False, True):
        engine.box(anyone, "one", "ENV X=1")
        image_id = engine.box(anyone, "two", "ENV X=2")
        image_id = anyone.inro("images", "-q", "--no-trunc", "two").ok().out.strip()
        if old:
            as_before(anyone)
        row = anyone.inro("images", "--digests", "--no-trunc", "one").ok().out.splitlines()[1]
        blob(anyone, row.split()[2]).write_text("{}")
        anyone.inro("rmi", "two").ok()
        assert not blob(anyone, image_id).exists()
        # what does not need the manifest goes on working
        assert anyone.inro("run", "--rm", "one", "sh", "-c", "echo $X").ok().out == "1\n"
        anyone.inro("rmi", "one").ok()
        assert os.listdir(anyone.state / "inro/blobs/sha256") == []
        assert os.listdir(anyone.state / "inro/layers") == []


def test_rmi_does_not_wait_for_a_load(anyone):
    """What it leaves, the load collects at its end."""
    engine.box(anyone)
    image_id = anyone.inro("images", "-q", "--no-trunc").ok().out.strip()
    load = anyone.popen(*anyone.inro_argv("load"), stdin=subprocess.PIPE)
    archive = layers.docker_archive([layers.tar(layers.entry("a", "b"))])
    load.stdin.write(archive[:600])
    load.stdin.flush()
    harness.wait_for(lambda: os.listdir(anyone.state / "inro/staging"))
    anyone.inro("rmi", "box", timeout=10).ok()
    assert anyone.inro("images", "-q").ok().out == ""
    assert blob(anyone, image_id).exists()
    load.stdin.write(archive[600:])
    load.stdin.close()
    assert load.wait(timeout=30) == 0
    assert not blob(anyone, image_id).exists()
    assert len(os.listdir(anyone.state / "inro/layers")) == 1
    anyone.inro("rmi", "example.com/made:1").ok()


def test_use_of_an_image_is_noted_once_an_hour(anyone):
    engine.box(anyone)
    path = anyone.state / "inro/inro.db"

    def used(new):
        db = sqlite3.connect(path)
        db.execute("UPDATE images SET last_used_ns = ?", (new,))
        db.commit()
        db.close()
        anyone.inro("run", "--rm", "box", "true").ok()
        db = sqlite3.connect(path)
        row = db.execute("SELECT last_used_ns FROM images").fetchone()
        db.close()
        return row[0]

    now = time.time_ns()
    assert used(0) >= now
    assert used(now - 60 * 10**9) == now - 60 * 10**9
