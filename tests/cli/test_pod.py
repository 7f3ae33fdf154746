# SPDX-License-Identifier: Apache-2.0
"""Pods: containers that share namespaces and a cgroup, without a process of the pod's own."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import cgroups
import engine
import harness

TURNS = True
SHARED = ("net", "ipc", "uts")


def look(who, name, kinds=SHARED):
    words = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    return who.inro("exec", name, "sh", "-c", words).ok().out.split()


def state(who, pod):
    return who.inro("pod", "inspect", "--format", "{{.State}}", pod).ok().out.strip()


def clean(who):
    who.inro("pod", "rm", "-fa").ok()
    assert who.inro("pod", "ps", "-q").ok().out == ""
    assert who.inro("ps", "-aq").ok().out == ""
    assert who.inro("system", "check", "--quick").ok()


def test_members(anyone):
    """What they share and what not; how they see each other; the pod's states."""
    box = engine.box(anyone)
    pod = anyone.inro("pod", "create", "--name", "web", "--label", "a=b", "--add-host",
                      "peer:192.0.2.9").ok().out.strip()
    assert len(pod) == 64 and state(anyone, "web") == "Created"
    anyone.inro("pod", "create", "--name", "web").fails(
        'name "web" is in use: pod already exists', code=125)
    anyone.inro("run", "-d", "--pod", "web", "--name", "one", box, "sh", "-c",
                "echo hello > index.html; exec httpd -f -p 127.0.0.1:8080").ok()
    anyone.inro("create", "--pod", pod[:12], "--name", "two", box, "sleep", "1000").ok()
    assert state(anyone, "web") == "Degraded"
    assert anyone.inro("pod", "start", "web").ok().out == pod + "\n"
    assert state(anyone, "web") == "Running"
    assert look(anyone, "one") == look(anyone, "two")
    assert set(look(anyone, "one", ("pid", "mnt"))).isdisjoint(look(anyone, "two", ("pid", "mnt")))
    assert set(look(anyone, "one")).isdisjoint(os.readlink(f"/proc/self/ns/{k}") for k in SHARED)
    seen = anyone.inro("exec", "two", "sh", "-c",
                       "hostname; grep -c 192.0.2.9 /etc/hosts; until wget -qO- "
                       "http://127.0.0.1:8080/index.html 2> /dev/null; do sleep 0.1; done").ok().out
    assert seen == "web\n1\nhello\n"
    anyone.inro("exec", "two", "sh", "-c", "echo note > /dev/shm/note").ok()
    # No fd of a namespace, or of anything else, came into it.
    assert anyone.inro("exec", "two", "ls", "/proc/1/fd").ok().out.split() == ["0", "1", "2"]

    # Whoever goes and comes again finds what the others have.
    before = look(anyone, "one")
    anyone.inro("restart", "-t", "0", "one").ok()
    assert look(anyone, "one") == before
    out = anyone.inro("exec", "one", "sh", "-c", "cat /dev/shm/note; mount | grep -c /dev/shm").ok()
    assert out.out == "note\n1\n"
    anyone.inro("pod", "stop", "-t", "0", "web").ok()
    assert state(anyone, "web") == "Exited"
    anyone.inro("start", "two").ok()
    assert state(anyone, "web") == "Degraded"
    anyone.inro("pod", "kill", "web").ok()

    # Of two words for one the second comes too late.
    out = anyone.inro("pod", "rm", "web", pod[:12]).fails("no such pod", code=1)
    assert out.out == pod + "\n" and anyone.inro("ps", "-aq").ok().out == ""
    anyone.inro("pod", "rm", "web").fails("no pod with name or ID web found: no such pod", code=1)
    anyone.inro("pod", "exists", "web").fails("", code=1)
    clean(anyone)


