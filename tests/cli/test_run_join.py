# SPDX-License-Identifier: Apache-2.0
"""Containers that need others: --pid, --uts, --cgroupns, --userns, --network container:NAME, --requires."""

import contextlib
import json
import os
import sqlite3

import pytest

import engine
import harness

TURNS = True
FILES = {"--pid": "pid", "--uts": "uts", "--cgroupns": "cgroup", "--network": "net"}


@pytest.fixture
def web(anyone):
    """A container that runs, as (user, its name)."""
    anyone.inro("run", "-d", "--name", "web", "--hostname", "www", engine.box(anyone), "sleep",
                "1000").ok()
    yield anyone
    anyone.inro("rm", "-fa").ok()


def namespace(who, name, kind):
    return who.inro("exec", name, "readlink", f"/proc/self/ns/{kind}").ok().out


def test_joined(web):
    options = [word for option in FILES for word in (option, "container:web")]
    out = web.inro("run", "--rm", *options, "box", "sh", "-c",
                   "; ".join(f"readlink /proc/self/ns/{kind}" for kind in FILES.values())).ok().out
    assert out == "".join(namespace(web, "web", kind) for kind in FILES.values())
    assert web.inro("run", "--rm", "box", "readlink", "/proc/self/ns/pid").ok().out not in out


def test_processes_of_the_other(web):
    out = web.inro("run", "--rm", "--pid", "container:web", "box", "ps").ok().out
    assert "sleep 1000" in out
    assert "sleep" not in web.inro("run", "--rm", "box", "ps").ok().out


def test_network_with_its_names(web):
    web.inro("exec", "web", "sh", "-c", "echo '192.0.2.5 peer' >> /etc/hosts").ok()
    out = web.inro("run", "--rm", "--network", "container:web", "box", "sh", "-c",
                   "hostname; tail -n 1 /etc/hosts").ok().out
    assert out == "www\n192.0.2.5 peer\n"
    web.inro("run", "--rm", "--network", "container:web", "--dns", "192.0.2.1", "box",
             "true").fails("conflicting options: dns and the network mode", code=125)


def test_ipc(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "-d", "--name", "web", "--ipc", "shareable", "--shm-size", "5m", box,
                "sleep", "1000").ok()
    anyone.inro("exec", "web", "sh", "-c", "echo note > /dev/shm/note").ok()
    anyone.inro("run", "-d", "--name", "side", "--ipc", "container:web", box, "sleep", "1000").ok()
    out = anyone.inro("run", "--rm", "--ipc", "container:side", box, "sh", "-c",
                      "readlink /proc/self/ns/ipc; cat /dev/shm/note; echo back > /dev/shm/back; "
                      "grep /dev/shm /proc/mounts").ok().out.splitlines()
    assert out[0] == namespace(anyone, "web", "ipc").strip() and out[1] == "note"
    assert {"nosuid", "nodev", "noexec", "size=5120k"} <= set(out[2].split()[3].split(","))
    assert anyone.inro("exec", "web", "cat", "/dev/shm/back").ok().out == "back\n"
    assert anyone.inro("inspect", "--format", "{{len .Mounts}}", "side").ok().out == "0\n"
    anyone.inro("run", "-d", "--name", "own", box, "sleep", "1000").ok()
    anyone.inro("run", "--rm", "--ipc", "container:own", box, "true").fails(
        "can't join IPC of container own: non-shareable IPC", "--ipc shareable", code=125)
    anyone.inro("stop", "-t", "0", "web").ok()
    anyone.inro("restart", "-t", "0", "side").fails(
        "cannot join IPC of a non running container: web", code=1)
    anyone.inro("rm", "-fa").ok()


def test_ipc_with_ids_of_its_own(root):
    box = engine.box(root)
    root.inro("run", "-d", "--name", "web", "--ipc", "shareable", box, "sleep", "1000").ok()
    root.inro("run", "--rm", "--userns", "auto", "--ipc", "container:web", box, "touch",
              "/dev/shm/x").ok()
    assert root.inro("exec", "web", "stat", "-c", "%u", "/dev/shm/x").ok().out != "0\n"
    root.inro("rm", "-fa").ok()


def test_user_namespace(root):
    box = engine.box(root)
    root.inro("run", "-d", "--name", "web", "--userns", "private", box, "sleep", "1000").ok()
    out = root.inro("run", "--rm", "--userns", "container:web", "--pid", "container:web", box, "sh",
                    "-c", "readlink /proc/self/ns/user; stat -c %u /bin/busybox; touch /x && "
                    "stat -c %u /x; ps | grep -c 'sleep 1000'").ok().out.splitlines()
    assert out[0] == namespace(root, "web", "user").strip()
    assert out[1:3] == ["0", "0"] and int(out[3]) >= 1
    root.inro("run", "-d", "--name", "plain", box, "sleep", "1000").ok()
    root.inro("run", "--rm", "--userns", "container:plain", box, "true").fails(
        "no user namespace of its own", code=125)
    root.inro("rm", "-fa").ok()


