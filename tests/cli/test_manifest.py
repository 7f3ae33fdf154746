# SPDX-License-Identifier: Apache-2.0
"""inro manifest: lists made of images that are here and in registries, pushed, read back."""

import base64
import json
import os
import subprocess

import pytest

import registries as registries_module
from layers import Layout, files
from registries import digest

TURNS = True  # see conftest.py

INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
NATIVE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
FOREIGN = "s390x"


def config_of(layers, architecture, **members):
    return {"architecture": architecture, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(x) for x in layers]}, **members}


def load(who, name, architecture=NATIVE, text=b"x", **members):
    """An image of one layer; returns its manifest's digest."""
    layers, layout = [files(file=text, arch=architecture.encode())], Layout()
    config = json.dumps(config_of(layers, architecture, **members)).encode()
    image = layout.image(layers, name=name, conf=config)
    who.inro("load", input=layout.archive(image)).ok()
    return image["digest"]


def manifest(who, *args, **kw):
    return who.inro("manifest", *args, **kw)


def read(who, name):
    return json.loads(manifest(who, "inspect", name).ok().out)


def members(who, name):
    return {m["digest"]: m.get("platform") for m in read(who, name)["manifests"]}


@pytest.fixture
def two(anyone):
    """Images for this and for another machine: their digests."""
    return (load(anyone, "docker.io/library/app:here"),
            load(anyone, "docker.io/library/app:there", FOREIGN))


def test_create_and_inspect(anyone, two):
    lid = manifest(anyone, "create", "both", "app:here", "app:there").ok().out.strip()
    assert lid.startswith("sha256:") and len(lid) == 71
    doc = read(anyone, "both")
    assert doc["schemaVersion"] == 2 and doc["mediaType"] == INDEX
    assert [(m["digest"], m["platform"]["architecture"]) for m in doc["manifests"]] == \
        [(two[0], NATIVE), (two[1], FOREIGN)]
    assert all(m["mediaType"] == registries_module.MANIFEST for m in doc["manifests"])
    raw = manifest(anyone, "inspect", "--raw", lid).ok().out
    assert json.loads(raw) == doc and "\n" not in raw
    stored = anyone.state / "inro/blobs/sha256" / digest(raw.encode())[7:]
    assert stored.read_bytes() == raw.encode()


def test_list_is_an_image_among_others(anyone, two):
    lid = manifest(anyone, "create", "both:1", "app:here").ok().out.strip()
    row = [line.split() for line in anyone.inro("images").ok().out.splitlines()
           if line.startswith("both")]
    assert row[0][:3] == ["both", "1", lid[7:19]]
    raw = manifest(anyone, "inspect", "--raw", "both:1").ok().out
    info = json.loads(anyone.inro("inspect", "both:1").ok().out)[0]
    assert info["Id"] == lid and info["RepoTags"] == ["both:1"]
    assert info["ManifestType"] == INDEX and info["Digest"] == digest(raw.encode())
    assert info["Size"] == len(raw)
    listed = anyone.inro("images", "-q", "--no-trunc", "--filter", "manifest=true").ok().out
    assert listed.split() == [lid]
    manifest(anyone, "add", "both:1", f"dir:{anyone.dir}/x").fails("`inro pull dir:", "then add", code=125)
    manifest(anyone, "add", "both:1", "containers-storage:x").fails("podman's store", code=125)
    anyone.inro("tag", "both:1", "both:2").ok()
    assert read(anyone, "both:2") == read(anyone, "both:1")
    anyone.inro("untag", "both:1", "both:1").ok()
    manifest(anyone, "inspect", "both:2").ok()
    anyone.inro("history", "both:2").fails("a list of manifests")
    anyone.inro("system", "df", "-v").ok()
    out = anyone.inro("rmi", "both:2").ok().out
    assert out.splitlines() == ["Untagged: both:2", f"Deleted: {lid}"]
    assert manifest(anyone, "exists", "both:2").code == 1


