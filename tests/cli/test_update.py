# SPDX-License-Identifier: Apache-2.0
"""`inro update`: containers are changed while they run, and for their next start."""

import errno
import json
import os
import pathlib
import signal
import subprocess

import pytest

import cgroups
import engine
import harness

TURNS = True
MIB = 1 << 20
SLEEP = ("sh", "-c", "trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done")


def detached(who, *args, name="web"):
    who.inro("run", "-d", "--name", name, *args, engine.box(who), *SLEEP).ok()


def inspect(who, template, name="web"):
    return who.inro("inspect", "--format", template, name).ok().out.strip()


def config(who, name="web"):
    return json.loads(pathlib.Path(inspect(who, "{{.OCIConfigPath}}", name)).read_text())


def resources(who):
    return config(who)["linux"].get("resources", {})


def files(who):
    return cgroups.Files(int(inspect(who, "{{.State.Pid}}")))


def memory(f):
    return int(f.get("memory", "memory.limit_in_bytes", "memory.max"))


def shares(f):
    return f.get("cpu", "cpu.shares", "cpu.weight")


def test_limits_while_it_runs(root):
    detached(root)
    f = files(root)
    assert root.inro("update", "-m", "64m", "--pids-limit", "20", "web").ok().out == "web\n"
    assert memory(f) == 64 * MIB and f.get("pids", "pids.max", "pids.max") == "20"
    # what is not named stays, and the next start has it all
    root.inro("update", "--cpus", "0.5", "web").ok()
    assert memory(f) == 64 * MIB
    root.inro("restart", "-t", "5", "web").ok()
    f = files(root)
    assert memory(f) == 64 * MIB and f.get("pids", "pids.max", "pids.max") == "20"
    assert "50000" in f.get("cpu", "cpu.cfs_quota_us", "cpu.max")
    root.inro("update", "--pids-limit=-1", "--cpu-quota=-1", "web").ok()
    assert f.get("pids", "pids.max", "pids.max") == "max"


def test_event(anyone):
    anyone.inro("create", "--name", "web", engine.box(anyone), "true").ok()
    anyone.inro("update", "--cpu-shares", "512", "web").ok()
    anyone.inro("update", "--memory", "1m", "web").fails("6MB")
    told = anyone.inro("events", "--since", "1h", "--until", "0s", "--format",
                       "{{.Action}} {{.Actor.Attributes.name}}", "--filter", "event=update")
    assert told.ok().out == "update web\n"


def test_limits_of_one_that_does_not_run(anyone):
    anyone.inro("create", "--name", "web", engine.box(anyone), "true").ok()
    anyone.inro("update", "--memory", "64m", "--memory-reservation", "32m", "--cpu-shares", "512",
                "web").ok()
    res = resources(anyone)
    assert res["memory"]["limit"] == 64 * MIB and res["memory"]["reservation"] == 32 * MIB
    assert res["cpu"]["shares"] == 512


def test_failure_changes_nothing(root):
    detached(root, "--memory", "64m", "--cpu-shares", "512")
    f, before = files(root), config(root)
    weight = shares(f)
    # the kernel refuses what comes last
    r = root.inro("update", "--cpu-shares", "800", "--restart", "always", "-e", "A=1",
                  "--cpuset-cpus", "4000", "web")
    r.fails("cannot update container web: ", "cpuset", code=1)
    assert shares(f) == weight and config(root) == before
    assert inspect(root, "{{.HostConfig.RestartPolicy.Name}}") == "no"
    root.inro("exec", "web", "sh", "-c", '[ -z "$A" ]').ok()
    root.inro("update", "--memory", "512m", "web").fails("update the memory swap", code=1)
    root.inro("update", "--memory", "1m", "web").fails("6MB", code=1)
    assert config(root) == before and memory(f) == 64 * MIB
    left = pathlib.Path(inspect(root, "{{.Bundle}}")) / "update.json"
    assert not left.exists()


def test_words(anyone):
    anyone.inro("create", "--name", "web", engine.box(anyone), "true").ok()
    anyone.inro("update", "web").fails("one or more options", code=1)
    anyone.inro("update", "--cpus", "1").fails("at least one container", code=125)
    anyone.inro("update", "--restart", "sometimes", "web").fails("sometimes", code=1)
    anyone.inro("update", "--unsetenv", "A=1", "web").fails("a variable's name", code=1)
    r = anyone.inro("update", "--cpu-shares", "256", "nothing", "web")
    r.fails("No such container: nothing", code=1)
    assert r.out == "web\n" and resources(anyone)["cpu"]["shares"] == 256
    anyone.inro("run", "-d", "--rm", "--name", "gone", "box", *SLEEP).ok()
    anyone.inro("update", "--restart", "always", "gone").fails("--rm", code=1)


def test_restart_policy(anyone):
    detached(anyone)
    anyone.inro("update", "--restart", "on-failure:3", "web").ok()
    assert inspect(anyone, "{{json .HostConfig.RestartPolicy}}") == \
        '{"Name":"on-failure","MaximumRetryCount":3}'
    pid = int(inspect(anyone, "{{.State.Pid}}"))
    os.kill(pid, signal.SIGTERM)  # it exits with 42
    harness.wait_for(lambda: inspect(anyone, "{{.RestartCount}} {{.State.Status}}") == "1 running",
                     20, "a restart")
    anyone.inro("update", "--restart", "no", "web").ok()
    os.kill(int(inspect(anyone, "{{.State.Pid}}")), signal.SIGTERM)
    harness.wait_for(lambda: inspect(anyone, "{{.State.Status}}") == "exited", what="its end")