def test_listings(anyone):
    box = engine.box(anyone)
    ids = [anyone.inro("run", "-d", "--pod", f"new:{name}", "--name", f"{name}-1", box, "sh", "-c",
                       "echo I am here; exec sleep 1000").ok().out.strip() for name in ("xa", "xb")]
    out = anyone.inro("pod", "ps").ok().out.splitlines()
    assert out[0].split("  ")[0] == "POD ID" and out[0].endswith("# OF CONTAINERS")
    assert [line.split()[1] for line in out[1:]] == ["xb", "xa"] and out[1].split()[-1] == "1"
    names = anyone.inro("pod", "ps", "--sort", "name", "--ctr-names", "--format",
                        "{{.Name}} {{.ContainerNames}} {{.Status}} {{.Namespace}}").ok().out
    assert names == "xa xa-1 Running ipc,net,uts\nxb xb-1 Running ipc,net,uts\n"
    assert anyone.inro("pod", "ps", "-q", "--filter", "ctr-names=xa-1").ok().out.count("\n") == 1
    assert anyone.inro("pod", "ps", "-q", "--filter", "status=exited").ok().out == ""
    assert anyone.inro("ps", "-q", "--no-trunc", "--filter", "pod=xa").ok().out == ids[0] + "\n"
    rows = anyone.inro("ps", "--pod", "--format", "{{.Names}} {{.PodName}}").ok().out
    assert rows == "xb-1 xb\nxa-1 xa\n"
    assert anyone.inro("ps", "-p").ok().out.splitlines()[0].split()[-3:] == ["POD", "ID", "PODNAME"]

    told = json.loads(anyone.inro("pod", "ps", "--format", "json").ok().out)
    assert [pod["Name"] for pod in told] == ["xb", "xa"] and told[1]["Containers"] == [
        {"Id": ids[0], "Names": "xa-1", "Status": "running"}]
    told, = json.loads(anyone.inro("pod", "inspect", "xa").ok().out)
    assert told["Name"] == told["Hostname"] == "xa" and told["State"] == "Running"
    assert told["Containers"] == [{"Id": ids[0], "Name": "xa-1", "State": "running"}]
    assert sorted(told["SharedNamespaces"]) == ["ipc", "net", "uts"]
    assert anyone.inro("inspect", "--format", "{{.Pod}}", "xa-1").ok().out.strip() == told["Id"]

    assert anyone.inro("inspect", "--format", "{{.Id}}", "xa").ok().out.strip() == told["Id"]
    out = anyone.inro("events", "--since", "1h", "--until", "0s", "--filter", "pod=xa", "--format",
                      "{{.Type}} {{.Action}}").ok().out
    assert out == "pod create\n"

    assert "sleep 1000" in anyone.inro("pod", "top", "xa").ok().out
    harness.wait_for(lambda: "I am here" in anyone.inro("pod", "logs", "--names", "xa").ok().out)
    if not anyone.rootless:
        out = anyone.inro("pod", "stats", "--no-stream", "--format", "{{.Name}}").ok().out
        assert sorted(out.split()) == ["xa-1", "xb-1"]
    clean(anyone)


