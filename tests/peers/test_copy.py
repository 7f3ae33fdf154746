# SPDX-License-Identifier: Apache-2.0
"""Copies of images, read and written by skopeo, podman, buildah, docker and umoci."""

import json
import subprocess

import pytest

import layers
import registries as registries_module
from registries import digest

PLAIN = [layers.tar(layers.entry("etc/"), layers.entry("etc/one", "1" * 5000)),
         layers.tar(layers.entry("etc/"), layers.entry("etc/two", "2"))]
FILES = {"oci": "oci:{}/x.oci:1", "oci-archive": "oci-archive:{}/x.tar:1",
         "docker-archive": "docker-archive:{}/x.dtar:inro.test/app:1", "dir": "dir:{}/x.dir"}


@pytest.fixture
def image(root):
    """In the store, with compressed layers; its manifest's digest."""
    layout = layers.Layout()
    desc = layout.image(PLAIN, compress="gzip", name="inro.test/app:1")
    (root.dir / "image.tar").write_bytes(layout.archive(desc))
    root.inro("load", "-q", "-i", root.dir / "image.tar").ok()
    return desc["digest"]


@pytest.fixture
def registry(root):
    registries = registries_module.Registries(root.dir / "registries")
    yield registries.start()
    registries.stop()


def diff_ids(config):
    return config["rootfs"]["diff_ids"]


@pytest.mark.parametrize("kind", FILES)
def test_podman_pulls_what_was_pushed(podman, root, image, kind):
    place = FILES[kind].format(root.dir)
    root.inro("push", "inro.test/app:1", place).ok()
    # a layout's image is called by its path, which may have no capitals: from where it is, then
    iid = podman("pull", "-q", FILES[kind].replace("{}/", ""), cwd=root.dir).ok().out.strip()
    found = json.loads(podman("image", "inspect", iid).ok().out)[0]
    assert found["RootFS"]["Layers"] == [digest(x) for x in PLAIN]
    podman("rmi", "-f", iid).ok()


@pytest.mark.parametrize("kind", FILES)
def test_inro_pulls_what_podman_pushed(podman, root, scratch, kind):
    place = FILES[kind].format(root.dir)
    podman("push", "box", place).ok()
    theirs = json.loads(podman("image", "inspect", "box").ok().out)[0]
    shown = root.inro("pull", "-q", place).ok().out.strip()
    ours = json.loads(root.inro("image", "inspect", shown).ok().out)[0]
    assert ours["RootFS"]["Layers"] == theirs["RootFS"]["Layers"]
    assert root.inro("run", "--rm", "--network", "none", shown, "echo", "up").ok().out == "up\n"


def test_same_names_and_digests_as_skopeo(root, image, registry):
    """skopeo copy and inro image copy, from each kind to each: the same manifests arrive."""
    for name in ("ours", "theirs"):
        (root.dir / name).mkdir()
    start = f"docker://{registry.host}/app:1"
    root.inro("push", "-q", "inro.test/app:1", start).ok()
    for kind in ("oci", "oci-archive", "dir"):
        ours, theirs = (FILES[kind].format(root.dir / name) for name in ("ours", "theirs"))
        root.inro("image", "copy", start, ours).ok()
        root.run("skopeo", "copy", "--src-tls-verify=false", start, theirs).ok()
        raw = [root.run("skopeo", "inspect", "--raw", x).ok().out for x in (ours, theirs)]
        assert raw[0] == raw[1] and digest(raw[0].encode()) == image
        root.inro("image", "copy", theirs, f"docker://{registry.host}/{kind}:1").ok()
        found = root.run("skopeo", "inspect", "--raw", "--tls-verify=false",
                         f"docker://{registry.host}/{kind}:1").ok().out
        assert digest(found.encode()) == image
    indexes = [json.loads((root.dir / name / "x.oci/index.json").read_text())["manifests"]
               for name in ("ours", "theirs")]
    assert indexes[0] == indexes[1]


def test_umoci_unpacks_a_layout(root, image):
    root.inro("image", "copy", "inro.test/app:1", f"oci:{root.dir}/lay:1").ok()
    root.run("umoci", "unpack", "--image", f"{root.dir}/lay:1", root.dir / "bundle").ok()
    assert (root.dir / "bundle/rootfs/etc/two").read_text() == "2"
    # and what umoci makes of it comes back, into the same layout
    (root.dir / "bundle/rootfs/etc/three").write_text("3")
    root.run("umoci", "repack", "--image", f"{root.dir}/lay:2", root.dir / "bundle").ok()
    root.inro("image", "copy", f"oci:{root.dir}/lay:2", "inro.test/app:2").ok()
    config = json.loads(root.inro("image", "inspect", "inro.test/app:2").ok().out)[0]
    assert config["RootFS"]["Layers"][:2] == [digest(x) for x in PLAIN]
    assert len(config["RootFS"]["Layers"]) == 3


def test_docker_loads_a_docker_archive(docker, root, image):
    place = FILES["docker-archive"].format(root.dir)
    root.inro("image", "copy", "inro.test/app:1", place).ok()
    done = docker("load", "-i", root.dir / "x.dtar").ok()
    assert "Loaded image: inro.test/app:1" in done.out
    docker("save", "-o", root.dir / "theirs.tar", "inro.test/app:1").ok()
    root.inro("image", "copy", f"docker-archive:{root.dir}/theirs.tar", "again:1").ok()
    config = json.loads(root.inro("image", "inspect", "again:1").ok().out)[0]
    assert config["RootFS"]["Layers"] == [digest(x) for x in PLAIN]
    docker("rmi", "-f", "inro.test/app:1").ok()


def test_buildah_reads_a_layout(root, image):
    root.inro("image", "copy", "inro.test/app:1", f"oci:{root.dir}/lay:1").ok()
    storage = ["--root", root.dir / "b", "--runroot", root.dir / "br", "--storage-driver", "vfs"]
    root.run("buildah", *storage, "pull", "oci:lay:1").ok()  # its name is the path, in small letters
    root.run("buildah", *storage, "rmi", "-a", "-f").ok()
    subprocess.run(["rm", "-rf", root.dir / "b", root.dir / "br"], check=True)


def test_skopeo_copies_an_artifact(root, registry):
    """What `artifact add` makes is a manifest that others move around."""
    (root.dir / "file").write_bytes(b"x" * 1000)
    name = f"{registry.host}/art:1"
    sha = root.inro("artifact", "add", "--type", "a/b", name, root.dir / "file").ok().out.strip()
    root.inro("artifact", "push", "-q", name).ok()
    root.run("skopeo", "copy", "--src-tls-verify=false", f"docker://{name}",
             f"oci:{root.dir}/theirs:1").ok()
    root.inro("artifact", "rm", name).ok()
    done = root.inro("artifact", "pull", "-q", f"oci:{root.dir}/theirs:1", "mine:1").ok()
    assert done.out.strip() == sha
    root.inro("artifact", "extract", "mine:1", root.dir / "back").ok()
    assert (root.dir / "back").read_bytes() == b"x" * 1000
