# SPDX-License-Identifier: Apache-2.0
"""linux.namespaces with a path: each kind joined, and refused for what is of another kind."""

import json
import os
import pathlib
import subprocess

import pytest

FILES = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "user": "user",
         "cgroup": "cgroup", "time": "time", "mount": "mnt"}
UNSHARE = {"pid": "--pid --fork --kill-child", "network": "--net", "ipc": "--ipc", "uts": "--uts",
           "user": "--user --map-root-user", "cgroup": "--cgroup", "time": "--time",
           "mount": "--mount"}


@pytest.fixture
def holder(root):
    """holder(kind): the path of a new namespace of that kind, which lives as long as the test."""
    made = []

    def make(kind):
        p = root.popen("unshare", *UNSHARE[kind].split(), "sh", "-c", "echo $$; exec sleep 60",
                       stdout=subprocess.PIPE)
        made.append(p)
        p.stdout.readline()
        if kind != "pid":
            return f"/proc/{p.pid}/ns/{FILES[kind]}"
        children = f"/proc/{p.pid}/task/{p.pid}/children"
        with open(children, encoding="ascii") as f:
            return f"/proc/{f.read().split()[0]}/ns/pid"

    yield make
    for p in made:
        p.kill()
        p.wait()
        p.stdout.close()


def set_path(bundle, kind, path):
    linux = bundle.linux
    linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != kind]
    linux["namespaces"].append({"type": kind, "path": str(path)})


@pytest.mark.parametrize("kind", [k for k in FILES if k not in ("mount", "user")])
def test_joined(root, holder, kind):
    path = holder(kind)
    b = root.bundle("readlink", f"/proc/self/ns/{FILES[kind]}")
    set_path(b, kind, path)
    del b.config["hostname"]
    assert b.run().ok().out.strip() == os.readlink(path)


def test_joined_user_namespace_with_others(root, holder):
    path = holder("user")
    b = root.bundle("sh", "-c", "readlink /proc/self/ns/user; cat /proc/self/uid_map; id -u")
    set_path(b, "user", path)
    lines = b.run().ok().out.splitlines()
    assert lines[0] == os.readlink(path) and lines[1].split() == ["0", "0", "1"]
    assert lines[2] == "0"


def test_joined_mount_namespace(root, holder):
    """The root filesystem is mounted there, by who asked for it; not on the host."""
    path = holder("mount")
    b = root.bundle("sh", "-c", "readlink /proc/self/ns/mnt; echo /*")
    set_path(b, "mount", path)
    own, tree = b.run().ok().out.splitlines()
    assert own == os.readlink(path) != os.readlink("/proc/self/ns/mnt")
    assert set(tree.split()) == {f"/{p.name}" for p in b.rootfs.iterdir()}


def test_namespaces_of_another_container(root):
    """As the containers of a pod share those of its first."""
    first = root.bundle("sleep", "60")
    first.config["hostname"] = "pod"
    first.save()
    root.runtime("run", "-d", "--bundle", first.path, "first", stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL).ok()
    pid = json.loads(root.runtime("state", "first").out)["pid"]
    b = root.bundle("sh", "-c", "hostname; ps; ls /proc", name="second")
    del b.config["hostname"]
    for kind in ("pid", "network", "ipc", "uts"):
        set_path(b, kind, f"/proc/{pid}/ns/{FILES[kind]}")
    r = b.run(cid="second").ok()
    assert r.out.splitlines()[0] == "pod" and "sleep 60" in r.out


def test_time_namespace_waits_for_hooks(root, holder):
    """Before 6.1 a process whose children will have another time can't start a hook."""
    b = root.bundle("cat", "/proc/self/timens_offsets")
    set_path(b, "pid", holder("pid"))
    b.linux["namespaces"].append({"type": "time"})
    b.linux["timeOffsets"] = {"boottime": {"secs": 1000000, "nanosecs": 5}}
    b.config["hooks"] = {"createContainer": [{"path": "/bin/sh", "args": [
        "sh", "-c", f"readlink /proc/$PPID/ns/time /proc/$PPID/ns/time_for_children >{root.dir}/ns"
    ]}]}
    assert ["boottime", "1000000", "5"] in [line.split() for line in b.run().ok().out.splitlines()]
    assert (root.dir / "ns").read_text().split() == [os.readlink("/proc/self/ns/time")] * 2


def test_own_time_in_the_pid_namespace_of_a_pod(anyone):
    first = anyone.bundle("sleep", "60")
    anyone.runtime("run", "-d", "--bundle", first.path, "first", stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL).ok()
    pid = json.loads(anyone.runtime("state", "first").ok().out)["pid"]
    b = anyone.bundle("cat", "/proc/self/timens_offsets", name="second")
    set_path(b, "pid", f"/proc/{pid}/ns/pid")
    if anyone.rootless:
        set_path(b, "user", f"/proc/{pid}/ns/user")
    b.linux["namespaces"].append({"type": "time"})
    b.linux["timeOffsets"] = {"boottime": {"secs": 1000000, "nanosecs": 5}}
    out = b.run(cid="second").ok().out
    assert ["boottime", "1000000", "5"] in [line.split() for line in out.splitlines()]


