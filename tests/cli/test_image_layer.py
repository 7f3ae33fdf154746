# SPDX-License-Identifier: Apache-2.0
"""inro-layer on single layers, as root: what a tar becomes on disk, and what hostile ones can't do."""

import base64
import gzip
import json
import os
import re
import shutil
import stat
import subprocess
import tarfile

import pytest

import harness
from layers import COMPRESSORS, MTIME, entry, hardlink, look, sha, tar, xattr


ERR_SIZE = 4 + 4 + 1000 + 256


class Unpacker:
    def __init__(self, who):
        self.who, self.count = who, 0

    def __call__(self, data, *options, partial=None):
        """Unpacks into a new directory: (tree, result document with digests, Result)."""
        self.count += 1
        top = self.top = self.who.dir / f"layer{self.count}"
        (top / "fs").mkdir(parents=True)
        (top / "in").write_bytes(data)
        fds = "<in 3>out 4<fs 7>hash-in 8>decompress 9>hash-out"
        if partial is not None:
            (top / "partial").write_bytes(partial)
            fds += " 6<>partial"
        done = self.who.run("sh", "-c", f'exec "$@" {fds}', "sh",
                            self.who.program("inro-layer"), "unpack", *options, cwd=top)
        results = {name: (top / name).read_bytes()
                   for name in ("hash-in", "decompress", "hash-out", "out")}
        for result in results.values():
            if len(result) == ERR_SIZE and result[:1] != b"{":  # errno, kind, message
                done.err += result[8:1008].split(b"\0")[0].decode(errors="replace")
                return look(top / "fs"), None, done
        done.ok()
        doc = json.loads(results["out"])
        for key, stage in (("digest", "hash-in"), ("diffId", "hash-out")):
            doc[key] = results[stage][:80].rstrip(b"\0").decode()
        return look(top / "fs"), doc, done

    def ok(self, *entries, **kw):
        tree, _, done = self(tar(*entries, **kw))
        done.ok()
        return tree

    def fails(self, data, *words, options=()):
        tree, doc, done = self(data, *options)
        assert doc is None
        done.code = done.code or 1  # one of the stages has failed
        done.fails(*words, code=1)
        return tree


@pytest.fixture
def unpack(root):
    return Unpacker(root)


WHITEOUT = {"mode": "c---------", "device": (0, 0)}


def is_whiteout(one):
    return {k: one[k] for k in WHITEOUT} == WHITEOUT


def is_opaque(one):
    return one["xattrs"].get("trusted.overlay.opaque") == b"y"


@pytest.mark.parametrize("compress", COMPRESSORS)
def test_diff_id_covers_the_uncompressed_tar(unpack, compress):
    data = tar(entry("a", "x" * 100000), entry("d/"), entry("d/b", "y"))
    data += b"\0" * 5000  # behind the end-of-archive mark
    tree, doc, done = unpack(COMPRESSORS[compress](data))
    done.ok()
    assert doc["diffId"] == sha(data)
    assert doc["digest"] == sha(COMPRESSORS[compress](data))
    assert doc["size"] == 100001
    assert tree[b"a"]["data"] == b"x" * 100000 and tree[b"d/b"]["data"] == b"y"


def test_gzip_members_follow_each_other(unpack):
    data = tar(entry("a", "x" * 3000))
    tree, doc, done = unpack(gzip.compress(data[:700]) + gzip.compress(data[700:]) + b"\0" * 100)
    done.ok()
    assert doc["diffId"] == sha(data) and tree[b"a"]["data"] == b"x" * 3000


@pytest.mark.parametrize("data", [b"", b"\0" * 1024, b"\0" * 10240])
def test_empty_layer(unpack, data):
    tree, doc, done = unpack(data)
    done.ok()
    assert doc["diffId"] == sha(data) and list(tree) == [b"."]
    assert tree[b"."]["perm"] == 0o755


