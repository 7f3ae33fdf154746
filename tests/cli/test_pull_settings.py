# SPDX-License-Identifier: Apache-2.0
"""Settings at work: mirrors, short names, blocked registries, how much at once, how much in all."""

import json
import os
import threading
import time

import pytest

import engine
import harness
from registries import CONFIG, INDEX, LAYER, MANIFEST, digest
from layers import entry, tar


@pytest.fixture
def conf(anyone):
    """Writes settings that the commands of this test read."""
    path = anyone.dir / "inro.conf"
    path.touch()
    anyone.env["INRO_CONFIG"] = str(path)
    return lambda text: path.write_text(text + "\n" + harness.NO_NETWORK)


def layer(size=10):
    return tar(entry("data", os.urandom(size).hex()))


def names(who):
    rows = [json.loads(x) for x in who.inro("images", "--format", "json").ok().out.splitlines()]
    return sorted(f"{row['Repository']}:{row['Tag']}" for row in rows)


def test_mirror_comes_first(anyone, registries, conf):
    """The image keeps the name that it was asked for by."""
    mirror, main = registries.start(), registries.start()
    image = mirror.push("hub/team/app", "1", [layer()])
    main.push("team/app", "1", [layer()])
    only = main.push("team/other", "1", [layer()])
    conf(f'[registry "{main.host}"]\nmirror = http://{mirror.host}/hub\n')
    out = anyone.inro("pull", f"{main.host}/team/app:1").ok().out
    assert image.digest in out
    assert names(anyone) == [f"{main.host}/team/app:1"]
    assert not [r for r in main.requests() if r[0] == "GET" and "team/app" in r[1]]
    # what the mirror hasn't, the registry has
    assert only.digest in anyone.inro("pull", f"{main.host}/team/other:1").ok().out
    assert [r for r in mirror.requests() if r[0] == "GET" and "hub/team/other" in r[1]]


def test_location(anyone, registries, conf):
    reg = registries.start()
    image = reg.push("deep/in/app", "1", [layer()])
    conf(f'[registry "images.example/apps"]\nlocation = {reg.host}/deep/in\n')
    assert image.digest in anyone.inro("pull", "images.example/apps/app:1").ok().out
    assert names(anyone) == ["images.example/apps/app:1"]


def test_short_names(anyone, registries, conf):
    one, two = registries.start(), registries.start()
    image = two.push("team/app", "1", [layer()])
    aliased = one.push("web/server", "2", [layer()])
    conf(f"[image]\nshort_names = {one.host}, {two.host}/team\nalias.web = {one.host}/web/server\n")
    assert image.digest in anyone.inro("pull", "app:1").ok().out
    assert aliased.digest in anyone.inro("pull", "web:2").ok().out
    assert names(anyone) == sorted([f"{two.host}/team/app:1", f"{one.host}/web/server:2"])
    assert anyone.inro("pull", "--policy", "missing", "app:1").ok().out == f"{two.host}/team/app:1\n"
    anyone.inro("save", "-o", anyone.dir / "both.tar", "app:1", "web:2").ok()
    loaded = anyone.inro("load", "-i", anyone.dir / "both.tar").ok().out
    assert loaded == f"Loaded image: {two.host}/team/app:1\nLoaded image: {one.host}/web/server:2\n"


def test_short_name_goes_on_only_where_there_is_no_such_image(anyone, registries, conf):
    """Whoever can make the first registry fail must not choose which one is asked."""
    ours, public = registries.hostile(), registries.start()
    public.push("app", "1", [layer()])
    conf(f"[image]\nshort_names = {ours.host}, {public.host}\n[transfer]\nretries = 0\n")
    hint = f"to take it from another registry give the whole name: {public.host}/app:1"
    index = json.dumps({"schemaVersion": 2, "manifests": [
        {"mediaType": MANIFEST, "digest": digest(b"x"), "size": 1,
         "platform": {"os": "plan9", "architecture": "vax"}}]}).encode()
    for answer, message in (({"status": 500}, "500"), ({"status": 403}, "403"),
                            ({"body": b"{}"}, "manifest"),
                            ({"headers": {"Content-Type": INDEX}, "body": index}, "no image for")):
        ours.rules.clear()
        ours.on("GET", "/v2/app/manifests/1", **answer)
        anyone.inro("pull", "app:1").fails(message, hint)
        anyone.inro("run", "--rm", "app:1", "true").fails(message)
    assert names(anyone) == [] and not [r for r in public.requests() if r[0] == "GET"]
    ours.rules.clear()
    ours.on("GET", "/v2/app/tags/list.*", status=503)
    anyone.inro("search", "--list-tags", "app").fails("503")
    ours.stop()
    anyone.inro("pull", "app:1").fails(ours.host)
    conf(f"[image]\nshort_names = {registries.hostile().host}, {public.host}\n")
    anyone.inro("pull", "app:1").ok()


