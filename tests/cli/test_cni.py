# SPDX-License-Identifier: Apache-2.0
"""CNI's plugins, Debian's and one of ours that fails when it is told to, as net/cni.h calls them."""

import json
import os
import pathlib

import harness
import pytest

TURNS = True
LIST = {
    "cniVersion": "1.0.0", "name": "front", "plugins": [
        {"type": "bridge", "bridge": "cni9", "isGateway": True, "ipMasq": False,
         "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.99.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
        {"type": "tuning", "capabilities": {"mac": True}},
        {"type": "ours", "name": "not this one", "capabilities": {"portMappings": True, "other": False}}],
}
OURS = """#!/bin/sh
cat >$LOG.in
{ env | grep ^CNI_; echo ---; cat $LOG.in; echo; echo ===; } >>$LOG
[ ! -e $LOG.fail.$CNI_COMMAND ] || { echo '{"code":11,"msg":"not now","details":"try again"}'; echo why >&2; exit 1; }
[ $CNI_COMMAND != ADD ] || cat $LOG.result 2>/dev/null || python3 -c 'import json, sys
result = json.load(sys.stdin)["prevResult"]
print(json.dumps({**result, "dns": {"nameservers": ["192.0.2.53"]}}))' <$LOG.in
"""


class Cni:
    def __init__(self, machine, path):
        self.machine, self.path = machine, path
        self.log = path / "log"
        for name in ("state", "conf", "bin", "leases"):
            (path / name).mkdir()
        plugin = path / "bin/ours"
        plugin.write_text(OURS.replace("$LOG", str(self.log)))
        plugin.chmod(0o755)
        conf = json.loads(json.dumps(LIST))
        conf["plugins"][0]["ipam"]["dataDir"] = str(path / "leases")
        (path / "conf/10-front.conflist").write_text(json.dumps(conf))
        # where plugins are looked for, in the machine's mount namespace alone
        machine.sh("mount -t tmpfs tmpfs /opt && mkdir -p /opt/cni && "
                   f"ln -s {path}/bin /opt/cni/bin && ip netns add c1")

    def call(self, verb, netns="/run/netns/c1", *capabilities):
        build = pathlib.Path(os.environ["INRO_BUILD"])
        return self.machine.run(build / "tests/kernel/cni_call", verb, self.path / "state", self.path / "conf", "front",
                                "abc", "eth0", netns, *capabilities)

    def said(self):
        """[(variables, request)] of our plugin."""
        records = self.log.read_text().split("===\n")[:-1] if self.log.exists() else []
        return [(dict(line.split("=", 1) for line in env.splitlines()), json.loads(request))
                for env, request in (record.split("---\n", 1) for record in records)]


@pytest.fixture
def cni(machine_root, tmp_path):
    if not pathlib.Path("/usr/lib/cni/bridge").exists():
        harness.machine_cannot("containernetworking-plugins is not installed")
    yield Cni(machine_root, tmp_path)
    machine_root.sh("ip netns del c1 2>/dev/null || true; umount /opt; ip link del cni9 2>/dev/null || true")


def test_add_check_del(cni):
    ports = '[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]'
    said = cni.call("add", "/run/netns/c1", "portMappings", ports, "other", "1", "mac", '"02:00:00:00:00:99"').ok()
    link = json.loads(cni.machine.run("ip", "-n", "c1", "-j", "addr", "show", "eth0").ok().out)[0]
    assert link["address"] == "02:00:00:00:00:99"
    assert said.out.strip() in [a["local"] for a in link["addr_info"]] and said.out.startswith("10.99.0.")
    env, request = cni.said()[0]
    assert env["CNI_COMMAND"] == "ADD" and env["CNI_CONTAINERID"] == "abc" and env["CNI_IFNAME"] == "eth0"
    assert env["CNI_NETNS"] == "/run/netns/c1" and env["CNI_PATH"].startswith("/opt/cni/bin:")
    assert request["name"] == "front" and request["cniVersion"] == "1.0.0"
    assert request["runtimeConfig"] == {"portMappings": json.loads(ports)}
    assert "capabilities" not in request
    assert request["prevResult"]["ips"][0]["address"].startswith("10.99.0.")
    cni.call("check").ok()
    cni.call("del").ok()
    assert [e["CNI_COMMAND"] for e, _ in cni.said()] == ["ADD", "CHECK", "DEL"]
    # the last plugin's word is the result
    assert cni.said()[2][1]["prevResult"]["dns"] == {"nameservers": ["192.0.2.53"]}
    assert list((cni.path / "state").iterdir()) == []
    assert not [p for p in (cni.path / "leases").rglob("10.99.*")]
    cni.call("del").ok()  # nothing to do


def test_what_fails_is_undone_and_said(cni):
    (cni.path / "log.fail.ADD").touch()
    said = cni.call("add")
    assert said.code == 1
    assert "CNI network front: plugin ours: ADD: code 11: not now: try again" in said.err
    assert "it said: why" in said.err
    assert list((cni.path / "state").iterdir()) == []
    assert not [p for p in (cni.path / "leases").rglob("10.99.*")]
    (cni.path / "log.fail.ADD").unlink()
    (cni.path / "log.result").write_text("nonsense")
    said = cni.call("add")
    assert said.code == 1 and "its result: line 1" in said.err
    (cni.path / "bin/ours").unlink()
    said = cni.call("add")
    assert said.code == 1 and "there is no such plugin in /opt/cni/bin" in said.err


def test_del_that_fails_is_tried_again_without_the_namespace(cni):
    cni.call("add").ok()
    (cni.path / "log.fail.DEL").touch()
    assert cni.call("del", "").code == 1
    assert len(list((cni.path / "state").iterdir())) == 1
    (cni.path / "log.fail.DEL").unlink()
    cni.call("del", "").ok()
    assert cni.said()[-1][0]["CNI_NETNS"] == ""
    assert list((cni.path / "state").iterdir()) == []
    assert not [p for p in (cni.path / "leases").rglob("10.99.*")]
