# SPDX-License-Identifier: Apache-2.0
"""inro load, import and rmi on archives made by hand: what is in the store afterwards."""

import gzip
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import tarfile
import time

import pytest

import harness
from layers import (COMPRESSORS, Layout, config, docker_archive, entry, hardlink, look, sha, tar,
                    xattr)

TURNS = True  # see conftest.py

BASE = tar(entry(".", mode=0o755), entry("etc/"), entry("etc/name", "base"),
           entry("tmp/", mode=0o1777), entry("gone", "x"), entry("var/", mode=0o750, uid=11),
           entry("var/old", "x"))
UPPER = tar(entry("etc/"), entry("etc/name", "upper"), entry(".wh.gone"), entry("tmp/new", "x"),
            entry("var/.wh..wh..opq"), entry("var/new", "x"))


def store(who):
    return who.state / "inro"


def images(who):
    """{repository:tag: id}"""
    lines = who.inro("images", "--no-trunc").ok().out.splitlines()[1:]
    return {":".join(line.split()[:2]): line.split()[2] for line in lines}


def blobs(who):
    return {"sha256:" + name for name in os.listdir(store(who) / "blobs/sha256")}


def layers(who):
    return {"sha256:" + name for name in os.listdir(store(who) / "layers")}


def layer_tree(who, data):
    return look(store(who) / "layers" / sha(data)[7:] / "fs")


def shim_tree(who, data):
    """What goes on top of the layer, of the one image that has it."""
    shims = store(who) / "layers" / sha(data)[7:] / "shims"
    (one,) = os.listdir(shims)
    return look(shims / one / "fs")


def load(who, data, *options, pipe=False):
    if pipe:
        return who.inro("load", *options, input=data)
    path = who.dir / "image.tar"
    path.write_bytes(data)
    path.chmod(0o644)
    return who.inro("load", "-i", path, *options)


def cpu_time():
    """Of all that this test has run so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def assert_nothing_stays(who):
    """What a killed command has left goes in the background."""
    assert blobs(who) == set() and layers(who) == set()
    harness.wait_for(lambda: os.listdir(store(who) / "staging") == [], what="an empty staging")


@pytest.mark.parametrize("outer", COMPRESSORS)
@pytest.mark.parametrize("pipe", [True, False])
def test_docker_archive(anyone, outer, pipe):
    data = COMPRESSORS[outer](docker_archive([BASE, UPPER], tags=["made:1", "example.com/x/y:z"]))
    done = load(anyone, data, pipe=pipe).ok()
    assert "Loaded image: made:1" in done.out
    iid = sha(config([BASE, UPPER]))
    assert images(anyone) == {"made:1": iid, "example.com/x/y:z": iid}
    assert layers(anyone) == {sha(BASE), sha(UPPER)}
    assert {iid, sha(BASE), sha(UPPER)} < blobs(anyone)
    assert layer_tree(anyone, BASE)[b"etc/name"]["data"] == b"base"


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_compressed_layers(root, compress):
    load(root, docker_archive([BASE, UPPER], compress=compress)).ok()
    assert layers(root) == {sha(BASE), sha(UPPER)}
    assert sha(BASE) not in blobs(root)  # kept as they came


def test_equal_layers_are_links_in_old_docker_archives(root):
    load(root, docker_archive([BASE, UPPER, BASE], links=True)).ok()
    assert layers(root) == {sha(BASE), sha(UPPER)}
    assert len(blobs(root)) == 4


def test_several_images_share_layers(root):
    first, second = config([BASE]), config([BASE, UPPER])
    docs = [{"Config": "a.json", "RepoTags": ["one:1"], "Layers": ["l0"]},
            {"Config": "b.json", "RepoTags": None, "Layers": ["l0", "l1"]}]
    load(root, tar(entry("a.json", first), entry("b.json", second), entry("l0", BASE),
                   entry("l1", UPPER), entry("manifest.json", json.dumps(docs)))).ok()
    assert images(root) == {"one:1": sha(first), "<none>:<none>": sha(second)}
    assert layers(root) == {sha(BASE), sha(UPPER)}


def test_directories_without_entries_take_on_the_lower_ones(anyone):
    """The upper layer has tmp/new but no tmp/, and no entry for "/"."""
    load(anyone, docker_archive([BASE, UPPER])).ok()
    tree = shim_tree(anyone, UPPER)
    assert set(tree) == {b".", b"tmp", b"var"}
    assert tree[b"tmp"]["perm"] == 0o1777
    assert tree[b"tmp"]["mtime"] == layer_tree(anyone, BASE)[b"tmp"]["mtime"]
    assert tree[b"var"]["perm"] == 0o750
    assert layer_tree(anyone, UPPER)[b"tmp"]["perm"] == 0o755  # it is everybody's


def test_what_was_taken_on_goes_with_the_image(root):
    """The upper layer stays for another one, and what that takes on."""
    other = tar(entry("tmp/", mode=0o711))
    load(root, docker_archive([BASE, UPPER], tags=["one:1"])).ok()
    load(root, docker_archive([other, UPPER], tags=["other:1"])).ok()
    assert len(os.listdir(store(root) / "layers" / sha(UPPER)[7:] / "shims")) == 2
    root.inro("rmi", "one:1").ok()
    assert shim_tree(root, UPPER)[b"tmp"]["perm"] == 0o711
    load(root, docker_archive([BASE, UPPER], tags=["one:1"])).ok()
    assert len(os.listdir(store(root) / "layers" / sha(UPPER)[7:] / "shims")) == 2


def test_directories_of_others_are_taken_on_together(anyone):
    """Rootless only the user namespace's root can give them away: one process for all of them."""
    names = [f"d{i}/e" for i in range(40)]
    lower = tar(*(entry(name, kind=tarfile.DIRTYPE, mode=0o711, uid=7, gid=8) for name in
                  [part for name in names for part in (name[:-2], name)]))
    middle = tar(entry("d0/", mode=0o755, uid=9))
    upper = tar(*(entry(name + "/f", "x") for name in names), entry("new/f", "x"))
    load(anyone, docker_archive([lower, middle, upper])).ok()
    tree, below = shim_tree(anyone, upper), layer_tree(anyone, lower)
    for name in names:
        for path in (os.fsencode(name[:-2]), os.fsencode(name)):
            want = layer_tree(anyone, middle)[path] if path == b"d0" else below[path]
            assert (tree[path]["owner"], tree[path]["perm"]) == (want["owner"], want["perm"])
    assert b"new" not in tree and layer_tree(anyone, upper)[b"new"]["perm"] == 0o755


