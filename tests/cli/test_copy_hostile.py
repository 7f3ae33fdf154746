# SPDX-License-Identifier: Apache-2.0
"""Copies of what somebody else made up, to places that are in a bad state."""

import errno
import io
import json
import lzma
import os
import signal
import stat
import subprocess
import sys
import tarfile
import threading

import pytest

import harness
import layers
import registries as registries_module
from registries import digest
from test_copy import GZIPPED, MANIFEST, PLAIN, an_image, copy, names_in, stored, write_layout
from test_pull import mirrored
from test_pull_foreign import ALLOW, BLOB, LAYER, OWN, documents
from test_pull_foreign import image as foreign_image
from test_push import gz

TURNS = True  # see conftest.py


def ids(who):
    return who.inro("images", "-q", "--no-trunc").ok().out.split()


# ---- what the command line says ----

def test_digest_goes_into_what_is_there(anyone):
    """A pipe or a device is written to, a link leads to the file that is replaced."""
    layout, image = an_image(anyone)
    fifo, link, target = (anyone.dir / name for name in ("fifo", "link", "target"))
    os.mkfifo(fifo)
    target.write_text("old")
    link.symlink_to("target")
    for path in (fifo, target):
        anyone.own(path)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for number, path in enumerate((fifo, link)):
            copy(anyone, "--digestfile", path, f"oci:{layout}:1", f"dir:{anyone.dir}/{number}").ok()
        assert os.read(reader, 1000).decode() == image
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(os.lstat(fifo).st_mode) and link.is_symlink()
    assert target.read_text() == image
    # standard output stays what it is
    out = copy(anyone, "-q", "--digestfile", "/dev/stdout", f"oci:{layout}:1",
               f"dir:{anyone.dir}/out").ok().out
    assert out == image


@pytest.mark.parametrize("name", ["/dev/stdout", "-"])
def test_archive_on_standard_output(anyone, name):
    """What is shown goes elsewhere."""
    layout, image = an_image(anyone)
    argv = anyone.inro_argv("image", "copy", f"oci:{layout}:1", f"oci-archive:{name}")
    process = anyone.popen(*argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    with tarfile.open(fileobj=io.BytesIO(out)) as archive:
        assert f"blobs/sha256/{image[7:]}" in archive.getnames()
    assert f"Digest: {image}" in err.decode()


def test_names_that_no_layout_has(root):
    layout, _ = an_image(root)
    for ref in ("a b", "a-", "a\nb", "é", "_"):
        for kind in ("oci", "oci-archive"):
            copy(root, f"oci:{layout}:1", f"{kind}:{root.dir}/new:{ref}").fails(
                "an image layout has no name like", code=125)
    assert not (root.dir / "new").exists()


def test_destinations_are_looked_at_first(anyone, registries):
    """Before anything is fetched, or even asked for."""
    reg, target = registries.start(), registries.start()
    image = reg.push("app", "1", GZIPPED)
    source, before = f"docker://{reg.host}/app:1", len(reg.requests())
    for to, word in ((f"docker-archive:{anyone.dir}/x:UPPER", "lower case"),
                     (f"docker-archive:{anyone.dir}/x:a@{image.digest}", "digest reference"),
                     (f"mine@{image.digest}", "digest reference"), ("UPPER:1", "lower case"),
                     (f"docker://{target.host}/UPPER", "lower case")):
        copy(anyone, source, to).fails(word, code=125)
    assert len(reg.requests()) == before and not (anyone.dir / "x").exists()
    copy(anyone, source, f"docker://{target.host}/app@{digest(b'other')}").fails(
        f"the image's digest is {image.digest}")
    assert not [r for r in target.requests() if "/blobs/" in r[1]]


def test_one_image_for_another_platform(anyone, registries):
    """An image that is not in an index says itself for which platform it is."""
    reg = registries.start()
    reg.push("app", "1", GZIPPED, config=json.dumps({
        "architecture": "s390x", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(x) for x in PLAIN]}}).encode())
    name = f"docker://{reg.host}/app:1"
    for to in (f"dir:{anyone.dir}/d", f"docker://{reg.host}/other:1"):
        copy(anyone, "--platform", "linux/arm64", name, to).fails("for linux/s390x, not for")
    copy(anyone, "--platform", "linux/s390x", name, f"oci:{anyone.dir}/lay:1").ok()
    anyone.inro("pull", "--platform", "linux/arm64", f"oci:{anyone.dir}/lay:1").fails(
        "for linux/s390x, not for")
    assert not ids(anyone)


