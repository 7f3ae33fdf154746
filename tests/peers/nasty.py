# SPDX-License-Identifier: Apache-2.0
"""Layers built to be nasty: each case has a directory of its own, in an image of all of them."""

import io
import os
import pathlib
import random
import re
import struct
import subprocess
import tarfile

from layers import MTIME, entry, hardlink, tar

CAP = bytes.fromhex("0100000200200000000000000000000000000000")


def acl(*entries):
    """The extended attribute of (tag, permissions, id) triples."""
    return b"\2\0\0\0" + b"".join(struct.pack("<HHI", tag, perm, who & 0xFFFFFFFF)
                                  for tag, perm, who in entries)


ACCESS = acl((1, 6, -1), (2, 7, 7), (4, 4, -1), (16, 7, -1), (32, 0, -1))
DEFAULT = acl((1, 7, -1), (2, 6, 8), (4, 5, -1), (16, 7, -1), (32, 0, -1))


def attrs(name, data="", link="", kind=None, more=None, **xattrs):
    """A member with extended attributes, bytes by name; "__" stands for a dot."""
    info, data = entry(name, data, kind, link, **(more or {}))
    info.pax_headers = {**info.pax_headers, **{
        "SCHILY.xattr." + key.replace("__", "."): value.decode("utf-8", "surrogateescape")
        for key, value in xattrs.items()}}
    return info, data


def linked(name, target, **attrs):
    """A hard link to a name of its own case, with the attributes that the file's entry has."""
    return entry(name, kind=tarfile.LNKTYPE, link="D/" + target, **attrs)


def pax(name, data="", **headers):
    info, data = entry(name, data)
    info.pax_headers = headers
    return info, data