def test_options(anyone):
    """What members have from the pod, what they say otherwise, and what is refused."""
    box = engine.box(anyone)
    (anyone.dir / "shared").mkdir()
    anyone.own(anyone.dir / "shared")
    idfile = anyone.dir / "pod.id"
    anyone.inro("pod", "create", "--hostname", "www", "--pod-id-file", idfile, "--restart",
                "on-failure", "-v", f"{anyone.dir}/shared:/shared", "-v", f"{anyone.dir}:/other:ro",
                "--security-opt", "no-new-privileges", "--exit-policy", "stop", "--infra-image",
                "pause", "opts").ok()
    out = anyone.inro("run", "--rm", "--pod-id-file", idfile, "--tmpfs", "/other", box, "sh", "-c",
                      "hostname; touch /shared/x; grep -c ' /other tmpfs' /proc/mounts; "
                      "grep NoNewPrivs /proc/self/status").ok().out.split()
    assert out == ["www", "1", "NoNewPrivs:", "1"] and (anyone.dir / "shared/x").exists()
    anyone.inro("create", "--pod", "opts", "--name", "own", box, "true").ok()
    policy = anyone.inro("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", "own").ok()
    assert policy.out.strip() == "on-failure"
    for words, message in (
            (["--hostname", "x"], "cannot set hostname when joining the pod UTS namespace"),
            (["--userns", "private"], "--userns and --pod cannot be set together"),
            (["--dns", "192.0.2.1"], "must be defined when the pod is created"),
            (["--cgroup-parent", "/x"], "--cgroup-parent and --pod cannot be set together")):
        anyone.inro("run", "--rm", "--pod", "opts", *words, box, "true").fails(message, code=125)
    anyone.inro("run", "--rm", "--pod", "no-such", box, "true").fails("no such pod", code=125)
    for words, message in (
            (["--share", "moon"], "expected cgroup, ipc, net, pid, uts, or none"),
            (["--share", "pid", "--userns", "nomap"],
             "use keep-id" if anyone.rootless else "nomap"),
            (["-p", "8080:80"], "not with --network none"),
            (["--network", "none", "--ip", "10.77.0.9"], "conflicting options: --ip and --network none"),
            (["--cpus", "1", "--share-parent=false"], "limits of a pod"),
            (["--volume", "/x"], "needs a name"),
            (["--userns", "keep-id:x"], "expected keep-id"),
            (["--userns", "private"], "a pod has auto, keep-id, nomap or host"),
            *([] if anyone.rootless else [(["--userns", "nomap"], "nomap")]),
            (["--userns", "auto", "--uidmap", "0:1:2"],
             "only root" if anyone.rootless else "conflicting options"),
            (["--uidmap", "1:1:2"], "only root" if anyone.rootless else "id 0 has to be mapped")):
        anyone.inro("pod", "create", *words).fails(message, code=125)
    # One that nobody is told of does not stay, nor one that was made for a container that can't be.
    anyone.inro("pod", "create", "--pod-id-file", anyone.dir / "no/id", "untold").fails(
        "No such file", code=125)
    anyone.inro("pod", "exists", "untold").fails("", code=1)
    anyone.inro("run", "--pod", "new:lost", "--network", "nowhere", box, "true").fails(
        "network nowhere not found", code=125)
    anyone.inro("pod", "exists", "lost").fails("", code=1)

    anyone.inro("pod", "create", "--share", "none", "bare").ok()
    for name in ("x1", "y1"):
        anyone.inro("run", "-d", "--pod", "bare", "--name", name, box, "sleep", "1000").ok()
    assert set(look(anyone, "x1")).isdisjoint(look(anyone, "y1"))
    anyone.inro("run", "-d", "--pod", "opts", "--name", "z1", "--uts", "private", box, "sleep",
                "1000").ok()
    anyone.inro("run", "-d", "--pod", "opts", "--name", "z2", box, "sleep", "1000").ok()
    z, z2 = look(anyone, "z1"), look(anyone, "z2")
    assert z[:2] == z2[:2] and z[2] != z2[2]
    clean(anyone)


# rt_sigqueueinfo(1, SIGTERM): si_code SI_QUEUE, si_pid 0
FORGED = """import ctypes, struct
info = ctypes.create_string_buffer(struct.pack("iiixxxxi", 15, 0, -1, 0), 128)
assert ctypes.CDLL(None).syscall(129, 1, 15, info) == 0"""


