# SPDX-License-Identifier: Apache-2.0
"""Archives as skopeo, umoci and buildah write them, and the tree that umoci unpacks from them."""

import json
import os
import shutil
import subprocess

import pytest

import harness
from layers import look, sha

# umoci's own bookkeeping, and overlayfs's
OWN_XATTRS = ("user.umoci", "user.rootlesscontainers", "trusted.overlay", "user.overlay")

SHARE_WHOLE = True


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            harness.machine_cannot(f"{program} is not installed")


def make_tree(root):
    """One of everything, as files on this machine."""
    raw = os.fsencode(root)
    for d in ("etc", "tmp", "odd", "bin", "opt/sub"):
        os.makedirs(root / d)
    os.chmod(root / "tmp", 0o1777)
    os.chmod(root / "odd", 0o2750)
    os.chown(root / "odd", 12, 34)
    shutil.copy(harness.BUSYBOX, root / "bin/busybox")
    os.link(root / "bin/busybox", root / "bin/sh")
    os.setxattr(root / "bin/busybox", "security.capability",
                bytes.fromhex("0100000200200000000000000000000000000000"))
    (root / "etc/hostname").write_text("made\n")
    os.setxattr(root / "etc/hostname", "user.note", b"a\0b")
    (root / "odd/setuid").write_text("#!\n")
    os.chown(root / "odd/setuid", 5, 4_000_000_000)
    os.chmod(root / "odd/setuid", 0o6711)
    os.symlink("/etc/hostname", root / "odd/absolute")
    os.symlink("../../../../etc", root / "odd/up")
    os.mkfifo(root / "odd/fifo", 0o640)
    os.mknod(root / "odd/null", 0o20666, os.makedev(1, 3))
    with open(raw + "/odd/ünïcode-".encode() + b"n" * 200, "w", encoding="ascii") as file:
        file.write("x")
    with open(root / "odd/sparse", "wb") as file:
        file.seek(9 << 20)
        file.write(b"end")
        file.truncate(12 << 20)
    (root / "opt/sub/old").write_text("x")
    for number, (top, dirs, files) in enumerate(os.walk(raw, topdown=False)):
        for name in files + dirs:
            os.utime(os.path.join(top, name), ns=(0, 1_600_000_000_123_456_789 + number),
                     follow_symlinks=False)


def change_tree(root):
    """What the second layer holds."""
    (root / "etc/hostname").write_text("changed\n")
    os.unlink(root / "odd/up")
    shutil.rmtree(root / "opt/sub")
    (root / "opt/sub").mkdir()
    (root / "opt/sub/new").write_text("y")
    (root / "tmp/kept").write_text("z")
    shutil.rmtree(root / "bin")
    (root / "bin").symlink_to("usr/bin")
    (root / "usr/bin").mkdir(parents=True)