def test_attributes(unpack):
    tree = unpack.ok(
        entry(".", mode=0o750, uid=3, gid=4),
        entry("suid", "x", mode=0o6755, uid=5, gid=6, mtime=MTIME + 0.123456789),
        entry("d/", mode=0o3770, uid=7), entry("d/f", "x"), entry("d/g", "x"),
        entry("big", "x", uid=4_000_000_000, gid=3_000_000_000),
        entry("link", link="../..//anywhere"),
        entry("fifo", kind=tarfile.FIFOTYPE, mode=0o622),
        entry("null", kind=tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3),
        entry("disk", kind=tarfile.BLKTYPE, mode=0o660, devmajor=7, devminor=300))
    assert (tree[b"."]["perm"], tree[b"."]["owner"]) == (0o750, (3, 4))
    assert tree[b"."]["mtime"] == MTIME and tree[b"d"]["mtime"] == MTIME
    assert (tree[b"suid"]["perm"], tree[b"suid"]["owner"]) == (0o6755, (5, 6))
    assert abs(tree[b"suid"]["mtime"] - MTIME - 0.123456789) < 1e-6
    assert (tree[b"d"]["perm"], tree[b"d"]["owner"]) == (0o3770, (7, 0))
    assert tree[b"d/f"]["owner"] == (0, 0)  # not the group of its set-gid directory
    assert tree[b"big"]["owner"] == (4_000_000_000, 3_000_000_000)
    assert tree[b"link"]["target"] == b"../..//anywhere" and tree[b"link"]["mtime"] == MTIME
    assert tree[b"fifo"]["mode"] == "prw--w--w-"
    assert (tree[b"null"]["mode"], tree[b"null"]["device"]) == ("crw-rw-rw-", (1, 3))
    assert (tree[b"disk"]["mode"], tree[b"disk"]["device"]) == ("brw-rw----", (7, 300))


