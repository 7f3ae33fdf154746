# SPDX-License-Identifier: Apache-2.0
"""What a container was made with: clones of it, services that run it."""

import json
import os
import shlex
import signal

import pytest

import engine
import harness

TURNS = True


@pytest.fixture
def box(anyone):
    engine.box(anyone)
    yield anyone
    anyone.inro("rm", "-fa").ok()


def inspect(who, name, field):
    return who.inro("inspect", "--type", "container", "--format", "{{" + field + "}}", name).ok().out.strip()


def test_clone(box):
    made = box.inro("create", "--name", "web", "-e", "A=b c", "--label=x=y", "-m", "64m", "--cpus", "1",
                    "--cidfile", box.dir / "cid", "--network=none", "box", "sh", "-c", "echo $A; sleep 1000"
                    ).ok().out.strip()
    # Under a name of its own, with other limits.
    ids = [box.inro("container", "clone", "web").ok().out.strip(),
           box.inro("container", "clone", "--memory=32m", "--cpus", "0.5", "web").ok().out.strip(),
           box.inro("container", "clone", "web", "other", "box").ok().out.strip(),
           box.inro("container", "clone", "--name", "named", "other").ok().out.strip()]
    assert [inspect(box, i, ".Name").lstrip("/") for i in ids] == ["web-clone", "web-clone1", "other", "named"]
    assert inspect(box, ids[0], ".State.Status") == "created"
    assert inspect(box, ids[3], 'index .Config.Labels "x"') == "y"
    config = json.loads((box.state / "inro/containers" / ids[1] / "config.json").read_text())
    resources = config["linux"]["resources"]
    assert resources["memory"]["limit"] == 32 << 20 and resources["cpu"]["quota"] == 50000
    assert inspect(box, ids[1], ".HostConfig.Memory") == str(32 << 20)
    assert (box.dir / "cid").read_text().strip() == made

    # Started, and in place of the original.
    box.inro("create", "--name", "plain", "-e", "A=b c", "box", "sh", "-c", "echo $A; sleep 1000").ok()
    run = box.inro("container", "clone", "--run", "plain").ok().out.strip()
    assert inspect(box, run, ".State.Status") == "running"
    harness.wait_for(lambda: box.inro("logs", run).ok().out == "b c\n", 10, "its output")
    box.inro("container", "clone", "--destroy", "plain-clone").fails("is running", code=125)
    box.inro("container", "clone", "--destroy", "-f", "--name", "last", "plain-clone").ok()
    box.inro("container", "exists", "plain-clone").fails(code=1)
    box.inro("container", "clone", "web", "other").fails("already in use", code=125)
    box.inro("container", "clone", "-f", "web").fails("--destroy", code=125)
    box.inro("container", "clone", "nobody").fails("No such container", code=125)
    box.inro("container", "clone", "web", "wrong", "missing-image:1").fails(code=125)
    quota = box.inro("container", "clone", "--cpu-quota", "70000", "web").ok().out.strip()
    assert inspect(box, quota, ".HostConfig.CpuQuota") == "70000"
    assert inspect(box, quota, ".HostConfig.NanoCpus") == "0"
    cpus = box.inro("container", "clone", "--cpus", "0.25", quota).ok().out.strip()
    assert inspect(box, cpus, ".HostConfig.CpuQuota") == "0"
    assert inspect(box, cpus, ".HostConfig.NanoCpus") == "250000000"
    box.inro("container", "exists", "wrong").fails(code=1)