def test_id_and_names_stay(anyone, two):
    """Who has the id or another name of a list has the list, however it changes."""
    lid = manifest(anyone, "create", "both").ok().out.strip()
    other = manifest(anyone, "create", "other").ok().out.strip()
    assert lid != other  # though both are empty
    anyone.inro("tag", "both", "same").ok()
    assert manifest(anyone, "add", lid, "app:here").ok().out.strip() == lid
    assert list(members(anyone, "same")) == [two[0]]
    assert manifest(anyone, "add", "same", "app:there").ok().out.strip() == lid
    anyone.inro("rmi", "other").ok()  # collects what no list is any more
    other = manifest(anyone, "create", "other").ok().out.strip()
    for name in ("both", "same", lid):
        assert list(members(anyone, name)) == list(two)
    assert members(anyone, "other") == {}


def test_create_again(anyone, two):
    lid = manifest(anyone, "create", "both", "app:here").ok().out.strip()
    manifest(anyone, "create", "both", "app:there").fails("is a manifest list", "already", "--amend")
    assert list(members(anyone, "both")) == [two[0]]
    assert manifest(anyone, "create", "-a", "both", "app:there").ok().out.strip() == lid
    assert list(members(anyone, "both")) == list(two)
    manifest(anyone, "create", "--amend", "app:here").fails("there is an image", "already")
    manifest(anyone, "create", "new@" + two[0]).fails("digest")
    manifest(anyone, "create", "UPPER").fails("UPPER")


def test_add_says_more(anyone, two):
    manifest(anyone, "create", "--annotation", "org.example.of=list", "both").ok()
    manifest(anyone, "add", "--arch", "arm", "--variant", "v7", "--os-version", "5",
             "--os-features", "a,b", "--features", "neon", "--annotation", "k=v=w", "both",
             "app:here").ok()
    doc = read(anyone, "both")
    assert doc["annotations"] == {"org.example.of": "list"}
    member, = doc["manifests"]
    assert member["annotations"] == {"k": "v=w"}
    assert member["platform"] == {"architecture": "arm", "os": "linux", "variant": "v7",
                                  "os.version": "5", "os.features": ["a", "b"],
                                  "features": ["neon"]}
    # what is there is replaced, not doubled
    manifest(anyone, "add", "both", "app:here").ok()
    member, = read(anyone, "both")["manifests"]
    assert member["platform"] == {"architecture": NATIVE, "os": "linux"}
    assert "annotations" not in member


def test_annotate(anyone, two):
    manifest(anyone, "create", "both", "app:here", "app:there").ok()
    manifest(anyone, "annotate", "--variant", "v2", "both", two[0]).ok()
    manifest(anyone, "annotate", "--annotation", "a=1", "both", "app:there").ok()
    manifest(anyone, "annotate", "--annotation", "b=2", "both", "app@" + two[1]).ok()
    one, other = read(anyone, "both")["manifests"]
    assert one["platform"] == {"architecture": NATIVE, "os": "linux", "variant": "v2"}
    assert other["annotations"] == {"a": "1", "b": "2"}
    manifest(anyone, "annotate", "--index", "--annotation", "whole=list", "--subject", "app:here",
             "both").ok()
    doc = read(anyone, "both")
    assert doc["annotations"] == {"whole": "list"} and doc["subject"]["digest"] == two[0]
    manifest(anyone, "annotate", "--variant", "v1", "both", digest(b"none")).fails(
        "the list has no member " + digest(b"none"))
    manifest(anyone, "annotate", "--annotation", "novalue", "both", two[0]).fails("KEY=VALUE")
    manifest(anyone, "annotate", "--arch", "s p a c e", "both", two[0]).fails("architecture")
    manifest(anyone, "annotate", "--arch", "", "both", two[0]).fails("architecture")
    manifest(anyone, "annotate", "--index", "both", two[0]).fails("--index takes no IMAGE", code=125)
    manifest(anyone, "annotate", "both").fails("--index", code=125)
    assert read(anyone, "both") == doc