# {case: members of the first, second and third layer}. All tools put these together.
WHOLE = {
    "whiteout": ([entry("file", "x"), entry("dir/"), entry("dir/sub/"), entry("dir/sub/f", "x"),
                  entry("kept/"), entry("kept/a", "a"), entry("kept/b", "b"), entry("link", link="file")],
                 [entry(".wh.file"), entry(".wh.dir"), entry("kept/"), entry("kept/.wh.a"), entry(".wh.link")],
                 [entry("file", "again"), entry("dir/", mode=0o700), entry("dir/new", "x")]),
    "whiteout-of-nothing": ([entry("a/")], [entry(".wh.nothing"), entry("a/"), entry("a/.wh.nothing")], []),
    "opaque": ([entry("first/"), entry("first/old", "x"), entry("last/"), entry("last/old", "x"),
                entry("only/"), entry("only/old", "x"), entry("only/sub/"), entry("only/sub/f", "x"),
                entry("same/"), entry("same/f", "old")],
               [entry("first/"), entry("first/.wh..wh..opq"), entry("first/new", "y"),
                entry("last/"), entry("last/new", "y"), entry("last/.wh..wh..opq"),
                entry("only/", mode=0o711), entry("only/.wh..wh..opq"),
                entry("same/"), entry("same/.wh..wh..opq"), entry("same/f", "new")],
               [entry("only/"), entry("only/later", "z")]),
    "hard-links": ([entry("a", "data", mode=0o640, uid=5), linked("b", "a", mode=0o640, uid=5),
                    linked("c", "b", mode=0o640, uid=5), entry("sym", link="a"), linked("sym2", "sym"), entry("sub/"),
                    linked("sub/deep", "a", mode=0o640, uid=5), entry("r1", "x"), linked("r2", "r1"),
                    entry("fifo", kind=tarfile.FIFOTYPE), linked("fifo2", "fifo")],
                   [entry("b", "own"), entry(".wh.c"), entry("r1", "new"), linked("r3", "r1")], []),
    "replaced": ([entry("dir-file/"), entry("dir-file/a", "x"), entry("file-dir", "x"), entry("dir-link/"),
                  entry("dir-link/a", "x"), entry("link-dir", link="dir-link"), entry("link-file", link="x"),
                  entry("fifo-file", kind=tarfile.FIFOTYPE), entry("file-fifo", "x"),
                  entry("twice/"), entry("twice/a", "x"), entry("target/"), entry("target/t", "x")],
                 [entry("dir-file", "file"), entry("file-dir/"), entry("file-dir/in", "x"),
                  entry("dir-link", link="target"), entry("link-dir/"), entry("link-dir/in", "x"),
                  entry("link-file", "file"), entry("fifo-file", "x"), entry("file-fifo", kind=tarfile.FIFOTYPE),
                  entry("twice", "file")],
                 [entry("twice/"), entry("twice/b", "y")]),
    "modes": ([entry(f"{m:04o}", "x", mode=m, uid=1, gid=2) for m in (0, 0o111, 0o444, 0o4755, 0o2755, 0o6711, 0o7777)] +
              [entry(f"d{m:04o}/", mode=m, uid=1, gid=2) for m in (0, 0o555, 0o1777, 0o2770, 0o3777, 0o7000)] +
              [entry("d2770/f", "x"), entry("d2770/d/"), entry("d0555/f", "x", mode=0o200)],
              [entry("d0000/"), entry("d0000/f", "x"), entry("d1777/", mode=0o1777, uid=1, gid=2), entry("d1777/f", "x")], []),
    "changed": ([entry("d/", mode=0o700, uid=3, gid=4), entry("d/f", "x"), attrs("x/", user__a=b"1", user__b=b"2"),
                 entry("x/f", "x")],
                [entry("d/", mode=0o751, uid=5, gid=6, mtime=MTIME + 9), attrs("x/", user__b=b"3"),
                 entry("d/f", "x", mode=0o600, mtime=MTIME + 3)], []),
    "owners": ([entry(f"o{n}", "x", uid=n, gid=n) for n in (1, 65534, 65535, 65536)], [], []),
    "xattrs": ([attrs("f", user__note=b"val", user__empty=b"", user__binary=b"a\0b\n=\xff", user__long=b"x" * 3000),
                attrs("cap", "x", security__capability=CAP), attrs("d/", user__note=b"dir"),
                attrs("acl", "x", system__posix_acl_access=ACCESS, more={"mode": 0o670}),
                attrs("d/acl/", system__posix_acl_access=ACCESS, system__posix_acl_default=DEFAULT, more={"mode": 0o670}),
                entry("d/plain", "x"), entry("hl", "x"), attrs("hl3", user__one=b"1"), linked("hl4", "hl3")],
               [entry("f", "without"), attrs("d/", user__other=b"2"), attrs("d/plain", "y", user__with=b"1")], []),
    "times": ([entry("zero", "x", mtime=0), entry("one", "x", mtime=1), entry("half", "x", mtime=MTIME + 0.5),
               pax("nanos", "x", mtime="1600000000.123456789"), pax("short", "x", mtime="1600000000.1"),
               pax("atime", "x", atime="1500000000.987654321", mtime="1600000000.000000001"),
               entry("d/", mtime=MTIME + 77), entry("d/f", "x", mtime=MTIME + 78), entry("e/f", "x"),
               entry("e/", mtime=MTIME + 79), entry("link", link="x", mtime=MTIME + 0.25),
               entry("fifo", kind=tarfile.FIFOTYPE, mtime=MTIME + 5)],
              [entry("d/", mtime=MTIME + 80), entry("d/.wh.f"), entry("d/g", "x", mtime=MTIME + 81)], []),
    "names": ([entry("long/"), entry("deep/"), entry("two/"), entry("a/")] + [entry(n, n.encode(errors="surrogateescape"))
               for n in ("caf\udce9", "ünïcode", "\udcff" * 200, "sp ace", "new\nline", "tab\t", "quote'\"", "back\\slash",
                         "-dash", "*?[x]", "...", "..x", " lead", "trail ", "l" * 255, "\u202e", "\x01\x7f")] +
              [entry("long/" * 60 + "f", "x"), entry("deep/" + "/".join(["p" * 200] * 15), "x"),
               entry("./dot", "x"), entry("two//slashes", "x"), entry("a/./b", "x"),
               entry("symlong", link="t/" * 1000 + "x"), entry("symbytes", link="caf\udce9"), entry("symempty", link="."),
               entry("wh.x", "x"), entry("x.wh.y", "x"), entry(".w", "x"), entry(".wh", "x")], [], []),
    "through-links": ([entry("real/"), entry("link", link="real"), entry("link/f", "x"), entry("up", link="../../../../D/real"),
                       entry("up/g", "y"), entry("abs", link="/D/real"), entry("abs/h", "z")], [], []),
    "types": ([entry("v7", "x", kind=tarfile.AREGTYPE), entry("empty"), entry("big", b"0123456789" * 30000)], [], []),
}
# A user namespace has none of these, or only for ids that are mapped.
ROOTS = {
    "devices": ([entry("null", kind=tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3),
                 entry("disk", kind=tarfile.BLKTYPE, mode=0o660, devmajor=7, devminor=300, gid=6),
                 entry("large", kind=tarfile.CHRTYPE, devmajor=4095, devminor=1048575),
                 entry("replaced", kind=tarfile.CHRTYPE, devmajor=1, devminor=5)],
                [entry("replaced", "file"), entry(".wh.disk")], []),
    "owners-roots": ([entry(f"o{n}", "x", uid=n, gid=n) for n in (2097151, 2097152, 2**31 - 1, 2**31, 2**32 - 2)] +
                     [entry("d/", uid=2**32 - 2, gid=2**31 + 5, mode=0o2775)], [], []),
}
# Those on which the tools don't agree.
SPLIT = {
    "parents": ([entry("d/", mode=0o700, uid=5, gid=6), entry("d/e/", mode=0o1777), entry("d/e/f", "x"),
                 attrs("n/", user__note=b"v", more={"mode": 0o2755, "gid": 7})],
                [entry("d/e/g", "y"), entry("n/f", "x")], [entry("d/.wh.e")]),
    "whiteout-and-new": ([entry("d/"), entry("d/old", "x"), entry("f", "old")],
                         [entry(".wh.d"), entry("d/"), entry("d/new", "y"), entry(".wh.f"), entry("f", "new")], []),
    "link-below": ([entry("usr/"), entry("usr/lib/"), entry("usr/lib/a", "x"), entry("lib", link="usr/lib")],
                   [entry("lib/b", "y")], []),
    "link-attributes": ([entry("a", "x", mode=0o640, uid=1),
                         entry("b", kind=tarfile.LNKTYPE, link="D/a", mode=0o604, uid=2, mtime=MTIME + 5)], [], []),
    "default-acl": ([attrs("d/", system__posix_acl_default=DEFAULT), entry("d/f", "x", mode=0o640), entry("d/s/", mode=0o750),
                     entry("d/s/g", "x"), entry("d/fifo", kind=tarfile.FIFOTYPE)], [entry("d/"), entry("d/h", "x")], []),
    "setgid-parents": ([entry("d/", mode=0o2775, gid=50), entry("d/a/b/f", "x")], [], []),
    "before-1970": ([entry("old", "x", mtime=-86400)], [], []),
}
# What podman refuses: a name twice in one layer, and members below a name that is whited out.
REFUSED = {
    "below-a-whiteout": ([entry("e/"), entry("e/old", "x"), entry("e/s/", mode=0o700, uid=5)],
                         [entry(".wh.e"), entry("e/new", "y"), entry("e/s/new", "z")], []),
    "duplicates": ([entry("f", "old", mode=0o600, uid=9), entry("f", "new"), entry("file-dir", "x"),
                    entry("file-dir/"), entry("file-dir/in", "x"), entry("dir-file/"), entry("dir-file/a/"),
                    entry("dir-file/a/b", "x"), entry("dir-file", "x"), entry("dir-link/"), entry("dir-link/a", "x"),
                    entry("dir-link", link="f"), entry("link-dir", link="f"), entry("link-dir/"),
                    entry("twice/", mode=0o700, uid=4), entry("twice/in", "x"), entry("twice/", mode=0o711),
                    entry("hl", "one"), linked("hl2", "hl"), entry("hl", "two"), entry("lower", "file"), entry("lower/")],
                   [entry("twice", "x"), entry("twice/"), entry("twice/new", "x")], []),
    "twice-attributes": ([attrs("d/", user__one=b"1"), attrs("d/", user__two=b"2")], [], []),
}
# ACLs as GNU tar and bsdtar write them, and not as extended attributes.
ACL_HEADERS = {"acl-headers": ([pax("f", "x", **{
    "SCHILY.acl.access": "user::rw-,user:7:rwx,group::r--,mask::rwx,other::---"})], [], [])}