def test_names_with_a_transport_are_whole(anyone, registries):
    """No setting on short names makes another registry's image of docker://NAME."""
    wrong, hub = registries.start(), registries.start()
    wrong.push("library/app", "1", GZIPPED[:1])
    wrong.push("app", "1", GZIPPED[:1])
    image = hub.push("library/app", "1", GZIPPED)
    conf = anyone.dir / "inro.conf"
    conf.write_text(f"[image]\nshort_names = {wrong.host}\n"
                    f'[registry "docker.io"]\nlocation = {hub.host}\n')
    anyone.inro("--config", conf, "image", "copy", "docker://app:1", "mine:1").ok()
    anyone.inro("--config", conf, "pull", "docker://app:1").ok()
    assert not [r for r in wrong.requests() if r[0] == "GET"]
    listed = anyone.inro("images", "--digests", "--format", "{{.Repository}} {{.Digest}}").ok().out
    assert sorted(listed.split("\n")[:-1]) == [f"app {image.digest}", f"mine {image.digest}"]


def test_pushing_to_files_says_what_it_can_not(anyone):
    layout, _ = an_image(anyone)
    copy(anyone, f"oci:{layout}:1", "app:1").ok()
    anyone.inro("push", "--compression-format", "zstd", "app:1", f"dir:{anyone.dir}/d").fails(
        "for registries", code=125)
    assert not (anyone.dir / "d").exists()


# ---- layouts ----

def test_a_pipe_is_not_opened(anyone):
    """Whoever waits for a reader goes on waiting: opening a device would set it off."""
    layout, _ = an_image(anyone)
    blob = layout / "blobs/sha256" / digest(GZIPPED[0])[7:]
    blob.unlink()
    os.mkfifo(blob)
    opened = threading.Event()

    def wait_for_a_reader():
        os.close(os.open(blob, os.O_WRONLY))
        opened.set()
    thread = threading.Thread(target=wait_for_a_reader, daemon=True)
    thread.start()
    copy(anyone, f"oci:{layout}:1", f"dir:{anyone.dir}/d").fails("no regular file")
    assert not opened.wait(0.2)
    os.close(os.open(blob, os.O_RDONLY | os.O_NONBLOCK))
    thread.join(10)


def test_index_without_room(anyone):
    """One image more, and nobody could read the index of all of them any more."""
    layout, image = an_image(anyone)
    target = anyone.dir / "target"
    copy(anyone, f"oci:{layout}:1", f"oci:{target}:first").ok()
    index = json.loads((target / "index.json").read_text())
    one = index["manifests"][0]
    index["manifests"] += [{**one, "annotations": {"org.opencontainers.image.ref.name": f"n{i}"}}
                           for i in range(4095)]
    full = json.dumps(index)
    (target / "index.json").write_text(full)
    copy(anyone, f"oci:{layout}:1", f"oci:{target}:more").fails("room for 4096 images")
    assert (target / "index.json").read_text() == full
    copy(anyone, f"oci:{layout}:1", f"oci:{target}:n7").ok()
    assert json.loads((target / "index.json").read_text())["manifests"][0]["digest"] == image


@pytest.mark.parametrize("what, text", [("index.json", "{"), ("oci-layout", "[]"),
                                        ("oci-layout", '{"imageLayoutVersion": "2.0.0"}')])
def test_broken_layouts_get_nothing(anyone, what, text):
    layout, _ = an_image(anyone)
    target, _ = an_image(anyone, name="target")
    before = sorted(os.listdir(target / "blobs/sha256"))
    (target / what).write_text(text)
    other = layers.Layout()
    source = write_layout(anyone, other, other.image(PLAIN[:1], name="2"), name="other")
    copy(anyone, f"oci:{source}:2", f"oci:{target}:2").fails(str(target), "layout" if "layout"
                                                             in what else "index")
    assert sorted(os.listdir(target / "blobs/sha256")) == before
    assert (target / what).read_text() == text