def test_infra(anyone):
    """What ends with its first process is held by an infra container, which the user does not see to."""
    box = engine.box(anyone)
    kinds = ("pid", "cgroup", "net", "ipc")
    pod = anyone.inro("pod", "create", "--share", "+pid,cgroup", "--infra-name", "holder", "-v", "data:/data",
                      "--infra-conmon-pidfile", "infra.pid", "p", cwd=anyone.dir).ok().out.strip()
    infra = anyone.inro("pod", "inspect", "--format", "{{.InfraContainerID}}", "p").ok().out.strip()
    row = "{{.Names}} {{.IsInfra}} {{.Status}}"
    assert anyone.inro("ps", "-a", "--format", row).ok().out == "holder true Created\n"
    rows = anyone.inro("pod", "ps", "--no-trunc", "--format", "{{.Id}} {{.InfraId}} {{.NumberOfContainers}}").ok()
    assert rows.out.split() == [pod, infra, "1"]
    anyone.inro("pod", "create", "--share", "pid", "--infra-name", "holder", "q").fails('"holder" is already in use')
    anyone.inro("pod", "exists", "q").fails("", code=1)

    # The first that is started starts it, others join the same; each one's end is its own.
    anyone.inro("run", "-d", "--pod", "p", "--stop-timeout", "0", "--name", "one", box, "sh", "-c",
                "sleep 999 & exec sleep 1000").ok()
    assert (anyone.dir / "infra.pid").exists()
    anyone.inro("run", "-d", "--pod", "p", "--stop-timeout", "0", "--name", "two", box, "sleep", "1001").ok()
    assert look(anyone, "one", kinds) == look(anyone, "two", kinds) and state(anyone, "p") == "Running"
    seen = anyone.inro("exec", "two", "ps").ok().out
    assert "inro-init --pause" in seen.splitlines()[1].strip() and "sleep 1000" in seen and "sleep 999" in seen
    if not anyone.rootless:  # a user without a cgroup can't tell members' processes apart
        assert "sleep 1000" not in anyone.inro("top", "two").ok().out
    assert set(look(anyone, "two", ("pid",))).isdisjoint(
        anyone.inro("run", "--rm", "--pod", "p", "--pid", "private", box, "readlink", "/proc/self/ns/pid").ok().out.split())
    before = look(anyone, "two", kinds)
    # Nobody in there ends it, not even root; what has lost its parent is reaped.
    anyone.inro("exec", "two", "sh", "-c", "kill 1; kill -9 1; (sleep 0 &); sleep 0.1; ! grep -l 'State:.Z' /proc/[0-9]*/status 2> /dev/null").ok()
    out = anyone.inro("exec", "two", "sh", "-c", "for f in exe root/sbin/inro-init root/x; do (exec 9<>/proc/1/$f) && "
                      "echo open; done; ls /proc/1/fd; readlink /proc/1/exe; grep Cap /proc/1/status").ok().out.split()
    assert out == ["0", "1", "2"] + [w for c in "Inh Prm Eff Bnd Amb".split() for w in (f"Cap{c}:", "0" * 16)]
    if not anyone.rootless:  # nor a signal that says it came from outside
        pid = anyone.inro("inspect", "--format", "{{.State.Pid}}", "holder").ok().out.strip()
        anyone.run("nsenter", "--target", pid, "--pid", sys.executable, "-c", FORGED).ok()
    anyone.inro("kill", "one").ok()
    assert anyone.rootless or "sleep 999" not in anyone.inro("exec", "two", "ps").ok().out
    anyone.inro("start", "one").ok()
    assert look(anyone, "one", kinds) == before
    # It is nobody's to remove, or to clone; nor does it count as what was left behind.
    anyone.inro("rm", "-f", "holder").fails("cannot be removed without removing the pod", code=1)
    anyone.inro("container", "clone", "holder").fails("is the infra container of a pod", code=125)
    anyone.inro("generate", "systemd", "holder").fails("is the infra container of a pod")
    assert "holder" not in anyone.inro("generate", "systemd", "--name", "p").ok().out
    if not anyone.rootless:
        anyone.inro("pod", "pause", "p").ok()
        assert state(anyone, "p") == "Paused"
        anyone.inro("pod", "unpause", "p").ok()
    begun = anyone.inro("inspect", "--format", "{{.State.StartedAt}}", "holder").ok().out
    anyone.inro("pod", "restart", "p").ok()
    assert look(anyone, "one", kinds) == look(anyone, "two", kinds)
    assert anyone.inro("inspect", "--format", "{{.State.StartedAt}}", "holder").ok().out != begun
    anyone.inro("restart", "-a").ok()
    assert anyone.inro("ps", "--format", "{{.Names}}").ok().out.split() == ["two", "one", "holder"]
    assert anyone.inro("pod", "logs", "p").ok().out == ""
    new = anyone.inro("pod", "clone", "--start", "p").ok().out.strip()
    assert anyone.inro("pod", "inspect", "--format", "{{.NumContainers}} {{.State}}", new).ok().out == "3 Running\n"
    assert look(anyone, "one-clone", kinds) == look(anyone, "two-clone", kinds) != look(anyone, "one", kinds)
    anyone.inro("stop", "-a").ok()
    assert anyone.inro("ps", "-q").ok().out == ""
    anyone.inro("container", "prune", "-f").ok()
    assert anyone.inro("ps", "-a", "--format", "{{.IsInfra}}").ok().out == "true\ntrue\n"
    anyone.inro("pod", "rm", "-a").ok()
    anyone.inro("volume", "rm", "data").ok()
    clean(anyone)


