# SPDX-License-Identifier: Apache-2.0
"""cgroup v2 as the only one: who owns the container's cgroup, delegation to a user, threaded cgroups.
On a machine with v1 it is a mount namespace whose /sys/fs/cgroup is the cgroup2 without controllers."""

import json
import os
import pathlib
import shlex

import pytest

import harness

CG = "/sys/fs/cgroup"
UNDO = "find tree -depth -type d -exec rmdir {} \\;"
MAPS = [{"containerID": 0, "hostID": 700000, "size": 65536}]
SHOW = f"stat -c '%n %u' {CG} {CG}/cgroup.procs {CG}/cgroup.subtree_control {CG}/cgroup.events"


class World:
    """Runs shell scripts of root where cgroup v2 is all there is; $RT is the runtime."""

    def __init__(self, root):
        self.root = root
        own = "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && "
        if os.path.exists(CG + "/cgroup.controllers"):
            own = ""
        self.start = own + "cd " + CG + "\n"

    def __call__(self, script, **kw):
        rt = shlex.join(map(str, self.root.runtime_argv()))
        return self.root.run("unshare", "--mount", "--propagation", "private", "sh", "-ec",
                             f"RT={shlex.quote(rt)}\n{self.start}{script}", **kw)

    def run(self, bundle, before="", after=""):
        """The runtime's run of this bundle, with commands around it."""
        bundle.save()
        return self(f"{before}\ns=0; $RT run --bundle {bundle.path} c1 || s=$?\n{after}\nexit $s")


@pytest.fixture
def v2(root):
    return World(root)


def writable(root, *args, user=0, userns=True):
    b = root.bundle("sh", "-c", "; ".join(args), name=f"bundle{userns:d}")
    b.mount(CG, "cgroup", "cgroup", "nosuid", "noexec", "nodev")
    b.process["user"] = {"uid": user, "gid": user}
    if userns:
        b.linux["namespaces"].append({"type": "user"})
        b.linux["uidMappings"] = b.linux["gidMappings"] = MAPS
        os.system(f"chown -R 700000:700000 {b.rootfs}")
    return b


def owners(text):
    return {os.path.basename(line.split()[0]): int(line.split()[1]) for line in text.splitlines()
            if line.startswith(CG)}


def test_cgroup_is_given_to_the_containers_root(v2):
    b = writable(v2.root, SHOW, f"mkdir {CG}/sub", f"echo 0 >{CG}/sub/cgroup.procs",
                 "cat /proc/self/cgroup")
    r = v2.run(b, before="rmdir inro 2>/dev/null || true",
               after="stat -c 'parent %u' inro; ls inro").ok()
    assert owners(r.out) == {"cgroup": 0, "cgroup.procs": 0, "cgroup.subtree_control": 0,
                             "cgroup.events": 65534}
    assert "0::/sub" in r.out
    assert "parent 0" in r.out and "c1" not in r.out  # on the host: root's, and the child is gone


def test_cgroup_is_given_to_the_containers_user(v2):
    for userns in (True, False):
        b = writable(v2.root, SHOW, user=1000, userns=userns)
        r = v2.run(b).ok()
        rest = 65534 if userns else 0
        assert owners(r.out) == {"cgroup": 1000, "cgroup.procs": 1000,
                                 "cgroup.subtree_control": 1000, "cgroup.events": rest}


@pytest.mark.parametrize("change", ["read-only", "no mount", "no cgroup namespace", "elsewhere"])
def test_cgroup_is_not_given(v2, change):
    b = writable(v2.root, "true")
    if change == "read-only":
        b.config["mounts"][-1]["options"].append("ro")
    elif change == "no mount":
        b.config["mounts"].pop()
    elif change == "elsewhere":
        b.config["mounts"][-1]["destination"] = "/mnt"
    else:
        b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "cgroup"]
    b.save()
    r = v2(f"$RT create --bundle {b.path} c1 >/dev/null 2>&1 </dev/null\n"
           "stat -c '%n %u' inro/c1 inro/c1/cgroup.procs; $RT delete --force c1").ok()
    assert r.out == "inro/c1 0\ninro/c1/cgroup.procs 0\n"


def delegated(v2, user, script, controllers=""):
    """Runs a script of the user in a cgroup of a tree that was given to them."""
    files = " ".join(f"tree/{f}" for f in ("", "cgroup.procs", "cgroup.subtree_control",
                                           "cgroup.threads", "own", "own/cgroup.procs"))
    rt = shlex.join(map(str, user.runtime_argv()))
    inner = f"RT={shlex.quote(rt)}\nexport XDG_RUNTIME_DIR={user.run_dir}\n{script}"
    path = user.dir / "script"
    path.write_text(inner)
    user.own(path)
    return v2(f"""mkdir -p tree/own; chown {user.uid}:{user.gid} {files}
        s=0
        sh -ec 'echo 0 >tree/own/cgroup.procs; cd /; exec "$@"' sh setpriv --reuid {user.uid} \
            --regid {user.gid} --clear-groups sh -e {path} || s=$?
        {UNDO}
        exit $s""", cwd="/")


