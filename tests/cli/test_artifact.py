# SPDX-License-Identifier: Apache-2.0
"""Artifacts: files of any kind in the store and at registries."""

import io
import json
import os
import subprocess
import tarfile

import pytest

import harness
import registries as registries_module
from registries import digest

TURNS = True  # see conftest.py

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


def test_short_names(anyone, registries):
    """The first registry that has it, as for images; one that fails isn't passed over."""
    ours, public = registries.hostile(), registries.start()
    name = f"{public.host}/art:1"
    sha = artifact(anyone, "add", name, *files(anyone, one=b"1")).ok().out.strip()
    artifact(anyone, "push", name).ok()
    artifact(anyone, "rm", name).ok()
    conf = anyone.dir / "inro.conf"
    conf.write_text(f"{harness.NO_NETWORK}[image]\nshort_names = {ours.host}, {public.host}\n[transfer]\nretries = 0\n")
    env = {"INRO_CONFIG": str(conf)}
    assert artifact(anyone, "pull", "-q", "art:1", env=env).ok().out == sha + "\n"
    assert inspect(anyone, name)["Digest"] == "sha256:" + sha
    artifact(anyone, "rm", name).ok()
    assert artifact(anyone, "pull", "-q", "art:1", "mine:1", env=env).ok().out == sha + "\n"
    assert inspect(anyone, "mine:1")["Digest"] == "sha256:" + sha
    for answer, message in (({"status": 503}, "503"), ({"body": b"{}"}, "manifest")):
        ours.rules.clear()
        ours.on("GET", "/v2/art/manifests/1", **answer)
        artifact(anyone, "pull", "art:1", env=env).fails(message)
    artifact(anyone, "pull", "docker://art:1", env=env).fails()


@pytest.mark.parametrize("place", ["oci:{}/lay:1", "oci-archive:{}/a.tar:1", "dir:{}/d"])
def test_archives(anyone, place):
    place = place.format(anyone.dir)
    sha = artifact(anyone, "add", "made.test/a:1", *files(anyone, one=b"1")).ok().out.strip()
    artifact(anyone, "push", "made.test/a:1", place).ok()
    artifact(anyone, "rm", "--all").ok()
    artifact(anyone, "pull", place).fails("no name for the artifact")
    assert artifact(anyone, "pull", "-q", place, "made.test/b:1").ok().out == sha + "\n"
    assert inspect(anyone, "made.test/b:1")["Digest"] == "sha256:" + sha


def push_files(reg, *pairs):
    layers = [{"mediaType": "a/b", "size": len(data), "digest": reg.blob("art", data),
               "annotations": {TITLE: title}} for title, data in pairs]
    text = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "a/b",
                       "config": {"mediaType": EMPTY, "digest": reg.blob("art", b"{}"), "size": 2},
                       "layers": layers}).encode()
    return reg.manifest("art", "1", text)


def push_titles(reg, *titles):
    return push_files(reg, *((t, b"content of " + t.encode()) for t in titles))


@pytest.mark.parametrize("title", ["../evil", "/etc/evil", "..", ".", "a/b", "x\ny", "x\u009by", "y" * 300])
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


def directory(who, name="out"):
    path = who.dir / name
    path.mkdir()
    who.own(path)
    return path


def test_all_files_or_none(anyone, registries):
    """Names are looked at before anything is written."""
    reg = registries.start()
    name, out = f"{reg.host}/art:1", directory(anyone)
    push_titles(reg, "fine", "../evil")
    artifact(anyone, "pull", name).ok()
    artifact(anyone, "extract", name, out).fails("is no file name")
    assert not list(out.iterdir())
    push_files(reg, ("one", b"1"), ("two", b"2"), ("one", b"3"))
    artifact(anyone, "pull", name).ok()
    artifact(anyone, "extract", name, out).fails("two files of the artifact are called one")
    artifact(anyone, "extract", "--title", "one", name, out).fails("are called one")
    assert not list(out.iterdir())
    artifact(anyone, "extract", "--digest", digest(b"3"), name, out).ok()
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {
        "sha256-" + digest(b"3")[7:]: b"3"}
    # the same bytes, called differently, are one file
    push_files(reg, ("one", b"1"), ("two", b"1"))
    artifact(anyone, "pull", name).ok()
    artifact(anyone, "extract", "--digest", digest(b"1"), name, anyone.dir / "x").ok()
    assert (anyone.dir / "x").read_bytes() == b"1"
    artifact(anyone, "extract", "--title", "one", name, f"{anyone.dir}/none/").fails("no directory")