def test_blocked(anyone, registries, conf):
    reg = registries.start()
    reg.push("app", "1", [layer()])
    conf(f'[registry "{reg.host}"]\nblocked = true\n')
    anyone.inro("pull", f"{reg.host}/app:1").fails(f"the registry {reg.host} is blocked",
                                                   "inro.conf:2")
    by_name = f"LOCALHOST:{reg.port}"
    conf(f'[registry "localhost:{reg.port}"]\nblocked = true\n')
    anyone.inro("pull", f"{by_name}/app:1").fails("is blocked")
    anyone.inro("search", "--list-tags", f"{by_name}/app").fails("is blocked")
    assert not [r for r in reg.requests() if r[0] == "GET"]


class Slow:
    """Serves an image of several layers and notes how many are asked for at a time."""

    def __init__(self, server, n):
        layers = [layer() for _ in range(n)]
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
            "type": "layers", "diff_ids": [digest(x) for x in layers]}}).encode()
        def descriptor(data, media_type):
            return {"mediaType": media_type, "digest": digest(data), "size": len(data)}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST,
                               "config": descriptor(config, CONFIG),
                               "layers": [descriptor(x, LAYER) for x in layers]}).encode()
        self.blobs = {digest(x): x for x in [config, *layers]}
        self.config = digest(config)
        self.lock, self.now, self.most = threading.Lock(), 0, 0
        server.on("GET", "/v2/app/manifests/.*", headers={"Content-Type": MANIFEST}, body=manifest)
        server.on("GET", "/v2/app/blobs/.*", self.blob)

    def blob(self, request):
        name = request.path.rsplit("/", 1)[1]
        if name != self.config:
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(0.3)
            with self.lock:
                self.now -= 1
        request.answer(200, body=self.blobs[name])


@pytest.mark.parametrize("n", [1, 3])
def test_parallel(anyone, registries, conf, n):
    server = registries.hostile()
    slow = Slow(server, 5)
    conf(f"[transfer]\nparallel = {n}\n")
    anyone.inro("pull", f"{server.host}/app:1").ok()
    assert slow.most == n


def test_max_size(anyone, registries, conf):
    """What is unused for the longest time goes; what a container needs stays."""
    reg = registries.start()
    base = engine.rootfs_tar(anyone).read_bytes()
    for name in ("a", "b", "c", "d"):
        reg.push(name, "1", [layer(200000)])
    reg.push("box", "1", [base])
    image = {name: f"{reg.host}/{name}:1" for name in ("a", "b", "c", "d", "box")}
    anyone.inro("pull", image["box"]).ok()
    anyone.inro("run", "--name", "keeps", "--network", "none", image["box"], "true").ok()
    for name in "ab":
        anyone.inro("pull", image[name]).ok()
    store = anyone.state / "inro"
    def used():
        done = anyone.run("du", "-s", "--block-size=1", store / "blobs", store / "layers")
        # what goes meanwhile is told to stderr
        return sum(int(line.split()[0]) for line in done.out.splitlines())
    # each takes 800 kB, its blob and its layer: there is room for one more and a half
    room = used() + 1200000
    conf(f"[image]\nmax_size = {room}\n")
    def left(*words):
        want = sorted(image[x] for x in words)
        harness.wait_for(lambda: names(anyone) == want, what=f"{want}")
    anyone.inro("pull", image["c"]).ok()
    left("a", "b", "c", "box")
    anyone.inro("pull", image["d"]).ok()
    left("b", "c", "d", "box")
    harness.wait_for(lambda: used() <= room, what="their files to go")
    # what is needed and what was pulled just now stay
    before = used()
    conf(f"[image]\nmax_size = {before - 1200000}\n")
    anyone.inro("pull", image["a"]).ok()
    left("a", "box")
    harness.wait_for(lambda: used() < before - 1200000, what="their files to go")
    anyone.inro("rm", "keeps").ok()
    conf("[image]\nmax_size = 1500000\n")
    anyone.inro("pull", image["b"]).ok()
    left("b")


def test_short_names_of_images_that_are_here(anyone, registries, conf):
    """A short name finds what it brought, without asking anybody."""
    reg = registries.start()
    reg.push("team/box", "1", [engine.rootfs_tar(anyone).read_bytes()])
    conf(f"[image]\nshort_names = {reg.host}/team\nalias.other = {reg.host}/team/box\n")
    anyone.inro("pull", "box:1").ok()
    reg.stop()
    for name in ("box:1", "other:1"):
        run = anyone.inro("run", "--rm", "--network", "none", name, "echo", "hello")
        assert run.ok().out == "hello\n"
    anyone.inro("rmi", "box:1").ok()
    assert names(anyone) == []