def test_what_is_there_must_be_that(anyone, registries):
    """A file of the name and size of a blob, with something else in it, is replaced."""
    reg = registries.start()
    reg.push("app", "1", GZIPPED)
    for start in (f"oci:{an_image(anyone)[0]}:1", f"docker://{reg.host}/app:1"):
        target = anyone.dir / "target"
        copy(anyone, start, f"oci:{target}:1").ok()
        blob = target / "blobs/sha256" / digest(GZIPPED[1])[7:]
        blob.write_bytes(b"x" * len(GZIPPED[1]))
        done = copy(anyone, start, f"oci:{target}:1").ok()
        assert blob.read_bytes() == GZIPPED[1]
        assert done.out.count("Already exists") == 2 and done.out.count("Copied") == 1


def test_at_the_same_time(anyone):
    """Several copies into one layout: each gets its name, and takes none away."""
    sources = []
    for number in range(4):
        layout = layers.Layout()
        desc = layout.image([layers.tar(layers.entry("f", str(number)))])
        sources.append((write_layout(anyone, layout, desc, name=f"from{number}"), desc["digest"]))
    target = anyone.dir / "target"
    running = [anyone.popen(*anyone.inro_argv("image", "copy", "-q", f"oci:{source}",
                                              f"oci:{target}:{number}"))
               for number, (source, _) in enumerate(sources)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert sorted(names_in(target), key=lambda x: x[1]) == [
        (sha, str(number)) for number, (_, sha) in enumerate(sources)]
    for number in range(4):
        copy(anyone, f"oci:{target}:{number}", f"dir:{anyone.dir}/d{number}").ok()


def test_indexes_in_indexes(anyone):
    """Each names the next one a thousand times: a document is looked at once."""
    layout = layers.Layout()
    desc = layout.image(PLAIN[:1])
    for _ in range(3):
        desc = layout.index([desc] * 1000)
    source = f"oci:{write_layout(anyone, layout, desc)}"
    copy(anyone, "--all", source, f"oci-archive:{anyone.dir}/a.tar", timeout=30).ok()
    with tarfile.open(anyone.dir / "a.tar") as archive:
        assert len([x for x in archive.getnames() if x.startswith("blobs/sha256/")]) == 6


@pytest.mark.parametrize("kind", ["oci", "dir"])
def test_load_what_skopeo_wrote(anyone, kind):
    layout, _ = an_image(anyone)
    name = ":made.test/app:1" if kind == "oci" else ""
    anyone.run("skopeo", "copy", f"oci:{layout}:1", f"{kind}:{anyone.dir}/theirs{name}").ok()
    done = anyone.inro("load", "-i", anyone.dir / "theirs").ok()
    assert done.out.startswith("Loaded image: made.test/app:1" if name else "Loaded image ID: ")
    # and it takes the place of one of theirs
    if kind == "dir":
        copy(anyone, f"oci:{layout}:1", f"dir:{anyone.dir}/theirs").ok()
        anyone.run("skopeo", "copy", f"dir:{anyone.dir}/theirs", f"oci:{anyone.dir}/again").ok()


# ---- dir: ----

def test_a_directory_is_replaced_as_a_whole(anyone):
    """By another image, as skopeo does it; not when it has anything else in it."""
    layout, image = an_image(anyone)
    other = layers.Layout()
    desc = other.image(PLAIN[:1], name="2")
    second = write_layout(anyone, other, desc, name="second")
    target = anyone.dir / "d"
    copy(anyone, f"oci:{second}:2", f"dir:{target}").ok()
    (target / "signature-1").write_text("old")
    copy(anyone, f"oci:{layout}:1", f"dir:{target}").ok()
    assert digest((target / "manifest.json").read_bytes()) == image
    assert len(os.listdir(target)) == 5 and (target / "version").exists()
    # of what fails nothing is seen
    (second / "blobs/sha256" / digest(PLAIN[0])[7:]).write_bytes(b"")
    before = sorted(os.listdir(target))
    copy(anyone, f"oci:{second}:2", f"dir:{target}").fails("instead of")
    assert sorted(os.listdir(target)) == before
    assert digest((target / "manifest.json").read_bytes()) == image
    # from itself
    copy(anyone, f"dir:{target}", f"dir:{target}").ok()
    assert sorted(os.listdir(target)) == before
    # only what is an image of "dir:" through and through
    for name in ("mine", "signature-x", "f" * 63, "." + "f" * 64):
        (target / name).write_text("mine")
        copy(anyone, f"oci:{layout}:1", f"dir:{target}").fails("no empty directory")
        (target / name).unlink()
    (target / "version").unlink()
    copy(anyone, f"oci:{layout}:1", f"dir:{target}").fails("no empty directory")
    assert not [x for x in os.listdir(anyone.dir) if x.startswith(".d.")]


# ---- load of directories ----

def test_load_a_directory(anyone):
    """All images of a layout, for this machine; the one of a dir:."""
    layout = layers.Layout()
    first, second = (layout.image([x], compress="gzip") for x in PLAIN)
    arch = "amd64" if os.uname().machine == "x86_64" else "arm64"
    other = {**layout.image([PLAIN[0]], conf=b"{}"), "platform": {
        "os": "linux", "architecture": "s390x"}}
    named = [{**first, "annotations": {"org.opencontainers.image.ref.name": "a.test/one:1"}},
             {**first, "annotations": {"org.opencontainers.image.ref.name": "a.test/two:1"}},
             {**second, "platform": {"os": "linux", "architecture": arch}}, other]
    top = write_layout(anyone, layout, *named)
    done = anyone.inro("load", "-i", top).ok()
    lines = done.out.splitlines()
    assert lines[:2] == ["Loaded image: a.test/one:1", "Loaded image: a.test/two:1"]
    assert len(lines) == 3 and lines[2].startswith("Loaded image ID: sha256:")
    assert len(set(ids(anyone))) == 2
    copy(anyone, f"oci:{top}:@2", f"dir:{anyone.dir}/d").ok()
    copy(anyone, f"oci:{top}:@9", f"dir:{anyone.dir}/x").fails("there are 4 images")
    copy(anyone, f"oci:{top}:@x", f"dir:{anyone.dir}/x").fails("expected a number", code=125)
    done = anyone.inro("load", "-i", anyone.dir / "d").ok()
    assert done.out == lines[2] + "\n"
    anyone.inro("load", "-i", anyone.dir).fails("there is no oci-layout", code=125)


# ---- archives ----

def test_names_that_archives_may_not_give(anyone):
    """What a registry calls an image is not for an archive to say."""
    layout = layers.Layout()
    fake = "sha256:" + "a" * 64
    desc = layout.image(PLAIN, compress="gzip")
    named = [{**desc, "annotations": {"io.containerd.image.name": name}}
             for name in (f"bank.test/app@{fake}", f"bank.test/app:2@{fake}")]
    done = anyone.inro("load", input=layout.archive(*named)).ok()
    assert "it is a digest" in done.err
    assert done.out.split("\n")[0] == "Loaded image: bank.test/app:2"
    shown = anyone.inro("images", "--digests", "--format", "{{.Repository}}:{{.Tag}}").ok().out
    assert shown == "bank.test/app:2\n"
    anyone.inro("inspect", f"bank.test/app@{fake}").fails("No such")


@pytest.mark.parametrize("how", ["load", "copy"])
def test_documents_without_an_end(root, how):
    """However many images an archive has, what is read of it fits into memory."""
    layout = layers.Layout()
    notes = {str(k): "x" * 100_000 for k in range(35)}
    conf = layout.blob(layers.config(PLAIN[:1]), "config.v1+json")
    layer = layout.blob(PLAIN[0], "layer.v1.tar")
    found = [layout.blob(json.dumps({
        "schemaVersion": 2, "config": conf, "layers": [layer], "annotations": notes,
        "n": number}).encode(), "manifest.v1+json") for number in range(11)]
    if how == "load":
        done = root.inro("load", input=layout.archive(*found))
    else:
        archive = root.dir / "a.tar"
        members = [(f"{n}.json", layers.config(PLAIN[:1], n=n, config={"Labels": notes}))
                   for n in range(11)]
        doc = json.dumps([{"Config": name, "Layers": ["layer"]} for name, _ in members]).encode()
        archive.write_bytes(layers.tar(layers.entry("layer", PLAIN[0]),
                                       layers.entry("manifest.json", doc),
                                       *[layers.entry(*member) for member in members]))
        done = copy(root, f"docker-archive:{archive}:@0", "x:1")
    done.fails("manifests and configs of more than")
    assert not stored(root)


def test_many_names_of_one_image(anyone):
    """They are no more documents than one."""
    layout = layers.Layout()
    conf = layers.config(PLAIN, config={"Labels": {"note": "x" * 100_000}})
    desc = layout.image(PLAIN, conf=conf)
    named = [{**desc, "annotations": {"io.containerd.image.name": f"a.test/app:{n}"}}
             for n in range(400)]
    anyone.inro("load", input=layout.archive(*named)).ok()
    assert len(anyone.inro("images", "--format", "{{.Tag}}").ok().out.split()) == 400
    assert len(ids(anyone)) == 1


def test_layers_compressed_with_xz(anyone):
    archive = anyone.dir / "a.tar"
    archive.write_bytes(layers.docker_archive(PLAIN, compress="xz", tags=["made.test/app:1"]))
    copy(anyone, f"docker-archive:{archive}", f"dir:{anyone.dir}/d").ok()
    assert (anyone.dir / "d" / digest(lzma.compress(PLAIN[0]))[7:]).exists()
    anyone.inro("pull", "-q", f"docker-archive:{archive}").ok()
    config = json.loads(anyone.inro("inspect", "made.test/app:1").ok().out)[0]
    assert config["RootFS"]["Layers"] == [digest(x) for x in PLAIN]


# ---- registries ----

def huge_registry(registries, size):
    """One whose image has a layer that is said to be of this size."""
    bad = registries.hostile()
    conf = registries_module.CONFIG
    text = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {
        "mediaType": conf, "digest": digest(b"{}"), "size": 2}, "layers": [
            {"mediaType": registries_module.LAYER_GZIP, "digest": digest(b"huge"), "size": size},
            {"mediaType": registries_module.LAYER_GZIP, "digest": digest(b"more"), "size": size},
        ]}).encode()
    bad.on("GET", "/v2/", status=200)
    bad.on("GET", "/v2/app/manifests/1", body=text, headers={"Content-Type": MANIFEST})
    bad.on("GET", f"/v2/app/blobs/{digest(b'{}')}", body=b"{}")
    return bad