def test_what_hides_the_lower_directory(root):
    """A whiteout, an opaque directory, a file or a link between the two: it is a new one."""
    low = tar(*(entry(f"{name}/{part}", kind=tarfile.DIRTYPE, mode=0o700) for name in "abcde"
                for part in ("", "sub")))
    middle = tar(entry(".wh.a"), entry("b/", mode=0o711), entry("b/.wh..wh..opq"), entry("c", "x"),
                 entry("d", link="e"))
    high = tar(*(entry(f"{name}/sub/new", "x") for name in "abcde"))
    load(root, docker_archive([low, middle, high])).ok()
    tree = shim_tree(root, high)
    assert {path: tree[path]["perm"] for path in tree if path != b"."} == {
        b"b": 0o711, b"e": 0o700, b"e/sub": 0o700}


def test_a_directory_that_a_later_member_replaced(root):
    """umoci writes a whiteout for what was in it, then the link."""
    low = tar(entry("bin/", mode=0o700), entry("bin/sh", "x"), entry("lib/"), entry("usr/lib/"))
    high = tar(entry("bin/.wh.sh"), entry("bin", link="usr"), entry("lib/new", "x"))
    load(root, docker_archive([low, high])).ok()
    assert set(shim_tree(root, high)) == {b".", b"lib"}


def test_a_shim_below_a_shim(root):
    low = tar(entry("d/", mode=0o700), entry("d/e/", mode=0o710))
    middle = tar(entry("d/e/one", "x"))
    high = tar(entry("d/", mode=0o711), entry("d/e/two", "x"))
    load(root, docker_archive([low, middle, high])).ok()
    tree = shim_tree(root, high)
    assert (tree[b"d"]["perm"], tree[b"d/e"]["perm"]) == (0o711, 0o710)


def test_directories_without_entries_over_many_layers(root):
    """A small archive must not keep a machine busy for hours."""
    layers_ = [tar(entry("f", "x"))] * 450
    layers_.append(tar(*(entry(f"d{number}/f") for number in range(4800))))
    (root.dir / "image.tar").write_bytes(docker_archive(layers_))
    before = cpu_time()
    root.inro("load", "-i", root.dir / "image.tar", timeout=300).fails(
        "too many directories without an entry")
    assert cpu_time() - before < 30


