# SPDX-License-Identifier: Apache-2.0
"""The verbs of networks: rows of the database, so nothing here needs a container."""

import ipaddress
import json
import threading

import engine

TURNS = True


def create(machine, *words):
    return machine.inro("network", "create", *words).ok().out.strip()


def names(machine, *words):
    return machine.inro("network", "ls", "--format", "{{.Name}}", *words).ok().out.split()


def inspect(machine, name):
    (found,) = json.loads(machine.inro("network", "inspect", name).ok().out)
    return found


def subnets(machine, name):
    return [ipaddress.ip_network(x["Subnet"]) for x in inspect(machine, name)["IPAM"]["Config"]]


def test_verbs(machine):
    ident = create(machine, "--label", "a=b", "--subnet", "10.9.0.0/24", "--subnet", "fd00:9::/64",
                   "--gateway", "10.9.0.254", "--ip-range", "10.9.0.128/25", "--internal",
                   "--aux-address", "printer=10.9.0.7", "-o", "mtu=1400", "--dns", "192.0.2.53",
                   "front")
    assert len(ident) == 64
    found = inspect(machine, ident[:6])
    assert found.pop("Created").endswith("Z")
    assert found.pop("network_interface").startswith("inro")
    assert found == {
        "Name": "front", "Id": ident, "Scope": "local", "Driver": "bridge", "EnableIPv4": True,
        "EnableIPv6": True, "Internal": True, "Attachable": True, "Ingress": False,
        "ConfigFrom": {"Network": ""}, "ConfigOnly": False, "Containers": {},
        "Options": {"mtu": "1400"}, "Labels": {"a": "b"},
        "IPAM": {"Driver": "default", "Options": {}, "Config": [
            {"Subnet": "10.9.0.0/24", "IPRange": "10.9.0.128/25", "Gateway": "10.9.0.254",
             "AuxiliaryAddresses": {"printer": "10.9.0.7"}},
            {"Subnet": "fd00:9::/64", "Gateway": "fd00:9::1"}]},
        "subnets": [
            {"subnet": "10.9.0.0/24", "gateway": "10.9.0.254",
             "lease_range": {"start_ip": "10.9.0.128", "end_ip": "10.9.0.254"}},
            {"subnet": "fd00:9::/64", "gateway": "fd00:9::1"}],
        "ipv6_enabled": True, "dns_enabled": True, "network_dns_servers": ["192.0.2.53"]}
    assert machine.inro("inspect", "-f", "{{.Driver}}", "front").ok().out == "bridge\n"
    machine.inro("network", "create", "front").fails("network with name front already exists")
    assert create(machine, "--ignore", "front") == ident
    machine.inro("network", "update", "--dns-add", "192.0.2.54,fd00::53", "--dns-drop",
                 "192.0.2.53", "front").ok()
    assert inspect(machine, "front")["network_dns_servers"] == ["192.0.2.54", "fd00::53"]
    machine.inro("network", "update", "--dns-drop", "192.0.2.53", "front").fails("no name server")
    assert machine.inro("network", "exists", "front").code == 0
    assert machine.inro("network", "exists", "other").code == 1
    machine.inro("network", "inspect", "front", "other").fails("network other not found", code=1)
    machine.inro("network", "inspect", "host").fails("a word of --network")
    done = machine.inro("network", "rm", "other", "front", "bridge").fails(
        "network other not found", "bridge is a pre-defined network", code=1)
    assert done.out == "front\n"
    assert machine.inro("network", "rm", "-f", "front").code == 0
    events = machine.inro("events", "--since", "1h", "--until", "0s", "-f", f"network={ident}",
                          "--format", "{{.Action}} {{.Actor.Attributes.name}}").ok().out
    assert events.splitlines() == ["create front", "update front", "destroy front"]


def test_list_and_prune(machine):
    create(machine, "--label", "keep", "one")
    ident = create(machine, "--ipv6=false", "two")
    head, *rows = machine.inro("network", "ls").ok().out.splitlines()
    assert head.split() == ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE"]
    assert [row.split()[1] for row in rows] == ["bridge", "one", "two"]
    assert rows[2].split() == [ident[:12], "two", "bridge", "local"]
    assert machine.inro("network", "ls", "-q", "--no-trunc", "-f", "name=two").ok().out == ident + "\n"
    row = json.loads(machine.inro("network", "ls", "-f", "name=two", "--format", "json").ok().out)
    assert row["ID"] == ident[:12] and row["IPv6"] == "false" and row["Internal"] == "false"
    for filters, found in [("label=keep", ["one"]), ("label!=keep", ["bridge", "two"]),
                           ("driver=bridge", ["bridge", "one", "two"]), ("driver=macvlan", []),
                           ("type=custom", ["one", "two"]), ("type=builtin", ["bridge"]),
                           ("dangling=true", ["one", "two"]), ("dangling=false", ["bridge"]),
                           (f"id={ident[:7]}", ["two"]), ("scope=local", ["bridge", "one", "two"])]:
        assert names(machine, "-f", filters) == found, filters
    machine.inro("network", "ls", "-f", "type=x").fails("custom or builtin")
    assert machine.inro("network", "prune", "-f", "--filter", "label!=keep").ok().out \
        == "Deleted Networks:\ntwo\n\n"
    assert "Deleted Networks:\none\n" in machine.inro("system", "prune", "-f").ok().out
    assert names(machine) == ["bridge"]
    create(machine, "three")
    machine.inro("system", "reset", "-f").ok()
    assert names(machine, "-f", "type=custom") == []


