# SPDX-License-Identifier: Apache-2.0
"""Images from anywhere to anywhere: image copy, and the transports of pull and push."""

import json
import os
import shutil
import tarfile

import pytest

import engine
import layers
import registries as registries_module
from registries import digest

TURNS = True  # see conftest.py

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST, LAYER_GZIP = registries_module.MANIFEST, registries_module.LAYER_GZIP
PLAIN = [layers.tar(layers.entry("a", "1" * 5000)), layers.tar(layers.entry("b", "2"))]
GZIPPED = [layers.COMPRESSORS["gzip"](x) for x in PLAIN]


def copy(who, *args, **kw):
    return who.inro("image", "copy", *args, **kw)


def stored(who):
    """Is anything in the store: an image, a blob, half-done work?"""
    store = who.state / "inro"
    return who.inro("images", "-aq").ok().out.split() + \
        [x for d in ("blobs/sha256", "layers", "staging") if (store / d).is_dir()
         for x in os.listdir(store / d)]


def write_layout(who, layout, *manifests, name="layout"):
    """A layers.Layout as a directory."""
    top = who.dir / name
    (top / "blobs/sha256").mkdir(parents=True)
    (top / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (top / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
    for sha, data in layout.blobs.items():
        (top / "blobs/sha256" / sha[7:]).write_bytes(data)
    for path in (top, *top.rglob("*")):
        who.own(path)
    return top


def an_image(who, ref="1", name="layout"):
    """A layout with one image; (its directory, the manifest's digest)."""
    layout = layers.Layout()
    desc = layout.image(PLAIN, compress="gzip", name=ref)
    return write_layout(who, layout, desc, name=name), desc["digest"]


def two_platforms(content=PLAIN):
    """A layout and the descriptor of an index of two images."""
    layout = layers.Layout()
    members = [layout.image([content[i]], compress="gzip", platform={"os": "linux",
                                                                    "architecture": arch})
               for i, arch in enumerate(("amd64", "s390x"))]
    return layout, layout.index(members), members


def digest_of(who, place):
    """What skopeo finds there."""
    return digest(who.run("skopeo", "inspect", "--raw", "--tls-verify=false",
                          place).ok().out.encode())


# ---- registries ----

def test_between_registries(anyone, registries):
    """Blob by blob, with the same digests, and not through the store. What is there stays there."""
    source, target = registries.start(), registries.start()
    image = source.push("app", "1", GZIPPED)
    names = [f"docker://{source.host}/app:1", f"docker://{target.host}/team/app:2"]
    done = copy(anyone, "--digestfile", anyone.dir / "digest", *names).ok()
    assert done.out.splitlines()[0] == f"Copying {names[0]} to {names[1]}"
    assert [x.split(": ")[1] for x in done.out.splitlines()[1:-1]] == ["Copied"] * 3
    assert done.out.splitlines()[-1] == f"Digest: {image.digest}"
    assert (anyone.dir / "digest").read_text() == image.digest
    assert target.request("GET", "/v2/team/app/manifests/2",
                          headers={"Accept": MANIFEST})[2] == image.manifest
    anyone.run("skopeo", "copy", "--src-tls-verify=false", names[1], f"dir:{anyone.dir}/d").ok()
    assert not stored(anyone)

    before = len(source.requests())
    again = copy(anyone, *names).ok()
    assert [x.split(": ")[1] for x in again.out.splitlines()[1:-1]] == ["Already exists"] * 3
    assert not [r for r in source.requests()[before:] if "/blobs/" in r[1]]
    assert copy(anyone, "-q", *names).ok().out == ""


def test_mounted_within_a_registry(anyone, registries):
    reg = registries.start()
    image = reg.push("one/app", "1", GZIPPED)
    done = copy(anyone, f"docker://{reg.host}/one/app:1", f"docker://{reg.host}/two/app:1").ok()
    assert done.out.count(f": Mounted from {reg.host}/one/app\n") == 3
    assert not [r for r in reg.requests()
                if r[0] == "GET" and "/blobs/" in r[1] or r[0] == "PATCH"]
    assert digest_of(anyone, f"docker://{reg.host}/two/app:1") == image.digest


def test_mount_that_is_refused(anyone, registries):
    """The session that the registry begins instead is given back; then all goes the usual way."""
    good = registries.start()
    image = good.push("app", "1", GZIPPED)
    reg = registries.hostile()
    reg.on("GET", "/v2/", status=200)
    reg.on("GET", "/v2/one/manifests/1", body=image.manifest, headers={"Content-Type": MANIFEST})
    for data in (image.config, *GZIPPED):
        reg.on("GET", f"/v2/one/blobs/{digest(data)}", body=data)
    reg.on("HEAD", "/v2/two/blobs/.*", status=404)
    reg.on("POST", "/v2/two/blobs/uploads/.mount=.*", status=202,
           headers={"Location": "/v2/two/blobs/uploads/mounting"})
    reg.on("DELETE", "/v2/two/blobs/uploads/mounting", status=204)
    reg.on("POST", "/v2/two/blobs/uploads/", status=202,
           headers={"Location": "/v2/two/blobs/uploads/sending"})
    reg.on("PUT", "/v2/two/blobs/uploads/sending.*", status=201)
    reg.on("PUT", "/v2/two/manifests/1", status=201)
    copy(anyone, f"docker://{reg.host}/one:1", f"docker://{reg.host}/two:1").ok()
    assert len(reg.seen("DELETE", ".*/mounting")) == 3
    sent = {r.body for r in reg.seen("PUT", "/v2/two/blobs/.*")}
    assert sent == {image.config, *GZIPPED}
    assert reg.seen("PUT", "/v2/two/manifests/1")[0].body == image.manifest


def test_credentials_are_each_for_their_own(anyone, registries):
    source = registries.start(tls=True, auth="basic")
    target = registries.start(tls=True, auth="token")
    image = source.push("app", "1", GZIPPED)
    names = [f"docker://{source.host}/app:1", f"docker://{target.host}/app:1"]
    certs = ["--src-cert-dir", source.certs(anyone.dir / "certs.d"),
             "--dest-cert-dir", target.certs(anyone.dir / "certs.d")]
    creds = [f"{r.user}:{r.password}" for r in (source, target)]
    copy(anyone, *certs, *names).fails(f"{source.host}/app", "login")
    copy(anyone, *certs, "--src-creds", creds[0], *names).fails(f"{target.host}/app", "login")
    copy(anyone, *certs, "--src-creds", creds[0], "--dest-creds", creds[1], *names).ok()
    assert target.request("GET", "/v2/app/manifests/1",
                          headers={"Accept": MANIFEST})[2] == image.manifest
    # without the certificate of one, and without looking at it
    copy(anyone, *certs[2:], "--src-tls-verify", "--src-creds", creds[0], "--dest-creds",
         creds[1], *names).fails("certificate")
    copy(anyone, *certs[2:], "--src-tls-verify=false", "--src-creds", creds[0], "--dest-creds",
         creds[1], *names).ok()


def bad_registry(registries, image, blob, **answer):
    """A registry that has the image, but answers for this blob as the test says."""
    bad = registries.hostile()
    bad.on("GET", "/v2/", status=200)
    bad.on("GET", "/v2/app/manifests/.*", body=image.manifest, headers={"Content-Type": MANIFEST})
    bad.on("GET", f"/v2/app/blobs/{digest(blob)}", **answer)
    for data in (image.config, *GZIPPED):
        bad.on("GET", f"/v2/app/blobs/{digest(data)}", body=data)
    return bad


@pytest.mark.parametrize("answer, words", [
    ({"body": b"x" * len(GZIPPED[0])}, ["has other content"]),
    ({"body": GZIPPED[0] + b"more"}, [digest(GZIPPED[0])[:19]]),
    ({"body": GZIPPED[0][:-1]}, [digest(GZIPPED[0])[:19]]),
    ({"status": 404}, ["downloading"]),
])
@pytest.mark.parametrize("place", ["docker", "oci", "oci-archive"])
def test_nothing_wrong_arrives(anyone, registries, place, answer, words):
    """A blob that is not what its digest says reaches no destination, under any name."""
    good, target = registries.start(), registries.start()
    image = good.push("app", "1", GZIPPED)
    bad = bad_registry(registries, image, GZIPPED[0], **answer)
    conf = anyone.dir / "inro.conf"
    conf.write_text("[transfer]\nretries = 0\n")
    to = {"docker": f"docker://{target.host}/app:1", "oci": f"oci:{anyone.dir}/lay:1",
          "oci-archive": f"oci-archive:{anyone.dir}/a.tar"}[place]
    done = anyone.inro("--config", conf, "image", "copy", f"docker://{bad.host}/app:1", to)
    done.fails(*words)
    assert target.request("GET", "/v2/app/manifests/1")[0] == 404
    assert target.request("HEAD", f"/v2/app/blobs/{digest(GZIPPED[0])}")[0] == 404
    assert not (anyone.dir / "a.tar").exists()
    if place == "oci":
        found = os.listdir(anyone.dir / "lay/blobs/sha256")
        assert digest(GZIPPED[0])[7:] not in found
        assert all(len(name) == 64 for name in found), "a file without its name stays behind"
        assert not (anyone.dir / "lay/index.json").exists()
    assert not stored(anyone)


def test_manifest_of_another_digest(anyone, registries):
    good = registries.start()
    image = good.push("app", "1", GZIPPED)
    bad = bad_registry(registries, image, b"")
    wrong = digest(b"something else")
    copy(anyone, f"docker://{bad.host}/app@{wrong}", f"dir:{anyone.dir}/d").fails(
        "has other content", image.digest)
    assert not (anyone.dir / "d").exists()


def test_gigantic_index(anyone, registries):
    """Manifests without an end use up neither memory nor time."""
    bad = registries.hostile()
    bad.on("GET", "/v2/", status=200)
    text = {n: json.dumps({"schemaVersion": 2, "config": {
        "mediaType": registries_module.CONFIG, "digest": digest(b"{}"), "size": 2},
        "layers": [], "annotations": {str(k): "x" * 100_000 for k in range(35)},
        "n": n}).encode() for n in range(24)}
    top = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": MANIFEST, "digest": digest(x), "size": len(x)}
        for x in text.values()]}).encode()
    bad.on("GET", "/v2/app/manifests/1", body=top, headers={"Content-Type": INDEX})
    for data in text.values():
        bad.on("GET", f"/v2/app/manifests/{digest(data)}", body=data,
               headers={"Content-Type": MANIFEST})
    copy(anyone, "--all", f"docker://{bad.host}/app:1", f"dir:{anyone.dir}/d").fails(
        "manifests of more than")