def test_modes_of_what_is_extracted(anyone):
    """Those that any new file would have, in a directory and elsewhere."""
    artifact(anyone, "add", "a:1", *files(anyone, one=b"1")).ok()
    out = directory(anyone)
    for path in (out, out / "two"):
        artifact(anyone, "extract", "a:1", path, umask=0o027).ok()
    assert [(out / name).stat().st_mode & 0o777 for name in ("one", "two")] == [0o640, 0o640]


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
    artifact(anyone, "add", "--annotation", f"{TITLE}=x/y", "a:1", one).fails("is no name")
    (bad,) = [os.path.join(os.fsencode(anyone.dir), b"caf\xe9")]
    with open(bad, "wb") as file:
        file.write(b"1")
    anyone.own(bad)
    argv = [os.fsencode(str(a)) for a in anyone.inro_argv("artifact", "add", "a:1")] + [bad]
    done = subprocess.run(argv, env=anyone.env, capture_output=True, check=False,
                          **({"user": anyone.uid, "group": anyone.gid, "extra_groups": []}
                             if os.geteuid() != anyone.uid else {}))
    assert done.returncode and b'"caf\\xe9" is no name for a file' in done.stderr
    artifact(anyone, "add", "--type", "x\ny", "a:1", one).fails("artifactType")
    assert artifact(anyone, "ls", "-q").ok().out == ""
    artifact(anyone, "add", "--annotation", f"{TITLE}=two", "a:1", one).ok()
    artifact(anyone, "add", "--append", "--annotation", f"{TITLE}=two", "a:1", one).fails("already")
    layer, = inspect(anyone, "a:1")["Manifest"]["layers"]
    assert layer["annotations"] == {TITLE: "two"}


def test_many_at_once(anyone):
    """Who adds to an artifact adds to it as it then is; a new name is given once."""
    paths = files(anyone, **{f"f{i}": b"%d" % i for i in range(6)})

    def all_at_once(*options):
        running = [anyone.popen(*anyone.inro_argv("artifact", "add", *options, path),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                   for path in paths]
        return [p.wait(60) for p in running]

    assert all_at_once("new:1").count(0) == 1
    artifact(anyone, "add", "many:1", *files(anyone, first=b"first")).ok()
    assert not any(all_at_once("--append", "many:1"))
    layers = inspect(anyone, "many:1")["Manifest"]["layers"]
    assert sorted(x["annotations"][TITLE] for x in layers) == [
        "f0", "f1", "f2", "f3", "f4", "f5", "first"]
    # what has been replaced on the way is gone
    assert len(artifact(anyone, "ls", "-q").ok().out.split()) == 2
    anyone.inro("system", "check").ok()


def test_broken_artifacts(anyone):
    """One whose manifest is lost is not absent, and can be removed or replaced."""
    one, two = files(anyone, one=b"1", two=b"2")

    def broken(name):
        sha = artifact(anyone, "add", name, one).ok().out.strip()
        (anyone.state / "inro/blobs/sha256" / sha).unlink()

    broken("a:1")
    artifact(anyone, "inspect", "a:1").fails("no blob")
    artifact(anyone, "add", "a:1", two).fails("exists already")
    artifact(anyone, "add", "--append", "a:1", two).fails("no blob")
    artifact(anyone, "add", "--replace", "a:1", two).ok()
    inspect(anyone, "a:1")
    broken("b:1")
    artifact(anyone, "rm", "b:1").ok()
    broken("c:1")
    artifact(anyone, "rm", "--all").ok()
    assert artifact(anyone, "ls", "-q").ok().out == "" and not blobs(anyone)


def test_what_was_not_on_the_disk(anyone, registries):
    """After a power cut zeros may stand where the bytes were: they go nowhere."""
    reg = registries.start()
    name = f"{reg.host}/art:1"
    push_titles(reg, "one")
    artifact(anyone, "pull", name).ok()
    data = b"content of one"
    marks = anyone.state / "inro/unsynced"
    marks.mkdir(exist_ok=True)
    os.symlink("another-boot", marks / digest(data)[7:])
    for path in (marks, marks / digest(data)[7:]):
        anyone.own(path)
    blob = anyone.state / "inro/blobs/sha256" / digest(data)[7:]
    blob.write_bytes(bytes(len(data)))
    artifact(anyone, "extract", name, anyone.dir / "x").fails("is not whole", "artifact pull")
    assert not (anyone.dir / "x").exists()
    artifact(anyone, "push", name, f"oci:{anyone.dir}/lay").fails("was not on the disk yet")
    artifact(anyone, "push", name, f"{reg.host}/other:1").fails("neither in the store nor in")
    artifact(anyone, "pull", name).ok()
    artifact(anyone, "extract", name, anyone.dir / "x").ok()
    assert (anyone.dir / "x").read_bytes() == data


def test_sizes_are_just_words(anyone, registries):
    """What can't have room on the disk is not fetched until it is full."""
    bad = registries.hostile()
    text = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [
        {"mediaType": "a/b", "digest": digest(b"x"), "size": 1 << 60}],
        "config": {"mediaType": EMPTY, "digest": digest(b"{}"), "size": 2}}).encode()
    bad.on("GET", "/v2/", status=200)
    bad.on("GET", "/v2/art/manifests/1", body=text, headers={"Content-Type": MANIFEST})
    bad.on("GET", f"/v2/art/blobs/{digest(b'{}')}", body=b"{}")
    artifact(anyone, "pull", f"{bad.host}/art:1").fails("not enough room")
    assert not bad.seen("GET", f"/v2/art/blobs/{digest(b'x')}")