def test_generate_pod(box):
    """A service for the pod, and one for each container that ends with it."""
    box.inro("pod", "create", "--label", "price=$5 100%", "--exit-policy=stop", "--hostname", "www", "shop").ok()
    box.inro("create", "--pod", "shop", "--name", "one", "box", "sleep", "1000").ok()
    box.inro("create", "--pod", "shop", "--name", "two", "--stop-timeout=3", "box", "sleep", "1000").ok()
    program = [box.program("inro"), f"--root={box.state}/inro"]
    text = box.inro("generate", "systemd", "--name", "--no-header", "--wants", "a.service", "-t", "7",
                    "shop").ok().out
    pod, one, two = (unit_of(part.partition("\n")[2]) for part in text.split("\n# "))
    service = dict(pod["Service"])
    assert text.startswith("# pod-shop.service\n")
    members = "container-one.service container-two.service"
    assert dict(pod["Unit"]).items() >= {"Wants": f"network-online.target {members}", "Before": members}.items()
    assert service.items() >= {"Type": "oneshot", "RemainAfterExit": "yes", "TimeoutStopSec": "67"}.items()
    assert shlex.split(service["ExecStart"]) == [*program, "pod", "exists", "shop"]
    assert shlex.split(service["ExecStop"]) == [*program, "pod", "stop", "-t", "7", "shop"]
    for unit, name in (one, "one"), (two, "two"):
        assert dict(unit["Unit"]).items() >= {
            "BindsTo": "pod-shop.service", "After": "pod-shop.service", "Wants": "network-online.target a.service"}.items()
        assert shlex.split(dict(unit["Service"])["ExecStart"]) == [*program, "start", "--sdnotify=conmon", name]

    files = json.loads(box.inro("generate", "systemd", "--new", "--name", "--files", "--format=json", "--pod-prefix=p",
                                "-t", "0", "shop").ok().out)
    assert list(files) == ["p-shop", "container-one", "container-two"]
    assert files["p-shop"] == f"{box.dir}/p-shop.service"
    new, _, two = (unit_of(open(path, encoding="utf-8").read()) for path in files.values())
    service, member = dict(new["Service"]), dict(two["Service"])
    id_file = "--pod-id-file=%t/p-shop.pod-id"
    assert service["ExecStartPre"] == "/bin/rm -f %t/p-shop.pod-id"
    assert shlex.split(service["ExecStart"]) == [
        *program, "pod", "create", id_file, "--exit-policy=stop", "--hostname=www", "--label=price=$$5 100%%", "--name=shop",
        "--network=none", "--replace", "--share=ipc,net,uts"]
    assert shlex.split(service["ExecStop"]) == [*program, "pod", "stop", "--ignore", id_file, "-t", "0"]
    assert shlex.split(service["ExecStopPost"]) == [*program, "pod", "rm", "--ignore", "-f", id_file]
    start = shlex.split(member["ExecStart"])
    assert id_file in start and "--name=two" in start and not [word for word in start if word.startswith("--pod=")]

    # What systemd would run: the pod anew, with containers that find it by the file.
    def typed(line):
        return [w.replace("%t", str(box.dir)).replace("%n", "two.service").replace("%%", "%").replace("$$", "$")
                for w in shlex.split(line)[2:]]
    box.inro(*typed(service["ExecStart"])).ok()
    box.inro("container", "exists", "two").fails(code=1)
    box.inro(*typed(member["ExecStart"])).ok()
    assert box.inro("pod", "ps", "--ctr-names", "--format", "{{.Name}} {{.ContainerNames}}").ok().out == "shop two\n"
    assert box.inro("pod", "inspect", "--format", "{{.Labels.price}}", "shop").ok().out == "$5 100%\n"
    box.inro(*typed(service["ExecStop"])).ok()
    box.inro(*typed(service["ExecStopPost"])).ok()
    assert box.inro("pod", "ps", "-q").ok().out == ""
    box.inro("pod", "create", "empty").ok()
    box.inro("generate", "systemd", "--template", "empty").fails("--template is not supported for pods", code=125)
    box.inro("pod", "rm", "empty").ok()


def test_cleanup(box):
    """What a killed monitor has left goes; what runs is left alone."""
    cid = box.inro("run", "-d", "--name", "web", "box", "sleep", "1000").ok().out.strip()
    box.inro("container", "cleanup", "web").fails("is running or paused, refusing to clean up", code=1)
    runtime = json.loads((box.run_dir / "inro/runtime" / cid / "state.json").read_text())
    init = runtime["pid"]
    with open(f"/proc/{init}/stat", encoding="ascii") as stat:
        monitor = int(stat.read().rsplit(")", 1)[1].split()[1])
    os.kill(monitor, signal.SIGKILL)
    harness.wait_for(lambda: harness.is_dead(monitor), 10, "the monitor's end")
    assert box.inro("container", "cleanup", "web").ok().out == "web\n"
    harness.wait_for(lambda: harness.is_dead(init), 10, "the container's end")
    assert not (box.run_dir / "inro/runtime" / cid).exists()
    box.inro("create", "--name", "two", "box", "true").ok()
    assert set(box.inro("container", "cleanup", "--all").ok().out.split()) == {
        cid, *box.inro("ps", "-aq", "--no-trunc").ok().out.split()}
    box.inro("container", "cleanup", "--rm", "web").ok()
    box.inro("container", "exists", "web").fails(code=1)
    box.inro("container", "cleanup", "--rmi", "two").ok()
    assert not box.inro("images", "-q").ok().out
    box.inro("container", "cleanup", "web").fails("No such container", code=1)