def test_ids_of_who_is_joined_stay_taken(root):
    """Its container is removed, and its user namespace lives on in another one."""
    box = engine.box(root)
    web = root.inro("run", "-d", "--userns", "auto", box, "sleep", "1000").ok().out.strip()
    side = root.inro("run", "-d", "--userns", f"container:{web}", box, "sleep",
                     "1000").ok().out.strip()
    root.inro("rm", "-f", web).ok()
    with contextlib.closing(sqlite3.connect(root.state / "inro/inro.db")) as db, db:
        db.executemany("INSERT OR REPLACE INTO id_blocks VALUES (?, ?, 0)",
                       ((block << 16, web) for block in range(8, 28672)))
    root.inro("run", "--rm", "--userns", "auto", box, "true").fails("finding free ids", code=125)
    root.inro("rm", "-f", side).ok()
    root.inro("run", "--rm", "--userns", "auto", box, "true").ok()


def test_by_path(root):
    box = engine.box(root)
    root.inro("run", "-d", "--name", "web", box, "sleep", "1000").ok()
    pid = root.inro("inspect", "--format", "{{.State.Pid}}", "web").ok().out.strip()
    for option, kind in FILES.items():
        path = f"/proc/{pid}/ns/{kind}"
        out = root.inro("run", "--rm", option, f"ns:{path}", box, "readlink",
                        f"/proc/self/ns/{kind}").ok().out
        assert out.strip() == os.readlink(path)
    root.inro("run", "--rm", "--pid", f"ns:/proc/{pid}/ns/net", box, "true").fails("pid", code=125)
    root.inro("rm", "-fa").ok()


def test_started_again_with_what_the_other_has_then(web):
    """It is the container that is joined, not the namespace that it had once."""
    web.inro("run", "--name", "side", "--pid", "container:web", "box", "readlink",
             "/proc/self/ns/pid").ok()
    web.inro("stop", "-t", "0", "web").ok()
    web.inro("start", "side").fails("cannot join PID of a non running container: web",
                                    "inro start web", code=1)
    web.inro("rename", "web", "www").ok()
    web.inro("start", "www").ok()
    now = namespace(web, "www", "pid")
    assert web.inro("start", "-a", "side").ok().out == now


def test_of_no_container(web):
    web.inro("run", "--rm", "--pid", "container:no-such", "box", "true").fails(
        "No such container: no-such", code=125)
    web.inro("create", "--name", "later", "--uts", "container:web", "box", "true").ok()
    web.inro("rm", "-f", "web").ok()
    web.inro("start", "later").fails("No such container", code=1)
    assert web.inro("ps", "-aq").ok().out.count("\n") == 1


def test_of_several_without_root(user):
    box = engine.box(user)
    for name in ("one", "two"):
        user.inro("run", "-d", "--name", name, box, "sleep", "1000").ok()
    user.inro("run", "--rm", "--pid", "container:one", "--uts", "container:two", box, "true").fails(
        "of one container", code=125)
    user.inro("rm", "-fa").ok()


def test_the_other_ends_meanwhile(root):
    """Whatever comes first, the namespace is that container's, or it is an error."""
    box = engine.box(root)
    for _ in range(harness.rounds(8)):
        root.inro("run", "-d", "--name", "web", box, "sleep", "0.05").ok()
        done = root.inro("run", "--rm", "--uts", "container:web", box, "hostname")
        cid = json.loads(root.inro("inspect", "web").ok().out)[0]["Id"]
        if done.code:
            done.fails("non running container", code=125)
        else:
            assert done.out.strip() == cid[:12]
        root.inro("rm", "-f", "web").ok()


def test_requires(anyone):
    box = engine.box(anyone)
    for name, options in (("db", []), ("cache", ["--requires", "db"])):
        anyone.inro("create", "--name", name, *options, box, "sleep", "1000").ok()
    anyone.inro("rename", "db", "database").ok()
    anyone.inro("run", "--name", "web", "--requires", "cache,database", box, "true").ok()
    def running():
        return set(anyone.inro("ps", "--format", "{{.Names}}").ok().out.split()) - {"web"}

    assert running() == {"cache", "database"}
    anyone.inro("stop", "-t", "0", "cache", "database").ok()
    anyone.inro("start", "web").ok()
    assert running() == {"cache", "database"}
    anyone.inro("rm", "-f", "database", "cache").ok()
    anyone.inro("start", "web").fails("starting what is required first", "No such container",
                                      code=1)
    anyone.inro("run", "--rm", "--requires", "nobody", box, "true").fails(
        "--requires nobody", "No such container: nobody", code=125)