def test_one_document_two_meanings(anyone, registries):
    """A document that is an image's configuration and an artifact's manifest is one of them."""
    reg = registries.start()
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("file"))
    layer = layer.getvalue()
    both = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "a/b",
        "config": {"mediaType": EMPTY, "digest": reg.blob("both", b"{}"), "size": 2},
        "layers": [], "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}).encode()
    reg.push("both", "image", [layer], config=both)
    reg.manifest("both", "artifact", both)
    image, other = f"{reg.host}/both:image", f"{reg.host}/both:artifact"
    anyone.inro("pull", "--platform", "linux/amd64", image).ok()
    artifact(anyone, "pull", other).fails("is here as something else")
    assert artifact(anyone, "ls", "-q").ok().out == ""
    anyone.inro("rmi", image).ok()
    artifact(anyone, "pull", other).ok()
    anyone.inro("pull", "--platform", "linux/amd64", image).fails("is here as something else")
    anyone.inro("history", other).fails("artifact")


def test_name_is_looked_at_first(anyone, registries):
    """Nothing is fetched for a name that an image has."""
    reg = registries.start()
    push_titles(reg, "one")
    name = f"{reg.host}/art:1"
    (anyone.dir / "root").mkdir()
    anyone.run("tar", "-C", anyone.dir / "root", "-cf", anyone.dir / "root.tar", ".").ok()
    anyone.inro("import", anyone.dir / "root.tar", name).ok()
    artifact(anyone, "pull", name).fails("is the name of an image")
    assert not [r for r in reg.requests() if "/blobs/sha256:" in r[1] and r[0] == "GET"]


def test_pulled_as_an_image(anyone, registries):
    reg = registries.start()
    push_titles(reg, "one")
    anyone.inro("pull", f"{reg.host}/art:1").fails("is not of an image", "inro artifact pull")


def test_digestfile_is_written_through(anyone, registries):
    """A link, as /dev/stdout is one, stays what it is."""
    reg = registries.start()
    name, link = f"{reg.host}/art:1", anyone.dir / "link"
    sha = artifact(anyone, "add", name, *files(anyone, one=b"1")).ok().out.strip()
    link.symlink_to("target")
    artifact(anyone, "push", "-q", "--digestfile", link, name).ok()
    assert link.is_symlink() and (anyone.dir / "target").read_text() == "sha256:" + sha
    if not anyone.rootless:  # whose pipe it is not
        done = artifact(anyone, "push", "-q", "--digestfile", "/dev/stdout", name).ok()
        assert "sha256:" + sha in done.out


def test_terminal_is_not_steered(root, registries):
    """C1 control characters are valid in JSON."""
    reg = registries.start()
    push_titles(reg, "\u009b31m")
    artifact(root, "pull", f"{reg.host}/art:1").ok()
    argv = root.inro_argv("artifact", "inspect", f"{reg.host}/art:1")
    done = root.run("script", "-qec", " ".join(map(str, argv)), "/dev/null").ok()
    assert "31m" in done.out and "\u009b" not in done.out


def test_max_size(anyone):
    """What is longest unused makes room, whatever it is."""
    path = anyone.dir / "inro.conf"
    path.write_text(harness.NO_NETWORK + "[image]\nmax_size = 2m\n")
    anyone.env["INRO_CONFIG"] = str(path)
    for i in range(3):
        artifact(anyone, "add", f"a:{i}", *files(anyone, **{f"f{i}": os.urandom(900000)})).ok()
    harness.wait_for(lambda: len(artifact(anyone, "ls", "-q").ok().out.split()) == 2, 20,
                     "the oldest to go")
    assert artifact(anyone, "inspect", "a:0").code != 0


def test_push_to_where_the_name_says(anyone, registries):
    """What is found by its id is not pushed to a repository of that name."""
    reg = registries.start()
    name = f"{reg.host}/art:1"
    sha = artifact(anyone, "add", name, *files(anyone, one=b"1")).ok().out.strip()
    artifact(anyone, "push", sha[:12]).fails("is no name of the artifact",
                                             f"inro artifact push {sha[:12]}", code=125)
    artifact(anyone, "push", "-q", sha[:12], name).ok()
    artifact(anyone, "rm", sha).ok()
    # by its digest: then it has no name, as an image has none
    whole = f"{reg.host}/art@sha256:{sha}"
    artifact(anyone, "pull", whole, f"{reg.host}/art@{digest(b'')}").fails("has no digest")
    artifact(anyone, "pull", whole).ok()
    assert inspect(anyone, whole)["Name"] == whole
    row, = artifact(anyone, "ls", "-n").ok().out.splitlines()
    assert row.split()[:2] == [f"{reg.host}/art", "<none>"]
    artifact(anyone, "push", "-q", whole).ok()
    artifact(anyone, "rm", whole).ok()
    assert not blobs(anyone)
