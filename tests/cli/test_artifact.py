# SPDX-License-Identifier: Apache-2.0
"""Artifacts: files of any kind in the store and at registries."""

import json
import os

import pytest

import registries as registries_module
from registries import digest

MANIFEST = registries_module.MANIFEST
EMPTY = "application/vnd.oci.empty.v1+json"
TITLE = "org.opencontainers.image.title"


def artifact(who, *args, **kw):
    return who.inro("artifact", *args, **kw)


def files(who, **contents):
    paths = []
    for name, data in contents.items():
        path = who.dir / name
        path.write_bytes(data)
        who.own(path)
        paths.append(path)
    return paths


def inspect(who, name):
    return json.loads(artifact(who, "inspect", name).ok().out)


def blobs(who):
    return sorted(os.listdir(who.state / "inro/blobs/sha256"))


def test_add_and_extract(anyone):
    one, two = files(anyone, one=b"1" * 3000, two=b"")
    sha = artifact(anyone, "add", "--type", "application/x.test", "--file-type", "text/plain",
                   "--annotation", "a=b=c", "made.test/art:1", one, two).ok().out.strip()
    shown = inspect(anyone, "made.test/art:1")
    assert shown["Name"] == "made.test/art:1" and shown["Digest"] == "sha256:" + sha
    manifest = shown["Manifest"]
    assert manifest["artifactType"] == "application/x.test"
    assert manifest["config"] == {"mediaType": EMPTY, "digest": digest(b"{}"), "size": 2,
                                  "data": "e30="}
    assert manifest["layers"] == [
        {"mediaType": "text/plain", "digest": digest(path.read_bytes()),
         "size": path.stat().st_size, "annotations": {"a": "b=c", TITLE: path.name}}
        for path in (one, two)]
    assert digest((anyone.state / "inro/blobs/sha256" / sha).read_bytes()) == "sha256:" + sha
    assert artifact(anyone, "inspect", "-f", "{{.Digest}}", sha[:12]).ok().out.strip()[7:] == sha

    anyone.inro("system", "check").ok()

    out = anyone.dir / "out"
    out.mkdir()
    anyone.own(out)
    artifact(anyone, "extract", "made.test/art:1", out).ok()
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {"one": b"1" * 3000, "two": b""}
    artifact(anyone, "extract", "made.test/art:1", anyone.dir / "x").fails("is no directory")
    artifact(anyone, "extract", "--title", "one", "made.test/art:1", anyone.dir / "x").ok()
    assert (anyone.dir / "x").read_bytes() == b"1" * 3000
    artifact(anyone, "extract", "--digest", digest(b""), "made.test/art:1", anyone.dir / "x").ok()
    assert (anyone.dir / "x").read_bytes() == b""
    artifact(anyone, "extract", "--title", "six", "made.test/art:1", out).fails("no such file")


def test_names(anyone):
    """A name is of one artifact or one image; what is replaced leaves nothing behind."""
    one, two = files(anyone, one=b"1", two=b"2")
    artifact(anyone, "add", "made.test/art:1", one).ok()
    artifact(anyone, "add", "made.test/art:1", two).fails("exists already", "--append", "--replace")
    artifact(anyone, "add", "--append", "made.test/art:1", two).ok()
    assert [x["annotations"][TITLE] for x in inspect(anyone, "made.test/art:1")["Manifest"]["layers"]] \
        == ["one", "two"]
    artifact(anyone, "add", "--append", "made.test/art:1", two).fails("has a file two already")
    artifact(anyone, "add", "--append", "made.test/other:1", two).fails("no such artifact")
    artifact(anyone, "add", "--replace", "made.test/art:1", two).ok()
    left = {digest(b"2")[7:], digest(b"{}")[7:], inspect(anyone, "made.test/art:1")["Digest"][7:]}
    assert set(blobs(anyone)) == left
    (anyone.dir / "root").mkdir()
    anyone.run("tar", "-C", anyone.dir / "root", "-cf", anyone.dir / "root.tar", ".").ok()
    anyone.inro("import", anyone.dir / "root.tar", "made.test/image:1").ok()
    artifact(anyone, "add", "made.test/image:1", one).fails("is the name of an image")
    for verb in ("inspect", "rm", "push"):
        artifact(anyone, verb, "made.test/image:1").fails("no such artifact", "an image")


def test_ls_and_rm(anyone):
    one, two = files(anyone, one=b"1" * 2000, two=b"2")
    first = artifact(anyone, "add", "made.test/a:1", one).ok().out.strip()
    second = artifact(anyone, "add", "b:2", two).ok().out.strip()
    lines = artifact(anyone, "ls").ok().out.splitlines()
    assert lines[0].split() == ["REPOSITORY", "TAG", "DIGEST", "CREATED", "SIZE"]
    assert sorted(line.split()[:3] for line in lines[1:]) == [
        ["b", "2", second[:12]], ["made.test/a", "1", first[:12]]]
    assert sorted(artifact(anyone, "ls", "-n", "--no-trunc", "--format",
                           "{{.Digest}} {{.Size}}").ok().out.splitlines()) == \
        sorted([f"sha256:{first} 2kB", f"sha256:{second} 1B"])
    assert len(artifact(anyone, "ls", "-q").ok().out.split()) == 2
    assert anyone.inro("images", "-q").ok().out == ""
    assert anyone.inro("image", "prune", "-a", "-f").ok()
    assert len(artifact(anyone, "ls", "-q").ok().out.split()) == 2

    assert artifact(anyone, "rm", "b:2").ok().out == second + "\n"
    artifact(anyone, "rm", "b:2").fails("no such artifact: b:2")
    artifact(anyone, "rm", "--ignore", "b:2").ok()
    artifact(anyone, "rm").fails("--all", code=125)
    artifact(anyone, "rm", "--all").ok()
    assert not blobs(anyone)


