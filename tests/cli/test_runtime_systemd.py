# SPDX-License-Identifier: Apache-2.0
"""--systemd-cgroup with a real systemd, the system's instance and a user's, on cgroup v2 and v1."""

import json
import random
import shutil
import subprocess

import pytest

import harness
import systemdmachine

KILL_ROUNDS = 15


@pytest.fixture(scope="module")
def machines():
    made = {}
    yield made
    for each in made.values():
        each.stop()


def machine_of(machines, layout):
    if layout not in machines:
        machines[layout] = systemdmachine.Machine(layout)
    return machines[layout]


@pytest.fixture(scope="module", params=["unified", "hybrid"])
def machine(request, machines):
    return machine_of(machines, request.param)


@pytest.fixture(scope="module")
def unified(machines):
    return machine_of(machines, "unified")


def client_of(machine, who, cgroup="/tests"):
    client = systemdmachine.Client(machine, who, cgroup)
    yield client
    for entry in who.runtime_root.glob("[a-z]*"):
        client.runtime("delete", "--force", entry.name)
    # systemd takes a unit away when it has seen that its last process is gone.
    harness.wait_for(lambda: not machine.units(), 5, "no units")
    machine.tidy()


@pytest.fixture
def sd(machine, root):
    yield from client_of(machine, root)


@pytest.fixture
def anyuser(unified, user):
    """A user with an instance of systemd: a service that is given its cgroup, as user@.service."""
    name, home = "manager", user.dir / "home"
    (home / ".config/systemd/user").mkdir(parents=True)
    (home / ".config/systemd/user/inro.target").write_text("[Unit]\nDefaultDependencies=no\n")
    for path in [home, *home.glob("**/*"), *home.glob(".config/**")]:
        user.own(path)
    unified.run("systemd-run", f"--unit={name}", f"--uid={user.uid}", "-p", "Delegate=yes",
                "-p", "DefaultDependencies=no", f"--setenv=XDG_RUNTIME_DIR={user.run_dir}",
                f"--setenv=HOME={home}", "/lib/systemd/systemd", "--user",
                "--unit=inro.target").ok()
    harness.wait_for((user.run_dir / "systemd/private").exists, 20, "the user's instance")
    yield user
    unified.run("systemctl", "kill", "--signal=KILL", f"{name}.service")
    unified.run("systemctl", "stop", f"{name}.service")
    unified.run("systemctl", "reset-failed", f"{name}.service")


def start(sd, bundle, cid="c1"):
    bundle.save()
    sd.quiet("run", "--detach", "--bundle", bundle.path, cid).ok()
    return json.loads(sd.runtime("state", cid).ok().out)["pid"]


def test_run(sd):
    """Twice: the name is free again at once."""
    b = sd.who.bundle("sh", "-c", "cat /proc/self/cgroup; exit 3")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "cgroup"]
    b.save()
    for _ in range(2):
        r = sd.runtime("run", "--bundle", b.path, "c1")
        assert r.code == 3 and "/system.slice/inro-c1.scope\n" in r.out and not r.err, r
    assert not sd.machine.units()


def test_on_the_bus(sd):
    """The same through the message bus, which is the way when the private socket is not there."""
    b = sd.who.bundle("true").save()
    sd.runtime("run", "--bundle", b.path, "c1", env={
        "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/run/dbus/system_bus_socket"}).ok()
    assert not sd.machine.units()


def test_all_hierarchies(sd):
    """Those that systemd does not manage, too."""
    b = sd.who.bundle("sleep", "60")
    start(sd, b)
    inside = sd.runtime("state", "c1").ok()
    pid = json.loads(inside.out)["pid"]
    lines = sd.machine.run("cat", f"/proc/{pid}/cgroup").ok().out.splitlines()
    wanted = lines if sd.machine.layout == "hybrid" else [
        line for line in lines if line.startswith("0::")]
    assert wanted and all(line.endswith(":/system.slice/inro-c1.scope") for line in wanted), lines


def test_properties(sd):
    b = sd.who.bundle("sleep", "60")
    b.linux["cgroupsPath"] = "test-a.slice:prefix:name"
    b.config["annotations"] = {"org.systemd.property.TimeoutStopSec": "7",
                               "org.systemd.property.CollectMode": "'inactive-or-failed'",
                               "org.systemd.property.Documentation": "['man:inro-runtime(1)']"}
    start(sd, b)
    p = sd.machine.show("prefix-name.scope")
    assert p["ActiveState"] == "active" and p["Slice"] == "test-a.slice"
    assert p["ControlGroup"] == "/test.slice/test-a.slice/prefix-name.scope"
    assert p["Delegate"] == "yes" and p["DefaultDependencies"] == "no"
    assert p["CPUAccounting"] == p["MemoryAccounting"] == p["TasksAccounting"] == "yes"
    assert p["TimeoutStopUSec"] == "7s" and p["CollectMode"] == "inactive-or-failed"
    assert p["Documentation"].strip('"') == "man:inro-runtime(1)"


