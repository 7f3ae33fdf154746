# SPDX-License-Identifier: Apache-2.0
"""inro run --rootfs: a directory of the machine in place of an image."""

import json
import os
import subprocess

import pytest

import engine
import harness

TURNS = True


@pytest.fixture
def tree(anyone):
    """A root filesystem of the user's own, as (user, its directory)."""
    path = anyone.dir / "tree"
    harness.make_rootfs(path)
    (path / "etc").mkdir(exist_ok=True)
    (path / "etc/passwd").write_text(engine.PASSWD)
    (path / "etc/group").write_text(engine.GROUP)
    for top, dirs, files in os.walk(path):
        for name in [top] + [os.path.join(top, entry) for entry in dirs + files]:
            if os.path.islink(name) or os.stat(name).st_nlink == 1 or os.path.isdir(name):
                anyone.own(name)
    yield anyone, path
    anyone.inro("rm", "-fa").ok()


def test_itself(tree):
    who, path = tree
    out = who.inro("run", "--name", "web", "--rootfs", path, "sh", "-c",
                   "id -un; stat -c %u:%g /etc/passwd; echo kept > /kept; hostname").ok().out
    name, owner, host = out.split()
    assert (name, owner) == ("root", "0:0") and (path / "kept").read_text() == "kept\n"
    info = json.loads(who.inro("inspect", "web").ok().out)[0]
    assert info["Rootfs"] == str(path) and info["Image"] == "" and info["Id"][:12] == host
    (path / "kept").write_text("changed\n")
    assert who.inro("run", "--rm", "--rootfs", "tree", "cat", "/kept").ok().out == "changed\n"
    # Who makes another one like it may be in another directory.
    who.inro("create", "--name", "rel", "--rootfs", "tree:O", "cat", "/kept").ok()
    assert who.inro("ps", "-a", "--filter", "name=rel", "--format", "{{.Image}}").ok().out.strip() == f"{path}:O"
    assert f" {path}:O cat /kept\n" in who.inro("generate", "systemd", "--new", "rel").ok().out
    who.inro("rm", "rel").ok()
    who.inro("start", "-a", "web").ok()
    assert (path / "kept").read_text() == "kept\n"
    for verb in ("diff", "export"):
        who.inro(verb, "web").fails("--rootfs", code=None)
    who.inro("commit", "web", "new").fails("--rootfs")
    who.inro("cp", "web:/kept", who.dir / "copy").ok()
    assert (who.dir / "copy").read_text() == "kept\n"
    who.inro("system", "check").ok()
    who.inro("update", "--memory", "64m", "web")
    assert "tree" in who.inro("ps", "-a", "--format", "{{.Image}}").ok().out
    who.inro("rm", "web").ok()
    assert (path / "kept").exists()
    assert who.inro("run", "--rm", "--read-only", "--rootfs", path, "touch", "/x").code == 1


def test_below_a_layer_of_its_own(tree):
    who, path = tree
    before = sorted(os.listdir(path))
    who.inro("create", "--name", "web", "--user", "alice", "--rootfs", f"{path}:O", "sh", "-c",
             "id -u; cat /tmp/n; echo x >> /tmp/n").ok()
    if not (path / "tmp").exists():
        (path / "tmp").mkdir()
    (path / "tmp").chmod(0o1777)
    who.own(path / "tmp")
    before = sorted(os.listdir(path))
    assert who.inro("start", "-a", "web").out == "1000\n"
    assert who.inro("start", "-a", "web").ok().out == "1000\nx\n"
    assert sorted(os.listdir(path)) == before and not os.listdir(path / "tmp")
    who.inro("cp", "web:/tmp/n", who.dir / "copy").ok()
    assert (who.dir / "copy").read_text() == "x\nx\n"


def test_mapped_ids(root, tmp_path):
    path = root.dir / "tree"
    harness.make_rootfs(path)
    for option in (f"{path}:idmap", f"{path}:O"):
        out = root.inro("run", "--rm", "--userns", "auto", "--rootfs", option, "sh", "-c",
                        "stat -c %u /bin; touch /new; stat -c %u /new").ok().out
        assert out == "0\n0\n", option
    assert (path / "new").stat().st_uid == 0
    subprocess.run(["rm", path / "new"], check=True)


def test_refused(anyone):
    anyone.inro("run", "--rm", "--rootfs", "no/such", "true").fails("no/such", code=125)
    anyone.inro("run", "--rm", "--rootfs", ":O", "true").fails("expected a directory", code=125)
    anyone.inro("run", "--rm", "--rootfs", "/:idmap=uids=0-1-10", "true").fails("idmap", code=125)
    if anyone.rootless:
        anyone.inro("run", "--rm", "--rootfs", "/:idmap", "true").fails("root alone", code=125)
