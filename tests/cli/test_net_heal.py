# SPDX-License-Identifier: Apache-2.0
"""Containers that run get back what somebody has taken from their networks."""

import contextlib
import json
import os
import pathlib
import signal
import threading

import harness
from test_net_faults import image, service_of, start

TURNS = True


def inside(m, name):
    return m.inside(json.loads(m.inro("inspect", name).ok().out)[0]["State"]["Pid"])


def address(m, name):
    return json.loads(m.inro("inspect", name).ok().out)[0]["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]


def resolves(m, name, other):
    said = inside(m, name).run("dig", "+short", "+tries=1", "+time=5", "@127.0.0.11", other)
    return said.out.split() == [address(m, other)]


def state_of(namespace):
    """Interfaces with their addresses and MACs, and the routes."""
    links = json.loads(namespace.run("ip", "-j", "addr").ok().out)
    routes = namespace.run("ip", "route").ok().out + namespace.run("ip", "-6", "route").ok().out
    return [(link["ifname"], link["address"], "UP" in link["flags"],
             sorted(a["local"] for a in link["addr_info"])) for link in links], routes


def reaches(m, name, other):
    with inside(m, other).serve(other, 80):
        return inside(m, name).get(address(m, other), 80) == f"{other} from {address(m, name)}"


def test_deleted_links(machine):
    m = machine
    m.inro("network", "create", "back").ok()
    start(m, "one", "--network", "back", "-p", "8080:80")
    start(m, "two")
    before = {name: state_of(inside(m, name)) for name in ("one", "two")}
    links = m.place().links()
    bridges = [n for n, link in links.items() if link.get("linkinfo", {}).get("info_kind") == "bridge"]
    assert len(bridges) == 2
    m.place().sh("; ".join(f"ip link del {b}" for b in bridges))
    inside(m, "two").sh("ip link del eth0")
    m.inro("network", "reload").ok()
    assert {name: state_of(inside(m, name)) for name in before} == before
    assert set(m.place().links()) >= set(bridges)
    assert reaches(m, "one", "two")
    with inside(m, "one").serve("one", 80):
        assert m.get("127.0.0.1", 8080).startswith("one from ")
    assert resolves(m, "two", "one")
    # as a reload leaves it that was killed between making and furnishing it
    inside(m, "two").sh("ip link set eth0 down; ip addr flush dev eth0")
    m.inro("network", "reload").ok()
    assert state_of(inside(m, "two")) == before["two"]
    # what is whole is left as it is
    indices = {n: link["ifindex"] for n, link in m.place().links().items()}
    m.inro("network", "reload").ok()
    assert {n: link["ifindex"] for n, link in m.place().links().items()} == indices


def test_killed_holder(machine_user):
    """The next start, or a reload, makes the namespace again, in the same user namespace."""
    m = machine_user
    start(m, "one", "-p", "8080:80")
    before = state_of(inside(m, "one"))
    for what in ("start", "reload"):
        holder = m.holder()
        users = os.readlink(holder / "ns/user")
        kill([int(holder.name), *(service_of(m) if what == "reload" else [])])
        harness.wait_for(lambda: m.holder() != holder, what="its end")
        if what == "start":
            start(m, "two")
        else:
            m.inro("network", "reload").ok()
        assert os.readlink(m.holder() / "ns/user") == users
        assert state_of(inside(m, "one")) == before, what
        assert reaches(m, "one", "two") and reaches(m, "two", "one"), what
        with inside(m, "one").serve("one", 80):
            assert m.get("127.0.0.1", 8080).startswith("one from ")
        harness.wait_for(lambda: resolves(m, "two", "one") and resolves(m, "one", "two"), what="names")


def test_fresh_networks_are_filled_by_whoever_comes(machine_user):
    """Not by who made them: a connect, or who was killed meanwhile."""
    m = machine_user
    m.inro("network", "create", "back").ok()
    start(m, "one", "-p", "8080:80")
    start(m, "two")
    before = state_of(inside(m, "one"))
    holder = m.holder()
    kill([int(holder.name)])
    harness.wait_for(lambda: m.holder() != holder, what="its end")
    m.inro("network", "connect", "back", "two").ok()
    start(m, "three")
    assert state_of(inside(m, "one")) == before
    assert reaches(m, "one", "three") and reaches(m, "three", "two")
    with inside(m, "one").serve("one", 80):
        assert m.get("127.0.0.1", 8080).startswith("one from ")
    assert not (m.who.run_dir / "inro/net/fresh").exists()


def test_killed_holder_of_one_that_went_elsewhere(machine_user):
    """A container in namespaces that it has made itself does not get the networks of others."""
    m = machine_user
    m.inro("run", "-d", "--name", "one", "--network", "bridge", "--security-opt", "seccomp=unconfined",
           image(m), "unshare", "-U", "-n", "sleep", "60").ok()
    pid = json.loads(m.inro("inspect", "one").ok().out)[0]["State"]["Pid"]
    harness.wait_for(lambda: pathlib.Path(f"/proc/{pid}/comm").read_text() == "sleep\n", what="its namespaces")
    holder = m.holder()
    users = os.readlink(holder / "ns/user")
    kill([int(holder.name), *service_of(m)])
    harness.wait_for(lambda: m.holder() != holder, what="its end")
    start(m, "two")
    assert os.readlink(m.holder() / "ns/user") == users


def test_service_killed_while_a_start_speaks_to_it(machine):
    m = machine
    start(m, "one")
    service = service_of(m)
    for pid in service:
        os.kill(pid, signal.SIGSTOP)
    starter = threading.Thread(target=start, args=(m, "two"))
    starter.start()
    starter.join(0.3)
    assert starter.is_alive()
    kill(service)
    starter.join()
    harness.wait_for(lambda: resolves(m, "two", "one"), what="names")


def kill(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_all_that_serves_names_is_killed(machine):
    """Whoever looks at containers brings it back, and a user's networks."""
    m = machine
    start(m, "one")
    start(m, "two")
    assert resolves(m, "one", "two")
    kill(service_of(m) + ([int(m.holder().name)] if m.who.rootless else []))
    assert not resolves(m, "one", "two")
    said = m.inro("doctor").out
    assert "fail  names: inro-net was killed" in said and "inro network reload" in said
    m.inro("ps").ok()
    assert "ok    names: dnsmasq is there" in m.inro("doctor").out
    assert resolves(m, "one", "two") and resolves(m, "two", "one") and reaches(m, "two", "one")
    service = service_of(m)
    m.inro("ps").ok()
    assert service_of(m) == service
    m.inro("rm", "-f", "-t", "0", "one", "two").ok()
    harness.wait_for(lambda: not service_of(m), what="its end")
    m.inro("ps").ok()
    assert not service_of(m)

    start(m, "three")
    m.inro("run", "-d", "--name", "alone", "--network", "none", image(m), "sleep", "60").ok()
    kill(service_of(m))
    m.inro("rm", "-f", "-t", "0", "three").ok()
    socket = m.who.run_dir / "inro/net/service"
    assert socket.exists()
    m.inro("ps").ok()
    assert not socket.exists() and not service_of(m)  # nobody's, and not repaired at each look
    m.inro("rm", "-f", "-t", "0", "alone").ok()


def test_fixed_address_of_ipv6_has_the_same_mac_again(machine):
    """Else others would send to the one of before, until they have found out."""
    m = machine
    m.inro("network", "create", "--subnet", "fd00:7::/64", "six").ok()
    words = ("run", "-d", "--name", "web", "--network", "six:ip6=fd00:7::77", image(m), "sleep", "60")
    m.inro("run", "-d", "--name", "peer", "--network", "six", image(m), "sleep", "60").ok()
    addresses = set()
    for _ in range(2):
        m.inro(*words).ok()
        found = json.loads(m.inro("inspect", "web").ok().out)[0]["NetworkSettings"]["Networks"]["six"]
        addresses.add(found["IPAddress"])
        assert inside(m, "web").links()["eth0"]["address"] == found["MacAddress"]
        with inside(m, "web").serve("web", 80):
            assert inside(m, "peer").get("fd00:7::77", 80, seconds=0.9 * harness.PATIENCE).startswith("web ")
        m.inro("rm", "-f", "-t", "0", "web").ok()
    assert len(addresses) == 2


def test_gateway_priority_of_one_that_runs(machine):
    m = machine
    m.inro("network", "create", "--subnet", "10.91.0.0/24", "back").ok()
    start(m, "one")
    route = state_of(inside(m, "one"))[1]
    assert "default" in route and "10.91.0.1" not in route
    m.inro("network", "connect", "--gw-priority", "1", "back", "one").ok()
    now = inside(m, "one").run("ip", "route", "show", "default").ok().out
    assert now.startswith("default via 10.91.0.1 ") and now.count("default") == 1
    m.inro("restart", "-t", "0", "one").ok()
    assert inside(m, "one").run("ip", "route", "show", "default").ok().out == now
    m.inro("network", "disconnect", "back", "one").ok()
    assert state_of(inside(m, "one"))[1] == route