@pytest.mark.parametrize("fmt", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_are_bytes(unpack, fmt):
    names = ["caf\udce9", "ünïcode", "\udcff" * 200, "sp ace\nline", "l" * 255,
             "/".join(["p" * 200] * 15)]
    tree = unpack.ok(*[entry(n, n.encode(errors="surrogateescape")) for n in names],
                     entry("sym", link="caf\udce9/ü"), hardlink("hard", "caf\udce9"), fmt=fmt)
    for name in names:
        raw = name.encode(errors="surrogateescape")
        assert tree[raw]["data"] == raw
    assert tree[b"sym"]["target"] == "caf\udce9/ü".encode(errors="surrogateescape")
    assert tree[b"hard"]["ino"] == tree[b"caf\xe9"]["ino"]


def test_names_of_gnu_tar(unpack, root):
    """It writes bytes that are no UTF-8 into pax headers as they are."""
    (root.dir / "d").mkdir()
    raw = b"\xff\xfe" * 60
    for name in (b"\xe9t\xe9", raw):
        with open(os.fsencode(root.dir / "d") + b"/" + name, "w", encoding="ascii") as file:
            file.write("x")
    os.symlink(raw, os.fsencode(root.dir / "d") + b"/link")
    for fmt in ("gnu", "posix"):
        data = subprocess.run(["tar", "--format", fmt, "-C", root.dir / "d", "-c", "."],
                              stdout=subprocess.PIPE, check=True).stdout
        tree, _, done = unpack(data)
        done.ok()
        assert tree[raw]["data"] == b"x" and tree[b"\xe9t\xe9"]["data"] == b"x"
        assert tree[b"link"]["target"] == raw


def test_path_length_limit(unpack):
    unpack.fails(tar(entry("/".join(["x" * 99] * 41), "x")), "longer than 4095 bytes")
    unpack.fails(tar(entry("x" * 256, "x")), "File name too long")


def test_xattrs_and_capabilities(unpack):
    cap = bytes.fromhex("0100000200200000000000000000000000000000").decode("latin-1")
    tree = unpack.ok(xattr("f", user__note="val", security__capability=cap),
                     xattr("d/", user__note="dir"))
    assert tree[b"f"]["xattrs"]["user.note"] == b"val"
    assert tree[b"f"]["xattrs"]["security.capability"] == cap.encode("latin-1")
    assert tree[b"d"]["xattrs"]["user.note"] == b"dir"


def test_acls(unpack):
    info, data = entry("f", "x", mode=0o640)
    info.pax_headers = {"SCHILY.acl.access": "user::rw-,user:7:rwx,group::r--,mask::rwx,other::---"}
    tree = unpack.ok((info, data))
    acl = tree[b"f"]["xattrs"]["system.posix_acl_access"]
    assert acl.hex() == ("02000000" "01000600ffffffff" "0200070007000000" "04000400ffffffff"
                         "10000700ffffffff" "20000000ffffffff")


def test_default_acl_is_not_inherited(unpack):
    acl = ("02000000" "01000700ffffffff" "0200060008000000" "04000500ffffffff" "10000700ffffffff"
           "20000000ffffffff")
    directory = entry("d/", mode=0o2770)
    directory[0].pax_headers = {"SCHILY.acl.default": "user::rwx,user:8:rw-,group::r-x,mask::rwx,other::---"}
    tree = unpack.ok(directory, entry("d/f", "x", mode=0o640), entry("d/s/", mode=0o750), entry("d/i/g", "x"))
    assert tree[b"d"]["xattrs"]["system.posix_acl_default"].hex() == acl
    for path in (b"d/f", b"d/s", b"d/i", b"d/i/g"):
        assert tree[path]["xattrs"] == {}, path
    assert (tree[b"d/f"]["perm"], tree[b"d/s"]["perm"]) == (0o640, 0o750)


def test_last_entry_of_a_directory_has_all_attributes(unpack):
    tree = unpack.ok(xattr("d/", user__one="1"), entry("d/f", "x"), xattr("d/", user__two="2"), entry("e/", mode=0o700),
                     entry(".wh.e"), xattr("e/", user__three="3"), entry("e/"))
    assert tree[b"d"]["xattrs"] == {"user.two": b"2"}
    assert tree[b"e"]["xattrs"] == {"trusted.overlay.opaque": b"y"}


def test_acl_of_a_name_without_an_id_is_left_out(unpack):
    info, data = entry("f", "x", mode=0o640)
    info.pax_headers = {"SCHILY.acl.access": "user::rw-,user:eve:r--,group::r--,mask::r--,other::---"}
    tree, _, done = unpack(tar((info, data)))
    assert 'f: ACL left out: it has no id for "eve"' in done.ok().err
    assert tree[b"f"]["data"] == b"x" and not tree[b"f"]["xattrs"]


def test_archives_cannot_bring_overlay_marks(unpack):
    tree, _, done = unpack(tar(xattr("d/", trusted__overlay__opaque="y", user__overlay__opaque="y"),
                               xattr("f", trusted__overlay__redirect="/etc")))
    done.ok()
    assert tree[b"d"]["xattrs"] == {} and tree[b"f"]["xattrs"] == {}
    assert "left out" in done.err


@pytest.mark.parametrize("fmt", ["gnu", "posix"])
def test_sparse_files_stay_sparse(unpack, root, fmt):
    path = root.dir / "sparse"
    with open(path, "wb") as file:
        for offset in range(0, 40 << 20, 4 << 20):
            file.seek(offset)
            file.write(b"data%d" % offset)
        file.truncate(50 << 20)
    data = subprocess.run(["tar", "--format", fmt, "-S", "-C", root.dir, "-c", "sparse"],
                          stdout=subprocess.PIPE, check=True).stdout
    assert len(data) < 1 << 20
    tree, doc, done = unpack(data)
    done.ok()
    assert tree[b"sparse"]["data"] == path.read_bytes()
    assert tree[b"sparse"]["blocks"] * 512 < 1 << 20
    assert doc["diffId"] == sha(data)


# ---- whiteouts: image-spec layer.md ----

def test_whiteouts(unpack):
    tree = unpack.ok(entry(".wh.gone"), entry("d/"), entry("d/.wh.x"), entry("e/"),
                     entry("e/new", "x"), entry("e/.wh..wh..opq"), entry(".wh..wh.plnk/"))
    assert is_whiteout(tree[b"gone"]) and is_whiteout(tree[b"d/x"])
    assert is_opaque(tree[b"e"]) and not is_opaque(tree[b"d"])
    assert not any(b".wh." in path for path in tree)


@pytest.mark.parametrize("first", [True, False])
def test_whiteout_hides_lower_layers_only(unpack, first):
    members = [entry("d/"), entry("d/f", "new")]
    whiteout = [entry(".wh.d")]
    tree = unpack.ok(*(whiteout + members if first else members + whiteout))
    assert tree[b"d/f"]["data"] == b"new" and is_opaque(tree[b"d"])
    file = [entry("f", "new")]
    tree = unpack.ok(*([entry(".wh.f")] + file if first else file + [entry(".wh.f")]))
    assert tree[b"f"]["data"] == b"new"


def test_whiteout_of_a_parent_without_an_entry(unpack):
    tree = unpack.ok(entry(".wh.d"), entry("d/e/f", "new"))
    assert tree[b"d/e/f"]["data"] == b"new" and is_opaque(tree[b"d"])


def test_opaque_root_is_reported(unpack):
    _, doc, _ = unpack(tar(entry(".wh..wh..opq"), entry("f", "x")))
    assert doc["opaque"] is True


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "d/.wh..."])
def test_whiteout_of_nothing(unpack, name):
    unpack.fails(tar(entry("d/"), entry(name)), "whiteout of nothing")