def quiet(*argv, cwd):
    done = subprocess.run([str(a) for a in argv], cwd=cwd, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """An OCI layout with the image made:1 of two layers, and umoci's unpacking of it."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    need("umoci", "skopeo")
    top = tmp_path_factory.mktemp("peers")
    quiet("umoci", "init", "--layout", "lay", cwd=top)
    quiet("umoci", "new", "--image", "lay:1", cwd=top)
    quiet("umoci", "unpack", "--image", "lay:1", "bundle", cwd=top)
    make_tree(top / "bundle/rootfs")
    quiet("umoci", "repack", "--refresh-bundle", "--image", "lay:1", "bundle", cwd=top)
    change_tree(top / "bundle/rootfs")
    quiet("umoci", "repack", "--image", "lay:1", "bundle", cwd=top)
    quiet("umoci", "gc", "--layout", "lay", cwd=top)
    quiet("umoci", "unpack", "--image", "lay:1", "reference", cwd=top)
    yield top
    shutil.rmtree(top)


def lower_dirs(who, diff_ids):
    """Topmost first; a shim lies on the layer that it is for, under its chain id."""
    dirs, chain = [], None
    for diff_id in diff_ids:
        chain = sha(f"sha256:{chain} sha256:{diff_id}".encode())[7:] if chain else diff_id
        layer = who.state / "inro/layers" / diff_id
        dirs += [layer / "fs", layer / "shims" / chain / "fs"]
    return [str(path) for path in reversed(dirs) if path.exists()]


def tree_of(who, diff_ids):
    """Mounts the layers in a mount namespace of this very process's child and looks at them."""
    lower = ":".join(lower_dirs(who, diff_ids))
    (who.dir / "mnt").mkdir()
    # An empty lowest layer, because overlayfs takes no single one without an upper directory.
    (who.dir / "empty").mkdir()
    copy = who.dir / "copy.tar"
    done = who.run("unshare", "-m", "sh", "-ec",
                   'mount -t overlay overlay -o "ro,lowerdir=$1:empty" mnt\n'
                   'tar -C mnt --format=posix --xattrs --xattrs-include="*" --numeric-owner '
                   "--atime-preserve=system -cf copy.tar .", "sh", lower, cwd=who.dir)
    done.ok()
    (who.dir / "copy").mkdir()
    who.run("tar", "-C", who.dir / "copy", "--xattrs", "--xattrs-include=*", "--numeric-owner",
            "-xpf", copy).ok()
    return look(who.dir / "copy")


def comparable(tree):
    keys = ("mode", "perm", "owner", "mtime", "data", "target", "device")
    links = {}
    for path, one in tree.items():
        if "data" in one:
            links.setdefault(one["ino"], []).append(path)
    out = {}
    for path, one in tree.items():
        out[path] = {k: one[k] for k in keys if k in one}
        out[path]["xattrs"] = {k: v for k, v in one["xattrs"].items()
                               if not k.startswith(OWN_XATTRS)}
        if "data" in one:
            out[path]["links"] = sorted(links[one["ino"]])
            # Written times survive every tar; what umoci changed itself does too.
            out[path]["mtime"] = round(out[path]["mtime"], 5)
    return out


def diff_ids(who):
    """Of the one image, bottom first, from its config in the store."""
    iid = who.inro("images", "-q", "--no-trunc").ok().out.split()[0].split(":")[-1]
    doc = json.loads((who.state / "inro/blobs/sha256" / iid).read_text())
    return [d.split(":")[1] for d in doc["rootfs"]["diff_ids"]]


ARCHIVES = {
    "skopeo-docker": ["skopeo", "copy", "-q", "oci:lay:1", "docker-archive:IMAGE:made:1"],
    "skopeo-oci": ["skopeo", "copy", "-q", "oci:lay:1", "oci-archive:IMAGE:made:1"],
    "skopeo-oci-zstd": ["skopeo", "copy", "-q", "--dest-compress-format", "zstd", "oci:lay:1",
                        "oci-archive:IMAGE:made:1"],
    "umoci-layout": ["tar", "-C", "lay", "-cf", "IMAGE", "."],
}


@pytest.mark.parametrize("kind, outer", [(kind, "plain") for kind in ARCHIVES] + [
    ("skopeo-docker", "gzip"), ("skopeo-docker", "zstd"), ("skopeo-docker", "xz")])
def test_tree_is_umocis(layout, root, kind, outer):
    image = layout / f"{kind}-{outer}.tar"
    quiet(*[a.replace("IMAGE", str(image)) for a in ARCHIVES[kind]], cwd=layout)
    if outer != "plain":
        quiet(outer, image, cwd=layout)
        image = next(layout.glob(f"{kind}-{outer}.tar.*"))
    root.inro("load", "-i", image).ok()
    os.unlink(image)
    ours, theirs = (comparable(tree_of(root, diff_ids(root))),
                    comparable(look(layout / "reference/rootfs")))
    # "/" itself: umoci's archives have no entry for it when it does not change.
    del ours[b"."], theirs[b"."]
    assert ours == theirs


def test_umoci_keeps_sticky_tmp(layout, root):
    """Its second layer has tmp/kept without tmp/."""
    image = layout / "sticky.tar"
    quiet("tar", "-C", "lay", "-cf", image, ".", cwd=layout)
    root.inro("load", "-i", image).ok()
    layer = root.state / "inro/layers" / diff_ids(root)[1] / "fs"
    assert (layer / "tmp").stat().st_mode & 0o7777 == 0o1777


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_buildah(root, tmp_path, transport):
    need("buildah")
    store = ["buildah", "--storage-driver", "vfs", "--root", tmp_path / "s", "--runroot",
             tmp_path / "r"]
    (tmp_path / "ctx").mkdir()
    make_tree(tmp_path / "ctx/tree")
    (tmp_path / "ctx/Containerfile").write_text(
        'FROM scratch\nCOPY tree /\nCOPY tree/etc /opt/again\nCMD ["/bin/sh"]\nLABEL a=b\n')
    quiet(*store, "bud", "--layers", "--isolation", "chroot", "-t", "made:7", "ctx", cwd=tmp_path)
    quiet(*store, "push", "-q", "made:7", f"{transport}:{tmp_path}/out.tar:made:7", cwd=tmp_path)
    root.inro("load", "-i", tmp_path / "out.tar").ok()
    assert "made" in root.inro("images").ok().out
    tree = tree_of(root, diff_ids(root))
    assert tree[b"opt/again/hostname"]["data"] == b"made\n"
    assert tree[b"odd/sparse"]["data"].endswith(b"end" + b"\0" * ((3 << 20) - 3))
    assert tree[b"bin/sh"]["data"] == tree[b"bin/busybox"]["data"]
    assert tree[b"tmp"]["perm"] == 0o1777