# ---- every pair ----

TRANSPORTS = ["registry", "oci", "oci-archive", "docker-archive", "dir", "store"]


def place(who, reg, transport, which):
    return {"registry": f"docker://{reg.host}/{which}:1", "oci": f"oci:{who.dir}/{which}.oci:1",
            "oci-archive": f"oci-archive:{who.dir}/{which}.tar:1",
            "docker-archive": f"docker-archive:{who.dir}/{which}.dtar:made.test/{which}:1",
            "dir": f"dir:{who.dir}/{which}.dir", "store": f"inro:made.test/{which}:1"}[transport]


@pytest.mark.parametrize("to", TRANSPORTS)
@pytest.mark.parametrize("start", TRANSPORTS)
def test_every_pair(anyone, registries, start, to):
    """The manifest stays what it is, whatever the way; a docker-archive alone has none."""
    reg = registries.start()
    layout, image = an_image(anyone)
    source, target = place(anyone, reg, start, "from"), place(anyone, reg, to, "to")
    copy(anyone, f"oci:{layout}:1", source).ok()
    before = set(anyone.inro("images", "-q", "--no-trunc").ok().out.split())
    copy(anyone, source, target).ok()
    assert to == "store" or \
        before == set(anyone.inro("images", "-q", "--no-trunc").ok().out.split())

    # back from there, to where it can be looked at
    copy(anyone, target, f"dir:{anyone.dir}/back").ok()
    manifest = (anyone.dir / "back/manifest.json").read_bytes()
    if "docker-archive" not in (start, to):
        assert digest(manifest) == image
    manifest = json.loads(manifest)
    config = json.loads((anyone.dir / "back" / manifest["config"]["digest"][7:]).read_bytes())
    assert config["rootfs"]["diff_ids"] == [digest(x) for x in PLAIN]
    for layer in manifest["layers"]:
        data = (anyone.dir / "back" / layer["digest"][7:]).read_bytes()
        assert digest(data) == layer["digest"] and len(data) == layer["size"]
    assert not os.listdir(anyone.state / "inro/staging")


