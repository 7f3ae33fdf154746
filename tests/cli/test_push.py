# SPDX-License-Identifier: Apache-2.0
"""Pushing: to a real registry, read back by skopeo; and to one that misbehaves."""

import json
import sqlite3

import pytest

import engine
import registries as registries_module
from layers import Layout, files
from registries import digest

TURNS = True  # see conftest.py

INDEX = "application/vnd.oci.image.index.v1+json"


def gz(data):
    import gzip  # pylint: disable=import-outside-toplevel
    return gzip.compress(data, mtime=0)


def oci_archive(path, images):
    """An OCI archive of {name: layers}, which it has gzip'ed; returns {name: manifest's digest}."""
    layout = Layout()
    found = {name: layout.image(layers, "gzip", name) for name, layers in images.items()}
    path.write_bytes(layout.archive(*found.values()))
    return {name: image["digest"] for name, image in found.items()}


LAYERS = [files(a=b"1" * 5000), files(b=b"2")]


def load(who, *names):
    """An image of two layers that the store has as they came, with these names; its digest."""
    path = who.dir / "image.tar"
    digests = oci_archive(path, {name: LAYERS for name in names})
    who.inro("load", "-i", path).ok()
    return digests[names[0]]


@pytest.fixture
def image(anyone):
    return load(anyone, "docker.io/library/app:1")


def enter(who, name, kind, top, others):
    """A row of the database for what can't be loaded from an archive; top and others: bytes."""
    blobs = who.state / "inro/blobs/sha256"
    for data in (top, *others):
        (blobs / digest(data)[7:]).write_bytes(data)
        who.own(blobs / digest(data)[7:])
    with sqlite3.connect(who.state / "inro/inro.db") as db:
        db.execute("INSERT INTO images (id, manifest, created_ns, size, layers, kind)"
                   " VALUES (?1, ?1, 0, 0, '', ?2)", (digest(top), kind))
        db.execute("INSERT INTO image_names (name, image) VALUES (?, ?)", (name, digest(top)))
    db.close()


def skopeo_raw(who, reg, name, *options):
    out = who.run("skopeo", "inspect", "--raw", *options, f"docker://{reg.host}/{name}").ok().out
    return out


def push(who, reg, *args, **kw):
    options = ["--cert-dir", reg.certs(who.dir / "certs.d")] if reg.tls else []
    return who.inro("push", *options, *args, **kw)


@pytest.mark.parametrize("auth", [None, "basic", "token"])
def test_push(anyone, registries, image, auth):
    """Digests stay what they are; a second push uploads nothing."""
    reg = registries.start(tls=True, auth=auth)
    creds = ["--creds", f"{reg.user}:{reg.password}"] if auth else []
    file = anyone.dir / "digest"
    result = push(anyone, reg, *creds, "--digestfile", file, "app:1", f"{reg.host}/team/app:2").ok()
    lines = result.out.splitlines()
    assert lines[0] == f"The push refers to repository [{reg.host}/team/app]"
    assert [line.split(": ")[1] for line in lines[1:-1]] == ["Pushed"] * 3
    assert lines[-1].startswith(f"2: digest: {image} size: ")
    assert file.read_text() == image
    skopeo = ["--cert-dir", reg.certs(anyone.dir / "certs.d"), *creds]
    raw = skopeo_raw(anyone, reg, "team/app:2", *skopeo)
    assert digest(raw.encode()) == image
    # all blobs are there, whole: skopeo copies them
    anyone.run("skopeo", "copy", *["--src-" + w[2:] if w.startswith("--") else w
                                   for w in map(str, skopeo)],
               f"docker://{reg.host}/team/app:2", f"dir:{anyone.dir}/copy").ok()

    again = push(anyone, reg, *creds, "app:1", f"{reg.host}/team/app:3").ok()
    assert [line.split(": ")[1] for line in again.out.splitlines()[1:-1]] == \
        ["Layer already exists"] * 3
    assert digest(skopeo_raw(anyone, reg, "team/app:3", *skopeo).encode()) == image