@pytest.mark.parametrize("compress", ["plain", "gzip", "zstd"])
def test_oci_archive(anyone, compress):
    layout = Layout()
    manifest = layout.image([BASE, UPPER], compress, name="made:2")
    load(anyone, layout.archive(manifest), pipe=True).ok()
    assert images(anyone) == {"made:2": sha(config([BASE, UPPER]))}
    assert layers(anyone) == {sha(BASE), sha(UPPER)}
    assert blobs(anyone) == set(layout.blobs)  # the very manifest, so the same digest


def test_oci_archive_of_many_platforms(root):
    layout = Layout()
    other = {"architecture": "s390x", "os": "linux"}
    own = {"architecture": json.loads(config([]))["architecture"], "os": "linux"}
    index = layout.index([layout.image([UPPER], platform=other),
                          layout.image([BASE], platform=own),
                          layout.image([], platform={"architecture": "unknown", "os": "unknown"})],
                         annotations={"io.containerd.image.name": "example.com/multi:1",
                                      "org.opencontainers.image.ref.name": "1"})
    load(root, layout.archive(index)).ok()
    assert images(root) == {"example.com/multi:1": sha(config([BASE]))}
    assert layers(root) == {sha(BASE)}


def test_oci_archive_for_other_machines(root):
    layout = Layout()
    manifest = layout.image([BASE], platform={"architecture": "s390x", "os": "linux"})
    load(root, layout.archive(manifest)).fails("no image for linux/")
    load(root, layout.archive(layout.index([manifest]))).fails("no image for linux/")
    assert_nothing_stays(root)


def test_names_that_are_none(root):
    load(root, docker_archive([BASE], tags=["../../x"])).fails("invalid image reference")
    assert_nothing_stays(root)
    # The annotation of a layout may hold anything: the image then has no name.
    layout = Layout()
    done = load(root, layout.archive(layout.image([BASE], name="../../x"))).ok()
    assert "left out" in done.err
    assert list(images(root)) == ["<none>:<none>"]


def test_loading_again_changes_nothing(anyone):
    data = docker_archive([BASE, UPPER])
    load(anyone, data).ok()
    before = (blobs(anyone), images(anyone))
    load(anyone, data).ok()
    assert (blobs(anyone), images(anyone)) == before


# ---- archives that are not what they say ----