def test_subnets_overlap_nothing(machine):
    """Neither a network, nor a route of the machine; a default route is none of these, whatever
    its form."""
    machine.sh("ip route add unreachable 10.90.0.0/15; ip route add unreachable 10.92.1.0/24; "
               "ip route add unreachable 0.0.0.0/1; ip route add unreachable 128.0.0.0/1; "
               "ip route add unreachable default")
    for name in ("one", "two", "three"):
        create(machine, name)
    assert [str(subnets(machine, n)[0]) for n in ("one", "two", "three")] \
        == ["10.92.0.0/24", "10.92.2.0/24", "10.92.3.0/24"]
    six = [subnets(machine, n)[1] for n in ("one", "two", "three")]
    assert len(set(six)) == 3 and all(s.prefixlen == 64 and s.is_private for s in six)
    default = subnets(machine, "bridge")[0]
    assert default.prefixlen == 16 and str(default) == "10.93.0.0/16"
    machine.inro("network", "create", "--subnet", "10.92.0.128/25", "four").fails(
        "subnet 10.92.0.128/25", "already used by network one")
    machine.inro("network", "create", "--subnet", "10.92.0.0/16", "four").fails("network one")
    machine.inro("network", "create", "--subnet", "10.88.0.0/13", "four").fails("already used by")
    machine.inro("network", "create", "--subnet", "10.92.1.0/24", "four").fails(
        "this host: it has a route to 10.92.1.0/24")
    # part of what a wide route leads to
    create(machine, "--subnet", "10.90.7.0/24", "four")


REFUSED = [
    (["-d", "overlay", "x"], "could not find network driver overlay"),
    (["-d", "macvlan", "x"], "needs a parent"),
    (["--subnet", "10.9.0.1/24", "x"], "10.9.0.0/24"),
    (["--subnet", "224.0.1.0/24", "x"], "invalid --subnet 224.0.1.0/24: "),
    (["--subnet", "0.0.0.0/0", "x"], "invalid --subnet 0.0.0.0/0: "),
    (["--subnet", "ff05::/64", "x"], "invalid --subnet ff05::/64: "),
    (["--subnet", "fe80::/64", "x"], "invalid --subnet fe80::/64: "),
    (["-o", "what=x", "x"], "isolate, metric, mtu, no_default_route; or com.docker.network. and"),
    (["--gateway", "10.9.0.1", "x"], "no matching subnet for gateway 10.9.0.1"),
    (["--subnet", "10.9.0.0/24", "--ip-range", "10.8.0.0/25", "x"], "no matching subnet for range"),
    (["-o", "com.docker.network.nonsense=1", "x"], "unsupported bridge network option"),
    (["--ipam-driver", "dhcp", "x"], "no DHCP client"),
    (["../x"], "names must match"),
    (["host"], "operation is not permitted on predefined host network"),
    (["container:x"], "names must match"),
    (["--scope", "swarm", "x"], "there is local alone"),
    (["--config-only", "x"], "each network is made from its own options"),
    (["--ipv4=false", "--ipv6=false", "x"], "IPv4 or IPv6 must be enabled"),
    (["-o", "com.docker.network.bridge.name=br+", "x"], "br+: new interfaces have letters"),
    (["--interface-name", 'a"b', "x"], 'a"b: new interfaces have letters'),
    (["-o", "com.docker.network.container_iface_prefix=eth%", "x"], "eth%: new interfaces have"),
]


def test_refused(machine):
    for words, says in REFUSED:
        machine.inro("network", "create", *words).fails(says, code=125)
    assert names(machine, "-f", "type=custom") == []


def test_interfaces(machine):
    """A bridge's name is nobody else's; a parent has to be there."""
    one = create(machine, "--interface-name", "br9", "one")
    assert inspect(machine, one)["network_interface"] == "br9"
    machine.inro("network", "create", "-o", "com.docker.network.bridge.name=br9", "two").fails(
        "bridge name br9 is already in use")
    if machine.who.uid == 0:
        machine.inro("network", "create", "--interface-name", "lo", "two").fails(
            "there is an interface lo already")
        machine.inro("network", "create", "-d", "macvlan", "-o", "parent=nope", "--subnet",
                     "10.9.0.0/24", "two").fails("parent interface nope does not exist")
    else:
        machine.inro("network", "create", "-d", "macvlan", "-o", "parent=lo", "--subnet",
                     "10.9.0.0/24", "two").fails("needs root")