@pytest.mark.parametrize("to", ["oci", "oci-archive", "docker-archive", "dir"])
def test_skopeo_reads_it(anyone, registries, to):
    reg = registries.start()
    layout, image = an_image(anyone)
    target = place(anyone, reg, to, "to")
    copy(anyone, f"oci:{layout}:1", target).ok()
    anyone.run("skopeo", "copy", target, f"dir:{anyone.dir}/back").ok()
    if to != "docker-archive":
        assert digest((anyone.dir / "back/manifest.json").read_bytes()) == image


@pytest.mark.parametrize("start", ["oci", "oci-archive", "docker-archive", "dir"])
def test_what_skopeo_wrote(anyone, registries, start):
    reg = registries.start()
    layout, _ = an_image(anyone)
    source = place(anyone, reg, start, "from")
    anyone.run("skopeo", "copy", f"oci:{layout}:1", source).ok()
    copy(anyone, source, "made.test/app:1").ok()
    config = json.loads(anyone.inro("inspect", "made.test/app:1").ok().out)[0]
    assert config["RootFS"]["Layers"] == [digest(x) for x in PLAIN]


def test_into_the_store_under_another_name(anyone, registries):
    """A pull, whose name is the destination's alone."""
    reg = registries.start()
    image = reg.push("app", "1", GZIPPED)
    copy(anyone, f"docker://{reg.host}/app:1", "mine:2").ok()
    assert anyone.inro("images", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}",
                       "--digests").ok().out.split() == ["mine:2", image.digest]
    copy(anyone, "mine:2", f"docker://{reg.host}/again:1").ok()
    assert digest_of(anyone, f"docker://{reg.host}/again:1") == image.digest