def test_directories_without_entries_are_reported(unpack):
    tree, doc, _ = unpack(tar(entry("a/b/c", "x"), entry("d/e", "x"), entry("d/", mode=0o700)))
    assert doc["implied"] == ["a", "a/b", "."]
    assert tree[b"a"]["perm"] == 0o755 and tree[b"d"]["perm"] == 0o700


def test_no_whiteouts_where_nothing_shows(unpack):
    """Overlayfs would list them: it reads a directory that only one layer has as it is."""
    tree = unpack.ok(entry("d/"), entry("d/.wh..wh..opq"), entry("d/.wh.x"), entry("d/e/"), entry("d/e/.wh.y"),
                     entry("f/"), entry("f/.wh.z"), entry(".wh.g"), entry("g/"), entry("g/.wh.h"))
    assert set(tree) == {b".", b"d", b"d/e", b"f", b"f/z", b"g"} and is_whiteout(tree[b"f/z"])


def test_directories_below_a_whiteout_are_new(unpack):
    """There is nothing below that they would be like."""
    _, doc, _ = unpack(tar(entry("."), entry(".wh.a"), entry("a/b/c", "x"), entry("d/"), entry("d/.wh..wh..opq"),
                           entry("d/e/f", "x"), entry("g/h", "x")))
    assert doc["implied"] == ["g"]


# ---- members in each other's way ----

def test_later_members_replace_earlier_ones(unpack):
    tree = unpack.ok(
        entry("f", "old"), entry("f", "new"),
        entry("file-to-dir", "x"), entry("file-to-dir/"), entry("file-to-dir/in", "x"),
        entry("dir-to-file/"), entry("dir-to-file/a/b", "x"), entry("dir-to-file", "x"),
        entry("dir-to-link/"), entry("dir-to-link/a", "x"), entry("dir-to-link", link="f"),
        entry("link-to-dir", link="f"), entry("link-to-dir/"),
        entry("twice/", mode=0o700), entry("twice/in", "x"), entry("twice/", mode=0o711))
    assert tree[b"f"]["data"] == b"new" and tree[b"f"]["nlink"] == 1
    assert tree[b"file-to-dir/in"]["data"] == b"x"
    assert tree[b"dir-to-file"]["data"] == b"x"
    assert tree[b"dir-to-link"]["target"] == b"f"
    assert tree[b"link-to-dir"]["mode"] == "drwxr-xr-x"
    assert tree[b"twice"]["perm"] == 0o711 and b"twice/in" in tree


@pytest.mark.parametrize("depth", (40, 300))
def test_a_file_replaces_a_deep_directory(unpack, depth):
    deep = [entry("d/" * level) for level in range(1, depth)]
    tree = unpack.ok(*deep, entry("d/" * (depth - 1) + "f", "x"), entry("d", "file"))
    assert list(tree) == [b".", b"d"] and tree[b"d"]["data"] == b"file"


def test_replacing_a_hard_link_leaves_the_other(unpack):
    tree = unpack.ok(entry("a", "one"), hardlink("b", "a"), hardlink("c", "/./a"),
                     hardlink("a", "a"), entry("b", "two"))
    assert tree[b"a"]["data"] == b"one" and tree[b"b"]["data"] == b"two"
    assert tree[b"a"]["ino"] == tree[b"c"]["ino"]


