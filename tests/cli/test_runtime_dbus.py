# SPDX-License-Identifier: Apache-2.0
"""--systemd-cgroup against a bus of the test's own: requests, and answers that systemd would not
give. test_runtime_systemd.py has the real one."""

import json
import os
import pathlib
import struct
import subprocess
import time

import pytest

import fakebus
import harness

START = "StartTransientUnit"


@pytest.fixture
def bus(root):
    made = fakebus.FakeBus(root.dir / "bus")
    yield made
    made.close()
    fakebus.slices_removed()


def create(root, bus, cid="c1", bundle=None):
    """A container that was created keeps stderr: a file, no pipe to the end of which one waits."""
    b = bundle or root.bundle("sleep", "60").save()
    log = root.dir / "stderr"
    with log.open("wb") as out:
        result = root.runtime("--systemd-cgroup", "create", "--bundle", b.path, cid, env=bus.env,
                              stdout=subprocess.DEVNULL, stderr=out, timeout=20)
    result.err = log.read_text(errors="replace")
    return result


def delete(root, bus, cid="c1"):
    return root.runtime("delete", "--force", cid, env=bus.env)


def test_life(root, bus):
    b = root.bundle("sleep", "60")
    b.linux["cgroupsPath"] = "system.slice:test:one"
    b.config["annotations"] = {"org.systemd.property.TimeoutStopSec": "7",
                               "org.systemd.property.CollectMode": "'inactive-or-failed'"}
    b.linux["resources"] = {"pids": {"limit": 20}}
    create(root, bus, bundle=b.save()).ok()
    state = json.loads((root.runtime_root / "c1/state.json").read_text())
    pid = json.loads(root.runtime("state", "c1").ok().out)["pid"]
    assert state["systemdUnit"] == "test-one.scope"
    assert all(p.endswith("/system.slice/test-one.scope") for p in state["cgroupPaths"])
    assert "/system.slice/test-one.scope\n" in pathlib.Path(f"/proc/{pid}/cgroup").read_text()
    unit = bus.units["test-one.scope"]
    assert unit["Slice"] == "system.slice" and unit["PIDs"] == [pid]
    assert unit["Delegate"] == 1 and unit["DefaultDependencies"] == 0
    assert unit["CPUAccounting"] == unit["MemoryAccounting"] == unit["TasksAccounting"] == 1
    assert unit["TimeoutStopUSec"] == 7000000 and unit["CollectMode"] == "inactive-or-failed"
    assert unit["TasksMax"] == 20
    root.runtime("start", "c1").ok()
    delete(root, bus).ok()
    assert bus.members() == [START, "StopUnit", "ResetFailedUnit"]
    assert not bus.units
    assert all(not os.path.exists(p) for p in state["cgroupPaths"])


def test_default_name(root, bus):
    create(root, bus).ok()
    assert list(bus.units) == ["inro-c1.scope"]
    delete(root, bus).ok()


@pytest.mark.parametrize("path", ["/default/c1", "a:b", "a:b:c", "a/b.slice:c:d", "a.slice:b:c d"])
def test_wrong_path(root, bus, path):
    b = root.bundle("true")
    b.linux["cgroupsPath"] = path
    create(root, bus, bundle=b.save()).fails("linux.cgroupsPath", code=1)
    assert not bus.calls
    assert not list(root.runtime_root.glob("c*"))


def test_path_without_the_option(root, bus):
    b = root.bundle("true")
    b.linux["cgroupsPath"] = "system.slice:test:one"
    b.run().fails("is for systemd", "--systemd-cgroup", code=1)


def test_wrong_annotation(root, bus):
    b = root.bundle("true")
    b.config["annotations"] = {"org.systemd.property.TimeoutStopSec": "soon"}
    create(root, bus, bundle=b.save()).fails(
        "annotation org.systemd.property.TimeoutStopSec", '"soon"', code=1)
    assert not bus.calls


@pytest.mark.parametrize("name, value", [
    ("Slice", "'system.slice'"), ("PIDs", "[uint32 1]"), ("Delegate", "false")])
def test_annotation_of_what_the_runtime_decides(root, bus, name, value):
    """Another slice would have no limits; another's processes would die with the container."""
    b = root.bundle("true")
    b.config["annotations"] = {"org.systemd.property." + name: value}
    create(root, bus, bundle=b.save()).fails(
        f"annotation org.systemd.property.{name}", "the runtime's to set", code=1)
    assert not bus.calls


def test_update(root, bus):
    create(root, bus).ok()
    root.runtime("start", "c1").ok()
    root.runtime("update", "--pids-limit", "33", "c1", env=bus.env).ok()
    call = [m for m in bus.calls if m.member == "SetUnitProperties"][0]
    assert call.args == ["inro-c1.scope", 1, [("TasksMax", 33)]]
    delete(root, bus).ok()