def test_remove_and_rm(anyone, two):
    lid = manifest(anyone, "create", "both", "app:here", "app:there").ok().out.strip()
    assert manifest(anyone, "remove", "both", two[0]).ok().out.strip() == lid
    assert list(members(anyone, "both")) == [two[1]]
    manifest(anyone, "remove", "both", two[0]).fails("has no member")
    # all or none
    manifest(anyone, "remove", "both", two[1], two[0]).fails("has no member " + two[0])
    assert list(members(anyone, "both")) == [two[1]]
    assert manifest(anyone, "exists", "both").code == 0
    manifest(anyone, "rm", "app:here").fails("is an image, not a manifest list", code=1)
    assert "Untagged: both:latest" in manifest(anyone, "rm", "both").ok().out
    assert manifest(anyone, "exists", "both").code == 1
    assert manifest(anyone, "exists", "app:here").code == 1
    manifest(anyone, "rm", "both").fails("both", code=1)
    manifest(anyone, "rm", "--ignore", "both").ok()
    anyone.inro("image", "exists", "app:here").ok()


def test_what_a_list_needs_stays(anyone, registries):
    """Its members' names and rows may go; it can be pushed all the same. Then all goes."""
    reg = registries.start()
    one = load(anyone, "docker.io/library/app:here")
    manifest(anyone, "create", "both", "app:here").ok()
    anyone.inro("rmi", "app:here").ok()
    assert (anyone.state / "inro/blobs/sha256" / one[7:]).exists()
    assert not list((anyone.state / "inro/layers").iterdir())
    manifest(anyone, "push", "both", f"{reg.host}/both:1").ok()
    assert reg.request("GET", f"/v2/both/manifests/{one}",
                       headers={"Accept": registries_module.MANIFEST})[0] == 200
    manifest(anyone, "rm", "both").ok()
    assert not list((anyone.state / "inro/blobs/sha256").iterdir())


def test_prune(anyone, two):
    manifest(anyone, "create", "both", "app:here").ok()
    anyone.inro("untag", "both").ok()
    anyone.inro("image", "prune", "-f").ok()
    assert not anyone.inro("images", "-q", "--filter", "manifest=true").ok().out
    anyone.inro("image", "exists", "app:here").ok()


def test_push(anyone, registries, two):
    reg = registries.start(tls=True, auth="token")
    certs = ["--cert-dir", reg.certs(anyone.dir / "certs.d"),
             "--creds", f"{reg.user}:{reg.password}"]
    manifest(anyone, "create", "both", "app:here", "app:there").ok()
    raw = manifest(anyone, "inspect", "--raw", "both").ok().out
    file = anyone.dir / "digest"
    result = manifest(anyone, "push", *certs, "--digestfile", file, "both",
                      f"docker://{reg.host}/team/both:1").ok()
    assert result.out == digest(raw.encode()) + "\n" and file.read_text() == result.out.strip()
    assert "Pushed" in result.err
    got = anyone.run("skopeo", "inspect", "--raw", *certs, f"docker://{reg.host}/team/both:1").ok()
    assert got.out == raw
    anyone.run("skopeo", "copy", "--all", *["--src-" + w[2:] if str(w).startswith("--") else w
                                            for w in certs],
               f"docker://{reg.host}/team/both:1", f"dir:{anyone.dir}/copy").ok()
    # what has been pushed can be pulled, for either machine
    for arch, want in ((NATIVE, two[0]), (FOREIGN, two[1])):
        anyone.inro("pull", "-q", *certs, "--platform", f"linux/{arch}",
                    f"{reg.host}/team/both:1").ok()
        info = json.loads(anyone.inro("inspect", f"{reg.host}/team/both:1").ok().out)[0]
        assert info["Architecture"] == arch and info["Digest"] == want
        assert f"{reg.host}/team/both@{digest(raw.encode())}" in info["RepoDigests"]
    quiet = manifest(anyone, "push", "-q", "--rm", *certs, "both", f"{reg.host}/team/both:2").ok()
    assert quiet.out.strip() == digest(raw.encode()) and not quiet.err
    assert manifest(anyone, "exists", "both").code == 1