def test_unknown_property(sd):
    b = sd.who.bundle("true")
    b.config["annotations"] = {"org.systemd.property.NoSuchThing": "1"}
    b.save()
    sd.runtime("run", "--bundle", b.path, "c1").fails("NoSuchThing", "starting inro-c1.scope")
    assert not list(sd.who.runtime_root.glob("c*"))


def limited(sd):
    if not {"memory", "pids", "cpu"} <= sd.machine.controllers():
        harness.machine_cannot("give cgroup v2 its controllers")
    v2 = sd.machine.layout == "unified"
    return [("memory", "memory.max" if v2 else "memory.limit_in_bytes"), ("pids", "pids.max"),
            ("cpu", "cpu.max" if v2 else "cpu.cfs_quota_us")]


def test_limits_stay(sd):
    """systemd applies its configuration again: what was asked for is in it."""
    files = limited(sd)
    b = sd.who.bundle("sleep", "60")
    b.linux["resources"] = {
        "memory": {"limit": 64 << 20}, "pids": {"limit": 77}, "cpu": {"quota": 12345},
        "devices": [{"allow": False, "access": "rwm"},
                    {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"}]}
    start(sd, b)

    def values():
        return [sd.machine.read(c, "inro-c1.scope", f).split()[0] for c, f in files]

    # the quota is a whole number of percents
    assert values() == [str(64 << 20), "77", "13000"]
    sd.machine.run("systemctl", "daemon-reload").ok()
    assert values() == [str(64 << 20), "77", "13000"]
    sd.runtime("update", "--memory", str(32 << 20), "--pids-limit", "55", "--cpu-quota", "50000",
               "c1").ok()
    assert values() == [str(32 << 20), "55", "50000"]
    sd.machine.run("systemctl", "daemon-reload").ok()
    assert values() == [str(32 << 20), "55", "50000"]
    assert sd.machine.show("inro-c1.scope")["TasksMax"] == "55"


def test_devices_stay(sd):
    b = sd.who.bundle("sleep", "60")
    b.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/dev/mqueue"]
    start(sd, b)
    argv = ["exec", "c1", "sh", "-c", "mknod /dev/x c 1 11; cat /dev/x"]
    sd.runtime(*argv).fails("Operation not permitted")
    sd.machine.run("systemctl", "daemon-reload").ok()
    sd.runtime(*argv).fails("Operation not permitted")
    sd.runtime("exec", "c1", "sh", "-c", "echo x >/dev/null").ok()


def test_exec_pause_kill(sd):
    b = sd.who.bundle("sleep", "60")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "cgroup"]
    start(sd, b)
    assert "/system.slice/inro-c1.scope\n" in sd.runtime("exec", "c1", "cat",
                                                         "/proc/self/cgroup").ok().out
    sd.runtime("pause", "c1").ok()
    assert json.loads(sd.runtime("state", "c1").ok().out)["status"] == "paused"
    sd.runtime("resume", "c1").ok()
    sd.runtime("kill", "--all", "c1", "KILL").ok()
    harness.wait_for(lambda: "stopped" in sd.runtime("state", "c1").ok().out)
    sd.runtime("delete", "c1").ok()
    assert not sd.machine.units()


def test_user_namespaces(sd):
    """Made with the init, and by a process before it (a joined pid namespace asks for one)."""
    b = sd.who.bundle("sh", "-c", "cat /proc/self/cgroup")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] not in (
        "cgroup", "network")] + [{"type": "user"}]
    for key in ("uidMappings", "gidMappings"):
        b.linux[key] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    subprocess.run(["chown", "-R", "100000:100000", str(b.rootfs)], check=True)
    b.path.chmod(0o755)
    b.save()
    assert "inro-c1.scope\n" in sd.runtime("run", "--bundle", b.path, "c1").ok().out
    assert not sd.machine.units()


def test_joined_pid_namespace(sd):
    pid = start(sd, sd.who.bundle("sleep", "60"))
    b = sd.who.bundle("sh", "-c", "cat /proc/self/cgroup", name="other")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] not in (
        "cgroup", "pid")] + [{"type": "pid", "path": f"/proc/{pid}/ns/pid"}]
    b.save()
    assert "inro-c2.scope\n" in sd.runtime("run", "--bundle", b.path, "c2").ok().out


def test_same_unit(sd):
    """A second container for the same unit is refused and does not hurt the first."""
    b = sd.who.bundle("sleep", "60")
    b.linux["cgroupsPath"] = ":test:one"
    start(sd, b)
    sd.runtime("run", "--bundle", b.path, "c2").fails("test-one.scope", "another container")
    assert json.loads(sd.runtime("state", "c1").ok().out)["status"] == "running"
    assert sd.machine.units() == {"test-one.scope"}