@pytest.mark.parametrize("size", [1 << 50, (1 << 63) - 1])
def test_no_room(anyone, registries, size):
    """What passes through the store must fit there with room to spare: nothing of it is fetched."""
    bad, target = huge_registry(registries, size), registries.start()
    for to in (f"docker://{target.host}/app:1", f"oci-archive:{anyone.dir}/a.tar"):
        copy(anyone, f"docker://{bad.host}/app:1", to).fails("not enough room")
    assert not bad.seen("GET", f"/v2/app/blobs/{digest(b'huge')}")
    assert not (anyone.dir / "a.tar").exists() and not stored(anyone)


def test_asked_for_once(anyone, registries):
    """Before a blob is uploaded the registry is asked once whether it has it."""
    source, target = registries.start(), registries.start()
    source.push("app", "1", GZIPPED)
    copy(anyone, f"docker://{source.host}/app:1", f"docker://{target.host}/app:1").ok()
    asked = [r[1] for r in target.requests() if r[0] == "HEAD" and "/blobs/" in r[1]]
    assert len(asked) == 3 == len(set(asked))


def test_options_of_scripts(anyone, registries):
    """Words of skopeo: no credentials although there are some, fewer tries."""
    reg = registries.start(auth="basic")
    reg.push("app", "1", GZIPPED)
    anyone.inro("login", "-u", reg.user, "-p", reg.password, reg.host).ok()
    name, to = f"docker://{reg.host}/app:1", f"docker://{reg.host}/other:1"
    copy(anyone, "--remove-signatures", "--retry-times", "2", name, to).ok()
    copy(anyone, "--src-no-creds", name, to).fails("login")
    copy(anyone, "--dest-no-creds", name, to.replace("other", "more")).fails("login")
    copy(anyone, "--src-no-creds", "--src-creds", "a:b", name, to).fails("give one", code=125)
    copy(anyone, "--retry-times=-1", name, to).fails("expected 0 to 100", code=125)
    bad = registries.hostile()
    bad.on("GET", "/v2/", status=200)
    bad.on("GET", "/v2/app/manifests/1", status=503)
    copy(anyone, "--retry-times", "0", f"docker://{bad.host}/app:1", to).fails("503")
    assert len(bad.seen("GET", "/v2/app/manifests/1")) == 1