def test_update_refused(root, bus):
    """What systemd does not take is taken back from the files."""
    b = root.bundle("sleep", "60")
    b.linux["resources"] = {"pids": {"limit": 20}}
    create(root, bus, bundle=b.save()).ok()
    bus.on["SetUnitProperties"] = lambda bus, c, m: bus.error(
        c, m, "org.freedesktop.DBus.Error.InvalidArgs", "no such limit")
    root.runtime("update", "--pids-limit", "33", "c1", env=bus.env).fails("no such limit")
    paths = json.loads((root.runtime_root / "c1/state.json").read_text())["cgroupPaths"]
    files = [p + "/pids.max" for p in paths if os.path.exists(p + "/pids.max")]
    assert [pathlib.Path(f).read_text() for f in files] == ["20\n"]
    delete(root, bus).ok()


def refused(root, bus, *words):
    """Creating fails with these words and leaves nothing."""
    result = create(root, bus).fails(*words, code=1)
    assert not list(root.runtime_root.glob("c*"))
    return result


@pytest.mark.parametrize("name, text, words", [
    ("org.freedesktop.DBus.Error.AccessDenied", "not you", ["not you", "only root"]),
    ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "ask", ["ask", "only root"]),
    ("org.freedesktop.DBus.Error.ServiceUnknown", "none", ["none", "systemd is not on it"]),
    ("org.example.Other", "what\x1b[31m", ["what\\x1b[31m"]),
    ("org.example.Other", "", ["org.example.Other"]),
])
def test_error_reply(root, bus, name, text, words):
    bus.on[START] = lambda bus, c, m: bus.error(c, m, name, text)
    refused(root, bus, "starting inro-c1.scope by systemd", *words)


def test_unit_of_another(root, bus):
    """A unit that is there belongs to somebody: it is neither used nor stopped."""
    bus.units["inro-c1.scope"] = {}
    refused(root, bus, "already loaded", "another container")
    assert "StopUnit" not in bus.members()
    assert bus.units.pop("inro-c1.scope") == {}


def test_unit_that_failed(root, bus):
    bus.units["inro-c1.scope"] = {}

    def reset(bus, connection, m):
        bus.units.pop(m.args[0], None)
        bus.reply(connection, m)

    bus.on["ResetFailedUnit"] = reset
    create(root, bus).ok()
    assert bus.members() == [START, "ResetFailedUnit", START]
    delete(root, bus).ok()


def test_older_systemd(root, bus):
    """Properties that it does not know are left out, when they are ours."""
    b = root.bundle("sleep", "60")
    b.linux["resources"] = {"cpu": {"cpus": "0"}}

    def start(bus, connection, m):
        if "AllowedCPUs" in dict(m.args[2]):
            bus.error(connection, m, "org.freedesktop.DBus.Error.PropertyReadOnly",
                      "Cannot set property AllowedCPUs, or unknown property.")
        else:
            bus.usual(connection, m)

    bus.on[START] = start
    create(root, bus, bundle=b.save()).ok()
    assert bus.members() == [START, START]
    delete(root, bus).ok()


def test_unknown_annotation(root, bus):
    b = root.bundle("sleep", "60")
    b.config["annotations"] = {"org.systemd.property.NoSuch": "1"}
    bus.on[START] = lambda bus, c, m: bus.error(
        c, m, "org.freedesktop.DBus.Error.PropertyReadOnly",
        "Cannot set property NoSuch, or unknown property.")
    create(root, bus, bundle=b.save()).fails("Cannot set property NoSuch", code=1)
    assert bus.members() == [START]


@pytest.mark.parametrize("result", ["failed", "timeout", "canceled", "\x1b[2J"])
def test_job_that_fails(root, bus, result):
    def start(bus, connection, m):
        bus.reply(connection, m, "o", "/org/freedesktop/systemd1/job/1")
        bus.removed(connection, m.args[0], result)

    bus.on[START] = start
    assert "\x1b" not in refused(root, bus, "the job ended as", "journalctl").err


def test_signals_of_others(root, bus):
    """Only systemd's word counts, of this job and this unit; an early one, too."""
    def start(bus, connection, m):
        unit = m.args[0]
        bus.removed(connection, unit, "failed", sender=":1.66")
        bus.removed(connection, "other.scope", "failed")
        bus.removed(connection, unit, "failed", job="/org/freedesktop/systemd1/job/2")
        bus.place(m)
        bus.removed(connection, unit, "done")
        bus.reply(connection, m, "o", "/org/freedesktop/systemd1/job/1")
        bus.removed(connection, unit, "failed", sender=":1.66")

    bus.on[START] = start
    create(root, bus).ok()
    delete(root, bus).ok()


def test_not_in_the_unit(root, bus):
    """It says done and has done nothing."""
    bus.on[START] = lambda bus, c, m: (
        bus.reply(c, m, "o", "/org/freedesktop/systemd1/job/1"), bus.removed(c, m.args[0]))
    refused(root, bus, "inro-c1.scope", "is in cgroup")


def junk(*parts):
    return lambda bus, connection, m: connection.sendall(b"".join(parts))


GOOD = fakebus.message(fakebus.SIGNAL, 1, path="/", interface="a.b", member="c")