def test_name_says_where(anyone, registries):
    reg = registries.start()
    name = f"{reg.host}/app:1"
    push(anyone, reg, name).fails(f"An image does not exist locally with the tag: {name}")
    image = load(anyone, name)
    push(anyone, reg, anyone.inro("images", "-q").ok().out.strip()).fails(
        "does not exist locally with the tag")
    assert push(anyone, reg, "-q", name).ok().out == name + "\n"
    assert digest(skopeo_raw(anyone, reg, "app:1", "--tls-verify=false").encode()) == image


def test_mount_from_another_repository(anyone, registries, image):
    reg = registries.start()
    push(anyone, reg, "app:1", f"{reg.host}/one/app:1").ok()
    result = push(anyone, reg, "app:1", f"{reg.host}/two/app:1").ok()
    assert [line.split(": ")[1] for line in result.out.splitlines()[1:-1]] == \
        ["Mounted from one/app"] * 3
    assert not [r for r in reg.requests() if r[0] in ("PUT", "PATCH") and "two/app/blobs" in r[1]]
    assert digest(skopeo_raw(anyone, reg, "two/app:1", "--tls-verify=false").encode()) == image


def test_all_tags(anyone, registries):
    reg = registries.start()
    load(anyone, *(f"{reg.host}/app:{tag}" for tag in ("1", "2", "stable")))
    push(anyone, reg, "-a", f"{reg.host}/app:1").fails("tag can't be used with --all-tags")
    push(anyone, reg, "-a", f"{reg.host}/app").ok()
    listed = json.loads(reg.request("GET", "/v2/app/tags/list")[2])
    assert sorted(listed["tags"]) == ["1", "2", "stable"]
    tags = anyone.inro("search", "--list-tags", f"{reg.host}/app").ok().out.split()
    assert sorted(tags[3::2]) == ["1", "2", "stable"]


def test_by_id_and_docker_transport(anyone, registries, image):
    reg = registries.start()
    row = anyone.inro("images", "-q", "--no-trunc").ok().out.split()[0]
    push(anyone, reg, row, f"docker://{reg.host}/by/id:x").ok()
    assert digest(skopeo_raw(anyone, reg, "by/id:x", "--tls-verify=false").encode()) == image


def test_imported_image_runs_for_others(root, registries):
    """What import made is an image that podman takes and runs through skopeo's eyes."""
    reg = registries.start()
    engine.box(root)
    push(root, reg, "box", f"{reg.host}/box:1").ok()
    info = json.loads(root.run("skopeo", "inspect", "--tls-verify=false",
                               f"docker://{reg.host}/box:1").ok().out)
    assert info["Architecture"] and len(info["Layers"]) == 1
    root.run("skopeo", "copy", "--src-tls-verify=false", f"docker://{reg.host}/box:1",
             f"oci-archive:{root.dir}/back.tar:box:1").ok()
    other = root.inro_argv("load", "-i", f"{root.dir}/back.tar")
    root.run(*other).ok()


def test_format(anyone, registries, image):
    """Other words for the same layers; what docker's format has no word for is refused."""
    reg = registries.start()
    push(anyone, reg, "app:1", f"{reg.host}/app:oci").ok()
    result = push(anyone, reg, "--format", "v2s2", "app:1", f"{reg.host}/app:docker").ok()
    assert [line.split(": ")[1] for line in result.out.splitlines()[1:-1]] == \
        ["Layer already exists"] * 3
    raw = skopeo_raw(anyone, reg, "app:docker", "--tls-verify=false")
    manifest = json.loads(raw)
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert {x["mediaType"] for x in manifest["layers"]} == \
        {"application/vnd.docker.image.rootfs.diff.tar.gzip"}
    assert f"docker: digest: {digest(raw.encode())} size: {len(raw)}" in result.out
    push(anyone, reg, "--format", "v3", "app:1", f"{reg.host}/app:x").fails("expected oci or v2s2")
    top = json.dumps({
        "schemaVersion": 2, "mediaType": registries_module.MANIFEST, "artifactType": "a/b",
        "config": descriptor(b"{}", "application/vnd.oci.empty.v1+json"), "layers": []}).encode()
    enter(anyone, f"{reg.host}/art:1", "artifact", top, [b"{}"])
    push(anyone, reg, "--format", "v2s2", f"{reg.host}/art:1").fails("no place for")