# ---- indexes ----

@pytest.mark.parametrize("to", ["registry", "oci", "oci-archive", "dir"])
def test_all_of_an_index(anyone, registries, to):
    reg = registries.start()
    layout, index, members = two_platforms()
    source = f"oci:{write_layout(anyone, layout, index)}"
    target = place(anyone, reg, to, "to")
    copy(anyone, "--all", source, target).ok()
    copy(anyone, "--multi-arch", "all", target, f"oci:{anyone.dir}/back").ok()
    back = anyone.dir / "back"
    listed = json.loads((back / "index.json").read_text())["manifests"]
    assert [x["digest"] for x in listed] == [index["digest"]]
    assert set(layout.blobs) == {"sha256:" + x for x in os.listdir(back / "blobs/sha256")}
    for sha, data in layout.blobs.items():
        assert (back / "blobs/sha256" / sha[7:]).read_bytes() == data
    anyone.run("skopeo", "copy", "--all", "--src-tls-verify=false", target,
               f"oci:{anyone.dir}/theirs").ok()

    # of it, one
    copy(anyone, "--platform", "linux/s390x", target, f"dir:{anyone.dir}/one").ok()
    assert digest((anyone.dir / "one/manifest.json").read_bytes()) == members[1]["digest"]
    copy(anyone, "--platform", "linux/riscv64", target, f"dir:{anyone.dir}/none").fails(
        "no image for linux/riscv64", "--all")


