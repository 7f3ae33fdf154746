# SPDX-License-Identifier: Apache-2.0
"""inro pull: from a registry on loopback into the store, and what can go wrong on the way."""

import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import tarfile
import time

import pytest

import engine
import harness
from layers import entry, tar, zstd
from registries import CONFIG, LAYER_GZIP, MANIFEST, digest

TURNS = True  # see conftest.py

INDEX = "application/vnd.oci.image.index.v1+json"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
BASE = tar(entry("etc/"), entry("etc/base", "base"))
TOP = tar(entry("etc/"), entry("etc/top", "top"))


def store(who):
    return who.state / "inro"


def blobs(who):
    return {"sha256:" + name for name in os.listdir(store(who) / "blobs/sha256")}


def layers_of(who):
    return {"sha256:" + name for name in os.listdir(store(who) / "layers")}


def gets(reg, what):
    """Bodies that were asked for."""
    return [path for method, path, status in reg.requests()
            if method == "GET" and what in path and status in (200, 206)]


def config(layers, **more):
    return {"architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}, **more}


def whole(who):
    """No half-done work stays, and all of it is on the disk. What a killed command has left goes in
    the background."""
    for name in ("staging", "partial", "unsynced"):
        path = store(who) / name
        harness.wait_for(lambda path=path: not path.exists() or os.listdir(path) == [],
                         what=f"an empty {name}")


def box_layer(who):
    return engine.rootfs_tar(who).read_bytes()


# ---- what is to be seen ----

def test_pull_and_run(anyone, registries):
    reg = registries.start()
    layers = [box_layer(anyone), gzip.compress(TOP)]
    image = reg.push("team/app", "1.0", layers)
    name = f"{reg.host}/team/app:1.0"
    lines = anyone.inro("pull", name).ok().out.splitlines()
    assert lines[0] == "1.0: Pulling from team/app"
    assert lines[-3:] == [f"Digest: {image.digest}", f"Status: Downloaded newer image for {name}",
                          name]
    for layer in image.layers:
        assert f"{layer[7:19]}: Pulling fs layer" in lines
        assert f"{layer[7:19]}: Pull complete" in lines
    assert blobs(anyone) == {image.digest, digest(image.config), *image.layers}
    assert layers_of(anyone) == {digest(layers[0]), digest(TOP)}
    assert anyone.inro("run", "--rm", name, "cat", "/etc/top").ok().out == "top"
    whole(anyone)
    before = len(gets(reg, "/blobs/"))
    lines = anyone.inro("pull", name).ok().out.splitlines()
    assert lines[-2] == f"Status: Image is up to date for {name}"
    assert len(gets(reg, "/blobs/")) == before
    assert anyone.inro("pull", "-q", name).ok().out == name + "\n"
    assert anyone.inro("image", "pull", "-q", f"docker://{name}").ok().out == name + "\n"


def test_progress_for_programs(root, registries):
    reg = registries.start()
    image = reg.push("app", "1", [BASE, gzip.compress(TOP)])
    out = root.inro("pull", "--progress", "json", f"{reg.host}/app:1").ok().out
    docs = [json.loads(line) for line in out.splitlines()]
    assert docs[0] == {"pulling": f"{reg.host}/app:1"}
    assert docs[-1] == {"pulled": f"{reg.host}/app:1", "digest": image.digest,
                        "id": digest(image.config), "new": True}
    for layer in image.layers:
        states = [d["state"] for d in docs if d.get("layer") == layer]
        assert states[0] == "waiting" and states[-1] == "done"


def test_progress_on_a_terminal(root, registries):
    reg = registries.start()
    image = reg.push("app", "1", [BASE, gzip.compress(TOP)])
    out = root.inro("pull", "--progress", "tty", f"{reg.host}/app:1").ok().out
    last = out.split("\033[2A")[-1]
    for layer in image.layers:
        assert f"{layer[7:19]}: Pull complete\033[K\n" in last
    assert out.splitlines()[-1] == f"{reg.host}/app:1"


def test_run_pulls_what_is_missing(anyone, registries):
    reg = registries.start()
    name = f"{reg.host}/app:1"
    reg.push("app", "1", [box_layer(anyone)])
    anyone.inro("run", "--rm", "--pull", "never", name, "true").fails("No such image", code=125)
    done = anyone.inro("run", "--rm", name, "echo", "hello").ok()
    assert done.out == "hello\n"
    assert f"Unable to find image '{name}' locally" in done.err and "Status: Downloaded" in done.err
    manifests = len(gets(reg, "/manifests/"))
    assert anyone.inro("run", "--rm", name, "true").ok().err == ""
    assert len(gets(reg, "/manifests/")) == manifests
    # the tag moves on
    reg.push("app", "1", [box_layer(anyone), TOP])
    anyone.inro("run", "--rm", name, "cat", "/etc/top").fails()
    done = anyone.inro("run", "--rm", "--quiet", "--pull", "always", name, "cat", "/etc/top").ok()
    assert (done.out, done.err) == ("top", "")


def test_by_digest(anyone, registries):
    reg = registries.start()
    image = reg.push("app", "1", [box_layer(anyone)])
    word = f"{reg.host}/app@{image.digest}"
    lines = anyone.inro("pull", word).ok().out.splitlines()
    assert lines[0] == f"{image.digest}: Pulling from app" and lines[-1] == word
    assert anyone.inro("run", "--rm", word, "echo", "a").ok().out == "a\n"
    row = anyone.inro("images", "--no-trunc").ok().out.splitlines()[1]
    assert digest(image.config) in row
    reg.stop()  # nobody needs to be asked for what is here
    anyone.inro("pull", word).ok()
    anyone.inro("pull", f"{reg.host}/app@sha256:{'0' * 64}").fails(code=125)


def test_all_tags(root, registries):
    reg = registries.start()
    for tag in ("a", "b"):
        reg.push("app", tag, [BASE, tar(entry(tag, tag))])
    lines = root.inro("pull", "--all-tags", f"{reg.host}/app").ok().out.splitlines()
    assert sorted(line for line in lines if line.startswith(reg.host)) == [f"{reg.host}/app:a",
                                                                            f"{reg.host}/app:b"]
    assert len(root.inro("images", "-q").ok().out.splitlines()) == 2
    root.inro("pull", "-a", f"{reg.host}/app:a").fails("--all-tags", code=125)


# ---- platforms ----

def push_index(reg, repository, tag, platforms):
    entries = []
    for number, (architecture, variant) in enumerate(platforms):
        layer = tar(entry("arch", architecture + (variant or "")))
        image = reg.push(repository, f"one{number}", [layer],
                         config=config([layer], architecture=architecture))
        platform = {"os": "linux", "architecture": architecture}
        if variant:
            platform["variant"] = variant
        entries.append({"mediaType": MANIFEST, "digest": image.digest,
                        "size": len(image.manifest), "platform": platform})
    text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    return reg.manifest(repository, tag, text, INDEX)


def test_platforms(root, registries):
    reg = registries.start()
    found = push_index(reg, "app", "1", [("s390x", None), ("arm64", "v8"), ("amd64", None),
                                         ("arm", "v7")])
    name = f"{reg.host}/app:1"
    for platform, arch in ((None, "amd64"), ("linux/arm64", "arm64"), ("linux/arm/v7", "arm"),
                           ("s390x", "s390x")):
        options = ["--platform", platform] if platform else []
        out = root.inro("pull", *options, name).ok().out
        assert f"Digest: {found}" in out  # what the name means is the index
        rows = [json.loads(line) for line in
                root.inro("images", "--format", "json", "--no-trunc").ok().out.splitlines()]
        image = next(row for row in rows if row["Tag"] == "1")
        conf = json.loads((store(root) / "blobs/sha256" / image["ID"][7:]).read_text())
        assert conf["architecture"] == arch
    assert found in blobs(root)
    root.inro("pull", "--platform", "linux/mips", name).fails("no image for linux/mips", code=125)
    root.inro("pull", "--platform", "a/b/c/d", name).fails("expected os/architecture", code=125)
    root.inro("pull", "--platform", "linux/arm64", f"{reg.host}/app:one0").fails(
        "does not match the specified platform", code=125)


# ---- sharing and going on ----

def test_layers_that_are_there_are_not_fetched(root, registries):
    reg = registries.start()
    top = gzip.compress(TOP)  # once: it holds the time
    first = reg.push("app", "1", [BASE, top])
    other = tar(entry("more", "x"))
    second = reg.push("app", "2", [BASE, top, gzip.compress(other)])
    root.inro("pull", f"{reg.host}/app:1").ok()
    out = root.inro("pull", f"{reg.host}/app:2").ok().out
    for layer in first.layers:
        assert f"{layer[7:19]}: Already exists" in out
        assert len(gets(reg, layer)) == 1
    assert len(gets(reg, second.layers[2])) == 1


def big_layer(size=6_000_000):
    data = os.urandom(size)
    layer = tar(entry("big", data))
    return layer, gzip.compress(layer, 1)


def slow_blob(server, blob, first, hold):
    """Serves the first bytes of the blob, then what hold() lets through; with ranges."""
    def answer(request):
        match = re.fullmatch(r"bytes=(\d+)-.*", request.headers.get("Range", ""))
        start = int(match.group(1)) if match else 0
        headers = {"Content-Length": str(len(blob) - start), "Accept-Ranges": "bytes"}
        if match:
            headers["Content-Range"] = f"bytes {start}-{len(blob) - 1}/{len(blob)}"
        request.head(206 if match else 200, headers)
        request.wfile.write(blob[start:first])
        request.wfile.flush()
        hold()
        request.wfile.write(blob[max(start, first):])
    server.on("GET", f"/v2/app/blobs/{digest(blob)}", answer)


def serve(server, layers, compressed, tag="1"):
    """Manifest and config of these layers at a hostile server; the blobs have rules of their own."""
    conf = json.dumps(config(layers)).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": digest(conf), "size": len(conf)},
        "layers": [{"mediaType": LAYER_GZIP, "digest": digest(blob), "size": len(blob)}
                   for blob in compressed]}).encode()
    for method in ("GET", "HEAD"):
        server.on(method, "/v2/", body=b"{}")
        server.on(method, f"/v2/app/manifests/({tag}|{digest(manifest)})", body=manifest,
                  headers={"Content-Type": MANIFEST})
        server.on(method, f"/v2/app/blobs/{digest(conf)}", body=conf)
    return f"{server.host}/app:{tag}"