def test_changed_after_a_push(anyone, registries, two):
    """What a registry has is another list then."""
    reg = registries.start()
    name = f"{reg.host}/both:1"
    manifest(anyone, "create", name, "app:here").ok()
    old = manifest(anyone, "push", "-q", name).ok().out.strip()
    info = json.loads(anyone.inro("inspect", name).ok().out)[0]
    assert info["RepoDigests"] == [f"{reg.host}/both@{old}"]
    manifest(anyone, "add", name, "app:there").ok()
    info = json.loads(anyone.inro("inspect", name).ok().out)[0]
    assert not info["RepoDigests"] and info["Digest"] != old
    new = manifest(anyone, "push", "-q", name).ok().out.strip()
    assert new == info["Digest"]
    assert list(members(anyone, f"{reg.host}/both@{old}")) == [two[0]]  # the registry's


def test_push_to_where_the_name_says(anyone, registries, two):
    reg = registries.start()
    name = f"{reg.host}/both:1"
    lid = manifest(anyone, "create", name, "app:here").ok().out.strip()
    manifest(anyone, "push", lid).fails("name the destination", code=125)
    manifest(anyone, "push", name, "--purge").ok()
    assert reg.request("GET", "/v2/both/manifests/1", headers={"Accept": INDEX})[0] == 200
    assert manifest(anyone, "exists", name).code == 1
    manifest(anyone, "push", "app:here", name).fails("is an image, not a manifest list")


def test_push_without_members(anyone, registries, two):
    reg = registries.start()
    manifest(anyone, "create", "both", "app:here").ok()
    manifest(anyone, "push", "--all=false", "both", f"{reg.host}/both:1").fails("both")
    assert not [r for r in reg.requests() if "/blobs/" in r[1]]
    manifest(anyone, "push", "both", f"{reg.host}/both:1").ok()
    before = len(reg.requests())
    manifest(anyone, "push", "--all=false", "both", f"{reg.host}/both:2").ok()
    assert not [r for r in reg.requests()[before:] if "/blobs/" in r[1]]


def test_push_in_another_format(anyone, registries, two):
    reg = registries.start()
    manifest(anyone, "create", "--annotation", "a=b", "both", "app:here", "app:there").ok()
    out = manifest(anyone, "push", "-f", "v2s2", "both", f"{reg.host}/both:d").ok().out
    status, headers, text = reg.request("GET", "/v2/both/manifests/d",
                                        headers={"Accept": DOCKER_LIST})
    assert status == 200 and headers["Content-Type"] == DOCKER_LIST
    assert digest(text) == out.strip()
    doc = json.loads(text)
    assert "annotations" not in doc and len(doc["manifests"]) == 2
    for member in doc["manifests"]:
        assert member["mediaType"] == DOCKER_MANIFEST
        status, _, text = reg.request("GET", f"/v2/both/manifests/{member['digest']}",
                                      headers={"Accept": DOCKER_MANIFEST})
        assert status == 200 and digest(text) == member["digest"]
        assert len(text) == member["size"]
        assert json.loads(text)["mediaType"] == DOCKER_MANIFEST
    manifest(anyone, "push", "-f", "v3", "both", f"{reg.host}/both:x").fails("expected oci or v2s2")


def push_one(reg, repository, tag, architecture, text=b"remote"):
    layers = [files(file=text, arch=architecture.encode())]
    return reg.push(repository, tag, layers, config=config_of(layers, architecture))