def test_hard_link_to_a_lower_layer(unpack):
    unpack.fails(tar(hardlink("b", "a")), "b: hard link to a, which is not in this layer")
    unpack.fails(tar(hardlink("b", "no/a")), "b: hard link to no/a, which is not in this layer")


# ---- escapes ----

@pytest.fixture
def bait(root):
    """A file outside of every layer that hostile ones aim at."""
    path = root.dir / "bait"
    path.write_text("untouched")
    yield path
    assert path.read_text() == "untouched" and path.stat().st_nlink == 1
    assert sorted(p.name for p in root.dir.iterdir() if p.name.startswith("bait")) == ["bait"]


def test_cve_2018_15664_names_stay_inside(unpack, bait):
    tree = unpack.ok(entry("../bait", "x"), entry("/../../abs", "x"), entry("a/../../b", "x"),
                     entry(f"{bait}", "x"))
    assert {b"bait", b"abs", b"b"} <= set(tree)
    assert tree[os.fsencode(str(bait)).lstrip(b"/")]["data"] == b"x"


def test_cve_2018_15664_symlinks_resolve_inside(unpack, bait):
    tree = unpack.ok(entry("real/"), entry("up", link="../../../real"), entry("abs", link="/real"),
                     entry("up/one", "1"), entry("abs/two", "2"),
                     entry("loop", link=str(bait.parent)))
    assert tree[b"real/one"]["data"] == b"1" and tree[b"real/two"]["data"] == b"2"
    # Where the link leads to nothing inside, that is made: inside.
    tree = unpack.ok(entry("out", link=str(bait)), entry("out/x", "x"))
    assert tree[os.fsencode(f"{bait}/x").lstrip(b"/")]["data"] == b"x"
    tree = unpack.ok(entry("out", link=str(bait)), entry("out", "x"))
    assert tree[b"out"]["data"] == b"x"


def test_hard_links_resolve_inside(unpack, bait):
    unpack.fails(tar(hardlink("h", "../../bait")), "not in this layer")
    unpack.fails(tar(hardlink("h", str(bait))), "not in this layer")
    unpack.fails(tar(entry("s", link=str(bait.parent)), hardlink("h", "s/bait")),
                 "not in this layer")
    # A hard link to a symlink is one to the link itself; writing the name replaces it.
    tree = unpack.ok(entry("s", link=str(bait)), hardlink("h", "s"), entry("h", "x"))
    assert tree[b"h"]["data"] == b"x"


def test_directory_times_go_to_no_symlink(unpack, bait):
    before = bait.parent.stat().st_mtime_ns
    unpack.ok(entry("d/", mtime=1), entry("d", link=str(bait.parent)))
    assert bait.parent.stat().st_mtime_ns >= before


def test_whiteouts_through_symlinks_hide_nothing(unpack, bait):
    """The symlink hides all that lower layers have below its name already."""
    for members in ([entry("s", link="/real"), entry("s/.wh.x"), entry("s/.wh..wh..opq"),
                     entry("s/d/.wh.y")],
                    [entry("s/.wh.x"), entry("s/.wh..wh..opq"), entry("s", link="/real")]):
        tree = unpack.ok(entry("real/"), entry("real/d/"), *members)
        assert not is_opaque(tree[b"real"]) and tree[b"s"]["target"] == b"/real"
        assert not any(is_whiteout(one) for one in tree.values() if "device" in one)
    unpack.ok(entry("s", link=str(bait.parent)), entry("s/.wh.bait"))


def test_whiteouts_below_a_file_hide_nothing(unpack):
    for members in ([entry("f", "new"), entry("f/.wh.x"), entry("f/d/.wh.y"), entry("g", "x")],
                    [entry("f/.wh.x"), entry("f", "new"), entry("g", "x")]):
        tree = unpack.ok(*members)
        assert tree.keys() == {b".", b"f", b"g"} and tree[b"f"]["data"] == b"new"
    unpack.fails(tar(entry("f", "new"), entry("f/x", "x")), "f/x")


# ---- broken and oversized archives (CVE-2021-20291: the puller hung on a cut layer) ----

