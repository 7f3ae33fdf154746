#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Throughput of a user's networks beside pasta's own, as JSON: {what: [GBit/s of each round]}.

Run by bench/network.py in scripts/test-env, whose user it is and which cleans up: the machine, the user
and the container's image are those of the tests."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests/cli"))
# pylint: disable=wrong-import-position
import engine
import harness
import netmachine

BIND = [word for path in ("/usr", "/lib", "/lib64") for word in ("-v", f"{path}:{path}:ro")]
SERVER = ["/usr/bin/iperf3", "-s"]
CLIENT = ["/usr/bin/iperf3", "-J", "-t", "1", "-c"]
PORTS = {"inro bridge": 8080, "inro pasta": 8081, "pasta": 8082}


def rate(text):
    said = json.loads(text)
    if "error" in said:
        raise SystemExit(f"iperf3: {said['error']}")
    return said["end"]["sum_received"]["bits_per_second"] / 1e9


def start(machine, image):
    m = machine
    m.inro("run", "-d", "--name", "bridge", "--network", "bridge", "-p", f"{PORTS['inro bridge']}:5201", *BIND,
           image, *SERVER).ok()
    m.inro("run", "-d", "--name", "pasta", "--network", "pasta", "-p", f"{PORTS['inro pasta']}:5201", *BIND,
           image, *SERVER).ok()
    return m.popen("pasta", "--config-net", "-q", "-t", f"{PORTS['pasta']}:5201", "-f", "--", *SERVER,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(machine, lan, rounds):
    m, got = machine, {}
    ways = {"inro bridge": lambda: m.inro("exec", "bridge", *CLIENT, netmachine.LAN4).ok().out,
            "inro pasta": lambda: m.inro("exec", "pasta", *CLIENT, netmachine.LAN4).ok().out,
            "pasta": lambda: m.popen("pasta", "--config-net", "-q", "-f", "--", *CLIENT, netmachine.LAN4,
                                     stdout=subprocess.PIPE).communicate(timeout=30)[0]}
    for _ in range(rounds):
        for name, port in PORTS.items():
            said = lan.run(*CLIENT, netmachine.HOST4, "-p", str(port)).out
            got.setdefault(f"{name} in", []).append(rate(said))
        for name, out in ways.items():
            got.setdefault(f"{name} out", []).append(rate(out()))
    return got


def main():
    user = os.environ["INRO_TEST_USER"].split(":")[0]
    who = harness.Who(pathlib.Path(os.environ["INRO_BUILD"]), user, pathlib.Path(tempfile.mkdtemp()))
    os.chmod(who.dir, 0o711)
    machine = netmachine.Machine(who)
    lan = machine.lan()
    with lan.call(subprocess.Popen, SERVER, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        alone = start(machine, engine.box(who))
        time.sleep(1)
        try:
            print(json.dumps(measure(machine, lan, int(sys.argv[1]))))
        finally:
            for process in (alone, server):
                process.terminate()
                process.wait()
            who.remove_containers()


main()
