# SPDX-License-Identifier: Apache-2.0
"""CNI's plugins, Debian's and one of ours that fails when it is told to, as net/cni.h calls them."""

import json
import os
import pathlib
import select
import signal

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


# ---- inro run --network cni:NAME ----

def settings(machine, name):
    return json.loads(machine.inro("inspect", name).ok().out)[0]


def rules_of(machine, word):
    """What iptables has of a container: rules with its address, chains of portmap's."""
    return [line for line in machine.run("iptables-save", "-t", "nat").ok().out.splitlines()
            if word in line or line.startswith("-A CNI-DN-")]


@pytest.fixture
def front(cni):
    """The list where inro looks for it, with Debian's portmap."""
    m = cni.machine
    if not pathlib.Path("/etc/cni").is_dir():
        harness.machine_cannot("there is no /etc/cni to mount lists on")
    path = cni.path / "conf/10-front.conflist"
    conf = json.loads(path.read_text())
    conf["plugins"][0]["ipMasq"] = True
    conf["plugins"][2] = {"type": "ours", "capabilities": {"portMappings": True}}
    conf["plugins"].append({"type": "portmap", "capabilities": {"portMappings": True}})
    path.write_text(json.dumps(conf))
    m.sh(f"mount -t tmpfs tmpfs /etc/cni && ln -s {cni.path}/conf /etc/cni/net.d; sysctl -qw net.ipv4.ip_forward=1")
    yield cni
    m.sh("umount /etc/cni")


def left(front):
    run = front.machine.who.run_dir / "inro/net"
    return [p for name in ("cni", "netns") for p in (run / name).iterdir()]


def test_run_on_a_list(front):
    m = front.machine
    lan = m.lan()
    m.inro("run", "-d", "--name", "web", "-p", "8080:80",
           "--network", "cni:front:ip=10.99.0.77,mac=02:00:00:00:00:77,interface=front0", "host", "sleep", "60").ok()
    seen = settings(m, "web")
    link = m.inside(seen["State"]["Pid"]).links()["front0"]
    assert link["address"] == "02:00:00:00:00:77"
    assert [a["local"] for a in link["addr_info"] if a["family"] == "inet"] == ["10.99.0.77"]
    assert "10.99.0.77" in m.inro("exec", "web", "cat", "/etc/hosts").ok().out
    assert "0.0.0.0:8080->80/tcp" in m.inro("ps").ok().out
    network = seen["NetworkSettings"]
    assert network["IPAddress"] == "10.99.0.77" and network["Networks"]["cni:front"]["Gateway"] == "10.99.0.1"
    with m.inside(seen["State"]["Pid"]).serve("web", 80):
        assert lan.get("192.0.2.1", 8080).startswith("web from 192.0.2.2")
    # again, with what is there of the last time undone
    m.inro("restart", "-t", "0", "web").ok()
    with m.inside(settings(m, "web")["State"]["Pid"]).serve("again", 80):
        assert lan.get("192.0.2.1", 8080).startswith("again from ")
    m.inro("rm", "-f", "-t", "0", "web").ok()
    said = front.said()
    assert [env["CNI_COMMAND"] for env, _ in said] == ["ADD", "DEL", "ADD", "DEL"]
    assert all(env["CNI_NETNS"].startswith("/") for env, _ in said)
    assert left(front) == [] and rules_of(m, "10.99.0.77") == []


def test_killed_and_failed_ones_leave_nothing(front):
    m = front.machine
    monitor = front.path / "monitor.pid"
    m.inro("run", "-d", "--name", "web", "--conmon-pidfile", monitor, "-p", "8080:80", "--network", "cni:front",
           "host", "sleep", "60").ok()
    address = settings(m, "web")["NetworkSettings"]["IPAddress"]
    assert rules_of(m, address)
    pidfd = os.pidfd_open(int(monitor.read_text()))
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert select.select([pidfd], [], [], 10 * harness.PATIENCE)[0]
    os.close(pidfd)
    assert "Exited" in m.inro("ps", "-a").ok().out
    assert left(front) == [] and rules_of(m, address) == []
    (front.path / "log.fail.ADD").touch()
    said = m.inro("start", "web")
    assert said.code == 125 or said.code == 1
    assert "plugin ours: ADD: code 11: not now: try again" in said.err, said
    assert left(front) == [] and rules_of(m, "10.99.0.") == []
    (front.path / "log.fail.ADD").unlink()
    # what a plugin doesn't undo is told, and tried again
    m.inro("start", "web").ok()
    (front.path / "log.fail.DEL").touch()
    said = m.inro("rm", "-f", "-t", "0", "web").ok()
    assert len(left(front)) == 1
    (front.path / "log.fail.DEL").unlink()
    m.inro("run", "--rm", "--network", "cni:front", "host", "true").ok()
    assert left(front) == []


def test_what_a_list_can_not_do_is_refused(front):
    m = front.machine
    for word, said in (("cni:nowhere", "nowhere"), ("cni:front:mtu=1400", "--network cni:front: it takes ip=, ip6=, mac=, alias=, bandwidth= and interface= alone")):
        result = m.inro("run", "--rm", "--network", word, "host", "true")
        assert result.code == 125 and said in result.err, result
    result = m.inro("run", "--rm", "--network", "cni:front", "--network", "bridge", "host", "true")
    assert result.code == 125 and "goes with no other network" in result.err, result
    path = front.path / "conf/10-front.conflist"
    conf = json.loads(path.read_text())
    conf["plugins"] = conf["plugins"][:1]
    path.write_text(json.dumps(conf))
    result = m.inro("run", "--rm", "-p", "80", "--network", "cni:front", "host", "true")
    assert result.code == 125 and "the capability portMappings, which -p needs" in result.err, result


