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
                "--ulimit", "nofile=10:20", "--ulimit", "nofile=30:40", "web").ok()
    res = resources(anyone)
    assert config(anyone)["process"]["rlimits"] == \
        [{"type": "RLIMIT_NOFILE", "hard": 40, "soft": 30}]
    assert res["memory"]["limit"] == 64 * MIB and res["memory"]["reservation"] == 32 * MIB
    assert res["cpu"]["shares"] == 512


def limits_of(pid):
    """Name -> (soft, hard) of the kernel's list."""
    lines = pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): tuple(line[26:].split()[:2]) for line in lines}


def test_ulimits(anyone):
    """Of all processes that there are, of those to come, and of the next start."""
    anyone.inro("run", "-d", "--name", "web", "--ulimit", "nofile=500:800", engine.box(anyone),
                "sh", "-c", "sleep 1000 & trap 'exit 42' TERM; echo ready; wait").ok()
    pid = int(inspect(anyone, "{{.State.Pid}}"))
    anyone.inro("exec", "-d", "web", "sleep", "2000").ok()


    def pids():
        words = anyone.inro("top", "web", "-eo", "pid").ok().out.split()[1:]
        return [int(word) for word in words] if len(words) == 3 else None

    others = harness.wait_for(pids, what="three processes")
    anyone.inro("update", "--ulimit", "nofile=300:400", "--ulimit", "core=0", "web").ok()
    for p in others:
        now = limits_of(p)
        assert now["Max open files"] == ("300", "400") and now["Max core file size"][0] == "0"
    show = ("exec", "web", "sh", "-c", "ulimit -Sn; ulimit -Hn")
    assert anyone.inro(*show).ok().out == "300\n400\n"
    assert sorted((u["Name"], u["Soft"], u["Hard"]) for u in json.loads(
        inspect(anyone, "{{json .HostConfig.Ulimits}}"))) == [("core", 0, 0), ("nofile", 300, 400)]
    # what can't be raised leaves all as it was
    before = config(anyone)
    anyone.inro("update", "--ulimit", "stack=1000000", "--ulimit", "nofile=2000000000",
                "--pids-limit", "33", "web").fails("cannot update container web", "RLIMIT_NOFILE",
                                                  code=1)
    assert config(anyone) == before and limits_of(pid)["Max open files"] == ("300", "400")
    assert limits_of(pid)["Max stack size"][0] != "1000000"
    assert anyone.inro(*show).ok().out == "300\n400\n"
    anyone.inro("update", "--ulimit", "nofile=100", "--cpuset-cpus", "4000", "web").fails(code=1)
    assert limits_of(pid)["Max open files"] == ("300", "400")
    anyone.inro("update", "--ulimit", "nofile=9:3", "web").fails("soft limit is above", code=1)
    anyone.inro("restart", "-t", "5", "web").ok()
    anyone.inro("update", "--ulimit", "nofile=350", "web").ok()
    assert limits_of(inspect(anyone, "{{.State.Pid}}"))["Max open files"] == ("350", "350")


def rates(who):
    io = resources(who)["blockIO"]
    return {key: [(d["major"], d["minor"], d["rate"]) for d in io[key]] for key in io
            if key.startswith("throttle")}


