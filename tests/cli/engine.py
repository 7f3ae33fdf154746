# SPDX-License-Identifier: Apache-2.0
"""What the tests of the engine share: a busybox image, and waiting for what a container says."""

import contextlib
import subprocess

import harness

PASSWD = ("root:x:0:0:root:/root:/bin/sh\n"
          "alice:x:1000:1000:Alice:/home/alice:/bin/sh\n"
          "nobody:x:65534:65534:nobody:/:/bin/false\n")
GROUP = "root:x:0:\nwheel:x:10:root,alice\nstaff:x:50:\nalice:x:1000:\nnogroup:x:65534:\n"


def rootfs_tar(who):
    """A root filesystem of busybox as a tarball."""
    tree, path = who.dir / "rootfs-tree", who.dir / "rootfs.tar"
    if not path.exists():
        harness.make_rootfs(tree)
        (tree / "etc/passwd").write_text(PASSWD)
        (tree / "etc/group").write_text(GROUP)
        subprocess.run(["tar", "-C", tree, "--owner=0", "--group=0", "--numeric-owner",
                        "-cf", path, "."], check=True)
        who.own(path)
    return path


def box(who, name="box", *changes):
    """Imports the busybox image and returns its name."""
    options = [word for change in changes for word in ("--change", change)]
    who.inro("import", *options, rootfs_tar(who), name).ok()
    return name


def start(who, *args, **kw):
    """`inro run ...` in the background, once its command has printed "ready"."""
    kw.setdefault("stdout", subprocess.PIPE)
    client = who.popen(*who.inro_argv("run", *args), **kw)
    assert client.stdout.readline() == b"ready\n"
    return client


@contextlib.contextmanager
def running(who, name):
    """A container of the busybox image that does nothing, in the foreground of a client."""
    client = start(who, "--name", name, box(who), "sh", "-c", "echo ready; exec sleep 1000")
    yield client
    who.inro("rm", "-fa").ok()
    client.wait(10)


def containers(who):
    return who.inro("ps", "-aq", "--no-trunc").ok().out.split()