@pytest.mark.parametrize("start", ["registry", "oci"])
def test_all_of_an_index_in_the_store(anyone, registries, start):
    """A list, whose member for this machine runs, and which goes out again as it came in."""
    reg = registries.start()
    layout, index, members = two_platforms([engine.rootfs_tar(anyone).read_bytes(), PLAIN[1]])
    source = place(anyone, reg, start, "from")
    copy(anyone, "--all", f"oci:{write_layout(anyone, layout, index)}", source).ok()
    copied = copy(anyone, "--all", "--digestfile", anyone.dir / "d", source, "made.test/app:1").ok()
    assert (anyone.dir / "d").read_text() == index["digest"], copied
    assert anyone.inro("events", "--stream=false", "--format",
                       "{{.Action}} {{.Actor.Attributes.name}}").ok().out.split() == [
                           "pull", "made.test/app:1"]
    inspected = json.loads(anyone.inro("manifest", "inspect", "made.test/app:1").ok().out)
    assert [m["digest"] for m in inspected["manifests"]] == [m["digest"] for m in members]
    for _ in range(2 if os.uname().machine == "x86_64" else 0):
        assert anyone.inro("run", "--rm", "--pull", "never", "made.test/app:1",
                           "echo", "runs").ok().out == "runs\n"
        anyone.inro("image", "prune", "-f").ok()
    copy(anyone, "--all", "made.test/app:1", f"oci:{anyone.dir}/back").ok()
    for sha, data in layout.blobs.items():
        assert (anyone.dir / "back/blobs/sha256" / sha[7:]).read_bytes() == data
    anyone.inro("push", "made.test/app:1", f"{reg.host}/again:1").ok()
    assert digest_of(anyone, f"docker://{reg.host}/again:1") == index["digest"]

    # the same once more is the same list, by another name another one
    def ids():
        out = anyone.inro("images", "--no-trunc", "--format", "{{.Repository}} {{.ID}}").ok().out
        return dict(line.split() for line in out.splitlines())
    before = ids()
    copy(anyone, "--all", source, "made.test/app:1").ok()
    assert ids()["made.test/app"] == before["made.test/app"]
    copy(anyone, "--all", source, "made.test/other:1").ok()
    assert ids()["made.test/other"] != before["made.test/app"]
    done = anyone.inro("system", "check").ok()
    anyone.inro("rmi", "made.test/app:1", "made.test/other:1").ok()
    anyone.inro("image", "prune", "-af").ok()
    assert os.listdir(anyone.state / "inro/blobs/sha256") == [], done


def test_an_index_without_its_members_in_the_store(anyone):
    layout, index, members = two_platforms()
    copy(anyone, "--multi-arch", "index-only", f"oci:{write_layout(anyone, layout, index)}",
         "made.test/app:1").ok()
    assert os.listdir(anyone.state / "inro/blobs/sha256") == [index["digest"][7:]]
    anyone.inro("run", "--rm", "--pull", "never", "made.test/app:1", "true").fails(
        "the list's image", "is not here", code=125)


def test_which_of_an_index(anyone):
    layout, index, members = two_platforms()
    source = f"oci:{write_layout(anyone, layout, index)}"
    native = members[0 if os.uname().machine == "x86_64" else 1]
    if os.uname().machine in ("x86_64", "s390x"):
        copy(anyone, source, f"dir:{anyone.dir}/system").ok()
        found = digest((anyone.dir / "system/manifest.json").read_bytes())
        assert found == native["digest"]
    copy(anyone, "--multi-arch", "index-only", source, f"dir:{anyone.dir}/top").ok()
    assert digest((anyone.dir / "top/manifest.json").read_bytes()) == index["digest"]
    assert sorted(os.listdir(anyone.dir / "top")) == ["manifest.json", "version"]
    copy(anyone, "--all", source, f"docker-archive:{anyone.dir}/x").fails(
        "a docker-archive takes an image for one platform")
    assert not (anyone.dir / "x").exists()
    copy(anyone, "--all", "--format", "v2s2", source, f"dir:{anyone.dir}/x").fails(
        "an index is copied as it is")
    copy(anyone, "--all", "--multi-arch", "system", source, "dir:x").fails("give one", code=125)
    copy(anyone, "--all", "--platform", "linux/amd64", source, "dir:x").fails("not all", code=125)


# ---- formats ----