def test_members_in_a_registry(anyone, registries):
    reg = registries.start()
    here = push_one(reg, "app", "here", NATIVE)
    there = push_one(reg, "app", "there", FOREIGN)
    manifest(anyone, "create", f"{reg.host}/app:1", f"{reg.host}/app:here",
             f"docker://{reg.host}/app:there").ok()
    assert members(anyone, f"{reg.host}/app:1") == {
        here.digest: {"architecture": NATIVE, "os": "linux"},
        there.digest: {"architecture": FOREIGN, "os": "linux"}}
    assert anyone.inro("images", "-q").ok().out.count("\n") == 1  # nothing was pulled
    manifest(anyone, "push", f"{reg.host}/app:1").ok()
    status, _, text = reg.request("GET", "/v2/app/manifests/1", headers={"Accept": INDEX})
    assert status == 200 and len(json.loads(text)["manifests"]) == 2
    # a list as a member: this machine's image of it, or all
    manifest(anyone, "create", "one", f"docker://{reg.host}/app:1").ok()
    assert list(members(anyone, "one")) == [here.digest]
    manifest(anyone, "create", "--all", "all", f"docker://{reg.host}/app:1").ok()
    assert list(members(anyone, "all")) == [here.digest, there.digest]
    # members by the name in the registry, and of the list there
    manifest(anyone, "remove", "all", f"docker://{reg.host}/app:1").ok()
    assert list(members(anyone, "all")) == [there.digest]
    manifest(anyone, "annotate", "--variant", "z", "all", f"{reg.host}/app:there").ok()
    assert members(anyone, "all")[there.digest]["variant"] == "z"


def test_missing_members(anyone, registries):
    reg = registries.start()
    manifest(anyone, "create", "list", f"{reg.host}/app:1").fails(f"{reg.host}/app:1")
    assert manifest(anyone, "exists", "list").code == 1
    manifest(anyone, "create", "list").ok()
    manifest(anyone, "add", "list", f"{reg.host}/app:1").fails(f"{reg.host}/app:1")
    assert members(anyone, "list") == {}
    manifest(anyone, "add", "no/such/list", f"{reg.host}/app:1").fails("No such image")


def test_registry_lies(anyone, registries):
    """What comes in the place of a digest is not entered into a list."""
    bad = registries.hostile()
    wanted = digest(b"{}")
    bad.on("GET", "/v2/.*", headers={"Content-Type": registries_module.MANIFEST}, body=b"[]")
    manifest(anyone, "create", "list").ok()
    manifest(anyone, "add", "list", f"{bad.host}/app@{wanted}").fails("has other content")
    text = json.dumps({"schemaVersion": 2, "manifests": [], "config": {
        "mediaType": registries_module.CONFIG, "digest": wanted, "size": 2}, "layers": []}).encode()
    worse = registries.hostile()
    worse.on("GET", "/v2/app/.*", headers={"Content-Type": registries_module.MANIFEST}, body=text)
    manifest(anyone, "add", "list", f"{worse.host}/app:1").fails("manifests")
    assert members(anyone, "list") == {}


def test_inspect_asks_the_registry(anyone, registries):
    reg = registries.start()
    image = push_one(reg, "app", "1", NATIVE)
    for name in (f"{reg.host}/app:1", f"docker://{reg.host}/app@{image.digest}"):
        assert json.loads(manifest(anyone, "inspect", name).ok().out) == json.loads(image.manifest)
        assert manifest(anyone, "inspect", "--raw", name).ok().out == image.manifest.decode()
    manifest(anyone, "inspect", f"{reg.host}/app:2").fails(f"{reg.host}/app:2")
    # one that no registry has, but this machine
    load(anyone, f"{reg.host}/own:1")
    result = manifest(anyone, "inspect", f"{reg.host}/own:1").ok()
    assert json.loads(result.out)["mediaType"] == registries_module.MANIFEST
    assert "the image that is here" in result.err
    assert not anyone.inro("images", "-q", f"{reg.host}/app").ok().out