def replaced(data, name, content):
    """The archive with another content of one member."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [(m, archive.extractfile(m).read()) for m in archive.getmembers() if m.isreg()]
    return tar(*[entry(m.name, content if m.name == name else d) for m, d in members])


def test_layer_with_another_diff_id(root):
    data = docker_archive([BASE, UPPER], conf=config([BASE, BASE]))
    load(root, data).fails(sha(UPPER), sha(BASE), "the config says")
    assert_nothing_stays(root)


def test_another_blob_for_a_layer_that_is_there(root):
    """It must unpack to the diff id as well, or what is saved later would be broken."""
    load(root, docker_archive([BASE])).ok()
    load(root, docker_archive([UPPER], tags=["bad:1"], conf=config([BASE]))).fails(
        sha(UPPER), "the config says")
    load(root, docker_archive([BASE], tags=["packed:1"], compress="gzip")).ok()
    assert layers(root) == {sha(BASE)} and "bad:1" not in images(root)


def test_a_damaged_blob_heals(root):
    """Loading brings a good one, wherever the bad one is."""
    layout = Layout()
    manifest = layout.image([BASE], "gzip", name="made:7")
    data = layout.archive(manifest)
    load(root, data).ok()
    shutil.rmtree(store(root) / "layers" / sha(BASE)[7:])
    for digest, content in layout.blobs.items():
        path = store(root) / "blobs/sha256" / digest[7:]
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    load(root, data).ok()
    for digest, content in layout.blobs.items():
        assert (store(root) / "blobs/sha256" / digest[7:]).read_bytes() == content
    assert layer_tree(root, BASE)[b"etc/name"]["data"] == b"base"


def test_many_members_and_many_images(root):
    """Looking each of them up must not take all of the others."""
    images_, per_image, junk = 1000, 200, 60000
    conf = config([BASE] * per_image)
    docs = [{"Config": "c", "RepoTags": [f"n:{number}"], "Layers": ["l"] * per_image}
            for number in range(images_)]
    data = tar(entry("c", conf), entry("l", BASE), entry("manifest.json", json.dumps(docs)),
               *(entry(f"junk{number}") for number in range(junk)), fmt=tarfile.USTAR_FORMAT)
    path = root.dir / "image.tar"
    path.write_bytes(data)
    before = cpu_time()
    root.inro("load", "-q", "-i", path, timeout=300).ok()
    assert cpu_time() - before < 20
    assert len(images(root)) == images_


def test_config_with_another_digest(root):
    name = config([BASE])
    data = replaced(docker_archive([BASE]), sha(name)[7:] + ".json", config([BASE], os="linux "))
    load(root, data).fails("has other content")
    assert_nothing_stays(root)


def test_number_of_layers(root):
    load(root, docker_archive([BASE], conf=config([BASE, UPPER]))).fails("2 diff ids for 1 layers")
    assert_nothing_stays(root)


@pytest.mark.parametrize("kind", ["content", "size", "missing"])
@pytest.mark.parametrize("which", ["layer", "config", "manifest"])
def test_damaged_blob(root, kind, which):
    layout = Layout()
    manifest = layout.image([BASE, UPPER])
    digest = {"layer": sha(UPPER), "config": sha(config([BASE, UPPER])),
              "manifest": manifest["digest"]}[which]
    data = layout.blobs[digest]
    if kind == "content":
        layout.blobs[digest] = data[:-1] + bytes([data[-1] ^ 1])
    elif kind == "size":
        layout.blobs[digest] = data + b"\0"
    else:
        del layout.blobs[digest]
    load(root, layout.archive(manifest)).fails(digest)
    assert_nothing_stays(root)


def test_descriptor_with_another_size(root):
    layout = Layout()
    manifest = layout.image([BASE])
    manifest["size"] += 1
    load(root, layout.archive(manifest)).fails(manifest["digest"], "bytes instead of")
    assert_nothing_stays(root)


@pytest.mark.parametrize("data", [b"", b"garbage" * 1000, tar(entry("etc/passwd", "x")),
                                  tar(entry("manifest.json", "[]")),
                                  tar(entry("manifest.json", "{")),
                                  docker_archive([BASE])[:5000],
                                  gzip.compress(docker_archive([BASE]))[:300]],
                         ids=["nothing", "garbage", "tarball", "no-images", "no-json", "cut",
                              "cut-gzip"])
def test_not_an_image_archive(root, data):
    load(root, data, pipe=True).fails()
    assert_nothing_stays(root)


def test_hostile_member_names(root):
    layout = Layout()
    manifest = layout.image([BASE], name="made:3")
    bait = root.dir / "bait"
    with tarfile.open(fileobj=io.BytesIO(layout.archive(manifest))) as archive:
        members = [(m, archive.extractfile(m).read()) for m in archive.getmembers()]
    members += [entry("../../../bait", "x"), entry(str(bait), "x"), entry("s", link=str(root.dir)),
                entry("s/bait", "x"), hardlink("h", str(bait)),
                entry("null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3)]
    load(root, tar(*members)).ok()
    assert not bait.exists()


def test_layers_of_links_that_loop(root):
    docs = [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["a"]}]
    load(root, tar(entry("c.json", config([BASE])), entry("a", link="b"), entry("b", link="a"),
                   entry("manifest.json", json.dumps(docs)))).fails("layer a is not in the archive")


# ---- interrupted ----

def test_killed_load_leaves_nothing(anyone):
    data = docker_archive([BASE, UPPER])
    proc = anyone.popen(*anyone.inro_argv("load"), stdin=subprocess.PIPE,
                        stdout=subprocess.DEVNULL)
    proc.stdin.write(data[:8000])
    proc.stdin.flush()
    harness.wait_for(lambda: (store(anyone) / "staging").is_dir()
                     and os.listdir(store(anyone) / "staging"), what="a staging directory")
    proc.send_signal(signal.SIGKILL)
    proc.wait(10)
    proc.stdin.close()
    time.sleep(0.2)
    load(anyone, b"").fails()
    assert_nothing_stays(anyone)


def test_loads_at_the_same_time(root):
    data = docker_archive([BASE, UPPER])
    path = root.dir / "image.tar"
    path.write_bytes(data)
    loads = [root.popen(*root.inro_argv("load", "-i", path), stdout=subprocess.DEVNULL)
             for _ in range(4)]
    assert [p.wait(60) for p in loads] == [0] * 4
    assert layers(root) == {sha(BASE), sha(UPPER)}
    assert os.listdir(store(root) / "staging") == []


# ---- running ----

def test_image_without_layers(root):
    load(root, docker_archive([], tags=["nothing:1"])).ok()
    root.inro("run", "--rm", "--network", "none", "nothing:1", "/bin/none").fails("/bin/none",
                                                                                code=127)


def test_root_directory_is_the_images(root):
    with open(harness.BUSYBOX, "rb") as file:
        data = tar(entry(".", mode=0o711, uid=7, gid=8), entry("bin/"),
                   entry("bin/busybox", file.read(), mode=0o755))
    load(root, docker_archive([data], tags=["own:1"])).ok()
    done = root.inro("run", "--rm", "--network", "none", "own:1", "/bin/busybox", "stat", "-c",
                     "%a %u %g", "/").ok()
    assert done.out == "711 7 8\n"


# ---- removing ----

def test_rmi_keeps_what_others_need(anyone):
    load(anyone, docker_archive([BASE], tags=["one:1"])).ok()
    load(anyone, docker_archive([BASE, UPPER], tags=["two:1"])).ok()
    anyone.inro("rmi", "two:1").ok()
    assert layers(anyone) == {sha(BASE)} and list(images(anyone)) == ["one:1"]
    anyone.inro("rmi", "one:1").ok()
    assert_nothing_stays(anyone)


def test_rmi_of_trees_that_lock_their_owner_out(anyone):
    data = tar(entry("d/", mode=0), entry("d/e/", mode=0o111, uid=5), entry("d/e/f", "x", mode=0,
                                                                         uid=6),
               entry(".", mode=0o555))
    load(anyone, docker_archive([data], tags=["shut:1"])).ok()
    anyone.inro("rmi", "shut:1").ok()
    assert_nothing_stays(anyone)


# ---- rootless ----

def test_rootless_owners_are_mapped(user):
    data = tar(entry("own", "x"), entry("other", "x", uid=1, gid=2),
               entry("null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3),
               entry(".wh.gone"), entry("d/.wh..wh..opq"))
    done = load(user, docker_archive([data])).ok()
    assert "1 device nodes left out" in done.err
    tree = layer_tree(user, data)
    uid_start, _ = harness.sub_ids(user.name, "/etc/subuid")
    gid_start, _ = harness.sub_ids(user.name, "/etc/subgid")
    assert tree[b"own"]["owner"] == (user.uid, user.gid)
    assert tree[b"other"]["owner"] == (uid_start, gid_start + 1)
    assert tree[b"gone"]["device"] == (0, 0)
    assert tree[b"d"]["xattrs"]["user.overlay.opaque"] == b"y"


def test_rootless_directories_without_entries_keep_their_owner(user):
    """The upper layer has only a file below directories of others."""
    base = tar(entry("home/"), entry("home/a/", uid=1000, gid=50, mode=0o750),
               entry("home/a/-b/", uid=7, gid=7))
    upper = tar(entry("home/a/-b/new", "x"))
    load(user, docker_archive([base, upper])).ok()
    uid_start, _ = harness.sub_ids(user.name, "/etc/subuid")
    gid_start, _ = harness.sub_ids(user.name, "/etc/subgid")
    tree = shim_tree(user, upper)
    assert tree[b"home/a"]["perm"] == 0o750
    assert tree[b"home"]["owner"] == (user.uid, user.gid)
    assert tree[b"home/a"]["owner"] == (uid_start + 999, gid_start + 49)
    assert tree[b"home/a/-b"]["owner"] == (uid_start + 6, gid_start + 6)
    assert tree[b"home/a"]["mtime"] == layer_tree(user, base)[b"home/a"]["mtime"]


def test_rootless_owner_outside_of_the_subordinate_ids(user):
    data = tar(entry("f", "x", uid=3_000_000_000))
    load(user, docker_archive([data])).fails("giving f to 3000000000:0", "more subordinate ids")
    assert_nothing_stays(user)


def test_rootless_capabilities(user):
    cap = bytes.fromhex("0100000200200000000000000000000000000000").decode("latin-1")
    data = tar(xattr("f", "x", security__capability=cap))
    load(user, docker_archive([data])).ok()
    # Version 3: valid in user namespaces of this owner only.
    assert layer_tree(user, data)[b"f"]["xattrs"]["security.capability"][3] == 3


def test_rootless_removes_deep_directories_of_subordinate_ids(user):
    data = tar(*[entry("d/" * level, uid=5, gid=5) for level in range(1, 100)])
    load(user, docker_archive([data])).ok()
    user.inro("rmi", "example.com/made:1").ok()
    assert_nothing_stays(user)


# ---- import ----

@pytest.mark.parametrize("compress", COMPRESSORS)
def test_import(anyone, compress):
    path = anyone.dir / "root.tar"
    data = COMPRESSORS[compress](BASE)
    path.write_bytes(data)
    path.chmod(0o644)
    anyone.inro("import", path, "made:4").ok()
    assert list(images(anyone)) == ["made:4"]
    assert layers(anyone) == {sha(BASE)}
    assert sha(data) in blobs(anyone)


def test_import_of_no_tarball(root):
    for data in (b"", b"no tarball" * 500):
        root.inro("import", "-", "made:5", input=data).fails()
        assert_nothing_stays(root)


# ---- an inro-layer that an archive has taken over ----

def taken_over(who, mode, deed):
    """The path of an inro whose inro-layer does its work in that mode, and then the deed."""
    programs = who.dir / "programs"
    programs.mkdir()
    shutil.copy(who.program("inro"), programs)
    script = programs / "inro-layer"
    script.write_text(f"""#!/usr/bin/python3