def test_format(anyone):
    layout, image = an_image(anyone)
    source = f"oci:{layout}:1"
    copy(anyone, "--format", "v2s2", source, f"dir:{anyone.dir}/docker").ok()
    manifest = json.loads((anyone.dir / "docker/manifest.json").read_text())
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    copy(anyone, "--format", "oci", f"dir:{anyone.dir}/docker", f"dir:{anyone.dir}/oci").ok()
    assert json.loads((anyone.dir / "oci/manifest.json").read_text())["mediaType"] == MANIFEST
    copy(anyone, "--format", "v2s2", "--preserve-digests", source, f"dir:{anyone.dir}/x").fails(
        "would change the digest", image)
    assert not (anyone.dir / "x").exists()
    # it has the format already: not a byte changes
    copy(anyone, "--format", "oci", "--preserve-digests", source, f"dir:{anyone.dir}/same").ok()
    assert digest((anyone.dir / "same/manifest.json").read_bytes()) == image


# ---- layouts ----

def names_in(layout):
    listed = json.loads((layout / "index.json").read_text())["manifests"]
    return [(x["digest"], x.get("annotations", {}).get("org.opencontainers.image.ref.name"))
            for x in listed]


def test_a_layout_keeps_what_it_has(anyone):
    """Another image more, a name that moves, the same once more: as skopeo does it."""
    first, one = an_image(anyone)
    layout = layers.Layout()
    desc = layout.image(PLAIN[:1], compress="gzip", name="2")
    second, two = write_layout(anyone, layout, desc, name="second"), desc["digest"]
    target = anyone.dir / "target"
    copy(anyone, f"oci:{first}:1", f"oci:{target}:a").ok()
    copy(anyone, f"oci:{second}:2", f"oci:{target}:b").ok()
    assert names_in(target) == [(one, "a"), (two, "b")]
    copy(anyone, f"oci:{first}:1", f"oci:{target}:b").ok()
    assert names_in(target) == [(one, "a"), (two, None), (one, "b")]
    done = copy(anyone, f"oci:{second}:2", f"oci:{target}:c").ok()
    assert done.out.count("Already exists") == 2
    assert names_in(target) == [(one, "a"), (two, "c"), (one, "b")]
    copy(anyone, f"oci:{second}", f"oci:{target}:c").ok()
    assert names_in(target) == [(one, "a"), (two, "c"), (one, "b")]
    for name, sha in (("a", one), ("c", two)):
        assert digest_of(anyone, f"oci:{target}:{name}") == sha
    copy(anyone, f"oci:{target}", "x:1").fails("there are 3 images in it", "name one of them")
    copy(anyone, f"oci:{target}:nope", "x:1").fails("there is no image named nope")


def test_a_directory_that_is_not_empty(anyone):
    layout, _ = an_image(anyone)
    (anyone.dir / "full").mkdir()
    (anyone.dir / "full/file").write_text("mine")
    copy(anyone, f"oci:{layout}:1", f"dir:{anyone.dir}/full").fails("no empty directory")
    assert os.listdir(anyone.dir / "full") == ["file"]