@pytest.mark.parametrize("kind", list(FILES))
def test_path_of_another_kind(root, kind):
    other = "uts" if kind != "uts" else "ipc"
    b = root.bundle("true")
    del b.config["hostname"]
    set_path(b, kind, f"/proc/self/ns/{FILES[other]}")
    b.run().fails(f"linux.namespaces: {kind}", f"{other} namespace", code=1)
    root.runtime("state", "c1").fails("does not exist")


@pytest.mark.parametrize("path,word", [("/no/such/ns", "No such file"), ("/dev/null", "not a namespace"),
                                       ("/", "not a namespace"), ("relative", "absolute")])
def test_path_of_no_namespace(root, path, word):
    b = root.bundle("true")
    set_path(b, "network", path)
    b.run().fails("linux.namespaces", word, code=1)


def test_mappings_beside_a_joined_user_namespace(root, holder):
    """config-linux.md: they are for a new one; runc and crun let them stand when they agree."""
    path = holder("user")
    b = root.bundle("cat", "/proc/self/uid_map")
    set_path(b, "user", path)
    for key in ("uidMappings", "gidMappings"):
        b.linux[key] = [{"containerID": 0, "hostID": 0, "size": 1}]
    assert b.run().ok().out.split() == ["0", "0", "1"]


def test_more_ids_than_own_without_newuidmap(root, user):
    b = user.bundle("true", subids=True)
    b.save()
    argv = " ".join(map(str, user.runtime_argv("run", "--bundle", b.path, "c1")))
    r = root.run("unshare", "--mount", "--propagation", "private", "sh", "-c",
                 f": > {root.dir}/none && mount --bind {root.dir}/none /usr/bin/newuidmap && "
                 f"XDG_RUNTIME_DIR={user.run_dir} exec setpriv --reuid {user.uid} "
                 f"--regid {user.gid} --clear-groups {argv}")
    r.fails("newuidmap", code=1)


def test_single_id_needs_no_helper(user):
    b = user.bundle("sh", "-c", "cat /proc/self/uid_map; cat /proc/self/setgroups")
    lines = b.run(env={"PATH": "/nowhere"}).ok().out.splitlines()
    assert lines[0].split() == ["0", str(user.uid), "1"] and lines[1] == "deny"


def test_ids_that_are_not_the_users(user):
    b = user.bundle("true")
    b.linux["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 10}]
    b.run().fails("id mappings", code=1)


def test_single_id_cannot_become_another_user(user):
    b = user.bundle("id", "-u")
    b.process["user"] = {"uid": 5, "gid": 0}
    b.run().fails("user 5", code=1)


def test_unprivileged_without_a_user_namespace(user):
    b = user.bundle("true")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "user"]
    del b.linux["uidMappings"], b.linux["gidMappings"]
    b.run().fails("user namespace", code=1)


def test_time_namespace_without_offsets(anyone):
    b = anyone.bundle("readlink", "/proc/self/ns/time")
    b.linux["namespaces"].append({"type": "time"})
    assert b.run().ok().out.strip() != os.readlink("/proc/self/ns/time")


def test_offsets_beside_a_joined_time_namespace(root, holder):
    b = root.bundle("true")
    set_path(b, "time", holder("time"))
    b.linux["timeOffsets"] = {"boottime": {"secs": 1}}
    b.run().fails("timeOffsets", code=1)


def test_cgroup_namespace_shows_the_containers_cgroup_as_root(root):
    b = root.bundle("cat", "/proc/self/cgroup")
    assert {line.split(":")[2] for line in b.run().ok().out.splitlines()} == {"/"}
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "cgroup"]
    assert any(line.endswith("c1") for line in b.run().ok().out.splitlines())


def test_cgroup_mounts_show_the_containers_cgroup_as_root(root):
    """On v1 they are clones of the host's mounts."""
    b = root.bundle("sh", "-c", "cat /proc/self/mountinfo; cd /sys/fs/cgroup; "
                                "cat cgroup.procs */cgroup.procs 2>/dev/null; true")
    b.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "ro")
    lines = b.run().ok().out.splitlines()
    mounts = [line.split()[3] for line in lines if " - cgroup" in line]
    hosts = pathlib.Path("/proc/self/mountinfo").read_text()
    assert mounts and set(mounts) == {"/"}
    assert len(mounts) == (hosts.count(" - cgroup ") or 1)
    pids = [line for line in lines if line.isdecimal()]
    assert pids and set(pids) <= {"1", "2", "3", "4"}, pids