def test_rates_of_devices(root):
    device = pathlib.Path("/dev/loop0")
    if not device.exists():
        harness.machine_cannot("limit block I/O")
    number = f"{os.major(device.stat().st_rdev)}:{os.minor(device.stat().st_rdev)}"
    where = tuple(map(int, number.split(":")))
    detached(root, "--device-read-bps", f"{device}:1mb")
    f = files(root)
    v2 = cgroups.is_v2("blkio")

    def now(name, word):
        path = f.path("io", "", "io.max") if v2 else \
            f.path("blkio", f"blkio.throttle.{name}_device", "io.max")
        for line in path.read_text().splitlines():
            words = line.split()
            if words[0] == number:
                value = dict(w.split("=") for w in words[1:])[word] if v2 else words[1]
                return None if value == "max" else int(value)
        return None

    assert now("read_bps", "rbps") == MIB
    root.inro("update", "--device-read-bps", f"{device}:2mb", "--device-write-iops", f"{device}:70",
              "web").ok()
    assert now("read_bps", "rbps") == 2 * MIB and now("write_iops", "wiops") == 70
    assert rates(root) == {"throttleReadBpsDevice": [(*where, 2 * MIB)],
                           "throttleWriteIOPSDevice": [(*where, 70)]}
    assert json.loads(inspect(root, "{{json .HostConfig.BlkioDeviceReadBps}}")) == \
        [{"Path": str(device), "Rate": 2 * MIB}]
    # the kernel refuses what comes later
    root.inro("update", "--device-read-bps", f"{device}:3mb", "--cpuset-cpus", "4000",
              "web").fails("cpuset", code=1)
    root.inro("update", "--device-read-bps", "/dev/null:3mb", "web").fails("not a block device",
                                                                          code=1)
    assert now("read_bps", "rbps") == 2 * MIB
    root.inro("update", "--device-read-bps", f"{device}:0", "web").ok()
    assert now("read_bps", "rbps") is None and now("write_iops", "wiops") == 70
    assert inspect(root, "{{len .HostConfig.BlkioDeviceReadBps}}") == "0"
    root.inro("restart", "-t", "5", "web").ok()
    f = files(root)
    assert now("read_bps", "rbps") is None and now("write_iops", "wiops") == 70
    root.inro("create", "--name", "other", "box", "true").ok()
    root.inro("update", "--blkio-weight-device", f"{device}:300", "other").ok()
    weights = config(root, "other")["linux"]["resources"]["blockIO"]["weightDevice"]
    assert [(d["major"], d["minor"], d["weight"]) for d in weights] == [(*where, 300)]
    root.inro("update", "--blkio-weight-device", f"{device}:2000", "other").fails("weight", code=1)


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
    new["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 60, "hard": 70}]
    (bundle / "update.json").write_text(json.dumps(new))
    assert "A=1" in json.loads(inspect(root, "{{json .Config.Env}}"))
    assert memory(f) == 96 * MIB and not (bundle / "update.json").exists()
    assert limits_of(inspect(root, "{{.State.Pid}}"))["Max open files"] == ("60", "70")
    root.inro("exec", "web", "sh", "-c", '[ "$A" = 1 ]').ok()
    # a start comes after it, too: the record may have been told of it already
    root.inro("kill", "web").ok()
    root.inro("wait", "web").ok()
    new["linux"]["resources"]["memory"].update({"limit": 80 * MIB})
    (bundle / "update.json").write_text(json.dumps(new))
    root.inro("start", "web").ok()
    assert not (bundle / "update.json").exists() and memory(files(root)) == 80 * MIB
    # what makes no sense is not what the next start goes by
    (bundle / "update.json").write_text("no JSON")
    root.inro("restart", "-t", "5", "web").ok()
    assert memory(files(root)) == 80 * MIB and not (bundle / "update.json").exists()


def test_killed_before_the_record(root):
    """The next command tells all of what the killed one had asked for, or nothing of it."""
    detached(root, "--cpu-shares", "100", "--health-file", "/nothing", "--health-interval", "1h")
    bundle = pathlib.Path(inspect(root, "{{.Bundle}}"))
    show = ("{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.CpuShares}}"
            " {{json .Config.Healthcheck.Test}} {{json .Config.Env}}")
    new = ["--restart", "always", "--cpu-shares", "200", "--health-file", "/etc", "-e", "A=1"]
    old = ["--restart", "no", "--cpu-shares", "100", "--health-file", "/nothing", "--unsetenv", "A"]
    root.inro("update", *old, "web").ok()
    before = inspect(root, show)
    root.inro("update", *new, "web").ok()
    after = inspect(root, show)
    assert before != after
    report, seen = root.dir / "report", set()
    root.inro("update", *old, "web").ok()

    def update(n):
        return root.run(root.program("tests/faults/killat"), "-o", report, n, "--",
                        *root.inro_argv("update", *new, "web"))
    update(0).ok()
    calls = int(report.read_text().split()[-1])
    for n in [calls - 8 - k * (calls - 100) // harness.rounds(8) for k in range(harness.rounds(8))]:
        root.inro("update", *old, "web").ok()
        update(n)
        shown = inspect(root, show)
        assert shown in (before, after), n
        seen.add(shown)
        assert not [path for path in bundle.iterdir() if path.name.startswith("update.")], n
        assert (root.inro("healthcheck", "run", "web").code == 0) == (shown == after), n
    assert seen == {before, after}


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