def test_inspect_verbose(anyone, registries):
    """In docker's words."""
    reg = registries.start()
    images = {arch: push_one(reg, "app", arch, arch) for arch in (NATIVE, FOREIGN)}

    def details(name):
        return json.loads(manifest(anyone, "inspect", "-v", name).ok().out)

    def check(detail, arch, ref):
        text = images[arch].manifest
        assert base64.b64decode(detail["Raw"]) == text
        assert detail["OCIManifest"] == json.loads(text) and "SchemaV2Manifest" not in detail
        assert detail["Ref"] == ref and detail["Descriptor"]["digest"] == digest(text)
        assert detail["Descriptor"]["platform"] == {"architecture": arch, "os": "linux"}

    check(details(f"{reg.host}/app:{FOREIGN}"), FOREIGN, f"{reg.host}/app:{FOREIGN}")
    both = f"{reg.host}/app:both"
    manifest(anyone, "create", both, *(f"{reg.host}/app:{arch}" for arch in images)).ok()
    here = details(both)
    assert [set(detail) for detail in here] == [{"Ref", "Descriptor"}] * 2  # nobody was asked
    manifest(anyone, "push", both).ok()
    for detail, arch in zip(details("docker://" + both), images):
        check(detail, arch, f"{both}@{images[arch].digest}")
    anyone.inro("pull", "-q", f"{reg.host}/app:{NATIVE}").ok()
    check(details(both)[0], NATIVE, f"{both}@{images[NATIVE].digest}")
    manifest(anyone, "inspect", "-v", "--raw", both).fails("--verbose goes without --raw", code=125)


def test_referrers(anyone, registries):
    reg = registries.start()
    image = push_one(reg, "app", "1", NATIVE)
    subject = {"mediaType": registries_module.MANIFEST, "digest": image.digest,
               "size": len(image.manifest)}
    note = reg.push("app", "note", [b"note"], media_type="text/plain", subject=subject,
                    artifactType="text/note")
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": registries_module.MANIFEST, "digest": note.digest,
         "size": len(note.manifest), "artifactType": "text/note"}]}).encode()
    reg.manifest("app", image.digest.replace(":", "-"), index, INDEX)
    doc = json.loads(manifest(anyone, "inspect", "--referrers", f"{reg.host}/app:1").ok().out)
    assert [m["digest"] for m in doc["manifests"]] == [note.digest]
    doc = json.loads(manifest(anyone, "inspect", "--referrers", "--artifact-type", "text/other",
                              f"{reg.host}/app:1").ok().out)
    assert not doc["manifests"]


def test_saved_and_loaded(anyone, two):
    manifest(anyone, "create", "docker.io/library/both:1", "app:here", "app:there").ok()
    raw = manifest(anyone, "inspect", "--raw", "both:1").ok().out
    path = anyone.dir / "both"
    anyone.inro("save", "--format", "oci-dir", "-o", path, "both:1").ok()
    got = anyone.run("skopeo", "inspect", "--raw", f"oci:{path}:1").ok().out
    assert got == raw
    anyone.inro("rmi", "both:1", "app:here", "app:there").ok()
    anyone.run("tar", "-C", path, "-cf", anyone.dir / "both.tar", ".").ok()
    anyone.inro("load", "-i", anyone.dir / "both.tar").ok()
    info = json.loads(anyone.inro("inspect", "both:1").ok().out)[0]
    assert info["Digest"] == two[0] and info["Architecture"] == NATIVE


def test_run_takes_the_image_for_this_machine(root):
    """By the list's name, as after a pull of it."""
    import engine  # pylint: disable=import-outside-toplevel
    engine.box(root)
    there = load(root, "docker.io/library/app:there", FOREIGN)
    manifest(root, "create", "both", "app:there", "box").ok()
    assert root.inro("run", "--rm", "both", "echo", "hi").ok().out == "hi\n"
    manifest(root, "remove", "both", "box").ok()
    root.inro("run", "--rm", "both", "true").fails("no image for this platform", code=125)
    manifest(root, "annotate", "--arch", NATIVE, "both", there).ok()
    root.inro("rmi", "app:there").ok()
    # its blobs are here for the list: they are unpacked, and found to have no such program
    root.inro("run", "--rm", "both", "true").fails(code=127)