def test_progress_for_programs(root, registries):
    image = load(root, "docker.io/library/app:1")
    reg = registries.start()
    push(root, reg, "app:1", f"{reg.host}/one:1").ok()
    for name, last in (("one", "exists"), ("two", "exists")):
        to = f"{reg.host}/{name}:2"
        out = push(root, reg, "--progress", "json", "app:1", to).ok().out
        docs = [json.loads(line) for line in out.splitlines()]
        assert docs[0] == {"pushing": to}
        assert docs[-1]["pushed"] == to and docs[-1]["digest"] == image
        states = {d["layer"]: d["state"] for d in docs if "layer" in d}
        assert set(states.values()) == {last} and len(states) == 3
    other = registries.start()
    out = push(root, other, "--progress", "json", "app:1", f"{other.host}/app:1").ok().out
    docs = [json.loads(line) for line in out.splitlines()]
    done = [d for d in docs if d.get("state") == "done"]
    assert len(done) == 3 and all(d["done"] == d["size"] for d in done)


def test_progress_on_a_terminal(root, registries):
    load(root, "docker.io/library/app:1")
    reg = registries.start()
    out = push(root, reg, "--progress", "tty", "app:1", f"{reg.host}/app:1").ok().out
    last = out.split("\033[3A")[-1]
    assert last.count(": Pushed\033[K\n") == 3
    assert "1: digest: sha256:" in out.splitlines()[-1]


def test_denied(anyone, registries, image):
    reg = registries.start(tls=True, auth="basic")
    push(anyone, reg, "app:1", f"{reg.host}/app:1").fails(f"pushing {reg.host}/app:1", "login")
    push(anyone, reg, "--creds", "x", "app:1", f"{reg.host}/app:1").fails("USER:PASSWORD")


def test_login_is_used(anyone, registries, image):
    reg = registries.start(tls=True, auth="token")
    env = {"REGISTRY_AUTH_FILE": str(anyone.dir / "auth.json")}
    anyone.inro("login", "--cert-dir", reg.certs(anyone.dir / "certs.d"), "-u", reg.user,
                "--password-stdin", reg.host, input=reg.password, env=env).ok()
    push(anyone, reg, "app:1", f"{reg.host}/app:1", env=env).ok()


def test_blocked(anyone, registries, image):
    reg = registries.start()
    conf = anyone.dir / "inro.conf"
    conf.write_text(f'[registry "{reg.host}"]\nblocked = true\n')
    result = anyone.inro("--config", conf, "push", "app:1", f"{reg.host}/app:1")
    result.fails(f"the registry {reg.host} is blocked", f"see {conf}:2")
    assert not reg.requests()


def test_registry_fails(anyone, registries, image):
    """Broken uploads are tried again; in the end the error says what and where."""
    bad = registries.hostile()
    bad.on("GET", "/v2/", status=200)
    bad.on("POST", ".*", status=403, headers={"Content-Type": "application/json"},
           body=b'{"errors":[{"code":"DENIED","message":"no \\u001b[31mroom"}]}')
    result = anyone.inro("push", "app:1", f"{bad.host}/app:1")
    result.fails(f"pushing {bad.host}/app:1")
    assert "\x1b" not in result.err
    assert not bad.seen("PUT", ".*")


def descriptor(data, media_type, **members):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **members}


