# SPDX-License-Identifier: Apache-2.0
"""A container of ours inside a container of ours."""

import copy
import json
import os
import shutil

import pytest

import harness
from cgroups import is_v2

ALL_CAPS = ["CAP_" + c for c in """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID
SETUID SETPCAP NET_BIND_SERVICE NET_ADMIN NET_RAW SYS_CHROOT SYS_PTRACE SYS_ADMIN SYS_NICE MKNOD
AUDIT_WRITE SETFCAP""".split()]


def outer(who, options, **kw):
    """A bundle with the runtime and a bundle of its own in it, run with these options."""
    b = who.bundle("/bin/inro-runtime", "--root", "/run/inner", *options, **kw)
    shutil.copy(who.program("inro-runtime"), b.rootfs / "bin/inro-runtime")
    harness.make_rootfs(b.rootfs / "inner/rootfs")
    for which in ("bounding", "effective", "permitted"):
        b.process["capabilities"][which] = ALL_CAPS
    b.process["noNewPrivileges"] = False
    b.linux["maskedPaths"] = b.linux["readonlyPaths"] = []
    return b


def inner_config(b, *args):
    config = copy.deepcopy(harness.BASE_CONFIG)
    config["process"]["args"] = list(args)
    return config


def put(b, config):
    (b.rootfs / "inner/config.json").write_text(json.dumps(config))
    b.give()
    return b


SCRIPT = ("sh", "-c", "hostname; id -u; echo $$; echo *; test -e /inner && echo out; "
                      "readlink /proc/self/ns/mnt; cat /proc/self/uid_map")


@pytest.mark.parametrize("cgroups", ["v1 or v2", "none"])
def test_as_root_of_a_privileged_container(root, cgroups):
    b = outer(root, ["run", "--bundle", "/inner", "in"])
    config = inner_config(b, *SCRIPT)
    config["hostname"] = "nested"
    if cgroups != "none":
        b.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev")
    put(b, config)
    lines = b.run().ok().out.splitlines()
    assert lines[:3] == ["nested", "0", "1"]
    assert {"bin", "proc"} <= set(lines[3].split()) and "inner" not in lines[3].split()
    assert "out" not in lines and lines[4] != os.readlink("/proc/self/ns/mnt")


def test_limits_of_the_inner_container(root):
    b = outer(root, ["run", "--bundle", "/inner", "in"])
    run = " ".join(b.process["args"])
    b.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev")
    config = inner_config(b, "sh", "-c", "cat /sys/fs/cgroup/pids/pids.max "
                                         "/sys/fs/cgroup/pids.max 2>/dev/null; true")
    config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup",
                             "source": "cgroup", "options": ["ro"]})
    config["linux"]["resources"] = {"pids": {"limit": 77}}
    put(b, config)
    if is_v2("pids"):  # the container's processes are in the way of controllers
        b.run().fails("creating container in: setting pids.limit", "has processes of its own",
                      "hint: move its processes into a cgroup below it", code=1)
        run = f"cd /sys/fs/cgroup; mkdir own; echo 0 >own/cgroup.procs; {run}"
    b.process["args"] = ["sh", "-c", run]
    assert b.run().ok().out == "77\n"


def test_lifecycle_inside(root):
    b = outer(root, [])
    run = "/bin/inro-runtime --root /run/inner"
    b.process["args"] = ["sh", "-c", f"{run} run -d --bundle /inner in </dev/null >/dev/null 2>&1; "
                                     f"{run} list -q; {run} exec in echo hello; "
                                     f"{run} kill in KILL; sleep 0.3; {run} delete in; "
                                     f"{run} list -q; echo end"]
    put(b, inner_config(b, "sleep", "60"))
    assert b.run().ok().out == "in\nhello\nend\n"


@pytest.mark.parametrize("subids", [False, True])
def test_in_a_user_namespace_of_the_outer(user, subids):
    """The unprivileged user's container holds a container in a user namespace below its own."""
    b = outer(user, ["run", "--bundle", "/inner", "in"], subids=subids)
    config = inner_config(b, *SCRIPT)
    config["linux"]["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        config["linux"][key] = [{"containerID": 0, "hostID": 0, "size": 1}]
        if subids:
            config["linux"][key].append({"containerID": 1, "hostID": 1, "size": 1000})
    put(b, config)
    lines = b.run().ok().out.splitlines()
    assert lines[:3] == ["box", "0", "1"] and "out" not in lines
    assert lines[5].split() == ["0", "0", "1"] and len(lines) == (7 if subids else 6)


def test_sharing_the_outers_user_namespace(user):
    """As podman in podman: root of the outer one's user namespace makes no other."""
    b = outer(user, ["run", "--bundle", "/inner", "in"])
    put(b, inner_config(b, *SCRIPT))
    assert b.run().ok().out.splitlines()[:3] == ["box", "0", "1"]


def test_as_a_user_inside(root):
    """Unprivileged inside a container whose root is the machine's."""
    b = outer(root, ["run", "--bundle", "/inner", "in"])
    config = inner_config(b, *SCRIPT)
    config["linux"]["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        config["linux"][key] = [{"containerID": 0, "hostID": 1000, "size": 1}]
    put(b, config)
    (b.rootfs / "run").chmod(0o1777)
    os.chown(b.rootfs / "inner/rootfs", 1000, 1000)
    for sub in (b.rootfs / "inner/rootfs").iterdir():
        os.lchown(sub, 1000, 1000)
    b.process["user"] = {"uid": 1000, "gid": 1000}
    b.process["capabilities"] = {}
    lines = b.run().ok().out.splitlines()
    assert lines[:3] == ["box", "0", "1"] and lines[5].split() == ["0", "1000", "1"]