def test_infra_ends(anyone):
    """With the last of the others, if that is asked for; killed with its monitor, it takes them along."""
    box = engine.box(anyone)
    running = lambda: anyone.inro("ps", "-q").ok().out.count("\n")
    anyone.inro("pod", "create", "--share", "pid", "--exit-policy", "stop", "p").ok()
    for how in (["-d"], []):
        anyone.inro("run", *how, "--rm", "--pod", "p", box, "sleep", "0.2").ok()
        harness.wait_for(lambda: running() == 0)
    anyone.inro("run", "--rm", "--pod", "p", box, "no-such-command").fails("not found", code=127)
    harness.wait_for(lambda: running() == 0)
    assert state(anyone, "p") == "Exited"
    anyone.inro("pod", "start", "p").ok()
    assert running() == 1 and state(anyone, "p") == "Running"
    for name in ("one", "two"):
        anyone.inro("run", "-d", "--pod", "p", "--stop-timeout", "0", "--name", name, box, "sleep", "1000").ok()
    # Its monitor is killed: the next command ends what was left, and a start makes all anew.
    infra = anyone.inro("pod", "inspect", "--format", "{{.InfraContainerID}}", "p").ok().out.strip()
    pid = int(anyone.inro("inspect", "--format", "{{.State.Pid}}", infra).ok().out)
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    os.kill(int(status.split("PPid:")[1].split()[0]), signal.SIGKILL)
    harness.wait_for(lambda: running() == 0)
    anyone.inro("pod", "start", "p").ok()
    assert look(anyone, "one", ("pid",)) == look(anyone, "two", ("pid",))
    # A user's have no cgroups: each member sees all that is in the pid namespace, the pod once.
    for columns in ([], ["args"]):
        top = anyone.inro("pod", "top", "p", *columns).ok().out
        assert [top.count(text) for text in ("sleep 1000", "--pause")] == [2, 1], top
    anyone.inro("kill", "-a").ok()
    harness.wait_for(lambda: running() == 0)
    # Whoever was killed while it made the pod has left it for the first start.
    anyone.inro("pod", "rm", "p").ok()
    anyone.inro("pod", "create", "--share", "pid", "p").ok()
    anyone.run("sqlite3", anyone.state / "inro/inro.db", "DELETE FROM containers").ok()
    anyone.inro("run", "--rm", "--pod", "p", box, "true").ok()
    assert running() == 1
    anyone.inro("pod", "rm", "p").ok()
    clean(anyone)