def placed(case, members):
    """The members inside of the case's directory; "D/" in a target means that, too."""
    out = []
    for info, data in members:
        copy = tarfile.TarInfo(f"{case}/{info.name}")
        for key in ("mtime", "mode", "type", "uid", "gid", "size", "linkname", "devmajor", "devminor"):
            setattr(copy, key, getattr(info, key))
        copy.pax_headers = dict(info.pax_headers)
        copy.linkname = re.sub(r"(^|/)D/", rf"\1{case}/", copy.linkname)
        out.append((copy, data))
    return out


def layers_of(cases, fmt=tarfile.PAX_FORMAT, empty=True):
    """Three tars, and an empty one in between."""
    made = []
    for number in range(3):
        members = [entry(".", mode=(0o755, 0o751, 0o755)[number], mtime=MTIME + number)]
        for case, steps in cases.items():
            if number == 0 or steps[number]:
                members += [entry(case + "/"), *placed(case, steps[number])]
        made.append(tar(*members, fmt=fmt))
    return [made[0], tar(), made[1], made[2]] if empty else made


def gnu_tars(scratch):
    """What GNU tar makes of a tree, in its formats: sparse files, long names, bytes, attributes."""
    tree = pathlib.Path(scratch, "gnu")
    (tree / "sub").mkdir(parents=True)
    with open(tree / "sparse", "wb") as file:
        for offset in range(0, 20 << 20, 2 << 20):
            file.seek(offset)
            file.write(b"data%d" % offset)
        file.truncate(21 << 20)
    with open(tree / "hole", "wb") as file:
        file.truncate(3 << 20)
    raw = os.fsencode(tree)
    for name in (b"\xe9t\xe9", b"\xff\xfe" * 60, b"n" * 250):
        with open(os.path.join(raw, name), "wb") as file:
            file.write(name)
    os.symlink(b"\xff" * 300, raw + b"/link")
    os.link(tree / "sparse", tree / "sub/hard")
    os.mkfifo(tree / "fifo")
    os.setxattr(tree / "hole", "user.note", b"a\0b")
    for top, dirs, files in os.walk(raw, topdown=False):
        for name in files + dirs:
            os.utime(os.path.join(top, name), ns=(0, 1_600_000_000_123_456_789), follow_symlinks=False)
    os.utime(raw, ns=(0, 1_600_000_000_000_000_000))
    made = []
    for fmt, options in (("gnu", []), ("posix", ["-S", "--xattrs"]), ("posix", ["-S", "--sparse-version=0.1"]),
                         ("posix", ["-S", "--sparse-version=0.0"])):
        made.append(subprocess.run(
            ["tar", f"--format={fmt}", *options, "--numeric-owner", f"--transform=s,^\\.,gnu{len(made)},",
             "-C", tree, "-c", "."], stdout=subprocess.PIPE, check=True).stdout)
    return made


