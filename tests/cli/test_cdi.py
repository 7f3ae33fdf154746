# SPDX-License-Identifier: Apache-2.0
"""Devices that CDI specifications describe: --device VENDOR/CLASS=NAME and --gpus."""

import json
import os
import pathlib
import shlex
import shutil

import pytest

import engine
import harness

TURNS = True
DIR = pathlib.Path("/var/run/cdi")  # on the tests' own /run
HOOK = """#!/bin/sh
cat > /dev/null
echo "$1 $WORD" > {}
"""


@pytest.fixture
def cdi():
    if os.geteuid() != 0:
        harness.machine_cannot("write specifications that count: this is not root")
    DIR.mkdir()
    yield DIR
    shutil.rmtree(DIR)


def write(path, kind, devices, edits=None):
    path.write_text(json.dumps({
        "cdiVersion": "0.6.0", "kind": kind, "containerEdits": edits or {},
        "devices": [{"name": name, "containerEdits": e} for name, e in devices.items()]}))
    path.chmod(0o644)


def test_whole(anyone, cdi):
    box = engine.box(anyone)
    hook, said, lib = anyone.dir / "hook", anyone.dir / "said", anyone.dir / "lib.so"
    hook.write_text(HOOK.format(said))
    hook.chmod(0o755)
    lib.write_text("library\n")
    write(cdi / "v.json", "vendor.com/net", {
        "0": {"deviceNodes": [{"path": "/dev/vnull", "hostPath": "/dev/null"} if not anyone.rootless
                              else {"path": "/dev/fuse"}], "env": ["DEVICE=0"]},
        "1": {"env": ["OTHER=1"]}},
        {"env": ["VENDOR=v", "PATH=/bin:/vendor"],
         "mounts": [{"hostPath": str(lib), "containerPath": "/usr/lib/lib.so",
                     "options": ["ro", "nosuid", "nodev"]}],
         "hooks": [{"hookName": "createRuntime", "path": str(hook), "args": ["hook", "arg"],
                    "env": ["WORD=word"]}]})
    r = anyone.inro("run", "--rm", "-e", "VENDOR=mine", "--device", "vendor.com/net=0", "--device",
                    "vendor.com/net=1", box, "sh", "-c",
                    "echo $VENDOR $DEVICE $OTHER $PATH; cat /usr/lib/lib.so; "
                    "test -c /dev/vnull -o -c /dev/fuse && echo device; echo > /usr/lib/lib.so")
    assert r.out == "v 0 1 /bin:/vendor\nlibrary\ndevice\n" and "Read-only" in r.err and r.code == 1
    assert said.read_text() == "arg word\n"
    # what an update leaves is no mount of the user's
    anyone.inro("create", "--name", "c1", "--device", "vendor.com/net=0", box, "true").ok()
    anyone.inro("update", "--mount-add", f"{said}:/said:ro", "c1").ok()
    assert anyone.inro("run", "--rm", "--volumes-from", "c1", box, "sh", "-c",
                       "cat /said; test ! -e /usr/lib/lib.so").ok().out == "arg word\n"
    anyone.inro("rm", "c1").ok()
    anyone.inro("run", "--rm", "--device", "vendor.com/net=9", box, "true").fails(
        "no CDI specification describes the device vendor.com/net=9", code=125)


