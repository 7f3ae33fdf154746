# SPDX-License-Identifier: Apache-2.0
"""Layers compressed anew: push --compression-format, save --uncompressed."""

import gzip
import json
import subprocess
import tarfile

import pytest

import registries as registries_module
from layers import files
from registries import digest
from test_push import gz, oci_archive, push

TURNS = True  # see conftest.py

LAYER = registries_module.LAYER
TYPES = {"gzip": LAYER + "+gzip", "zstd": LAYER + "+zstd", "none": LAYER}
BIG = b"".join(b"%d\n" % i for i in range(300000))
LAYERS = [files(a=BIG), files(b=b"2"), files()]


def plain(data):
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return subprocess.run(["zstd", "-dc"], input=data, check=True, capture_output=True).stdout
    return data


@pytest.fixture
def image(anyone):
    """Three layers, gzip'ed; the digest of its manifest."""
    path = anyone.dir / "image.tar"
    found = oci_archive(path, {"docker.io/library/app:1": LAYERS})
    anyone.inro("load", "-i", path).ok()
    return found["docker.io/library/app:1"]


def get(reg, name, tag, accept=registries_module.MANIFEST):
    """Manifest and layers that the registry has."""
    status, _, text = reg.request("GET", f"/v2/{name}/manifests/{tag}", headers={"Accept": accept})
    assert status == 200, text
    manifest = json.loads(text)
    layers = []
    for layer in manifest["layers"]:
        data = reg.request("GET", f"/v2/{name}/blobs/{layer['digest']}")[2]
        assert digest(data) == layer["digest"] and len(data) == layer["size"]
        layers.append(data)
    return manifest, layers


@pytest.mark.parametrize("form, level", [("zstd", None), ("zstd", "19"), ("none", None),
                                         ("gzip", "9")])
def test_another_compression(anyone, registries, image, form, level):
    reg = registries.start()
    push(anyone, reg, "app:1", f"{reg.host}/app:0").ok()
    options = ["--compression-format", form, *(["--compression-level", level] if level else [])]
    result = push(anyone, reg, *options, "app:1", f"{reg.host}/app:1").ok()
    manifest, layers = get(reg, "app", "1")
    before, _ = get(reg, "app", "0")
    assert manifest["config"] == before["config"]
    if form == "gzip":  # what is compressed in that way stays
        assert manifest == before
        assert f"1: digest: {image}" in result.out
        return
    assert {x["mediaType"] for x in manifest["layers"]} == {TYPES[form]}
    assert [plain(x) for x in layers] == LAYERS
    if form == "none":
        assert layers == LAYERS
    else:
        assert all(x[:4] == b"\x28\xb5\x2f\xfd" for x in layers)
    # what others pull is the same image
    anyone.inro("rmi", "app:1").ok()
    anyone.inro("pull", "-q", f"{reg.host}/app:1").ok()
    info = json.loads(anyone.inro("inspect", f"{reg.host}/app:1").ok().out)[0]
    assert info["Id"] == before["config"]["digest"]
    assert not list((anyone.state / "inro/staging").iterdir())


def test_plain_layers_alone(anyone, registries):
    """--force-compression=false: what is compressed in another way stays."""
    reg = registries.start()
    pushed = reg.push("app", "in", [LAYERS[0], gz(LAYERS[1])])
    anyone.inro("pull", "-q", f"{reg.host}/app:in").ok()
    push(anyone, reg, "--compression-format", "zstd", "--force-compression=false",
         f"{reg.host}/app:in", f"{reg.host}/app:out").ok()
    manifest, layers = get(reg, "app", "out")
    assert [x["mediaType"] for x in manifest["layers"]] == [TYPES["zstd"], TYPES["gzip"]]
    assert manifest["layers"][1]["digest"] == pushed.layers[1]
    assert plain(layers[0]) == LAYERS[0]


@pytest.mark.parametrize("level", [None, "1", "9"])
def test_gzip(anyone, registries, level):
    reg = registries.start()
    reg.push("app", "in", LAYERS)
    anyone.inro("pull", "-q", f"{reg.host}/app:in").ok()
    options = ["--compression-level", level] if level else []
    for tag in ("a", "b"):
        push(anyone, reg, "--compression-format", "gzip", *options, f"{reg.host}/app:in",
             f"{reg.host}/app:{tag}").ok()
    first, layers = get(reg, "app", "a")
    assert get(reg, "app", "b")[0] == first  # the same bytes each time
    assert {x["mediaType"] for x in first["layers"]} == {TYPES["gzip"]}
    assert [gzip.decompress(x) for x in layers] == LAYERS
    assert len(layers[0]) < len(LAYERS[0]) / 2