def test_bridge_goes(machine_root):
    """With the network its bridge goes, but none that only has its name."""
    machine = machine_root
    for name in ("one", "two"):
        ident, bridge = create(machine, name), inspect(machine, name)["network_interface"]
        alias = ident if name == "one" else "of-another"
        machine.sh(f"ip link add {bridge} type bridge; ip link set {bridge} alias 'inro {alias}'")
        assert machine.inro("network", "rm", name).ok().err == ""
    assert inspect_links(machine) == ["inro0"]
    machine.sh("ip link del inro0")


def inspect_links(machine):
    lines = machine.run("ip", "-br", "link").ok().out.splitlines()
    return [line.split()[0] for line in lines if line.startswith("inro")]


def test_many_at_once(machine):
    """Each gets a subnet and a bridge of its own, also when they are made at the same time, the
    default one among them."""
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(
        machine.inro("network", "create", f"n{n}") if n else machine.inro("network", "ls")))
        for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(r.code == 0 for r in results), results
    found = [inspect(machine, n) for n in names(machine)]
    assert len(found) == 12
    assert len({x["network_interface"] for x in found}) == 12
    nets = [ipaddress.ip_network(c["Subnet"]) for x in found for c in x["IPAM"]["Config"]]
    assert not any(a.overlaps(b) for i, a in enumerate(nets) for b in nets[:i]
                   if a.version == b.version)


def test_check(machine):
    """Rows that nobody needs any more are found, and go by --repair."""
    create(machine, "--subnet", "10.9.0.0/24", "--ipv6=false", "front")
    machine.inro("system", "check", "--quick").ok()
    machine.run("sqlite3", machine.who.state / "inro/inro.db",
                "INSERT INTO leases (network, family, host, owner)"
                " SELECT id, 2, 7, 'gone' FROM networks WHERE name = 'front';"
                "INSERT INTO endpoints SELECT 'gone', id, 0, 'eth0', '{\"kind\":\"network\"}'"
                " FROM networks; INSERT INTO ports VALUES (6, '', 8080, 'gone', 80);"
                "INSERT INTO leases (network, family, host, owner) VALUES ('none', 2, 7, '-')").ok()
    machine.inro("network", "rm", "front").fails("front is in use")
    found = json.loads(machine.inro("system", "check", "--quick", "--format", "json").out)
    assert found["Database"] == [
        "1 addresses are of networks that are gone",
        "1 addresses of networks belong to containers that do not run",
        "1 endpoints of networks belong to containers that are gone",
        "1 published ports belong to containers that do not run"]
    machine.inro("system", "check", "--quick", "--repair")
    machine.inro("system", "check", "--quick").ok()
    machine.inro("network", "rm", "front").ok()


def test_used(machine):
    """Who is on a network is seen there, and keeps it; --force removes them, too."""
    engine.box(machine.who)
    create(machine, "--subnet", "10.9.0.0/24", "--subnet", "fd00:9::/64", "front")
    ident = machine.inro("run", "-d", "--name", "web", "--network", "front", "box", "sleep",
                         "600").ok().out.strip()
    machine.inro("create", "--name", "idle", "--network", "front:ip=10.9.0.9", "box", "true").ok()
    endpoint = json.loads(machine.inro("inspect", "web").ok().out)[0]["NetworkSettings"]["Networks"][
        "front"]["EndpointID"]
    assert len(endpoint) == 64
    show = "{{with .NetworkSettings.Networks.front}}{{.Aliases}} {{json .Aliases}}{{end}}"
    assert machine.inro("inspect", "-f", show, "web").ok().out == "[] null\n"
    assert inspect(machine, "front")["Containers"] == {ident: {
        "Name": "web", "EndpointID": endpoint, "MacAddress": "02:42:0a:09:00:02",
        "IPv4Address": "10.9.0.2/24", "IPv6Address": "fd00:9::2/64"}}
    machine.inro("network", "rm", "front").fails("network front is in use", "of [", "web", "idle")
    machine.inro("system", "check", "--quick").ok()
    machine.inro("network", "prune", "-f").ok()
    assert names(machine, "-f", "dangling=false") == ["bridge", "front"]
    machine.inro("rm", "-f", "-t", "0", "web").ok()
    assert inspect(machine, "front")["Containers"] == {}
    machine.inro("network", "rm", "front").fails("network front is in use")
    assert machine.inro("network", "rm", "-f", "front").ok().out == "front\n"
    assert machine.inro("ps", "-aq").ok().out == "" and inspect_links(machine) == []