def unit_of(text):
    """{section: [(key, value)]}"""
    sections = {}
    for line in text.splitlines():
        if line.startswith("["):
            entries = sections.setdefault(line.strip("[]"), [])
        elif "=" in line and not line.startswith("#"):
            entries.append(tuple(line.split("=", 1)))
    return sections


def test_generate_systemd(box):
    cid = box.inro("create", "--name", "web", "-e", "PRICE=$5 100%", "--restart=always", "--stop-timeout=3",
                   "--cgroups=no-conmon", "-it", "box", "sh", "-c", "echo 'a b'").ok().out.strip()
    text = box.inro("generate", "systemd", "--new", "--name", "--restart-policy=always", "--restart-sec=4",
                    "--start-timeout=5", "--wants=a.service", "--after=b.service", "--after=c.service",
                    "--requires=d.service", "-e", "X=y $z 5%", "web").ok().out
    assert text.startswith("# container-web.service\n# autogenerated by inro ")
    unit = unit_of(text)
    service = dict(unit["Service"])
    assert dict(unit["Unit"]).items() >= {
        "Description": "inro container-web.service", "Wants": "network-online.target a.service",
        "After": "network-online.target b.service c.service", "Requires": "d.service"}.items()
    assert ("Environment", "PODMAN_SYSTEMD_UNIT=%n") in unit["Service"]
    assert ("Environment", '"X=y $z 5%%"') in unit["Service"]
    assert service.items() >= {
        "Restart": "always", "RestartSec": "4", "TimeoutStartSec": "5", "TimeoutStopSec": "63",
        "Type": "notify", "NotifyAccess": "all", "ExecStartPre": "/bin/rm -f %t/%n.ctr-id"}.items()
    start = shlex.split(service["ExecStart"])
    program = [box.program("inro"), f"--root={box.state}/inro"]
    assert start == [*program, "run", "--cidfile=%t/%n.ctr-id", "--cgroups=no-conmon",
                     "--label=PODMAN_SYSTEMD_UNIT=%n", "--detach", "--env=PRICE=$$5 100%%", "--interactive",
                     "--name=web", "--network=none", "--replace", "--rm", "--sdnotify=conmon", "--stop-timeout=3", "--tty", "box", "sh", "-c",
                     "echo 'a b'"]
    assert shlex.split(service["ExecStop"]) == [*program, "stop", "--ignore", "-t", "3",
                                                "--cidfile=%t/%n.ctr-id"]
    assert shlex.split(service["ExecStopPost"]) == [*program, "rm", "--ignore", "-f", "-t", "3",
                                                    "--cidfile=%t/%n.ctr-id"]
    assert dict(unit["Install"]) == {"WantedBy": "default.target"}

    done = box.inro("generate", "systemd", "-t", "7", "--no-header", "--container-prefix=c", "--separator=_",
                    "web").ok()
    assert "restart policy" in done.err and "autogenerated" not in done.out
    assert done.out.startswith(f"# c_{cid}.service\n")
    service = dict(unit_of(done.out)["Service"])
    assert shlex.split(service["ExecStart"]) == [*program, "start", "--sdnotify=conmon", cid]
    assert service["ExecStop"] == service["ExecStopPost"]
    assert shlex.split(service["ExecStop"]) == [*program, "stop", "-t", "7", cid]
    assert service["Restart"] == "on-failure"

    files = box.inro("generate", "systemd", "--new", "-nf", "--format=json", "web").ok()
    path = json.loads(files.out)["container-web"]
    assert path == f"{box.dir}/container-web.service"
    assert "ExecStart=" in open(path, encoding="utf-8").read()
    box.inro("generate", "systemd", "--separator=/", "web").fails("can't name a unit", code=125)
    box.inro("generate", "systemd", "--restart-policy=sometimes", "web").fails("sometimes", code=125)
    text = box.inro("generate", "systemd", "--template", "--name", "web").ok().out
    assert text.startswith("# container-web@.service\n")
    unit = unit_of(text)
    assert dict(unit["Unit"])["Description"] == "inro container-web.service for %I"
    assert "--name=web-%i" in shlex.split(dict(unit["Service"])["ExecStart"])
    box.inro("generate", "systemd", "nobody").fails("No such container", code=125)
    # A file that is not there names no container, where that is as wished.
    box.inro("stop", "--ignore", "--cidfile", box.dir / "no").ok()
    box.inro("rm", "-f", "--ignore", "--cidfile", box.dir / "no").ok()
    box.inro("stop", "--cidfile", box.dir / "no").fails("no", code=125)