def test_many_at_once(root):
    """Each change of a list is one of the list as it then is."""
    names = [f"docker.io/library/app:{i}" for i in range(8)]
    found = [load(root, name, text=b"%d" % i) for i, name in enumerate(names)]
    manifest(root, "create", "list").ok()
    running = [root.popen(*root.inro_argv("manifest", "add", "list", name),
                          stdout=subprocess.DEVNULL) for name in names]
    assert [p.wait(60) for p in running] == [0] * len(names)
    assert sorted(members(root, "list")) == sorted(found)


def test_terminal_is_not_steered(root, registries):
    """C1 control characters are valid in JSON."""
    bad = registries.hostile()
    body = '{"schemaVersion": 2, "x": "\u009b31m\u007f"}'.encode()
    bad.on("GET", "/v2/.*", headers={"Content-Type": INDEX}, body=body)
    argv = root.inro_argv("manifest", "inspect", f"{bad.host}/app:1")
    done = root.run("script", "-qec", " ".join(map(str, argv)), "/dev/null").ok()
    assert "schemaVersion" in done.out
    assert "\u009b" not in done.out and "\x7f" not in done.out
    # nor by what isn't JSON at all
    worse = registries.hostile()
    worse.on("GET", "/v2/.*", headers={"Content-Type": INDEX}, body=b"\0\x1b[31m evil")
    argv = root.inro_argv("manifest", "inspect", "--raw", f"{worse.host}/app:1")
    assert manifest(root, "inspect", "--raw", f"{worse.host}/app:1").ok().out == "\0\x1b[31m evil"
    done = root.run("script", "-qec", " ".join(map(str, argv)), "/dev/null").ok()
    assert "evil" in done.out and "\x1b[31m" not in done.out


def test_a_member_thousands_of_times(root, registries):
    """Indexes that name each other over and over are read once."""
    bad = registries.hostile()
    one = load(root, "docker.io/library/app:here")

    def index(of, size, media_type=INDEX):
        return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": media_type, "digest": of, "size": size}] * 4000}).encode()

    inner = index(one, 1, registries_module.MANIFEST)
    outer = index(digest(inner), len(inner))
    for name, data in (("inner", inner), ("outer", outer)):
        (root.dir / name).write_bytes(data)
    # any bytes can get into the store
    root.inro("artifact", "add", "bytes:1", root.dir / "inner", root.dir / "outer").ok()
    top = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": INDEX, "digest": digest(outer), "size": len(outer)}]}).encode()
    bad.on("GET", "/v2/app/manifests/1", headers={"Content-Type": INDEX}, body=top)
    bad.on("HEAD", "/v2/app/blobs/.*", status=200)
    bad.on("PUT", "/v2/app/manifests/.*", status=201)
    manifest(root, "create", "--all", "list", f"docker://{bad.host}/app:1").ok()
    manifest(root, "push", "-q", "list", f"{bad.host}/app:2").ok()
    assert len(bad.seen("PUT", "/v2/app/manifests/.*")) == 4


def test_broken_list_can_be_removed(anyone):
    manifest(anyone, "create", "both").ok()
    raw = manifest(anyone, "inspect", "--raw", "both").ok().out
    (anyone.state / "inro/blobs/sha256" / digest(raw.encode())[7:]).unlink()
    manifest(anyone, "add", "both", "none").fails("no blob")
    assert manifest(anyone, "exists", "both").code == 0
    manifest(anyone, "rm", "both").ok()
    assert manifest(anyone, "exists", "both").code == 1
