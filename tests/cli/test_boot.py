# SPDX-License-Identifier: Apache-2.0
"""Which containers run again after the machine was started anew."""

import json
import os
import pathlib
import signal

import pytest

import engine
import harness

TURNS = True

AT_BOOT = ("--all", "--filter", "should-start-on-boot=true")
LOOP = "trap 'exit 0' TERM; while :; do sleep 0.02; done"


@pytest.fixture
def box(anyone):
    engine.box(anyone)
    yield anyone
    anyone.inro("rm", "-fa").ok()


def up(who, name, *options, command=("sleep", "1000")):
    who.inro("run", "-d", "--name", name, *options, "box", *command).ok()


def names(who, *filters):
    words = [word for f in filters for word in ("--filter", f)]
    return set(who.inro("ps", "-a", *words, "--format", "{{.Names}}").ok().out.split())


def power_off(who):
    """All processes end at once, and what is not on the disk goes."""
    run = who.run_dir / "inro"
    for path in run.glob("runtime/*/state.json"):
        init = json.loads(path.read_text())["pid"]
        monitor = int(pathlib.Path(f"/proc/{init}/stat").read_text().rsplit(")")[-1].split()[1])
        for pid in (monitor, init):
            os.kill(pid, signal.SIGKILL)
            harness.wait_for(lambda pid=pid: harness.is_dead(pid), what="an end")
        # its cgroup, which a machine that goes down takes along
        who.run(who.program("inro-runtime"), "--root", run / "runtime", "delete", "--force",
                path.parent.name).ok()
    for path in sorted(run.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def test_policies_after_a_power_cut(box):
    for policy in ("always", "unless-stopped", "on-failure:1", "no"):
        up(box, policy.split(":", maxsplit=1)[0], "--restart", policy)
        up(box, "stopped-" + policy.split(":", maxsplit=1)[0], "--restart", policy)
    up(box, "removed", "--rm")
    box.inro("stop", "-t0", "stopped-always", "stopped-unless-stopped", "stopped-no").ok()
    box.inro("kill", "stopped-on-failure").ok()
    box.inro("create", "--name", "created", "--restart", "always", "box", "true").ok()
    power_off(box)
    wanted = {"always", "unless-stopped", "on-failure", "stopped-always"}
    # a command that looks first changes nothing
    assert names(box, "status=running") == set()
    assert names(box, "should-start-on-boot=true") == wanted
    assert set(box.inro("start", *AT_BOOT).ok().out.split()) == {
        line for line in box.inro("ps", "-q", "--no-trunc").ok().out.split()}
    assert names(box, "status=running") == wanted
    assert "removed" not in names(box)
    # and then there is nothing left to do
    assert box.inro("start", *AT_BOOT).ok().out == ""


def test_networks_after_a_power_cut(machine):
    """The kernel has nothing of them any more; addresses, ports and names are what they were."""
    who = machine.who
    engine.box(who)
    machine.inro("network", "create", "front").ok()
    up(who, "db", "--restart", "always", "--network", "front")
    up(who, "web", "--restart", "always", "--network", "front", "--network-alias", "www", "-p", "8080:80")
    look = ("inspect", "-f", "{{json .NetworkSettings.Ports}} {{.NetworkSettings.Networks.front.IPAddress}}", "web")
    before = machine.inro(*look).ok().out
    power_off(who)
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (path / "comm").read_text().startswith(("inro-net", "inro-hold")) and (
                    who.dir.name.encode() in (path / "cmdline").read_bytes()):
                os.kill(int(path.name), signal.SIGKILL)
        except OSError:
            pass
    if not who.rootless:
        machine.flush()
        harness.wait_for(lambda: not [name for name in machine.links() if name.startswith("iv")])
        machine.sh("ip link del inro0")
    assert machine.inro("start", *AT_BOOT).ok().out.count("\n") == 2
    assert machine.inro(*look).ok().out == before
    pids = machine.inro("inspect", "-f", "{{.State.Pid}}", "db", "web").ok().out.split()
    with machine.inside(pids[1]).serve("web", 80):
        assert machine.get("127.0.0.1", 8080).startswith("web from ")
    said = machine.inside(pids[0]).run("dig", "+short", "@127.0.0.11", "www").ok().out
    assert said.strip() == before.split()[-1]
    machine.inro("system", "check", "--quick").ok()


def test_orderly_end(box):
    """Who is stopped because the machine goes down is wanted afterwards, and not before."""
    up(box, "one", "--restart", "unless-stopped", command=("sh", "-c", LOOP))
    up(box, "two", "--restart", "unless-stopped", command=("sh", "-c", LOOP))
    up(box, "three", command=("sh", "-c", LOOP))
    box.inro("stop", "-t1", "two").ok()
    box.inro("stop", "-t1", "--all", "--for-boot").ok()
    assert names(box, "status=running") == set()
    power_off(box)
    box.inro("start", *AT_BOOT).ok()
    assert names(box, "status=running") == {"one"}
    # started by the user, it is as if it had never been stopped
    box.inro("start", "two").ok()
    power_off(box)
    box.inro("start", *AT_BOOT).ok()
    assert names(box, "status=running") == {"one", "two"}


def test_one_that_had_given_up(box):
    up(box, "bad", "--restart", "on-failure:1", command=("false",))
    harness.wait_for(lambda: names(box, "status=exited"), what="the end")
    assert names(box, "should-start-on-boot=false") == {"bad"}
    box.inro("rm", "bad").ok()


def test_filters_and_names(box):
    box.inro("create", "--name", "aa", "--restart", "on-failure:3", "box", "true").ok()
    box.inro("create", "--name", "bb", "box", "true").ok()
    assert names(box, "restart-policy=on-failure") == {"aa"}
    assert names(box, "restart-policy=no") == {"bb"}
    box.inro("ps", "--filter", "restart-policy=never").fails("restart-policy=never", code=125)
    box.inro("ps", "--filter", "should-start-on-boot=2").fails("expected true or false", code=125)
    box.inro("start").fails("at least one container", code=125)
    box.inro("start", "-a", "aa", "bb").fails("multiple containers", code=125)
    assert box.inro("start", "-a", "--latest").ok().out == ""
    assert box.inro("container", "start", "--filter", "name=aa").ok().out.strip() == \
        box.inro("ps", "-aq", "--no-trunc", "--filter", "name=aa").ok().out.strip()