@pytest.mark.parametrize("options", [[], ["--detach"]])
def test_ready(sd, options):
    """A service of Type=notify: systemd-run comes back when the container is ready. Its main process
    is the runtime, which passes signals on, or the container's when the runtime goes away."""
    b = sd.who.bundle("sh", "-c", "trap 'exit 0' TERM; echo > /tmp/up; "
                      "until test -e /tmp/go; do usleep 20000; done; "
                      "notifier send=STATUS=mine send=READY=1; sleep 1000 & wait")
    shutil.copy(sd.who.program("tests/faults/notifier"), b.rootfs / "bin/notifier")
    argv = sd.who.runtime_argv("--systemd-cgroup", "run", *options, "--bundle", b.path, "r1")
    with subprocess.Popen([*sd.machine.enter(), "systemd-run", "--quiet", "--unit=ready-test",
                           "--service-type=notify", "--collect", "--property",
                           "DefaultDependencies=no", *map(str, argv)]) as starter:
        harness.wait_for((b.rootfs / "tmp/up").exists)
        assert sd.machine.show("ready-test.service")["ActiveState"] == "activating"
        (b.rootfs / "tmp/go").touch()
        assert starter.wait(20) == 0
    unit = sd.machine.show("ready-test.service")
    state = json.loads(sd.runtime("state", "r1").ok().out)
    assert unit["ActiveState"] == "active" and not unit.get("StatusText")
    assert (unit["MainPID"] == str(state["pid"])) == bool(options) and unit["MainPID"] != "0"
    sd.machine.run("systemctl", "stop", "ready-test.service").ok()
    harness.wait_for(lambda: "loaded" not in sd.machine.show("ready-test.service")["LoadState"])
    sd.runtime("delete", "--force", "r1").ok()


@pytest.mark.parametrize("collect", ["inactive", "inactive-or-failed"])
def test_failed_unit(sd, collect):
    """systemd ends the container. When it remembers the unit as failed, then until it is deleted."""
    b = sd.who.bundle("sleep", "60")
    b.config["annotations"] = {"org.systemd.property.RuntimeMaxSec": "1",
                               "org.systemd.property.TimeoutStopSec": "1",
                               "org.systemd.property.CollectMode": f"'{collect}'"}
    start(sd, b)
    harness.wait_for(lambda: "stopped" in sd.runtime("state", "c1").ok().out, 20)
    state = "failed" if collect == "inactive" else "inactive"
    harness.wait_for(lambda: sd.machine.show("inro-c1.scope")["ActiveState"] == state, 10)
    sd.runtime("delete", "c1").ok()
    assert not sd.machine.units()


def test_parallel(sd):
    b = sd.who.bundle("true").save()
    running = [sd.popen("run", "--bundle", b.path, f"c{i}") for i in range(20)]
    assert [p.wait(60) for p in running] == [0] * 20
    assert not sd.machine.units()


def test_killed_runtime(sd):
    """kill -9 at any moment: delete --force cleans, and systemd has no unit left."""
    b = sd.who.bundle("sleep", "60").save()
    rng = random.Random(7)
    for _ in range(KILL_ROUNDS):
        sd.popen("create", "--bundle", b.path, "c1", before=[
            "timeout", "--foreground", "--signal=KILL", f"{rng.uniform(0.001, 0.05):f}"]).wait()
        sd.runtime("delete", "--force", "c1").ok()
        assert not list(sd.who.runtime_root.glob("c*"))
        harness.wait_for(lambda: not sd.machine.units(), 5, "no units")


@pytest.mark.parametrize("cgroup", ["/system.slice/manager.service/cli", "/tests"])
def test_user(unified, anyuser, cgroup):
    """From within the user's own part of the tree, and from outside, where the user's instance has
    to ask the system's to move the process."""
    for client in client_of(unified, anyuser, cgroup):
        if cgroup != "/tests":
            unified.run("sh", "-c", f"mkdir -p /sys/fs/cgroup{cgroup} && chown -R "
                        f"{anyuser.uid} /sys/fs/cgroup{cgroup}").ok()
        b = anyuser.bundle("sleep", "60")
        pid = start(client, b)
        where = unified.run("cat", f"/proc/{pid}/cgroup").ok().out
        assert ":/system.slice/manager.service/user.slice/inro-c1.scope\n" in where.replace(
            "0::", ":")
        state = json.loads((anyuser.runtime_root / "c1/state.json").read_text())
        assert state["systemdUser"] is True
        # of the container's cgroup namespace: the same cgroup
        assert "0::/\n" in client.runtime("exec", "c1", "cat", "/proc/self/cgroup").ok().out
        client.runtime("delete", "--force", "c1").ok()
        assert client.runtime("run", "--bundle", anyuser.bundle("true", name="two").save().path,
                              "c1").ok().err == ""


def test_user_asks_the_system(unified, user):
    """No user's instance, and the system's says no."""
    for client in client_of(unified, user):
        b = user.bundle("true").save()
        client.runtime("run", "--bundle", b.path, "c1").fails(
            "systemd does not listen on", "loginctl enable-linger", code=1)
        client.runtime("run", "--bundle", b.path, "c1", env={
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/dbus/system_bus_socket"}).fails(
                "starting inro-c1.scope by systemd", code=1)