def test_foreign_layer_is_left_out(anyone, registries, image):
    """A layer that must not be distributed has an address of its own."""
    reg = registries.start(extra={"validation": {"manifests": {"urls": {"allow": ["^https:"]}}}})
    config, layer = b"{}", b"not for everybody"
    media_type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    top = json.dumps({
        "schemaVersion": 2, "mediaType": registries_module.MANIFEST,
        "config": descriptor(config, "application/vnd.oci.empty.v1+json"),
        "layers": [descriptor(layer, media_type, urls=["https://a.example/layer"])]}).encode()
    enter(anyone, f"{reg.host}/art:1", "artifact", top, [config, layer])
    result = push(anyone, reg, f"{reg.host}/art:1").ok()
    assert f"{digest(layer)[7:19]}: Skipped foreign layer" in result.out
    assert reg.request("HEAD", f"/v2/art/blobs/{digest(config)}")[0] == 200
    assert reg.request("HEAD", f"/v2/art/blobs/{digest(layer)}")[0] == 404
    accept = {"Accept": registries_module.MANIFEST}
    assert reg.request("GET", "/v2/art/manifests/1", headers=accept)[2] == top


def make_list(manifests):
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()


def test_list_with_its_members(anyone, registries, image):
    """Members are written before the list that names them; their blobs before that."""
    reg = registries.start()
    config = b'{"other": "architecture"}'
    member = json.dumps({
        "schemaVersion": 2, "mediaType": registries_module.MANIFEST,
        "config": descriptor(config, registries_module.CONFIG), "layers": []}).encode()
    here = (anyone.state / "inro/blobs/sha256" / image[7:]).read_bytes()
    top = make_list([
        descriptor(here, registries_module.MANIFEST,
                   platform={"architecture": "amd64", "os": "linux"}),
        descriptor(member, registries_module.MANIFEST,
                   platform={"architecture": "arm64", "os": "linux"})])
    enter(anyone, "docker.io/library/both:1", "list", top, [member, config])
    result = push(anyone, reg, "both:1", f"{reg.host}/both:1").ok()
    assert f"1: digest: {digest(top)} size: {len(top)}" in result.out
    assert reg.request("GET", "/v2/both/manifests/1", headers={"Accept": INDEX})[2] == top
    for wanted in (here, member):
        assert reg.request("GET", f"/v2/both/manifests/{digest(wanted)}",
                           headers={"Accept": registries_module.MANIFEST})[2] == wanted
    anyone.run("skopeo", "copy", "--all", "--src-tls-verify=false", f"docker://{reg.host}/both:1",
               f"dir:{anyone.dir}/copy").ok()


def test_list_without_a_member(anyone, registries, image):
    """What isn't here may be there; otherwise nothing is written."""
    reg = registries.start()
    elsewhere = b'{"schemaVersion": 2, "config": {}}'
    top = make_list([descriptor(elsewhere, registries_module.MANIFEST)])
    enter(anyone, "docker.io/library/half:1", "list", top, [])
    push(anyone, reg, "half:1", f"{reg.host}/half:1").fails(
        digest(elsewhere), "neither here nor in the registry")
    assert not [r for r in reg.requests() if r[0] in ("PUT", "POST", "PATCH")]
    there = reg.push("half", "x", [b"layer"])
    top = make_list([descriptor(there.manifest, registries_module.MANIFEST)])
    enter(anyone, "docker.io/library/half:2", "list", top, [])
    push(anyone, reg, "half:2", f"{reg.host}/half:2").ok()


def test_missing_blob(anyone, registries, image):
    """What is gone from the store may still be in the registry; else the push says so."""
    reg = registries.start()
    push(anyone, reg, "app:1", f"{reg.host}/app:1").ok()
    blob = next(p for p in (anyone.state / "inro/blobs/sha256").iterdir()
                if p.read_bytes()[:2] == b"\x1f\x8b")
    blob.unlink()
    push(anyone, reg, "app:1", f"{reg.host}/app:2").ok()
    other = registries.start()
    push(anyone, other, "app:1", f"{other.host}/app:2").fails(
        blob.name, "neither in the store nor in the registry")
