# SPDX-License-Identifier: Apache-2.0
"""bench/run network: what a bridge adds to a start, what its packets take, and how both bear many
containers, beside docker and podman.

All of it is in a network namespace of its own, with another, "lan", on a wire: nothing touches the
machine's. Each engine has its default network there, with the addresses that it chooses itself."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import time

import engine
from engine import Figures, quiet

HOST, LAN = "192.0.2.1", "192.0.2.2"
PORTS = {"inro": 10000, "podman": 20000, "docker": 30000}  # the first that is published
CONNECTIONS = 200
CLONE_NEWNET = 0x40000000
BRIDGE = {"inro": "bridge", "docker": "bridge", "podman": "podman"}
# Microseconds of each of some connections, made in turn to each of the ports: minima, of which a busy machine changes least, as JSON.
CONNECT = """
import json, socket, sys, time
took = {port: [] for port in sys.argv[3:]}
for _ in range(int(sys.argv[2])):
    for port in took:
        start = time.monotonic()
        socket.create_connection((sys.argv[1], int(port)), 10).close()
        took[port].append((time.monotonic() - start) * 1e6)
print(json.dumps([min(t) for t in took.values()]))
"""


class Docker(engine.Docker):
    network = ()


def enter_machine():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    quiet("sh", "-ec", f"""
        ip link set lo up
        ip netns add lan
        ip link add lan0 type veth peer name eth0 netns lan
        ip addr add {HOST}/24 dev lan0
        ip link set lan0 up
        ip -n lan link set lo up
        ip -n lan addr add {LAN}/24 dev eth0
        ip -n lan link set eth0 up
        ip route add default via {LAN}""")


def add_program(rootfs, path):
    """A program and its libraries."""
    words = quiet("ldd", path).split()
    for name in [path, *{word for word in words if word.startswith("/")}]:
        target = rootfs + name
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(name, target)


class Bench(engine.Bench):
    kinds = (engine.Inro, engine.Podman, Docker)

    def run_rm(self):
        commands = []
        for tool in self.tools:
            for network, words in (("none", "none"), ("bridge", BRIDGE[tool.name])):
                commands.append((f"{tool.name} {network}",
                                 [*tool.argv, "run", "--rm", "--network", words, "bench", "/bin/true"]))
        for _, argv in commands:  # what the first container on a machine makes
            quiet(*argv)
        return self.interleaved("Network: run --rm IMAGE true", "inro bridge",
                                "Without a network, and on the default one: the difference is what the "
                                "network takes, in the start and in the end.", commands, self.rounds)

    def start(self, tool, name, *words):
        return quiet(*tool.argv, "run", "-d", "--name", name, "--network", BRIDGE[tool.name], *words)

    def address(self, tool, name):
        networks = json.loads(quiet(*tool.argv, "inspect", name))[0]["NetworkSettings"]["Networks"]
        return next(iter(networks.values()))["IPAddress"]

    def throughput(self):
        """GBit/s: between two containers of a network, and from the lan to a published port."""
        for tool in self.tools:
            self.start(tool, "server", "-p", f"{PORTS[tool.name]}:5201", "bench", "iperf3", "-s")
            self.start(tool, "client", *engine.WAIT)
        got = {(tool.name, way): [] for tool in self.tools for way in ("beside", "port")}
        for _ in range(max(3, self.rounds // 4)):
            for tool in self.tools:
                iperf = ["iperf3", "-J", "-t", "1", "-c"]
                for way, argv in (
                        ("beside", [*tool.argv, "exec", "client", *iperf, self.address(tool, "server")]),
                        ("port", ["ip", "netns", "exec", "lan", *iperf, HOST, "-p",
                                  str(PORTS[tool.name])])):
                    said = json.loads(quiet(*argv))
                    if "error" in said:
                        raise SystemExit(f"bench: {tool.name}: {way}: {said['error']}")
                    got[tool.name, way].append(said["end"]["sum_received"]["bits_per_second"] / 1e9)
        table = Figures("Network: throughput", "TCP, one connection of a second, medians in GBit/s: between "
                        "two containers, and from another machine to a published port.",
                        ["engine", "beside each other", "published port"])
        for tool in self.tools:
            quiet(*tool.argv, "rm", "-f", "server", "client")
            table.add(tool.name, *(f"{sorted(v)[len(v) // 2]:.1f}" for v in
                                   (got[tool.name, "beside"], got[tool.name, "port"])))
        return table

    def many(self):
        """The last of many containers with two ports each, against the first."""
        some = min(10, self.count // 2)
        table = Figures(f"Network: {self.count} containers with two published ports each",
                        f"run -d of the first {some} and of the last, medians; then {CONNECTIONS} connections "
                        "from another machine to the first one's port and the last one's, in turn, minima.",
                        ["engine", "first ms", "last ms", "last / first", "first port us", "last port us",
                         "last / first"])
        for tool in self.tools:
            print(f"  {tool.name}: {self.count} containers with ports", file=sys.stderr)
            port, took = PORTS[tool.name], []
            for number in range(self.count):
                begin = time.monotonic()
                self.start(tool, f"many{number}", "-p", f"{port + 2 * number}:80", "-p",
                           f"{port + 2 * number + 1}:81", "bench", "/bin/busybox", "nc", "-ll", "-p", "80",
                           "-e", "/bin/true")
                took.append((time.monotonic() - begin) * 1e3)
            first, last = (sorted(part)[some // 2] for part in (took[:some], took[-some:]))
            near, far = json.loads(quiet("ip", "netns", "exec", "lan", sys.executable, "-c", CONNECT, HOST,
                                         CONNECTIONS, port, port + 2 * (self.count - 1)))
            table.add(tool.name, f"{first:.1f}", f"{last:.1f}", f"{last / first:.2f}", f"{near:.0f}",
                      f"{far:.0f}", f"{far / near:.2f}")
            for at in range(0, self.count, 50):
                quiet(*tool.argv, "rm", "-f", *(f"many{n}" for n in range(at, min(at + 50, self.count))))
        return table

    def tables(self):
        yield self.run_rm()
        if shutil.which("iperf3"):
            yield self.throughput()
        else:
            print("bench: iperf3 is not installed: no throughput", file=sys.stderr)
        yield self.many()


def rootless(build, rounds):
    """A user's, in a machine of their own; the document compares with pasta by itself."""
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    got = json.loads(quiet(f"{top}/scripts/test-env", f"{top}/bench/rootless.py", rounds,
                           env={**os.environ, "INRO_BUILD": build}))
    table = Figures("Network: throughput without root", "TCP, one connection of a second, medians in GBit/s: from "
                    "another machine to a published port, and to it. The last line is a program in pasta alone.",
                    ["network", "published port", "outward"])
    for name in ("inro bridge", "inro pasta", "pasta"):
        table.add(name, *(f"{sorted(got[f'{name} {way}'])[rounds // 2]:.1f}" for way in ("in", "out")))
    return table


def run(work, build, rootfs, rounds, scale, interleaved):
    if shutil.which("iperf3") and shutil.which("pasta"):
        yield rootless(build, max(3, rounds // 4))
    else:
        print("bench: iperf3 or pasta is not installed: no throughput without root", file=sys.stderr)
    enter_machine()
    if shutil.which("iperf3"):
        add_program(rootfs, shutil.which("iperf3"))
    bench = Bench(work, build, rootfs, rounds, scale, interleaved)
    bench.count = max(4, int(500 * scale))
    with bench.stack:
        bench.setup()
        yield from bench.tables()