@pytest.mark.parametrize("compress", COMPRESSORS)
def test_cve_2021_20291_cut_archives_fail(unpack, compress):
    data = COMPRESSORS[compress](tar(entry("a", os.urandom(300000))))
    for keep in (10, 500, 100000, len(data) - 100000):
        unpack.fails(data[:keep])


@pytest.mark.parametrize("compress", ["gzip", "zstd", "xz"])
def test_damaged_archives_fail(unpack, compress):
    data = bytearray(COMPRESSORS[compress](tar(entry("a", os.urandom(300000)))))
    data[len(data) // 2] ^= 0xff
    unpack.fails(bytes(data))


def test_garbage(unpack):
    unpack.fails(b"not a tar at all" * 100, "reading tar")
    unpack.fails(b"BZh9" + b"x" * 1000, "bzip2 compression is not supported")
    unpack.fails(gzip.compress(tar(entry("a", "x"))) + b"garbage", "gzip")
    header = bytearray(tar(entry("a", "x")))
    header[0] ^= 1  # the checksum is wrong now
    unpack.fails(bytes(header))


def test_limits(unpack):
    bomb = gzip.compress(tar(entry("a", b"\0" * (20 << 20))))
    unpack.fails(bomb, "more than 10000000 bytes", options=["--max-bytes=10000000"])
    many = tar(*[entry(f"f{i}", "") for i in range(200)])
    unpack.fails(many, "more than 100 members", options=["--max-entries=100"])
    unpack.fails(tar(xattr("f", **{f"user__{i}": "v" * 60000 for i in range(10)})),
                 "bytes of attributes")


def test_ratio_limit(unpack):
    out = COMPRESSORS["zstd"](tar(entry("a", b"\0" * (300 << 20))))
    unpack.fails(out, "more than 1200 times its size", options=["--max-ratio=1200"])


def test_owners_out_of_range(unpack):
    for uid in (2**32 - 1, 2**32, 2**40):
        unpack.fails(tar(entry("f", "x", uid=uid)), "out of range")


def test_attributes_that_an_image_may_have(unpack):
    """Those that the host's programs or the kernel believe are not among them."""
    names = ("trusted__other", "security__ima", "security__selinux", "user__overlay__redirect")
    tree, _, done = unpack(tar(xattr("f", user__kept="yes", **{name: "x" for name in names})))
    done.ok()
    assert tree[b"f"]["xattrs"].get("user.kept") == b"yes"
    assert not set(tree[b"f"]["xattrs"]) & {name.replace("__", ".") for name in names}
    for name in names:
        assert f"attribute {name.replace('__', '.')} left out" in done.err


def test_warnings_have_a_limit(unpack):
    members = [xattr(f"f{i}", trusted__x="y") for i in range(500)]
    tree, _, done = unpack(tar(*members))
    done.ok()
    assert len(tree) == 501
    assert len(done.err.splitlines()) == 21
    assert done.err.splitlines()[-1].endswith("further warnings are left out")


def test_many_directories_without_an_entry(unpack):
    """Those that are named after all are not among the implied ones."""
    paths = [f"a{i}/b/c" for i in range(500)]
    members = [entry(path + "/f", "x") for path in paths]
    members += [entry(path + "/", mode=0o700) for path in paths]
    _, doc, done = unpack(tar(*members))
    done.ok()
    assert sorted(doc["implied"]) == sorted(["."] + [p for i in range(500)
                                                     for p in (f"a{i}", f"a{i}/b")])


# ---- stages ----

def test_the_beginning_comes_from_the_partial_file(unpack):
    data = tar(entry("a", "x" * 300000), entry("d/"), entry("d/b", "y"))
    blob = gzip.compress(data)
    for cut in (0, 1, 1000, len(blob)):
        tree, doc, _ = unpack(blob[cut:], partial=blob[:cut])
        assert doc["digest"] == sha(blob) and doc["diffId"] == sha(data)
        assert tree[b"a"]["data"] == b"x" * 300000
        assert (unpack.top / "partial").read_bytes() == blob


def test_a_cut_blob_keeps_what_came(unpack):
    blob = gzip.compress(tar(entry("a", os.urandom(300000))))
    _, doc, done = unpack(blob[:200000], partial=b"")
    assert doc is None and "ends too early" in done.err
    assert (unpack.top / "partial").read_bytes() == blob[:200000]


def test_plain_is_hashed_once(unpack):
    data = tar(entry("a", "x" * 300000))
    (unpack.who.dir / "none").touch()
    tree, doc, _ = unpack(data, "--plain")
    assert doc["digest"] == sha(data) and doc["diffId"] == ""
    assert tree[b"a"]["data"] == b"x" * 300000
    # and what is compressed all the same is no tar
    unpack.fails(gzip.compress(data), "reading tar", options=["--plain"])


def test_sparse_files_have_a_limit(unpack):
    """One that claims exabytes takes no space, but whoever copies it notices."""
    info, data = entry("big", b"1\n0\n1\n".ljust(512, b"\0") + b"x".ljust(512), pax_headers={
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "big",
        "GNU.sparse.realsize": str(1 << 50)})
    unpack.fails(tar((info, data)), "big: extending to", options=["--max-bytes=1000000"])


# ---- the fence ----

def status_of(pid):
    lines = open(f"/proc/{pid}/status", encoding="ascii").read().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def assert_few_rights(pid, caps):
    status = status_of(pid)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    allowed = sum(1 << bit for bit in caps)
    for key in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[key], 16) & ~allowed == 0
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0