@pytest.mark.parametrize("answer, words", [
    (junk(b"x" * 64), "Bad message"),
    (junk(b"l\x02\x01\x01" + struct.pack("<III", 1 << 30, 1, 8)), "File too large"),
    (junk(b"l\x02\x01\x01" + struct.pack("<III", 0, 1, 0xffffffff)), "File too large"),
    (junk(GOOD[:-4] + b"\xff\xff\xff\xff"), "Bad message"),
    (lambda bus, c, m: bus.reply(c, m), "Bad message"),
    (lambda bus, c, m: bus.reply(c, m, "u", 5), "Bad message"),
    (lambda bus, c, m: c.shutdown(2), "Connection reset"),
], ids=["junk", "huge body", "huge header", "long text", "no value", "wrong type", "end"])
def test_hostile_answer(root, bus, answer, words):
    bus.on[START] = answer
    refused(root, bus, "starting inro-c1.scope by systemd", words)


@pytest.mark.parametrize("greeting, words", [
    (b"REJECTED EXTERNAL\r\n", "REJECTED"),
    (b"ERROR \x1b[31m\r\n", "ERROR \\x1b"),
    (b"x" * 10000, "Bad message"),
    (b"DATA\r\n" * 100, "Bad message"),
], ids=["rejected", "error", "no end of a line", "too many lines"])
def test_not_authenticated(root, bus, greeting, words):
    bus.greeting = greeting
    refused(root, bus, "authenticating on", words)


def test_disconnected_behind_the_start(root, bus):
    """systemd was restarted before it could answer: where the process is says that it had started."""
    def start(bus, connection, m):
        bus.place(m)
        connection.shutdown(2)

    bus.on[START] = start
    create(root, bus).ok()
    delete(root, bus).ok()


def test_no_end(root, bus):
    """Waiting ends: for the job, for an answer, and for the answer to the greeting."""
    def start(bus, connection, m):
        bus.reply(connection, m, "o", "/org/freedesktop/systemd1/job/1")

    bus.on[START] = start
    silent = fakebus.FakeBus(root.dir / "silent")
    silent.greeting = b""
    b = root.bundle("true").save()
    begin = time.monotonic()
    try:
        waiting = [root.popen(*root.runtime_argv("--systemd-cgroup", "create", "--bundle", b.path,
                                                 cid), env=which.env, stderr=subprocess.PIPE)
                   for cid, which in (("c1", bus), ("c2", silent))]
        for p in waiting:
            _, err = p.communicate(timeout=90)
            assert p.returncode == 1 and b"timed out" in err, err
    finally:
        silent.close()
    assert 20 < time.monotonic() - begin < 80
    assert not list(root.runtime_root.glob("c*"))


def test_socket_of_another_user(root, user):
    """Whoever listens would be told of containers and say what became of them."""
    path = user.dir / "bus"
    pid = os.fork()
    if pid == 0:
        os.setgid(user.gid)
        os.setuid(user.uid)
        bus = fakebus.FakeBus(path)
        time.sleep(30)
        os._exit(bool(bus.calls))
    try:
        harness.wait_for(path.exists)
        b = root.bundle("true").save()
        root.runtime("--systemd-cgroup", "create", "--bundle", b.path, "c1",
                     env={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={path}"}).fails(
                         f"belongs to user {user.uid}: not trusted", code=1)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


@pytest.mark.parametrize("address", ["unix:abstract=/tmp/x", "tcp:host=localhost,port=1",
                                     "nonsense"])
def test_address_not_used(root, address):
    b = root.bundle("true").save()
    root.runtime("--systemd-cgroup", "create", "--bundle", b.path, "c1",
                 env={"DBUS_SYSTEM_BUS_ADDRESS": address}).fails(
                     "systemd does not listen on", code=1)


def test_no_systemd(anyone):
    b = anyone.bundle("true").save()
    result = anyone.runtime("--systemd-cgroup", "create", "--bundle", b.path, "c1")
    result.fails("asking systemd for a cgroup", "systemd is not running here", code=1)
    assert not list(anyone.runtime_root.glob("c*"))


def test_systemd_gone(root, bus):
    """Without systemd, too, a container can be deleted."""
    create(root, bus).ok()
    paths = json.loads((root.runtime_root / "c1/state.json").read_text())["cgroupPaths"]
    env = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={root.dir}/nobody"}
    result = root.runtime("delete", "--force", "c1", env=env).ok()
    assert "systemd does not listen on" in result.err
    assert all(not os.path.exists(p) for p in paths)
    bus.units.clear()


@pytest.mark.parametrize("delay", [i / 1000 for i in range(0, 24, 2)])
def test_killed_runtime(root, bus, delay):
    """kill -9 of the runtime at any moment: delete --force cleans."""
    def stop(bus, connection, m):
        time.sleep(0.002)
        bus.usual(connection, m)

    bus.on[START] = stop
    b = root.bundle("sleep", "60").save()
    p = root.popen(*root.runtime_argv("--systemd-cgroup", "create", "--bundle", b.path, "c1"),
                   env=bus.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    p.kill()
    p.wait()
    delete(root, bus).ok()
    assert not list(root.runtime_root.glob("c*"))
    # systemd takes a unit away when its last process ends; this one does not look.
    for unit in list(bus.units):
        bus.remove(unit)