def test_clone_that_is_killed(anyone):
    """Half of a pod is none: the next command that looks takes it away. What somebody has started is theirs."""
    box, report = engine.box(anyone), anyone.dir / "report"
    anyone.inro("pod", "create", "--share", "+pid", "web").ok()
    for name in ("one", "two"):
        anyone.inro("create", "--pod", "web", "--name", name, box, "sleep", "1000").ok()

    def clone(n):
        return anyone.run(anyone.program("tests/faults/killat"), "-o", report, n, "--",
                          *anyone.inro_argv("pod", "clone", "web", "new"))
    pods = lambda: anyone.inro("pod", "ps", "--sort", "name", "--format", "{{.Name}} {{.NumberOfContainers}}").ok().out
    clone(0).ok()
    assert pods() == "new 3\nweb 3\n"
    calls = int(report.read_text().split()[-1])
    anyone.inro("pod", "rm", "new").ok()
    seen = set()
    for n in range(calls // 3, calls, calls // 6):
        clone(n)
        seen.add(len(engine.containers(anyone)))
        if "new" in (said := pods()):
            assert said == "new 3\nweb 3\n", n
            anyone.inro("pod", "rm", "new").ok()
        assert len(engine.containers(anyone)) == 3, n
    assert seen & {4, 5}
    anyone.inro("system", "check").ok()

    unfinish = ["sqlite3", anyone.state / "inro/inro.db",
                "UPDATE pods SET options = json_set(options, '$.unfinished', json('true')) WHERE name = 'new'"]
    clone(0).ok()
    anyone.run(*unfinish).ok()
    anyone.inro("run", "--pod", "new", box, "true").fails("no such pod", code=125)
    clone(0).ok()
    anyone.run(*unfinish).ok()
    anyone.inro("start", "one-clone").ok()
    assert pods() == "new 3\nweb 3\n"
    clone(0).fails("in use", code=125)
    clean(anyone)


def test_clone(anyone):
    """A pod like another one, and a container like another one, in a pod."""
    box = engine.box(anyone)
    (anyone.dir / "all.json").write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    limits = ([], []) if anyone.rootless else (["--memory", "64m", "--cpus", "2"], ["--memory", "32m"])
    old = anyone.inro("pod", "create", *limits[0], "--label", "a=b", "--share", "uts,ipc",
                      "--security-opt", "seccomp=all.json", "web", cwd=anyone.dir).ok().out.strip()
    anyone.inro("create", "--pod", "web", "--name", "one", "--cidfile", anyone.dir / "cid", "-e", "A=b c", box, "sh",
                "-c", "echo $A $(hostname); grep Seccomp: /proc/self/status; exec sleep 1000").ok()
    anyone.inro("create", "--pod", "web", "--name", "two", box, "sleep", "1000").ok()
    new = anyone.inro("pod", "clone", *limits[1], "--label", "c=d", "--start", "web").ok().out.strip()
    told, was = json.loads(anyone.inro("pod", "inspect", new, "web").ok().out)
    assert told["Name"] == "web-clone" and was["Id"] == old != new and was["State"] == "Created"
    assert told["Labels"] == {"a": "b", "c": "d"} and sorted(told["SharedNamespaces"]) == ["ipc", "uts"]
    if not anyone.rootless:
        assert told["memory_limit"] == 32 << 20 and told["cpu_quota"] == was["cpu_quota"] == 200000
        assert was["memory_limit"] == 64 << 20
    assert [c["Name"] for c in told["Containers"]] == ["one-clone", "two-clone"]
    harness.wait_for(lambda: "Seccomp" in anyone.inro("logs", "one-clone").ok().out)
    assert anyone.inro("logs", "one-clone").ok().out == "b c web-clone\nSeccomp:\t2\n"
    assert look(anyone, "one-clone")[1:] == look(anyone, "two-clone")[1:]

    # One name after the other; without what is shared; in place of the original.
    assert anyone.inro("pod", "clone", "--infra=false", "web").ok().out.strip()
    third = anyone.inro("pod", "clone", "--destroy", "--infra", "--hostname", "www", "web-clone", "next").ok().out
    names = anyone.inro("pod", "ps", "--sort", "name", "--format", "{{.Name}} {{.Namespace}}").ok().out
    assert names == "next uts,ipc\nweb uts,ipc\nweb-clone1 \n", names
    assert anyone.inro("ps", "-aq", "--filter", "name=^one-clone$").ok().out == ""
    # None that can't be whole.
    anyone.inro("pod", "clone", "web", "next").fails('name "next" is in use', code=125)
    anyone.inro("pod", "clone", "--replace", "web", "web").fails("can't be removed before it is cloned", code=125)
    anyone.inro("pod", "clone", "nobody").fails("no such pod", code=125)
    assert len(anyone.inro("ps", "-aq").ok().out.split()) == 6

    anyone.inro("create", "--name", "solo", "--hostname", "own", "--ipc", "private", box, "hostname").ok()
    out = anyone.inro("container", "clone", "--pod", "next", "--run", "solo").ok()
    assert "has from pod next what the original has of its own" in out.err
    harness.wait_for(lambda: anyone.inro("logs", "solo-clone").ok().out == "www\n")
    assert anyone.inro("inspect", "--format", "{{.Pod}}", "solo-clone").ok().out == third
    out = anyone.inro("container", "clone", "--pod", "web", "two").ok()
    assert not out.err and anyone.inro("inspect", "--format", "{{.Pod}}", out.out.strip()).ok().out.strip() == old
    anyone.inro("container", "clone", "--pod", "nobody", "solo").fails("no such pod", code=125)
    anyone.inro("rm", "solo").ok()
    clean(anyone)


def test_at_once_and_killed(anyone):
    """Of several that start together one makes the namespaces; killed monitors leave none."""
    box = engine.box(anyone)
    anyone.inro("pod", "create", "p").ok()
    clients = [anyone.popen(*anyone.inro_argv("run", "-d", "--pod", "p", "--stop-timeout", "0", "--name",
                                              f"c{i}", box, "sleep", "1000"), stdout=subprocess.DEVNULL)
               for i in range(4)]
    assert [client.wait(60) for client in clients] == [0] * 4
    assert len({tuple(look(anyone, f"c{i}")) for i in range(4)}) == 1
    anyone.inro("pod", "rm", "p").fails("is running", code=2)
    anyone.inro("run", "-d", "--rm", "--pod", "p", "--name", "brief", box, "sleep", "1000").ok()
    anyone.inro("kill", "c3").ok()
    anyone.inro("pod", "restart", "p").fails("removed when it ends", code=125)
    assert anyone.inro("ps", "-q").ok().out.count("\n") == 5
    anyone.inro("kill", "brief").ok()
    before = look(anyone, "c0")
    assert anyone.inro("kill", "c0", "c1", "c2").ok()
    anyone.inro("start", "c0").ok()
    assert look(anyone, "c0") == before == look(anyone, "c3")
    # The last one's monitor is killed: what is started then makes new ones, by numbers that are free again.
    anyone.inro("exec", "c3", "touch", "/dev/shm/note").ok()
    anyone.inro("exec", "c0", "ls", "/dev/shm/note").ok()
    anyone.inro("kill", "c0").ok()
    pid = int(anyone.inro("inspect", "--format", "{{.State.Pid}}", "c3").ok().out)
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    monitor = int(status.split("PPid:")[1].split()[0])
    os.kill(monitor, signal.SIGKILL)
    # until then it has the container's lock, and that one runs
    harness.wait_for(lambda: harness.is_dead(monitor), what="the monitor's end")
    anyone.inro("start", "c1").ok()
    anyone.inro("exec", "c1", "ls", "/dev/shm/note").fails("No such file", code=1)
    assert anyone.inro("ps", "-q").ok().out.count("\n") == 1
    clean(anyone)


def test_user_namespace(root):
    """Ids of the pod's own: members share them and the namespace, others have others."""
    box = engine.box(root)
    kinds = ("user", *SHARED)
    root.inro("pod", "create", "--userns", "auto:size=4096", "--name", "apart", "-v", "apart:/data").ok()
    for name in ("one", "two"):
        root.inro("create", "--pod", "apart", "--name", name, box, "sleep", "1000").ok()
    root.inro("pod", "start", "apart").ok()
    before = look(root, "one", kinds)
    assert before == look(root, "two", kinds) and before[0] != os.readlink("/proc/self/ns/user")
    maps = root.inro("exec", "one", "cat", "/proc/self/uid_map", "/proc/self/gid_map").ok().out.split()
    assert maps[:3] == maps[3:] == ["0", maps[1], "4096"] and int(maps[1]) >= 524288
    root.inro("exec", "--user", "7", "one", "sh", "-c", "echo note > /dev/shm/note").ok()
    assert root.inro("exec", "two", "stat", "-c", "%u", "/dev/shm/note").ok().out == "7\n"
    root.inro("exec", "two", "hostname", "changed").fails("", code=1)  # no CAP_SYS_ADMIN there either
    # Whoever comes again comes into it, and all of them get the same ids again.
    root.inro("restart", "-t", "0", "one").ok()
    assert look(root, "one", kinds) == before
    root.inro("pod", "kill", "apart").ok()
    root.inro("start", "two").ok()
    assert root.inro("exec", "two", "cat", "/proc/self/uid_map").ok().out.split() == maps[:3]

    # A clone has ids of its own; what is given in their place counts.
    root.inro("pod", "clone", "--start", "apart").ok()
    clone = root.inro("exec", "one-clone", "cat", "/proc/self/uid_map").ok().out.split()
    assert clone[2] == "4096" and clone[1] != maps[1]
    root.inro("pod", "clone", "--uidmap", "0:200000:1000", "apart", "given").ok()
    out = root.inro("run", "--rm", "--pod", "given", box, "cat", "/proc/self/uid_map", "/proc/self/gid_map").ok().out
    assert out.split() == ["0", "200000", "1000"] * 2
    root.inro("pod", "create", "--userns", "host", "plain").ok()
    out = root.inro("run", "--rm", "--pod", "plain", box, "readlink", "/proc/self/ns/user").ok().out
    assert out.strip() == os.readlink("/proc/self/ns/user")
    root.inro("run", "--pod", "apart", "--userns", "host", box, "true").fails("cannot be set together", code=125)
    root.inro("pod", "rm", "-fa").ok()
    root.inro("volume", "rm", "apart").ok()
    clean(root)


def test_limits(root):
    """They are those of all members together, and the cgroup goes with the pod."""
    box = engine.box(root)
    pod = root.inro("pod", "create", "--memory", "64m", "--cpus", "0.5", "p").ok().out.strip()
    root.inro("run", "-d", "--pod", "p", "--memory", "32m", "--stop-timeout", "0", "--name", "c1",
              box, "sleep", "1000").ok()
    pid = root.inro("inspect", "--format", "{{.State.Pid}}", "c1").ok().out.strip()
    own = cgroups.directory(pid, "memory")
    limit = "memory.max" if cgroups.is_v2("memory") else "memory.limit_in_bytes"
    assert own.parent.name == pod and (own.parent / limit).read_text().strip() == str(64 << 20)
    assert (own / limit).read_text().strip() == str(32 << 20)
    told, = json.loads(root.inro("pod", "inspect", "p").ok().out)
    assert told["memory_limit"] == 64 << 20 and told["cpu_quota"] == 50000
    root.inro("pod", "pause", "p").ok()
    assert state(root, "p") == "Paused"
    # One that is paused has what the others join, too.
    root.inro("run", "-d", "--pod", "p", "--stop-timeout", "0", "--name", "c2", box, "sleep",
              "1000").ok()
    root.inro("pod", "unpause", "p").ok()
    assert look(root, "c1") == look(root, "c2")
    # Neither is what is paused left behind, nor is a pod of somebody else's touched.
    root.inro("pause", "c1").ok()
    root.inro("pod", "restart", "p").ok()
    assert state(root, "p") == "Running"
    out = root.inro("--root", root.dir / "other", "system", "check", "--quick", "--repair").out
    assert "no pod has it" not in out and state(root, "p") == "Running"
    root.inro("exec", "c2", "dd", "if=/dev/zero", "of=/dev/shm/x", "bs=1M", "count=50").ok()
    # The biggest process is killed, not one of those that sleep.
    root.inro("run", "--rm", "--pod", "p", box, "dd", "if=/dev/zero", "of=/dev/null", "bs=200M",
              "count=1").fails("", code=137)
    clean(root)
    assert not own.parent.exists()


def test_member_that_can_not_be_removed(root):
    """It holds up none of the others."""
    box = engine.box(root)
    root.inro("pod", "create", "p").ok()
    cid = root.inro("create", "--pod", "p", "--name", "aa", box, "true").ok().out.strip()
    root.inro("create", "--pod", "p", "--name", "bb", box, "sleep", "1000").ok()
    bundle = root.state / "inro/containers" / cid / "busy"
    bundle.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "busy", bundle], check=True)
    try:
        root.run("sqlite3", root.state / "inro/inro.db",
                 "UPDATE containers SET status = 'removing' WHERE name = 'aa'").ok()
        root.inro("start", "bb").ok()
        r = root.inro("ps", "-a", "--format", "{{.Names}}").ok()
        assert sorted(r.out.split()) == ["aa", "bb"] and "Device or resource busy" in r.err
    finally:
        subprocess.run(["umount", bundle], check=True)
    assert root.inro("ps", "-a", "--format", "{{.Names}}").ok().out == "bb\n"
    clean(root)


def test_kept_whole(anyone):
    """`pod rm` beside starts and killed at any moment: what is there then can be removed."""
    box = engine.box(anyone)
    for i in range(4):
        anyone.inro("pod", "create", "p").ok()
        anyone.inro("create", "--pod", "p", "--name", "aa", box, "sleep", "1000").ok()
        start = anyone.popen(*anyone.inro_argv("pod", "start", "p"), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        rm = anyone.popen(*anyone.inro_argv("pod", "rm", "-f", "p"), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
        if i % 2:
            time.sleep(0.004 * i)
            rm.kill()
        start.wait(60)
        rm.wait(60)
        anyone.inro("pod", "rm", "-f", "p").ok()
        clean(anyone)
    lock = anyone.run_dir / "inro/pods" / ("0123" * 16)
    lock.touch()
    anyone.own(lock)
    assert "no pod has it" in anyone.inro("system", "check", "--quick").out
    anyone.inro("system", "check", "--quick", "--repair")
    assert not lock.exists()