def test_gpus_of_yaml(root, cdi):
    if not pathlib.Path(root.program("inro-yaml")).exists():
        harness.machine_cannot("read YAML: inro was built without libyaml")
    box = engine.box(root)
    (cdi / "nvidia.yaml").write_text("""---
cdiVersion: "0.5.0"
kind: nvidia.com/gpu
devices:
- name: "0"
  containerEdits: {env: [GPU=0]}
- name: all
  containerEdits:
    deviceNodes:
    - {path: /dev/nvidia0, hostPath: /dev/zero, fileMode: 0640}
    env:
    - 'GPU=all'
containerEdits:
  env: [NVIDIA_VISIBLE_DEVICES=void]
""")
    (cdi / "nvidia.yaml").chmod(0o644)
    say = ("sh", "-c", "echo $GPU $NVIDIA_VISIBLE_DEVICES; stat -c '%a' /dev/nvidia0")
    assert root.inro("run", "--rm", "--gpus", "all", box, *say).ok().out == "all void\n640\n"
    assert root.inro("run", "--rm", "--gpus", "1", box, *say).out == "0 void\n"
    root.inro("run", "--rm", "--gpus", "device=7", box, "true").fails("nvidia.com/gpu=7",
                                                                    "nvidia-ctk", code=125)
    found = json.loads(root.inro("info", "--format", "json").ok().out)["DiscoveredDevices"]
    assert {"Source": "cdi", "ID": "nvidia.com/gpu=all"} in found and len(found) == 2
    (cdi / "nvidia.yaml").write_text("a: &x [1]\nb: *x\n")
    root.inro("run", "--rm", "--gpus", "all", box, "true").fails(
        "nvidia.yaml: ", "line 2: ", "alias", "nvidia-ctk", code=125)
    assert root.inro("info").ok().err == ""


def test_interface_and_class_of_the_processor(root, cdi):
    """A machine without resctrl has no such classes: what the runtime does with them has its tests."""
    box = engine.box(root)
    write(cdi / "v.json", "vendor.com/net", {
        "0": {"netDevices": [{"hostInterfaceName": "given0", "name": "inside"}]},
        "1": {"intelRdt": {"closID": "guaranteed", "schemata": ["L3:0=ff"]}}})
    argv = root.inro_argv("run", "--rm", "--device", "vendor.com/net=0", box, "ls", "/sys/class/net")
    r = root.run("unshare", "--net", "sh", "-c",
                 f"ip link add given0 type veth peer name peer0; exec {shlex.join(map(str, argv))}").ok()
    assert r.out.split() == ["inside", "lo"]
    root.inro("run", "--rm", "--network", "host", "--device", "vendor.com/net=0", box,
              "true").fails("given0", "--network host", code=125)
    root.inro("create", "--name", "web", "--rdt-class", "other", "--device", "vendor.com/net=1", box,
              "true").ok()
    path = root.inro("inspect", "--format", "{{.OCIConfigPath}}", "web").ok().out.strip()
    config = json.loads(pathlib.Path(path).read_text())
    assert config["linux"]["intelRdt"] == {"closID": "guaranteed", "schemata": ["L3:0=ff"]}
    (cdi / "v.json").write_text('{"cdiVersion": "1.1.0", "kind": "a/b", "devices": [{"name": "0", '
                                '"containerEdits": {"intelRdt": {"closID": "../x"}}}]}')
    root.inro("run", "--rm", "--device", "a/b=0", box, "true").fails("v.json", "closID", code=125)


def test_only_of_whom_is_trusted(anyone, cdi):
    """Hooks are executed."""
    box = engine.box(anyone)
    path = cdi / "v.json"
    write(path, "vendor.com/net", {"0": {"env": ["A=b"]}})
    command = ("run", "--rm", "--device", "vendor.com/net=0", box, "true")
    anyone.inro(*command).ok()
    path.chmod(0o666)
    anyone.inro(*command).fails("v.json", "can write to it", "no CDI specification", code=125)
    path.chmod(0o644)
    os.chown(path, 1234, 0)
    anyone.inro(*command).fails("belongs to user 1234", code=125)
    os.chown(path, 0, 0)
    cdi.chmod(0o777)
    anyone.inro(*command).fails("can write to it", code=125)
    cdi.chmod(0o755)
    shutil.copy(path, cdi / "w.json")
    anyone.inro(*command).fails("is described in", code=125)
    path.write_text("{}")
    anyone.inro(*command).ok()