@pytest.mark.parametrize("what", ["layer", "config", "manifest"])
def test_a_mirror_with_other_content(anyone, registries, what):
    """It keeps nobody from the registry."""
    mirror, main = registries.hostile(), registries.start()
    image = main.push("app", "1", GZIPPED)
    docs = {"layer": GZIPPED[0], "config": image.config, "manifest": image.manifest}
    docs[what] = docs[what][:-1] + bytes([docs[what][-1] ^ 1])
    mirror.on("GET", "/v2/", body=b"{}")
    mirror.on("GET", f"/v2/app/manifests/{image.digest}", body=docs["manifest"],
              headers={"Content-Type": MANIFEST})
    mirror.on("GET", f"/v2/app/blobs/{digest(image.config)}", body=docs["config"])
    mirror.on("GET", f"/v2/app/blobs/{digest(GZIPPED[0])}", body=docs["layer"])
    mirrored(anyone, mirror, main)
    done = copy(anyone, f"docker://{main.host}/app@{image.digest}", f"dir:{anyone.dir}/d").ok()
    assert f"trying without http://{mirror.host}" in done.out
    assert digest((anyone.dir / "d/manifest.json").read_bytes()) == image.digest
    assert (anyone.dir / "d" / digest(GZIPPED[0])[7:]).read_bytes() == GZIPPED[0]


