# SPDX-License-Identifier: Apache-2.0
"""Images by name: import, load, images, rmi."""

import json
import os

import engine


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
    anyone.inro("run", "--rm", "box", "true").fails("No such image: box", code=125)


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
    assert version["Client"]["Os"] == "linux"
    assert not (anyone.state / "inro").exists()  # needs no database
    engine.box(anyone)
    info = json.loads(anyone.inro("info", "--format", "json").ok().out)
    assert info["Images"] == 1 and info["Containers"] == 0
    assert info["Rootless"] == anyone.rootless
    assert "Images: 1" in anyone.inro("info").ok().out
