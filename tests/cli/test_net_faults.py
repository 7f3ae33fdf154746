# SPDX-License-Identifier: Apache-2.0
"""Networks when something goes wrong: kill -9 of whoever has a part in them, somebody else's hand."""

import json

import engine

TURNS = True


def image(machine):
    """A user can't run the machine's own root."""
    if not hasattr(machine, "image"):
        machine.image = engine.box(machine.who) if machine.who.rootless else "host"
    return machine.image


def start(machine, name, *args):
    machine.inro("run", "-d", "--name", name, "--network", "bridge", *args, image(machine), "sleep",
                 "60").ok()


def test_end_after_somebody_flushed_the_rules(machine_root):
    """Who ends takes its ports out of a table that is gone: it must not wait for itself."""
    m = machine_root
    start(m, "aa", "-p", "8080:80")
    start(m, "bb", "-p", "8081:80", "-p", "8082:80")
    m.flush()
    m.inro("update", "--publish-rm", "8082:80", "bb", timeout=8).ok()
    m.flush()
    m.inro("rm", "-f", "-t", "0", "aa", timeout=8).ok()
    start(m, "aa", "-p", "8080:80")  # brings back what the others have
    ports = m.elements(m.table)
    assert {json.dumps(e).count("8081") for e in ports["ports4"]} == {0, 1}, ports
    assert len(ports["ports4"]) == len(ports["ports6"]) == 2, ports