def test_docker_words(anyone, registries, image):
    """zstd is OCI's; but who asks for both gets both."""
    reg = registries.start()
    docker = "application/vnd.docker.distribution.manifest.v2+json"
    push(anyone, reg, "--format", "v2s2", "app:1", f"{reg.host}/app:d").ok()
    anyone.inro("rmi", "app:1").ok()
    anyone.inro("pull", "-q", f"{reg.host}/app:d").ok()
    push(anyone, reg, "--compression-format", "zstd", f"{reg.host}/app:d", f"{reg.host}/app:o").ok()
    manifest, _ = get(reg, "app", "o")
    assert manifest["mediaType"] == registries_module.MANIFEST
    assert {x["mediaType"] for x in manifest["layers"]} == {TYPES["zstd"]}
    push(anyone, reg, "--compression-format", "none", f"{reg.host}/app:d", f"{reg.host}/app:p").ok()
    manifest, _ = get(reg, "app", "p", docker)
    assert manifest["mediaType"] == docker
    assert {x["mediaType"] for x in manifest["layers"]} == \
        {"application/vnd.docker.image.rootfs.diff.tar"}


def test_words(anyone, image):
    for options, words in (
            (["--compression-format", "zstd:chunked"], ["zstd:chunked is not supported"]),
            (["--compression-format", "lz4"], ["expected gzip, zstd or none", "lz4"]),
            (["--compression-level", "3"], ["needs --compression-format"]),
            (["--compression-format", "none", "--compression-level", "3"], ["needs"]),
            (["--compression-format", "gzip", "--compression-level", "10"], ["expected 1 to 9"]),
            (["--compression-format", "zstd", "--compression-level", "20"], ["expected 1 to 19"]),
            (["--force-compression"], ["needs --compression-format"])):
        anyone.inro("push", *options, "app:1", "127.0.0.1:1/app:1").fails(*words)


def test_damaged_layer_is_not_pushed(anyone, registries, image):
    reg = registries.start()
    manifest = json.loads((anyone.state / "inro/blobs/sha256" / image[7:]).read_bytes())
    blob = anyone.state / "inro/blobs/sha256" / manifest["layers"][0]["digest"][7:]
    blob.chmod(0o644)
    blob.write_bytes(gz(files(a=b"other")))
    push(anyone, reg, "--compression-format", "zstd", "app:1", f"{reg.host}/app:1").fails(
        manifest["layers"][0]["digest"], "other content")
    assert not [r for r in reg.requests() if r[0] in ("PUT", "POST", "PATCH")]
    assert not list((anyone.state / "inro/staging").iterdir())


def test_list(anyone, registries, image):
    reg = registries.start()
    anyone.inro("manifest", "create", "list", "app:1").ok()
    anyone.inro("manifest", "push", "--compression-format", "zstd", "list",
                f"{reg.host}/app:1").ok()
    index = json.loads(reg.request("GET", "/v2/app/manifests/1", headers={
        "Accept": "application/vnd.oci.image.index.v1+json"})[2])
    member, = index["manifests"]
    assert member["digest"] != image
    manifest, _ = get(reg, "app", member["digest"])
    assert {x["mediaType"] for x in manifest["layers"]} == {TYPES["zstd"]}


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_save_uncompressed(anyone, image, form):
    iid = anyone.inro("images", "-q", "--no-trunc").ok().out.strip()
    path = anyone.dir / "plain.tar"
    anyone.inro("save", "--uncompressed", "--format", form, "-o", path, "app:1").ok()
    with tarfile.open(path) as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}
    for name, data in files.items():
        if name.startswith("blobs/"):
            assert name == "blobs/sha256/" + digest(data)[7:]
    top, = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(files["blobs/sha256/" + top["digest"][7:]])
    assert {x["mediaType"] for x in manifest["layers"]} == {LAYER}
    assert [files["blobs/sha256/" + x["digest"][7:]] for x in manifest["layers"]] == LAYERS
    assert manifest["config"]["digest"] == iid
    assert len(files) == 2 + (form == "docker-archive") + 2 + len(LAYERS)
    anyone.inro("rmi", "app:1").ok()
    anyone.inro("load", "-i", path).ok()
    assert anyone.inro("images", "-q", "--no-trunc").ok().out.strip() == iid
    anyone.inro("manifest", "create", "list", "app:1").ok()
    anyone.inro("save", "--uncompressed", "-o", path, "list").fails("single images")
    assert not list((anyone.state / "inro/staging").iterdir())


def test_save_uncompressed_directory(anyone, image):
    anyone.inro("save", "--uncompressed", "--format", "docker-dir", "-o", anyone.dir / "d",
                "app:1").ok()
    manifest = json.loads((anyone.dir / "d/manifest.json").read_text())
    assert [(anyone.dir / "d" / x["digest"][7:]).read_bytes() for x in manifest["layers"]] == LAYERS
    assert len(list((anyone.dir / "d").iterdir())) == 2 + 1 + len(LAYERS)
    anyone.run("skopeo", "copy", f"dir:{anyone.dir}/d", f"oci:{anyone.dir}/o:app").ok()