def swap(path, how, secret):
    """Makes something else of a file or directory."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    if how == "link":
        path.symlink_to(secret)
    elif how == "fifo":
        os.mkfifo(path)
    elif how == "directory":
        path.mkdir()
    elif how == "other":
        path.write_bytes(b"x" * 100)


@pytest.mark.parametrize("how, word", [("link", "symbolic link"), ("fifo", "no regular file"),
                                       ("directory", "no regular file"), ("other", "instead of"),
                                       ("gone", "there is no")])
@pytest.mark.parametrize("what", ["layer", "manifest", "index.json", "oci-layout"])
def test_hostile_layout(anyone, what, how, word):
    """No name in it leads out of it, none is waited for, nothing is believed."""
    layout, image = an_image(anyone)
    files = {"layer": layout / "blobs/sha256" / digest(GZIPPED[0])[7:],
             "manifest": layout / "blobs/sha256" / image[7:]}
    path = files.get(what, layout / what)
    secret = anyone.dir / "secret"
    if path.is_file():
        shutil.copy(path, secret)  # even what would have been right
        anyone.own(secret)
    swap(path, how, secret)
    if how == "other" and what in ("index.json", "oci-layout"):
        word = what
    done = copy(anyone, f"oci:{layout}:1", f"oci-archive:{anyone.dir}/out.tar", timeout=20)
    done.fails(word)
    copy(anyone, f"oci:{layout}:1", "mine:1").fails(word)
    assert not (anyone.dir / "out.tar").exists() and not stored(anyone)


@pytest.mark.parametrize("what", ["blobs", "blobs/sha256"])
def test_hostile_directories(anyone, what):
    layout, _ = an_image(anyone)
    (layout / what).rename(anyone.dir / "outside")
    (layout / what).symlink_to(anyone.dir / "outside")
    copy(anyone, f"oci:{layout}:1", f"dir:{anyone.dir}/d").fails("is no directory")
    # nor is anything written through one
    before = sorted(os.listdir(anyone.dir / "outside"))
    other, _ = an_image(anyone, name="other")
    copy(anyone, f"oci:{other}:1", f"oci:{layout}:2").fails("is no directory")
    assert sorted(os.listdir(anyone.dir / "outside")) == before


def test_size_that_is_not_true(anyone):
    """The index says less than there is: no more than that is read."""
    layout, _ = an_image(anyone)
    index = json.loads((layout / "index.json").read_text())
    index["manifests"][0]["size"] -= 1
    (layout / "index.json").write_text(json.dumps(index))
    copy(anyone, f"oci:{layout}:1", f"dir:{anyone.dir}/d").fails("bytes instead of")
    index["manifests"][0]["size"] = 1 << 40
    (layout / "index.json").write_text(json.dumps(index))
    copy(anyone, f"oci:{layout}:1", f"dir:{anyone.dir}/d").fails("is larger than")


# ---- archives ----

def test_which_image_of_an_archive(anyone):
    layout, _ = an_image(anyone)
    for name in ("a", "b"):
        copy(anyone, f"oci:{layout}:1", f"{name}:1").ok()
    second = layers.Layout()
    other = write_layout(anyone, second, second.image(PLAIN[:1], name="2"), name="second")
    copy(anyone, f"oci:{other}:2", "c:1").ok()
    anyone.inro("save", "-o", anyone.dir / "all.tar", "a:1", "c:1").ok()
    archive = f"docker-archive:{anyone.dir}/all.tar"
    copy(anyone, archive, "x:1").fails("there are 2 images in it")
    copy(anyone, f"{archive}:nope:1", "x:1").fails("there is no image named nope:1")
    copy(anyone, f"{archive}:@7", "x:1").fails("there are 2 images in it")
    copy(anyone, f"{archive}:c:1", "x:1").ok()
    copy(anyone, f"{archive}:@0", "y:1").ok()
    ids = dict(line.split() for line in anyone.inro(
        "images", "--format", "{{.Repository}} {{.ID}}").ok().out.splitlines())
    assert ids["x"] == ids["c"] and ids["y"] == ids["a"] == ids["b"] != ids["c"]


def test_more_names(anyone):
    layout, _ = an_image(anyone)
    archive = f"docker-archive:{anyone.dir}/names.tar"
    more = ["--additional-tag", "b:2", "--additional-tag", "example.com/c:3"]
    copy(anyone, *more, f"oci:{layout}:1", f"{archive}:a:1").ok()
    out = anyone.run("tar", "-xOf", anyone.dir / "names.tar", "manifest.json").ok().out
    assert json.loads(out)[0]["RepoTags"] == ["a:1", "b:2", "example.com/c:3"]
    copy(anyone, *more, f"oci:{layout}:1", f"{archive}2").ok()
    anyone.inro("load", "-i", anyone.dir / "names.tar2").ok()
    assert stored(anyone) and "c " in anyone.inro("images").ok().out
    copy(anyone, "--additional-tag", "Not/A", f"oci:{layout}:1", f"{archive}3").fails("Not/A")
    copy(anyone, *more, f"oci:{layout}:1", f"oci:{anyone.dir}/other").fails("for a docker-archive", code=125)


def test_same_archive_same_bytes(anyone):
    layout, _ = an_image(anyone)
    for name in ("1.tar", "2.tar"):
        copy(anyone, f"oci:{layout}:1", f"oci-archive:{anyone.dir}/{name}:x").ok()
    assert (anyone.dir / "1.tar").read_bytes() == (anyone.dir / "2.tar").read_bytes()
    with tarfile.open(anyone.dir / "1.tar") as archive:
        index = json.load(archive.extractfile("index.json"))
    assert index["manifests"][0]["annotations"] == {"org.opencontainers.image.ref.name": "x"}


# ---- pull and push ----

def test_pull_from_files(anyone):
    layout, image = an_image(anyone, "made.test/app:1")
    done = anyone.inro("pull", f"oci:{layout}").ok()
    assert done.out.splitlines()[-1] == "made.test/app:1"
    assert anyone.inro("pull", "-q", f"oci:{layout}:made.test/app:1").ok().out == \
        "made.test/app:1\n"
    listed = anyone.inro("images", "--format", "{{.Repository}}:{{.Tag}}").ok().out.split()
    assert listed == ["made.test/app:1"]
    iid = anyone.inro("images", "-q", "--no-trunc").ok().out.strip()
    for to in ("oci-archive:{}/a.tar", "docker-archive:{}/d.tar:again.test/app:2", "dir:{}/d",
               "oci:{}/lay:x"):
        anyone.inro("push", "--digestfile", anyone.dir / "digest", "made.test/app:1",
                    to.format(anyone.dir)).ok()
        assert (anyone.dir / "digest").read_text() == image
    anyone.inro("rmi", "made.test/app:1").ok()
    done = anyone.inro("pull", "-q", f"docker-archive:{anyone.dir}/d.tar").ok()
    assert done.out == "again.test/app:2\n"
    # a directory names nothing
    anyone.inro("rmi", "again.test/app:2").ok()
    assert anyone.inro("pull", "-q", f"dir:{anyone.dir}/d").ok().out.strip() == iid
    anyone.inro("pull", "--all-tags", f"dir:{anyone.dir}/d").fails("--all-tags is for registries")


def test_push_in_another_format(anyone):
    layout, _ = an_image(anyone)
    copy(anyone, f"oci:{layout}:1", "app:1").ok()
    anyone.inro("push", "--format", "v2s2", "app:1", f"dir:{anyone.dir}/d").ok()
    manifest = json.loads((anyone.dir / "d/manifest.json").read_text())
    assert manifest["mediaType"].startswith("application/vnd.docker")


def test_words(anyone):
    for word, expected in (("oci:", "behind the colon"), ("oci::x", "names no path"),
                           ("docker-daemon:x:1", "docker save"), ("", "an empty name"),
                           ("containers-storage:x", "podman save"), ("sif:x", "not supported")):
        copy(anyone, word, "dir:x").fails(expected)
    copy(anyone, "dir:/nowhere", "x:1").fails("/nowhere", "No such file")
    copy(anyone, "nope:1", "dir:x").fails("No such image: nope:1")
    copy(anyone, "host", "dir:x").fails("is this machine")
    copy(anyone, "one").fails("copy", code=125)


def test_progress_for_programs(anyone):
    layout, image = an_image(anyone)
    out = copy(anyone, "--progress", "json", f"oci:{layout}:1", "app:1").ok().out
    docs = [json.loads(line) for line in out.splitlines()]
    assert docs[0] == {"copying": f"oci:{layout}:1", "to": "app:1"}
    assert docs[-1]["digest"] == image and docs[-1]["copied"] == "app:1"
    assert {d["state"] for d in docs if d.get("state") != "waiting" and "layer" in d} >= {"done"}


def test_policy(anyone, registries):
    """What no policy lets into the store does not come as an artifact either, nor go elsewhere."""
    reg = registries.start()
    reg.push("app", "1", GZIPPED)
    before = len(reg.requests())
    policy, conf = anyone.dir / "policy.json", anyone.dir / "inro.conf"
    conf.write_text(f"[image]\npolicy = {policy}\n")
    name = f"{reg.host}/app:1"
    commands = [["image", "copy", f"docker://{name}", f"dir:{anyone.dir}/d"],
                ["image", "copy", f"docker://{name}", f"docker://{reg.host}/other:1"],
                ["artifact", "pull", name]]
    policy.write_text(json.dumps({"default": [{"type": "reject"}]}))
    for command in commands:
        anyone.inro("--config", conf, *command).fails("policy")
    assert len(reg.requests()) == before, "what is rejected is not even asked for"
    policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
    for command in commands:
        anyone.inro("--config", conf, *command).ok()