def test_a_member_that_a_mirror_has_not(anyone, registries):
    """The documents of an index, too, come from whoever has them."""
    mirror, main = registries.hostile(), registries.start()
    image = main.push("app", "one", GZIPPED)
    index = json.dumps({"schemaVersion": 2, "manifests": [
        {"mediaType": MANIFEST, "digest": image.digest, "size": len(image.manifest)}]}).encode()
    main.manifest("app", "1", index, "application/vnd.oci.image.index.v1+json")
    mirror.on("GET", "/v2/", body=b"{}")
    mirror.on("GET", f"/v2/app/manifests/{image.digest}", body=b" " * len(image.manifest),
              headers={"Content-Type": MANIFEST})
    mirrored(anyone, mirror, main)
    copy(anyone, "--all", f"docker://{main.host}/app:1", f"dir:{anyone.dir}/d").ok()


def test_interrupted_while_a_registry_is_silent(anyone, registries):
    """The directory goes at once; so does the command."""
    bad, asked, go = registries.hostile(), threading.Event(), threading.Event()

    def hang(request):
        asked.set()
        go.wait(60)
        request.answer(404)
    bad.on("GET", ".*", hang)
    before = set(os.listdir(anyone.dir))
    process = anyone.popen(*anyone.inro_argv("image", "copy", f"docker://{bad.host}/app:1",
                                             f"dir:{anyone.dir}/d"),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert asked.wait(20)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    finally:
        go.set()
        process.kill()
        process.communicate()
    assert process.returncode == 125 and set(os.listdir(anyone.dir)) - before <= {"state"}


def test_interrupted_while_an_archive_comes(anyone):
    """Of an archive that comes by a pipe which nobody closes."""
    fifo = anyone.dir / "fifo"
    os.mkfifo(fifo)
    anyone.own(fifo)
    process = anyone.popen(*anyone.inro_argv("image", "copy", f"docker-archive:{fifo}",
                                             f"dir:{anyone.dir}/d"),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writer = os.open(fifo, os.O_WRONLY)  # it reads now
    try:
        staging = anyone.state / "inro/staging"
        harness.wait_for(lambda: staging.is_dir() and os.listdir(staging), 20, "the reader")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    finally:
        os.close(writer)
        process.kill()
        process.communicate()
    assert process.returncode == 125 and b"interrupted" in err
    assert not [x for x in os.listdir(anyone.dir) if x.startswith((".d", "d"))]
    assert not os.listdir(anyone.state / "inro/staging")


def test_interrupted_while_the_store_is_read(anyone):
    """The signal is pending before the program starts, so it always comes in the middle."""
    layout, _ = an_image(anyone)
    copy(anyone, f"oci:{layout}:1", "app:1").ok()
    block = ("import os, signal, sys\n"
             "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
             "os.kill(os.getpid(), signal.SIGTERM)\nos.execv(sys.argv[1], sys.argv[1:])")
    anyone.run(sys.executable, "-c", block, *anyone.inro_argv(
        "image", "copy", "app:1", f"dir:{anyone.dir}/target")).fails("copying", "anceled")
    assert [n for n in os.listdir(anyone.dir) if "target" in n] == []


@pytest.mark.parametrize("to", ["oci", "dir", "oci-archive"])
def test_killed_in_the_middle(anyone, registries, to):
    """By SIGKILL, while a blob comes: what was at the destination before is as it was."""
    layout, _ = an_image(anyone)
    other = layers.Layout()
    second = write_layout(anyone, other, other.image(PLAIN[:1], name="2"), name="second")
    path = anyone.dir / "target"
    target = f"{to}:{path}" + ("" if to == "dir" else ":1")
    copy(anyone, f"oci:{second}:2", target).ok()

    def everything():
        files = [path] if path.is_file() else sorted(x for x in path.rglob("*") if x.is_file())
        return {str(x): x.read_bytes() for x in files}
    before = everything()
    bad, came, go = registries.hostile(), threading.Event(), threading.Event()
    manifest = (layout / "blobs/sha256" / json.loads(
        (layout / "index.json").read_text())["manifests"][0]["digest"][7:]).read_bytes()
    bad.on("GET", "/v2/", status=200)
    bad.on("GET", "/v2/app/manifests/1", body=manifest, headers={"Content-Type": MANIFEST})

    def half(request):
        request.head(200, {"Content-Length": str(len(GZIPPED[0]))})
        request.wfile.write(GZIPPED[0][:10])
        request.wfile.flush()
        came.set()
        go.wait(60)
    bad.on("GET", f"/v2/app/blobs/{digest(GZIPPED[0])}", half)
    for data in layout.rglob("*"):
        bad.on("GET", f"/v2/app/blobs/sha256:{data.name}",
               body=data.read_bytes() if data.is_file() else b"")
    process = anyone.popen(*anyone.inro_argv("image", "copy", "-q", f"docker://{bad.host}/app:1",
                                             target))
    try:
        assert came.wait(30)
    finally:
        process.kill()
        process.wait()
        go.set()
    after = everything()
    assert {name: after[name] for name in before} == before
    # more is there only in a layout: whole blobs, which nothing names yet
    assert all(digest(after[name])[7:] == os.path.basename(name)
               for name in set(after) - set(before))
    copy(anyone, f"oci:{layout}:1", target).ok()
    copy(anyone, target, f"dir:{anyone.dir}/back").ok()


# ---- foreign layers ----

@pytest.mark.parametrize("to", ["oci", "oci-archive", "dir", "docker-archive", "store"])
def test_foreign_layers(anyone, registries, to):
    """They are left out where the manifest alone will do, else their owner is asked."""
    reg, owner = registries.start(extra=ALLOW), registries.hostile()
    owner.on("GET", "/layer", body=BLOB)
    layout = anyone.dir / "lay"
    source = foreign_image(reg, [f"{owner.url}/layer"])
    target = {"oci": f"oci:{layout}:1", "oci-archive": f"oci-archive:{anyone.dir}/a.tar:1",
              "dir": f"dir:{anyone.dir}/d", "docker-archive": f"docker-archive:{anyone.dir}/d.tar",
              "store": "mine:1"}[to]
    done = copy(anyone, f"docker://{source}", target).ok()
    left_out = to in ("oci", "oci-archive", "dir")
    assert ("Skipped foreign layer" in done.out) == left_out
    assert len(owner.requests) == (0 if left_out else 1)
    if to == "docker-archive":
        copy(anyone, target, "mine:1").ok()
    if left_out:
        copy(anyone, target, "mine:1").fails(digest(BLOB)[7:])
        anyone.run("skopeo", "inspect", "--raw", target).ok()
    else:
        info = json.loads(anyone.inro("inspect", "mine:1").ok().out)[0]
        assert info["RootFS"]["Layers"] == [digest(OWN), digest(LAYER)]


def test_foreign_layers_that_a_layout_has(anyone):
    """Somebody has copied them, too: then they are there."""
    config, text = documents(["https://nowhere.test/layer"])
    layout = layers.Layout()
    for data in (config, gz(OWN), BLOB):
        layout.blobs[digest(data)] = data
    desc = layout.blob(text, "manifest.v1+json")
    source = write_layout(anyone, layout, desc)
    copy(anyone, f"oci:{source}", "mine:1").ok()
    anyone.inro("rmi", "mine:1").ok()
    anyone.inro("load", input=layout.archive(desc)).ok()
    assert len(ids(anyone)) == 1


# ---- policies, room ----

def test_a_policy_for_single_paths(anyone):
    """What it says of this very file is not known: that is no yes."""
    layout, _ = an_image(anyone)
    policy, conf = anyone.dir / "policy.json", anyone.dir / "inro.conf"
    conf.write_text(f"[image]\npolicy = {policy}\n")
    accept = [{"type": "insecureAcceptAnything"}]
    policy.write_text(json.dumps({"default": accept, "transports": {
        "oci": {"": accept, str(layout): [{"type": "reject"}]}}}))
    anyone.inro("--config", conf, "image", "copy", f"oci:{layout}:1", "mine:1").fails(
        "single paths of oci")
    copy(anyone, f"oci:{layout}:1", f"oci-archive:{anyone.dir}/a.tar").ok()
    anyone.inro("--config", conf, "image", "copy", f"oci-archive:{anyone.dir}/a.tar", "mine:1").ok()


def test_copies_count_for_the_budget(anyone):
    """What a copy brings into the store makes room for itself like a pull."""
    conf = anyone.dir / "inro.conf"
    conf.write_text("[image]\nmax_size = 5m\n")
    for name in ("old", "middle", "new"):  # each takes 2 MB, its blob and its layer
        layout = layers.Layout()
        data = layers.tar(layers.entry(name, os.urandom(1_000_000)))
        source = write_layout(anyone, layout, layout.image([data], name="1"), name=name)
        copy_args = ["image", "copy", f"oci:{source}:1", f"{name}:1"]
        anyone.inro(*(["--config", conf] if name == "new" else []), *copy_args).ok()
    shown = ["images", "--format", "{{.Repository}}"]
    harness.wait_for(lambda: sorted(anyone.inro(*shown).ok().out.split()) == ["middle", "new"],
                     20, "the oldest to go")


# ---- bad file systems ----

def test_full_disk(root):
    """What was there stays whole; what was begun goes."""
    mount = root.dir / "small"
    mount.mkdir()
    layout, image = an_image(root)
    big = layers.Layout()
    data = os.urandom(3 << 20)
    second = write_layout(root, big, big.image([layers.tar(layers.entry("big", data))], name="2"),
                          name="big")
    script = (f"mount -t tmpfs -o size=2m tmpfs {mount} && "
              f'"$@" oci:{layout}:1 oci:{mount}/lay:1 && cp {mount}/lay/index.json {root.dir}/before && '
              f'! "$@" oci:{second}:2 oci:{mount}/lay:2 && cmp {mount}/lay/index.json '
              f'{root.dir}/before && ls -A {mount}/lay/blobs/sha256 && '
              f'! "$@" oci:{second}:2 dir:{mount}/d && ! "$@" oci:{second}:2 '
              f'oci-archive:{mount}/a.tar && ls -A {mount}')
    done = root.run("unshare", "-m", "sh", "-c", script, "sh",
                    *root.inro_argv("image", "copy", "-q")).ok()
    found = done.out.split()
    assert found[-1] == "lay" and len(found) <= 6 and all(len(x) == 64 for x in found[:-1])
    assert image[7:] in found and done.err.count(os.strerror(errno.ENOSPC)) == 3