import fcntl, os, subprocess, sys
fds = [int(fd) for fd in os.listdir("/proc/self/fd") if 2 < int(fd) < 10]
code = subprocess.run([{who.program("inro-layer")!r}] + sys.argv[1:],
                      pass_fds=[fd for fd in fds if os.path.exists(f"/proc/self/fd/{{fd}}")]).returncode
os.chdir(4)
if sys.argv[1] == {mode!r}:
    {deed}
sys.exit(code)
""")
    script.chmod(0o755)
    return [programs / "inro", "--root", store(who)]


@pytest.mark.parametrize("deed", (
    "os.makedirs('layer-HEX/fs/forged')",
    "os.symlink('/', 'layer-HEX')",
    "os.mkfifo('0' * 64)",
    "os.link([n for n in os.listdir('.') if len(n) == 64][0], '0' * 64)",
    "open('more', 'w')",
))
def test_split_leaves_nothing_but_blobs(root, deed):
    inro = taken_over(root, "split", deed.replace("HEX", sha(BASE)[7:]))
    root.run(*inro, "load", input=docker_archive([BASE])).fails("no blob")
    assert_nothing_stays(root)


def test_split_cannot_lie_about_a_blob_of_a_layer_that_is_there(root):
    """The layer is known by another blob, this one is its tar: nobody needs to unpack it to know,
    but it is not what it says."""
    load(root, docker_archive([BASE], compress="gzip")).ok()
    before = blobs(root)
    inro = taken_over(root, "split", f"open({sha(BASE)[7:]!r}, 'r+').write('lies')")
    root.run(*inro, "load", input=docker_archive([BASE], tags=["bad:1"])).fails("layer sha256:")
    assert blobs(root) == before and "bad:1" not in images(root)


def test_who_unpacks_cannot_lie_about_digests(root):
    """The engine believes the stages that hash, whatever apply says."""
    programs = root.dir / "programs"
    programs.mkdir()
    shutil.copy(root.program("inro"), programs)
    script = programs / "inro-layer"
    script.write_text(f"""#!/usr/bin/python3
import os, subprocess, sys
forged = os.dup(3)
null = os.open("/dev/null", os.O_WRONLY)
os.dup2(null, 3)
code = subprocess.run([{root.program("inro-layer")!r}] + sys.argv[1:],
                      pass_fds=[3, 4, 6, 7, 8, 9]).returncode
os.write(forged, b'{{"diffId": "sha256:{"0" * 64}", "digest": "sha256:{"1" * 64}"}}')
sys.exit(code)
""")
    script.chmod(0o755)
    root.run(programs / "inro", "--root", store(root), "import", "-", "made:6", input=BASE).ok()
    assert sha(BASE) in blobs(root)
    assert os.listdir(store(root) / "layers") == [sha(BASE)[7:]]