def change(front, **members):
    """Other members of our plugin in the list."""
    path = front.path / "conf/10-front.conflist"
    conf = json.loads(path.read_text())
    for key, value in members.items():
        (conf if key in ("cniVersion", "cniVersions") else conf["plugins"][2])[key] = value
    path.write_text(json.dumps(conf))


def test_capabilities_and_what_plugins_say_of_names(front):
    m = front.machine
    change(front, capabilities={name: True for name in ("ips", "aliases", "bandwidth", "dns", "mac")})
    result = {"cniVersion": "1.0.0", "ips": [{"address": "10.99.0.70/24"}],
              "dns": {"nameservers": ["192.0.2.53"], "domain": "front.example", "search": ["a.example"], "options": ["ndots:2"]}}
    (front.path / "log.result").write_text(json.dumps(result))
    m.inro("run", "-d", "--name", "web", "--dns-search", "b.example", "--network",
           "cni:front:ip=10.99.0.77/24,ip6=fd00::77,alias=www,bandwidth=20M", "--egress", "allow 10.99.0.1",
           "host", "sleep", "60").ok()
    assert "192.0.2.53" in m.inside(settings(m, "web")["State"]["Pid"]).sh("nft list ruleset").out
    asked = front.said()[0][1]["runtimeConfig"]
    assert asked == {
        "ips": ["10.99.0.77/24", "fd00::77"], "aliases": ["web", "www"], "dns": {"searches": ["b.example"]},
        "bandwidth": {"ingressRate": 20000000, "ingressBurst": 2000000, "egressRate": 20000000, "egressBurst": 2000000}}
    assert front.said()[0][0]["CNI_ARGS"] == ""
    assert m.inro("exec", "web", "cat", "/etc/resolv.conf").ok().out.splitlines() == [
        "nameserver 192.0.2.53", "search b.example", "options ndots:2"]
    m.inro("rm", "-f", "-t", "0", "web").ok()
    m.inro("run", "-d", "--name", "web", "--dns", "192.0.2.1", "--network", "cni:front:ip6=fd00::77", "host", "sleep", "60").ok()
    assert m.inro("exec", "web", "cat", "/etc/resolv.conf").ok().out.splitlines() == [
        "nameserver 192.0.2.1", "search front.example a.example", "options ndots:2"]
    m.inro("rm", "-f", "-t", "0", "web").ok()
    # without the capability one address goes as CNI_ARGS, and all else is refused
    change(front, capabilities={})
    (front.path / "log").unlink()
    m.inro("run", "--rm", "--network", "cni:front:ip=10.99.0.78", "host", "true").ok()
    assert front.said()[0][0]["CNI_ARGS"] == "IgnoreUnknown=1;IP=10.99.0.78"
    for word, said in (("alias=www", "capability aliases, which alias= needs"), ("bandwidth=1M", "capability bandwidth"),
                       ("ip=10.99.0.7,ip6=fd00::7", "capability ips, which ip= beside ip6= needs")):
        result = m.inro("run", "--rm", "--network", "cni:front:" + word, "host", "true")
        assert result.code == 125 and said in result.err, result
    # what would be another line of the file is no result
    (front.path / "log.result").write_text(json.dumps(
        {"cniVersion": "1.0.0", "dns": {"search": ["a\nnameserver 6.6.6.6"]}}))
    result = m.inro("run", "--rm", "--network", "cni:front", "host", "true")
    assert result.code == 125 and "dns: expected words without spaces" in result.err, result
    assert left(front) == []


def test_system_check_asks_plugins(front):
    m = front.machine
    m.inro("run", "-d", "--name", "web", "--network", "cni:front", "host", "sleep", "60").ok()
    m.inro("system", "check").ok()
    assert [e["CNI_COMMAND"] for e, _ in front.said()] == ["ADD", "CHECK"]
    m.inside(settings(m, "web")["State"]["Pid"]).sh("ip addr flush dev eth0")
    said = m.inro("system", "check")
    assert said.code != 0 and "container web: CNI network front: plugin bridge: CHECK: " in said.out, said
    m.inro("rm", "-f", "-t", "0", "web").ok()
    m.inro("system", "check").ok()


def test_status_is_asked_before(front):
    m = front.machine
    path = front.path / "conf/10-front.conflist"
    path.write_text(json.dumps({"cniVersion": "1.0.0", "cniVersions": ["1.0.0", "1.1.0", "9.0.0"], "name": "front",
                                "plugins": [{"type": "ours"}]}))
    (front.path / "log.result").write_text(json.dumps({"cniVersion": "1.1.0", "ips": []}))
    m.inro("run", "--rm", "--network", "cni:front", "host", "true").ok()
    assert [(e["CNI_COMMAND"], r["cniVersion"]) for e, r in front.said()] \
        == [(verb, "1.1.0") for verb in ("STATUS", "ADD", "DEL")]
    assert "cniVersions" not in front.said()[1][1]
    (front.path / "log.fail.STATUS").touch()
    said = m.inro("run", "--rm", "--network", "cni:front", "host", "true")
    assert said.code == 125 and "CNI network front: plugin ours: STATUS: code 11: not now" in said.err, said
    assert [e["CNI_COMMAND"] for e, _ in front.said()][3:] == ["STATUS"]
    assert left(front) == []


def test_users_have_no_plugins(machine_user):
    said = machine_user.inro("run", "--rm", "--network", "cni:front", "host", "true")
    assert said.code == 125 and "CNI's plugins need root" in said.err, said