def open_files(pid):
    """{fd: path} without pipes."""
    fds = {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    return {fd: path for fd, path in fds.items() if path[0] == "/" and fd not in (1, 2)}


def test_confinement(root):
    """While it waits for its first byte: no other files, no network, few rights, a filter."""
    no_sanitizers(root)
    (root.dir / "fs").mkdir()
    (root.dir / "partial").touch()
    proc = root.popen("sh", "-c", 'exec "$@" 3>out 4<fs 6<>partial 7>in 8>mid 9>tar', "sh",
                      root.program("inro-layer"), "unpack", stdin=subprocess.PIPE)

    def processes():
        stages = open(f"/proc/{proc.pid}/task/{proc.pid}/children", encoding="ascii").read().split()
        return [int(pid) for pid in stages] + [proc.pid]

    try:
        harness.wait_for(lambda: len(processes()) == 4 and
                         all(status_of(pid)["Seccomp"] == "2" for pid in processes()),
                         what="seccomp filters")
        # CHOWN DAC_OVERRIDE FOWNER FSETID MKNOD SETFCAP, and SYS_ADMIN for trusted.*
        assert_few_rights(proc.pid, (0, 1, 3, 4, 27, 31, 21))
        mounts = open(f"/proc/{proc.pid}/mountinfo", encoding="ascii").read().splitlines()
        assert len(mounts) == 1
        assert {"nodev", "nosuid", "noexec"} <= set(mounts[0].split()[5].split(","))
        for ns in ("mnt", "net", "ipc", "uts"):
            assert os.readlink(f"/proc/{proc.pid}/ns/{ns}") != os.readlink(f"/proc/self/ns/{ns}")
        assert sorted(os.listdir(f"/proc/{proc.pid}/root")) == []
        # A device that it made, as it may, is closed to it.
        os.mknod(root.dir / "fs/zero", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
        with pytest.raises(PermissionError):
            os.close(os.open(f"/proc/{proc.pid}/root/zero", os.O_RDWR))
        # The stages have no rights at all. The first one alone can touch the blob; who parses
        # what it contains can neither change it nor speak for a stage that hashes.
        first, decompress, last, apply = processes()
        for pid in (first, decompress, last):
            assert_few_rights(pid, ())
        assert open_files(first) == {6: str(root.dir / "partial"), 7: str(root.dir / "in")}
        assert open_files(decompress) == {8: str(root.dir / "mid")}
        assert open_files(last) == {9: str(root.dir / "tar")}
        assert sorted(open_files(apply).values()) == ["/", str(root.dir / "out")]
    finally:
        proc.stdin.close()
        proc.wait(10)


# of "payload of a test", by a key of each kind
SIGNED = (
    ("""-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEABJAjgMyyaWxye30qB09imSPDKImyhDKC0vfLtVX0BO0=
-----END PUBLIC KEY-----
""", "k+gBfDvdIf27V8Au/PkZt4AxMTxmZShXYgJwhAAxzzgg8jTPMiTPddrxCwmtejek5Sd9+1NdEOo7mUkj+YyWAg=="),
    ("""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMr4b6tMD6KP8u5zCIXLMYJu9HMjK
1UmW+zWRTnNeA3C92cZ6xTcuCrylVEBjkjX1bC55R+lCApRpEOk1VfxwdA==
-----END PUBLIC KEY-----
""", "MEYCIQCZBNonECC5jAOmE2/tpNKjTbKLDE7SkEXjveZ8rrZzLgIhAKJt3DDFODzlHGcwYAlXPJ/X1tnqLZ+Wn28Rqvl"
     "FcgUh"))


def signatures():
    """A request of the engine's: keys, good signatures, then one of another key."""
    payload = base64.b64encode(b"payload of a test").decode()
    (first, by_first), (second, by_second) = SIGNED
    items = [{"payload": payload, "signature": s} for s in (by_first, by_second)]
    items.append({"payload": payload[:8], "signature": by_first})
    return json.dumps({"keys": [first, second], "items": items}).encode()


def no_sanitizers(root):
    with open(root.program("inro-layer"), "rb") as program:
        if b"__asan_init" in program.read():
            harness.machine_cannot("a build with sanitizers has no filter")


def test_confinement_of_verify(root):
    """What reads signatures has no rights and no files: the two pipes are all that it can reach."""
    no_sanitizers(root)
    (root.dir / "none").touch()
    proc = root.popen("sh", "-c", 'exec "$@" 4<none', "sh", "sh", "-c", 'exec "$@" 3>&1 >/dev/null',
                      "sh", root.program("inro-layer"), "verify", stdin=subprocess.PIPE,
                      stdout=subprocess.PIPE)
    try:
        harness.wait_for(lambda: status_of(proc.pid)["Seccomp"] == "2", what="a seccomp filter")
        assert_few_rights(proc.pid, ())
        assert open_files(proc.pid) == {4: str(root.dir / "none")}  # in the place of a directory
        limits = open(f"/proc/{proc.pid}/limits", encoding="ascii").read()
        assert re.search(rf"Max address space +{1 << 30} ", limits)
        out, _ = proc.communicate(signatures(), timeout=20)
        assert json.loads(out) == {"keys": [1, 2, 0]}
    finally:
        proc.kill()
        proc.wait(10)


def test_confinement_of_verify_stands_before_it_reads(root):
    """And what it calls behind the fence is what passing bytes on takes: libcrypto needs no file."""
    no_sanitizers(root)
    if not shutil.which("strace"):
        harness.machine_cannot("strace is not installed")
    trace = root.dir / "trace"
    done = root.run("strace", "-o", trace, "sh", "-c", 'exec "$@" 3>out 4<out', "sh",
                    root.program("inro-layer"), "verify", input=signatures()).ok()
    assert json.loads((root.dir / "out").read_bytes()) == {"keys": [1, 2, 0]}, done
    lines = trace.read_text().splitlines()
    fences = [next(i for i, line in enumerate(lines) if re.match(pattern, line)) for pattern in
              (r"capset\(.*= 0", r"prctl\(PR_SET_NO_NEW_PRIVS, 1.*= 0",
               r"landlock_restrict_self\(.*= 0", r"seccomp\(SECCOMP_SET_MODE_FILTER.*= 0")]
    assert fences == sorted(fences)
    behind = lines[fences[-1] + 1:]
    assert not any(line.startswith("read(0") for line in lines[:fences[-1]])
    done = {line.partition("(")[0] for line in behind if "(" in line and "EPERM" not in line}
    assert done <= {"read", "write", "mmap", "munmap", "mremap", "mprotect", "madvise", "brk",
                    "futex", "exit_group"}, done
    # of what it has open, and needs no answer to
    refused = [line for line in behind if "EPERM" in line]
    assert all(re.match(r"close\(|wait4\(|newfstatat\(0,", line) for line in refused), refused


def test_by_hand_it_explains_itself(root):
    root.run(root.program("inro-layer"), "unpack").fails("is run by inro, not by hand", code=2)