def partials(who, blob):
    return sorted((store(who) / "partial").glob(digest(blob)[7:] + "-*"))


def partial_size(who, blob):
    return sum(path.stat().st_size for path in partials(who, blob))


def ranges(server, blob):
    return [r.headers.get("Range") for r in server.seen("GET", f"/v2/app/blobs/{digest(blob)}")]


def test_a_killed_pull_goes_on(anyone, registries):
    layer, blob = big_layer()
    server = registries.hostile()
    done = []
    slow_blob(server, blob, len(blob) // 2,
              lambda: harness.wait_for(lambda: done, 30, "end of the wait"))
    name = serve(server, [layer], [blob])
    pull = anyone.popen(*anyone.inro_argv("pull", name))
    harness.wait_for(lambda: partial_size(anyone, blob) >= len(blob) // 2 - 1, 20, "half of it")
    pull.send_signal(signal.SIGKILL)
    pull.wait()
    done.append(True)
    had = partial_size(anyone, blob)
    anyone.inro("pull", name).ok()
    assert ranges(server, blob) == [None, f"bytes={had}-{len(blob) - 1}"] or \
        ranges(server, blob) == [None, f"bytes={had}-"]
    assert blobs(anyone) >= {digest(blob)} and layers_of(anyone) == {digest(layer)}
    whole(anyone)


def test_what_is_left_may_be_bad(root, registries):
    """A power cut can leave anything in it."""
    layer, blob = big_layer(300_000)
    server = registries.hostile()
    slow_blob(server, blob, 0, lambda: None)
    name = serve(server, [layer], [blob])
    source = digest(f"https://{server.host}".encode())[7:23]
    for bad in (b"\0" * 1000, blob[:1000] + b"\0" * 1000, b"\0" * (len(blob) + 5), b"\0" * len(blob)):
        (store(root) / "partial").mkdir(parents=True, exist_ok=True)
        (store(root) / "partial" / f"{digest(blob)[7:]}-{source}").write_bytes(bad)
        root.inro("pull", name).ok()
        assert layers_of(root) == {digest(layer)}
        whole(root)
        root.inro("rmi", name).ok()


def test_two_pulls_share_a_layer(anyone, registries):
    layer, blob = big_layer()
    server = registries.hostile()
    go = []
    slow_blob(server, blob, len(blob) // 2, lambda: harness.wait_for(lambda: go, 30, "go"))
    name = serve(server, [layer], [blob])
    first = anyone.popen(*anyone.inro_argv("pull", name))
    harness.wait_for(lambda: partial_size(anyone, blob) > 0, 20, "the beginning")
    with open(anyone.dir / "second", "wb") as out:
        second = anyone.popen(*anyone.inro_argv("pull", name), stdout=out)
    harness.wait_for(lambda: "Waiting for another pull" in (anyone.dir / "second").read_text(), 20,
                     "the second to wait")
    # what needs no download goes on meanwhile
    assert anyone.inro("images", "-q", timeout=10).ok().out == ""
    go.append(True)
    assert first.wait(30) == 0 and second.wait(30) == 0
    assert len(ranges(server, blob)) == 1
    whole(anyone)


def test_the_second_pull_takes_over(root, registries):
    layer, blob = big_layer()
    server = registries.hostile()
    go = []
    slow_blob(server, blob, len(blob) // 2, lambda: harness.wait_for(lambda: go, 30, "go"))
    name = serve(server, [layer], [blob])
    first = root.popen(*root.inro_argv("pull", name))
    harness.wait_for(lambda: partial_size(root, blob) > len(blob) // 3, 20, "the beginning")
    second = root.popen(*root.inro_argv("pull", name))
    time.sleep(0.3)
    first.kill()
    first.wait()
    go.append(True)
    assert second.wait(30) == 0
    assert len(ranges(server, blob)) == 2 and ranges(server, blob)[1].startswith("bytes=")
    root.inro("pull", name).ok()  # which removes what the killed one has left
    whole(root)


def test_rmi_does_not_wait_for_a_pull(root, registries):
    layer, blob = big_layer()
    server = registries.hostile()
    go = []
    slow_blob(server, blob, len(blob) // 2, lambda: harness.wait_for(lambda: go, 30, "go"))
    name = serve(server, [layer], [blob])
    engine.box(root)
    assert len(layers_of(root)) == 1
    pull = root.popen(*root.inro_argv("pull", name))
    harness.wait_for(lambda: partial_size(root, blob) > 0, 20, "the beginning")
    root.inro("rmi", "box", timeout=10).ok()
    root.inro("run", "--rm", "--pull", "never", "host", "true", timeout=10).ok()
    go.append(True)
    assert pull.wait(30) == 0
    assert layers_of(root) == {digest(layer)}


# ---- registries that lie ----

def nothing(who):
    assert blobs(who) == set() and layers_of(who) == set()
    assert who.inro("images", "-q").ok().out == ""


def test_content_is_verified(root, registries):
    layer, blob = gzip_of(BASE)
    for lie in (gzip.compress(TOP), blob + b"\0", blob[:-1], b""):
        server = registries.hostile()
        name = serve(server, [layer], [blob])
        server.on("GET", f"/v2/app/blobs/{digest(blob)}", body=lie)
        root.inro("pull", name).fails("layer sha256:", code=125)
        nothing(root)
        assert not os.listdir(store(root) / "partial") or partial_size(root, blob) == 0 \
            or lie == blob[:-1]


def gzip_of(layer):
    return layer, gzip.compress(layer)


def test_a_layer_must_have_its_diff_id(root, registries):
    reg = registries.start()
    reg.push("app", "1", [gzip.compress(TOP)], config=config([BASE]))
    root.inro("pull", f"{reg.host}/app:1").fails("it unpacks to", "the config says", code=125)
    nothing(root)


def test_documents_are_verified(root, registries):
    layer, blob = gzip_of(BASE)
    wanted = hashlib.sha256(b"something else").hexdigest()
    server = registries.hostile()
    server.on("GET", "/v2/app/manifests/.*", body=b'{"schemaVersion": 2}',
              headers={"Content-Type": MANIFEST})
    root.inro("pull", f"{server.host}/app@sha256:{wanted}").fails("has other content", code=125)
    # a config that is another one
    server = registries.hostile()
    conf = digest(json.dumps(config([layer])).encode())
    server.on("GET", f"/v2/app/blobs/{conf}", body=json.dumps(config([TOP])).encode())
    name = serve(server, [layer], [blob])
    root.inro("pull", name).fails("config", code=125)
    nothing(root)


def test_a_broken_connection_is_told(root, registries):
    layer, blob = big_layer(3_000_000)
    server = registries.hostile()
    name = serve(server, [layer], [blob])
    server.on("GET", f"/v2/app/blobs/{digest(blob)}", status=403,
              headers={"Content-Type": "application/json"},
              body=b'{"errors": [{"code": "DENIED", "message": "not for you"}]}')
    root.inro("pull", name).fails("layer", "not for you", code=125)
    nothing(root)


def test_no_such_image(root, registries):
    reg = registries.start()
    reg.push("app", "1", [BASE])
    root.inro("pull", f"{reg.host}/app:2").fails("pulling", "app:2", code=125)
    root.inro("pull", f"{reg.host}/none:1").fails(code=125)
    root.inro("pull", "Not/A:Good:Name").fails(code=125)


def test_what_is_no_image(root, registries):
    reg = registries.start()
    text = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x.example",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2,
                   "digest": reg.blob("app", b"{}")}, "layers": []}).encode()
    reg.manifest("app", "chart", text)
    root.inro("pull", f"{reg.host}/app:chart").fails("application/x.example", code=125)
    nothing(root)


# ---- kinds of layers ----

@pytest.mark.parametrize("compress", ("plain", "gzip", "zstd"))
def test_compressions(root, registries, compress):
    reg = registries.start()
    data = {"plain": BASE, "gzip": gzip.compress(BASE), "zstd": zstd(BASE)}[compress]
    kind = {"plain": None, "gzip": None, "zstd": LAYER_ZSTD}[compress]
    reg.push("app", "1", [data], config=config([BASE]), media_type=kind)
    root.inro("pull", f"{reg.host}/app:1").ok()
    assert (store(root) / "layers" / digest(BASE)[7:] / "fs/etc/base").read_text() == "base"


def test_directories_without_an_entry_are_those_below(anyone, registries):
    reg = registries.start()
    low = tar(entry("d/", mode=0o1777, uid=0), entry("d/low", "x"))
    high = tar(entry("d/high", "y"))
    # the upper one is the larger and comes first
    layers = [box_layer(anyone), low, high + b"\0" * 100000]
    reg.push("app", "1", layers)
    name = f"{reg.host}/app:1"
    anyone.inro("pull", name).ok()
    assert anyone.inro("run", "--rm", name, "stat", "-c", "%a", "/d").ok().out == "1777\n"
    whole(anyone)


def test_no_image_changes_what_another_shows(anyone, registries):
    """They share the layer that has d/new, but what lies below it is of each one's own."""
    reg = registries.start()
    shared, box = tar(entry("d/new", "x")), box_layer(anyone)
    modes = {"hostile": 0o777, "good": 0o700, "other": 0o711}
    for name, mode in modes.items():
        reg.push(name, "1", [box, tar(entry("d/", mode=mode, uid=int(name == "other"))), shared])
    reg.push("alone", "1", [box, shared])
    for name in (*modes, "alone"):
        anyone.inro("pull", f"{reg.host}/{name}:1").ok()
    for name, mode in {**modes, "alone": 0o755}.items():
        out = anyone.inro("run", "--rm", f"{reg.host}/{name}:1", "stat", "-c", "%a %u", "/d",
                          "/d/new").ok().out
        assert out == f"{mode:o} {int(name == 'other')}\n644 0\n", name
    # commit and diff see the same tree
    anyone.inro("run", "--name", "made", f"{reg.host}/good:1", "touch", "/d/more").ok()
    assert anyone.inro("diff", "made").ok().out.splitlines() == ["C /d", "A /d/more"]
    anyone.inro("commit", "made", "committed").ok()
    out = anyone.inro("run", "--rm", "committed", "stat", "-c", "%a", "/d").ok().out
    assert out == "700\n"


def test_the_root_directory_of_a_layer_without_one(anyone, registries):
    reg = registries.start()
    reg.push("app", "1", [box_layer(anyone), tar(entry(".", mode=0o711)), tar(entry("new", "x"))])
    name = f"{reg.host}/app:1"
    anyone.inro("pull", name).ok()
    out = anyone.inro("run", "--rm", name, "stat", "-c", "%a %Y", "/").ok().out
    assert out.split()[0] == "711"


def test_the_same_layer_twice(root, registries):
    reg = registries.start()
    reg.push("app", "1", [BASE, TOP, BASE])
    root.inro("pull", f"{reg.host}/app:1").ok()
    assert layers_of(root) == {digest(BASE), digest(TOP)}


# ---- manifests that share configs or layers ----

def test_each_name_keeps_its_manifest(root, registries):
    """The same config with its layer packed otherwise, or with other annotations."""
    reg, target = registries.start(), registries.start()
    forms = {"a": gzip.compress(BASE, 1), "b": gzip.compress(BASE, 9, mtime=1), "c": BASE}
    pushed = {name: reg.push(name, "1", [blob]) for name, blob in forms.items()}
    for name in forms:
        root.inro("pull", f"{reg.host}/{name}:1").ok()
    assert len(root.inro("images", "-q").ok().out.split()) == 1  # it is one image
    assert layers_of(root) == {digest(BASE)}
    root.inro("tag", f"{reg.host}/b:1", "copy:1").ok()
    for name, image in pushed.items():
        root.inro("push", f"{reg.host}/{name}:1", f"{target.host}/{name}:1").ok()
        status, _, text = target.request("GET", f"/v2/{name}/manifests/1",
                                         headers={"Accept": MANIFEST})
        assert status == 200 and digest(text) == image.digest
        words = (f"{reg.host}/{name}:1", f"{reg.host}/{name}@{image.digest}")
        for word in words:
            assert json.loads(root.inro("inspect", word).ok().out)[0]["Digest"] == image.digest
    assert json.loads(root.inro("inspect", "copy:1").ok().out)[0]["Digest"] == pushed["b"].digest
    shown = root.inro("images", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}").ok().out
    assert dict(line.split() for line in shown.splitlines()) == {
        **{f"{reg.host}/{name}:1": image.digest for name, image in pushed.items()},
        "copy:1": pushed["b"].digest}
    # who saves a name gets its manifest, too
    root.inro("save", "--format", "oci-archive", "-o", root.dir / "b.tar", f"{reg.host}/b:1").ok()
    with tarfile.open(root.dir / "b.tar") as archive:
        index = json.load(archive.extractfile("index.json"))
    assert [m["digest"] for m in index["manifests"]] == [pushed["b"].digest]
    # nothing of it is unpacked again
    before = len(gets(reg, "/blobs/"))
    for name in forms:
        root.inro("pull", f"{reg.host}/{name}:1").ok()
    assert len(gets(reg, "/blobs/")) == before


@pytest.mark.parametrize("lie", ("other content", "nothing"))
def test_a_blob_beside_a_known_diff_id(root, registries, lie):
    """The config is a good image's, the layers are not: no name takes on that manifest."""
    reg, target = registries.start(), registries.start()
    image = reg.push("good", "1", [gzip.compress(BASE)])
    good = f"{reg.host}/good:1"
    root.inro("pull", good).ok()
    bad = gzip.compress(TOP)
    server = registries.hostile()
    name = serve(server, [BASE], [bad])
    if lie == "other content":
        server.on("GET", f"/v2/app/blobs/{digest(bad)}", body=bad)
    root.inro("pull", name).fails("layer sha256:", code=125)
    assert digest(bad) not in blobs(root)
    root.inro("push", good, f"{target.host}/x:1").ok()
    _, _, text = target.request("GET", "/v2/x/manifests/1", headers={"Accept": MANIFEST})
    assert digest(text) == image.digest


def test_one_diff_id_with_two_blobs_in_one_image(root, registries):
    server = registries.hostile()
    first, second = gzip.compress(BASE, 1), gzip.compress(BASE, 9, mtime=1)
    other = gzip.compress(TOP)
    name = serve(server, [BASE, TOP, BASE], [first, other, second])
    for blob in (first, second, other):
        server.on("GET", f"/v2/app/blobs/{digest(blob)}", body=blob)
    root.inro("pull", name).ok()
    assert blobs(root) >= {digest(first), digest(second), digest(other)}
    assert layers_of(root) == {digest(BASE), digest(TOP)}
    whole(root)
    # one of them is a lie
    name = serve(server, [BASE, BASE], [first, other], tag="2")
    root.inro("pull", name).fails("it unpacks to", code=125)


# ---- mirrors that lie ----

def mirrored(who, mirror, main):
    path = who.dir / "inro.conf"
    path.write_text(harness.NO_NETWORK + f'[registry "{main.host}"]\nmirror = http://{mirror.host}\n')
    who.env["INRO_CONFIG"] = str(path)


def test_a_mirror_with_other_content(anyone, registries):
    layer, blob = gzip_of(BASE)
    for what in ("layer", "config", "manifest"):
        mirror, main = registries.hostile(), registries.start()
        image = main.push("app", "1", [blob], config=config([layer], comment=what))
        documents = {"layer": blob, "config": image.config, "manifest": image.manifest}
        documents[what] = documents[what][:-1] + bytes([documents[what][-1] ^ 1])
        mirror.on("GET", "/v2/", body=b"{}")
        mirror.on("GET", f"/v2/app/manifests/{image.digest}", body=documents["manifest"],
                  headers={"Content-Type": MANIFEST})
        mirror.on("GET", f"/v2/app/blobs/{digest(image.config)}", body=documents["config"])
        mirror.on("GET", f"/v2/app/blobs/{digest(blob)}", body=documents["layer"])
        mirrored(anyone, mirror, main)
        name = f"{main.host}/app@{image.digest}"
        done = anyone.inro("pull", name).ok()
        assert f"trying without http://{mirror.host}" in done.out + done.err
        assert blobs(anyone) == {image.digest, digest(image.config), digest(blob)}
        whole(anyone)
        anyone.inro("rmi", name).ok()


# ---- what is damaged here ----

@pytest.mark.parametrize("damage", ("flipped", "cut", "gone"))
def test_damaged_blobs_heal(root, registries, damage):
    reg = registries.start()
    image = reg.push("app", "1", [gzip.compress(BASE)])
    name = f"{reg.host}/app:1"
    root.inro("pull", name).ok()
    # the tree is gone, so that the blob is read
    shutil.rmtree(store(root) / "layers" / digest(BASE)[7:])
    good = {}
    for word in (image.digest, digest(image.config), image.layers[0]):
        path = store(root) / "blobs/sha256" / word[7:]
        good[path] = data = path.read_bytes()
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(data[:-1] + (bytes([data[-1] ^ 1]) if damage == "flipped" else b""))
    root.inro("pull", name).ok()
    assert {path: path.read_bytes() for path in good} == good
    assert (store(root) / "layers" / digest(BASE)[7:] / "fs/etc/base").read_text() == "base"
    whole(root)


# ---- registries that keep others waiting ----

def test_nobody_waits_for_another_registry(root, registries):
    layer, blob = big_layer(2_000_000)
    slow, good, go = registries.hostile(), registries.start(), []
    slow_blob(slow, blob, 1000, lambda: harness.wait_for(lambda: go, 60, "go"))
    first = root.popen(*root.inro_argv("pull", serve(slow, [layer], [blob])))
    harness.wait_for(lambda: partial_size(root, blob) > 0, 20, "the beginning")
    good.push("app", "1", [blob])
    root.inro("pull", f"{good.host}/app:1", timeout=8).ok()
    assert layers_of(root) == {digest(layer)} and first.poll() is None
    go.append(True)
    assert first.wait(30) == 0
    whole(root)


def test_nobody_waits_for_a_pull_that_hangs(root, registries):
    layer, blob = big_layer(2_000_000)
    server, go, seen = registries.hostile(), [], []

    def hold():
        seen.append(True)
        if len(seen) == 1:
            harness.wait_for(lambda: go, 60, "go")
    slow_blob(server, blob, 1000, hold)
    name = serve(server, [layer], [blob])
    first = root.popen(*root.inro_argv("pull", name))
    harness.wait_for(lambda: partial_size(root, blob) > 0, 20, "the beginning")
    root.inro("pull", name, timeout=40).ok()
    assert first.poll() is None and len(seen) == 2
    go.append(True)
    assert first.wait(30) == 0
    whole(root)


# ---- power cuts ----

def lose_power(who):
    """What it would be like when the machine had gone down before anything was written back."""
    marks = store(who) / "unsynced"
    marks.mkdir(exist_ok=True)
    for name in os.listdir(store(who) / "layers"):
        os.symlink("another-boot", marks / f"layer-{name}")
        (store(who) / "layers" / name / "fs/etc/base").write_bytes(b"")
    for name in os.listdir(store(who) / "blobs/sha256"):
        os.symlink("another-boot", marks / name)
    for path in (*marks.iterdir(), marks):
        os.chown(path, who.uid, who.gid, follow_symlinks=False)


def test_what_was_not_on_the_disk_is_fetched_again(root, registries):
    reg = registries.start()
    image = reg.push("app", "1", [gzip.compress(BASE)])
    name = f"{reg.host}/app:1"
    root.inro("pull", name).ok()
    root.uid = root.gid = 0
    lose_power(root)
    root.inro("run", "--rm", "--pull", "never", name, "true").fails("was not on the disk yet", code=125)
    assert "Downloaded newer image" in root.inro("pull", name).ok().out
    assert (store(root) / "layers" / digest(BASE)[7:] / "fs/etc/base").read_text() == "base"
    assert len(gets(reg, image.layers[0])) == 2
    whole(root)