def test_restart_policy_of_one_in_the_foreground(anyone):
    client = engine.start(anyone, "--name", "web", engine.box(anyone), *SLEEP)
    anyone.inro("update", "--restart", "always", "web").ok()
    os.kill(int(inspect(anyone, "{{.State.Pid}}")), signal.SIGTERM)
    assert client.wait(20) == 42
    harness.wait_for(lambda: inspect(anyone, "{{.RestartCount}} {{.State.Status}}") == "1 running",
                     20, "a restart")


def test_variables(anyone):
    show = ("sh", "-c", 'echo "$A|$B|$C"')
    detached(anyone, "-e", "A=old", "-e", "B=old")
    anyone.inro("update", "--unsetenv", "A", "--env", "B=new", "-e", "C", "web",
                env={"C": "from outside"}).ok()
    assert anyone.inro("exec", "web", *show).ok().out == "|new|from outside\n"
    assert "B=new" in json.loads(inspect(anyone, "{{json .Config.Env}}"))
    # those of the process are its own until it starts again
    own = ("sh", "-c", "tr '\\0' '\\n' </proc/1/environ | grep ^B=")
    assert anyone.inro("exec", "web", *own).ok().out == "B=old\n"
    anyone.inro("restart", "-t", "5", "web").ok()
    assert anyone.inro("exec", "web", *own).ok().out == "B=new\n"


def test_killed_update_is_finished(root):
    """As a command leaves it that was killed after the kernel had half of the limits."""
    detached(root, "--memory", "64m")
    f, bundle = files(root), pathlib.Path(inspect(root, "{{.Bundle}}"))
    new = config(root)
    new["linux"]["resources"]["memory"].update({"limit": 96 * MIB})
    new["process"]["env"].append("A=1")
    (bundle / "update.json").write_text(json.dumps(new))
    assert "A=1" in json.loads(inspect(root, "{{json .Config.Env}}"))
    assert memory(f) == 96 * MIB and not (bundle / "update.json").exists()
    root.inro("exec", "web", "sh", "-c", '[ "$A" = 1 ]').ok()
    # a start goes by what is in force
    (bundle / "update.json").write_text("no JSON")
    root.inro("restart", "-t", "5", "web").ok()
    assert memory(files(root)) == 96 * MIB and not (bundle / "update.json").exists()


EVERYTHING = ["--mount-add", "./src:/data", "--mount-add", "type=tmpfs,target=/t", "--device-add",
              "/dev/fuse", "--cpu-shares", "200", "--restart", "always"]
BACK = ["--mount-rm", "/data", "--mount-rm", "/t", "--device-rm", "/dev/fuse", "--cpu-shares", "100",
        "--restart", "no"]


def truth(pid):
    """Of what is in EVERYTHING, as the container has it."""
    mounts = pathlib.Path(f"/proc/{pid}/mounts").read_text()
    return (" /data " in mounts, " /t " in mounts, os.path.exists(f"/proc/{pid}/root/dev/fuse"),
            shares(cgroups.Files(pid)) != BEFORE[pid])


BEFORE = {}


@pytest.mark.parametrize("options", [[], ["-e", errno.ENOSPC]], ids=["killed", "failing"])
def test_at_any_system_call(root, options):
    """All or nothing of it is done, and recorded: by the command, or by the next one when it was
    killed."""
    (root.dir / "src").mkdir()
    detached(root, "--cpu-shares", "100")
    bundle, pid = pathlib.Path(inspect(root, "{{.Bundle}}")), int(inspect(root, "{{.State.Pid}}"))
    report = root.dir / "report"
    BEFORE[pid] = shares(cgroups.Files(pid))

    def update(n):
        return root.run(root.program("tests/faults/killat"), *options, "-o", report, n, "--",
                        *root.inro_argv("update", *EVERYTHING, "web"))

    update(0).ok()
    calls = int(report.read_text().split()[-1])
    for n in [calls - 8 - k * (calls - 100) // harness.rounds(6)
              for k in range(harness.rounds(6))]:
        root.inro("update", *BACK, "web")
        assert not any(truth(pid))
        r = update(n)
        if options and r.code and "replacing config.json" not in r.err:
            assert not any(truth(pid)) and not (bundle / "update.json").exists(), r
        assert root.inro("inspect", "web").ok().err == ""
        kept = config(root)
        now = {m["destination"] for m in kept["mounts"]} >= {"/data", "/t"}
        assert truth(pid) == (now,) * 4 and not (bundle / "update.json").exists(), r
        assert now == (resources(root)["cpu"]["shares"] == 200)
        assert now == ("/dev/fuse" in [d["path"] for d in kept["linux"].get("devices", [])])
        if not now:
            root.inro("update", "--mount-add", "./src:/data", "--mount-add", "type=tmpfs,target=/t",
                      "--device-add", "/dev/fuse", "web").ok()


def test_many_at_once(root):
    detached(root)
    ps = [root.popen(*root.inro_argv("update", option, value, "web"), stdout=subprocess.DEVNULL)
          for option, value in (("--cpu-shares", "300"), ("--pids-limit", "50"), ("-e", "A=1"),
                                ("--memory", "64m"))]
    assert [p.wait(30) for p in ps] == [0] * 4
    res = resources(root)
    assert res["cpu"]["shares"] == 300 and res["pids"]["limit"] == 50
    assert res["memory"]["limit"] == 64 * MIB and "A=1" in config(root)["process"]["env"]


def test_user_without_a_cgroup(user):
    detached(user)
    r = user.inro("update", "--memory", "64m", "web")
    if r.code == 0:
        harness.machine_cannot("leave an unprivileged user without a cgroup")
    assert "memory" not in resources(user)
    r.fails("cannot update container web", code=1)
