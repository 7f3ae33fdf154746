# SPDX-License-Identifier: Apache-2.0
"""linux.netDevices: each runtime here has a network namespace of its own with interfaces to give."""

import json
import shlex

import pytest

# A veth end with addresses of all sorts, up.
SETUP = """
set -e
ip link set lo up
ip link add given0 type veth peer name peer0
ip link set given0 address 02:00:00:00:00:07 mtu 1400
ip addr add 192.0.2.7/24 dev given0
ip addr add 192.0.2.8 peer 198.51.100.8/32 dev given0
ip addr add 169.254.9.9/16 scope link dev given0
ip addr add 203.0.113.5/24 dev given0 valid_lft 1000 preferred_lft 1000
ip -6 addr add 2001:db8::7/64 dev given0 nodad
ip link set given0 up
ip link set peer0 up
"""


def run(bundle, *extra, after="", options=()):
    """Runs the bundle from a network namespace with given0; after: commands there, later."""
    bundle.save()
    argv = bundle.who.runtime_argv(*options, "run", "--bundle", bundle.path, "c1")
    script = SETUP + "\n".join(extra) + "\nset +e\n" + shlex.join(map(str, argv))
    return bundle.who.run("unshare", "--net", "sh", "-c", f"{script}\nr=$?\n{after}\nexit $r")


def given(who, script, **devices):
    b = who.bundle("sh", "-c", script)
    b.linux["netDevices"] = devices
    return b


def addresses(text):
    return sorted(w[i + 1] for w in map(str.split, text.splitlines())
                  for i, word in enumerate(w) if word in ("inet", "inet6"))


def test_interface_moves_with_its_addresses(root):
    b = given(root, "ip addr show dev given0", given0={})
    r = run(b, after="ip link show given0 >&2").fails("does not exist", code=0)
    assert addresses(r.out)[:3] == ["192.0.2.7/24", "192.0.2.8", "2001:db8::7/64"]
    # Neither what has a lifetime nor what is of the link alone; the kernel makes a new fe80::.
    assert "203.0.113" not in r.out and "169.254" not in r.out
    assert "peer 198.51.100.8/32" in r.out
    assert "mtu 1400" in r.out and "02:00:00:00:00:07" in r.out
    assert "UP" in r.out.splitlines()[0]


def test_interface_gets_another_name(root):
    b = given(root, "ip -o addr show dev inside; ls /sys/class/net", given0={"name": "inside"})
    r = run(b).ok()
    assert "192.0.2.7/24" in r.out and "given0" not in r.out


def test_templates_take_the_first_free_number(root):
    b = given(root, "ls /sys/class/net", given0={"name": "eth%d"}, given1={"name": "eth%d"})
    r = run(b, "ip link add given1 type veth peer name peer1").ok()
    assert {"eth0", "eth1"} <= set(r.out.split())


def test_into_a_user_namespace(root):
    b = given(root, "ip addr show dev given0", given0={})
    b.linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        b.linux[key] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    assert "192.0.2.7/24" in run(b).ok().out


def test_into_a_namespace_that_is_joined(root):
    b = given(root, "ip addr show dev given0", given0={})
    path = root.dir / "ns"
    next(n for n in b.linux["namespaces"] if n["type"] == "network")["path"] = str(path)
    r = run(b, f": >{path}", f"unshare --net={path} true", after=f"umount {path}")
    assert "192.0.2.7/24" in r.ok().out


def test_sysctl_of_the_interface(root):
    b = given(root, "cat /proc/sys/net/ipv4/conf/given0/forwarding", given0={})
    b.linux["sysctl"] = {"net/ipv4/conf/given0/forwarding": "1"}
    assert run(b).ok().out == "1\n"


@pytest.mark.parametrize("devices,words", [
    ({"nothere": {}}, ["netDevices: moving nothere", "no such network interface"]),
    ({"given0": {"name": "lo"}}, ["netDevices: moving given0", '"lo" is in use']),
    ({"lo": {"name": "lo1"}}, ["netDevices: moving lo"]),
])
def test_interface_that_cannot_move(root, devices, words):
    b = given(root, "true", **devices)
    # ... and the interface stays where it was, with its addresses.
    r = run(b, after="ip addr show given0")
    r.fails(*words, code=1)
    assert "192.0.2.7/24" in r.out
    assert json.loads(root.runtime("list", "-f", "json").out) is None


def test_hosts_own_namespace_by_path(root):
    b = given(root, "true", given0={"name": "renamed"})
    next(n for n in b.linux["namespaces"]
         if n["type"] == "network")["path"] = "/proc/self/ns/net"
    r = run(b, after="ip addr show given0")
    r.fails("linux.netDevices", "the runtime's", code=1)
    assert "192.0.2.7/24" in r.out


def test_unprivileged_runtime(user):
    """The namespace is the superuser's, the runtime is not."""
    b = given(user, "true", lo={"name": "x"})
    b.run().fails("linux.netDevices: moving lo", code=1)