def global_header():
    """As `git archive` begins its tars."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT,
                      pax_headers={"comment": "0123456789abcdef"}) as archive:
        info, data = entry("global/f", "x")
        info.mtime = MTIME
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Chance:
    """Layers by chance: few names, so that all that can happen to a name does. What the tools can't agree on
    is left out: members below a name that is no directory, and links to what is not in the layer."""

    KINDS = ["file"] * 6 + ["dir"] * 6 + ["link", "fifo", "hard", "hard", "whiteout", "whiteout", "opaque"]

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.tree = {}  # {path: whether it is a directory}, as of all layers so far
        # Of this layer. Those without an entry, when what lies below is hidden after they were made, are for
        # umoci what they were there, and otherwise new.
        self.own, self.files, self.implied = set(), set(), set()

    def _place(self):
        path = "/".join(self.rng.choice("abc") for _ in range(self.rng.randint(1, 4)))
        parents = [path[:i] for i, c in enumerate(path) if c == "/"]
        return (path, parents) if all(self.tree.get(up, True) for up in parents) else (None, None)

    def _forget(self, path, kept=()):
        for name in [n for n in self.tree if n == path or n.startswith(path + "/")]:
            if name not in kept:
                del self.tree[name]
                self.files.discard(name)

    def _whiteout(self, path):
        # What this layer has of it stays.
        below = {n for n in self.own if n == path or n.startswith(path + "/")}
        if below & self.implied:
            return None
        self._forget(path, below)
        head, _, name = path.rpartition("/")
        return entry(f"{head}/.wh.{name}".lstrip("/"))

    def _opaque(self, path):
        kept = {n for n in self.own if n.startswith(path + "/")} | {path}
        if kept & self.implied:
            return None
        self._forget(path, kept)
        return entry(path + "/.wh..wh..opq")

    def _make(self, kind, path):
        attrs = {"mode": self.rng.choice((0o600, 0o644, 0o755, 0o4711, 0o1777)), "uid": self.rng.randint(0, 9),
                 "gid": self.rng.randint(0, 9), "mtime": MTIME + self.rng.randint(0, 999)}
        if kind == "hard":
            target = self.rng.choice(sorted(self.files - {path}) or [None])
            if not target or target.startswith(path + "/"):
                return None
            self._forget(path)
            self.tree[path] = False
            self.files.add(path)
            return hardlink(path, target)
        if kind == "dir":
            if not self.tree.get(path, False):
                self._forget(path)
            self.tree[path] = True
            return entry(path + "/", **attrs)
        self._forget(path)
        self.tree[path] = False
        self.files.add(path)
        if kind == "link":
            return entry(path, link=self.rng.choice(("a", "../b", "/c", "nowhere")), **attrs)
        if kind == "fifo":
            return entry(path, kind=tarfile.FIFOTYPE, **attrs)
        return entry(path, str(self.rng.random()), **attrs)

    def _member(self, kind):
        path, parents = self._place()
        if not path:
            return None
        if kind == "whiteout" and all(up in self.tree for up in parents):
            return self._whiteout(path)
        if kind == "opaque" and self.tree.get(path) and path in self.own:
            return self._opaque(path)
        if kind in ("whiteout", "opaque"):
            return None
        member = self._make(kind, path)
        if member:
            for up in parents:
                self.tree[up] = True
            self.implied.update(up for up in parents if up not in self.own)
            self.implied.discard(path)
            self.own.update([path, *parents])
        return member

    def layer(self, count):
        self.own, self.files, self.implied = set(), set(), set()
        members = [entry(".")]
        while len(members) < count:
            member = self._member(self.rng.choice(self.KINDS))
            if member:
                members.append(member)
        return tar(*members)