def test_not_an_image(anyone):
    artifact(anyone, "add", "made.test/a:1", *files(anyone, one=b"1")).ok()
    anyone.inro("run", "made.test/a:1", "true").fails("is an artifact, not an image")
    anyone.inro("history", "made.test/a:1").fails("artifact")


@pytest.mark.parametrize("auth", [None, "token"])
def test_there_and_back(anyone, registries, auth):
    reg = registries.start(tls=True, auth=auth)
    options = ["--cert-dir", reg.certs(anyone.dir / "certs.d")]
    options += ["--creds", f"{reg.user}:{reg.password}"] if auth else []
    name = f"{reg.host}/team/art:1"
    sha = artifact(anyone, "add", "--type", "a/b", name,
                   *files(anyone, one=b"1" * 5000, two=b"2")).ok().out.strip()
    done = artifact(anyone, "push", *options, "--digestfile", anyone.dir / "digest", name).ok()
    assert done.out.splitlines()[-1].startswith(f"1: digest: sha256:{sha}")
    assert (anyone.dir / "digest").read_text() == "sha256:" + sha
    artifact(anyone, "rm", name).ok()
    assert not blobs(anyone)
    assert artifact(anyone, "pull", "-q", *options, name).ok().out == sha + "\n"
    shown = inspect(anyone, name)
    assert shown["Digest"] == "sha256:" + sha and shown["Manifest"]["artifactType"] == "a/b"
    artifact(anyone, "extract", "--title", "one", name, anyone.dir / "x").ok()
    assert (anyone.dir / "x").read_bytes() == b"1" * 5000
    # what is here is not fetched again
    before = len(reg.requests())
    artifact(anyone, "pull", *options, name).ok()
    assert not [r for r in reg.requests()[before:] if "/blobs/" in r[1]]


@pytest.mark.parametrize("place", ["oci:{}/lay:1", "oci-archive:{}/a.tar:1", "dir:{}/d"])
def test_archives(anyone, place):
    place = place.format(anyone.dir)
    sha = artifact(anyone, "add", "made.test/a:1", *files(anyone, one=b"1")).ok().out.strip()
    artifact(anyone, "push", "made.test/a:1", place).ok()
    artifact(anyone, "rm", "--all").ok()
    artifact(anyone, "pull", place).fails("no name for the artifact")
    assert artifact(anyone, "pull", "-q", place, "made.test/b:1").ok().out == sha + "\n"
    assert inspect(anyone, "made.test/b:1")["Digest"] == "sha256:" + sha


def push_titles(reg, *titles):
    layers = [{"mediaType": "a/b", "size": len(data), "digest": reg.blob("art", data),
               "annotations": {TITLE: title}}
              for title, data in ((t, b"content of " + t.encode()) for t in titles)]
    text = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "a/b",
                       "config": {"mediaType": EMPTY, "digest": reg.blob("art", b"{}"), "size": 2},
                       "layers": layers}).encode()
    return reg.manifest("art", "1", text)


@pytest.mark.parametrize("title", ["../evil", "/etc/evil", "..", ".", "a/b", "x\ny", "y" * 300])
def test_hostile_titles(anyone, registries, title):
    """What an artifact calls its files names nothing outside of the directory."""
    reg = registries.start()
    push_titles(reg, title)
    artifact(anyone, "pull", f"{reg.host}/art:1").ok()
    out = anyone.dir / "out"
    out.mkdir()
    anyone.own(out)
    artifact(anyone, "extract", f"{reg.host}/art:1", out).fails("is no file name")
    assert not list(out.iterdir()) and not (anyone.dir / "evil").exists()
    artifact(anyone, "extract", f"{reg.host}/art:1", anyone.dir / "mine").ok()
    assert (anyone.dir / "mine").read_bytes() == b"content of " + title.encode()


def test_links_where_it_is_extracted(anyone, registries):
    reg = registries.start()
    push_titles(reg, "link")
    artifact(anyone, "pull", f"{reg.host}/art:1").ok()
    out = anyone.dir / "out"
    out.mkdir()
    anyone.own(out)
    (out / "link").symlink_to(anyone.dir / "target")
    artifact(anyone, "extract", f"{reg.host}/art:1", out).fails("no regular file")
    assert not (anyone.dir / "target").exists()


def test_wrong_content(anyone, registries):
    good = registries.start()
    push_titles(good, "one")
    manifest = good.request("GET", "/v2/art/manifests/1", headers={"Accept": MANIFEST})[2]
    bad = registries.hostile()
    bad.on("GET", "/v2/", status=200)
    bad.on("GET", "/v2/art/manifests/1", body=manifest, headers={"Content-Type": MANIFEST})
    bad.on("GET", f"/v2/art/blobs/{digest(b'{}')}", body=b"{}")
    bad.on("GET", "/v2/art/blobs/.*", body=b"content of two")
    artifact(anyone, "pull", f"{bad.host}/art:1").fails("has other content")
    assert artifact(anyone, "ls", "-q").ok().out == ""
    assert digest(b"content of two")[7:] not in blobs(anyone)


def test_titles_from_the_user(anyone):
    one, = files(anyone, one=b"1")
    artifact(anyone, "add", "a:1", one, one).fails("has a file one already")
    artifact(anyone, "add", "a:1", anyone.dir).fails(str(anyone.dir.name))
    artifact(anyone, "add", "a:1", anyone.dir / "none").fails("opening")
    artifact(anyone, "add", "--append", "--replace", "a:1", one).fails("--replace", code=125)
    artifact(anyone, "add", "--annotation", "x", "a:1", one).fails("KEY=VALUE", code=125)
    assert artifact(anyone, "ls", "-q").ok().out == ""