def test_delegated_tree(v2, user):
    b = user.bundle("sh", "-c", "cat /proc/self/cgroup; sleep 60")
    b.save()
    r = delegated(v2, user, f"""$RT run --detach --bundle {b.path} c1 >{user.dir}/out 2>&1 </dev/null
        pid=$($RT state c1 | sed -n 's/.*"pid": \\([0-9]*\\).*/\\1/p')
        grep ^0: /proc/$pid/cgroup
        $RT pause c1; $RT list; $RT resume c1; $RT list; $RT events --stats c1
        $RT kill c1 KILL; sleep 0.2; $RT delete c1""").ok()
    lines = r.out.splitlines()
    assert lines[0].endswith("/tree/inro/c1"), r
    assert " paused " in r.out and " running " in r.out
    event = json.loads(next(line for line in lines if line.startswith("{")))
    assert event["data"]["cpu"]["usage"]["total"] > 0
    assert "0::/\n" in (user.dir / "out").read_text()


def test_limit_without_its_controller_in_a_delegated_tree(v2, user):
    """There is somebody who manages cgroups: they can be told which one is missing."""
    b = user.bundle("true")
    b.linux["resources"] = {"unified": {"nosuch.max": "1"}}
    b.save()
    r = delegated(v2, user, f"$RT run --bundle {b.path} c1")
    r.fails('setting unified "nosuch.max"', "no controller nosuch", code=1)


def test_no_cgroup_at_all_for_a_user(v2, user):
    b = user.bundle("echo", "ran")
    b.linux["resources"] = {"memory": {"limit": 1 << 26}, "unified": {"pids.max": "20"}}
    b.save()
    rt = shlex.join(map(str, user.runtime_argv()))
    r = v2(f"cd /; export XDG_RUNTIME_DIR={user.run_dir}; setpriv --reuid {user.uid} --regid "
           f"{user.gid} --clear-groups {rt} run --bundle {b.path} c1").ok()
    assert r.out == "ran\n"
    assert r.err.endswith("without them: memory.limit, pids.max\n")


THREADED = "mkdir -p tree/sibling; echo threaded >tree/sibling/cgroup.type"


@pytest.mark.parametrize("below", ["tree/c1", "tree/a/b"])
def test_below_a_threaded_cgroup(v2, below):
    """The container's cgroup becomes threaded too, and works but for controllers of processes."""
    b = v2.root.bundle("sh", "-c", "for i in 1 2 3; do sleep 60 & done; echo up >/up; wait")
    b.linux["cgroupsPath"] = "/" + below
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "pid"]
    b.save()
    up = b.rootfs / "up"
    r = v2(f"""{THREADED}
        $RT run --detach --bundle {b.path} c1 >/dev/null 2>{v2.root.dir}/err </dev/null ||
            {{ cat {v2.root.dir}/err; exit 1; }}
        while ! [ -e {up} ]; do sleep 0.02; done
        cat {below}/cgroup.type; wc -l <{below}/cgroup.threads
        $RT pause c1; $RT list -q; $RT list | grep -c paused; $RT resume c1
        $RT kill --all c1 KILL; sleep 0.2; cat {below}/cgroup.threads; $RT list | grep -c stopped
        $RT delete c1; ls -d {below} 2>/dev/null || true
        {UNDO}""").ok()
    assert r.out == "threaded\n4\nc1\n1\n1\n", r


def test_limit_below_a_threaded_cgroup(v2):
    b = v2.root.bundle("true")
    b.linux["cgroupsPath"] = "/tree/c1"
    b.linux["resources"] = {"memory": {"limit": 1 << 26}}
    v2.run(b, before=THREADED, after=UNDO).fails(
        "setting memory.limit", "is threaded", "memory does not work for threads", code=1)


def test_cgroup_that_cannot_become_threaded(v2):
    """Its parent is below a threaded one, and others made it."""
    b = v2.root.bundle("true")
    b.linux["cgroupsPath"] = "/tree/a/c1"
    v2.run(b, before=THREADED + "; mkdir tree/a",
           after=UNDO).fails(
               "tree/a/c1 can't hold processes: a cgroup above it is threaded", code=1)
    assert list(v2.root.runtime_root.glob("c*")) == []


def test_kill_and_delete_of_nested_cgroups(v2):
    """What the container made of its cgroup goes with it."""
    b = writable(v2.root, f"mkdir -p {CG}/a/b {CG}/c", f"echo 0 >{CG}/a/b/cgroup.procs",
                 "sleep 60 & sleep 60 & touch /up; wait")
    b.save()
    r = v2(f"""$RT run --detach --bundle {b.path} c1 >/dev/null 2>&1 </dev/null
        while ! [ -e {b.rootfs}/up ]; do sleep 0.02; done
        find inro/c1 -type d | sort; $RT delete --force c1; ls -d inro/c1 2>/dev/null ||
            echo gone""").ok()
    assert r.out == "inro/c1\ninro/c1/a\ninro/c1/a/b\ninro/c1/c\ngone\n"
