# SPDX-License-Identifier: Apache-2.0
"""inro system reset, and inro port."""

import os

import engine

TURNS = True


def test_reset(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "-d", "--name", "one", "-v", "data:/data", box, "sleep", "1000").ok()
    anyone.inro("create", "--name", "two", "-v", "/anonymous", box, "true").ok()
    anyone.inro("pod", "create", "--name", "pod").ok()
    anyone.inro("run", "-d", "--pod", "pod", box, "sleep", "1000").ok()
    anyone.inro("secret", "create", "key", "-", input="x").ok()
    anyone.inro("artifact", "add", "example.com/a:1", os.path.realpath(__file__)).ok()

    anyone.inro("pod", "create", "--name", "done").ok()
    anyone.inro("run", "--pod", "done", "--name", "three", box, "true").ok()
    assert "label=" not in anyone.inro("system", "prune", "-f", "--filter", "label=x").ok().out
    out = anyone.inro("system", "prune", "-f").ok().out
    assert "Deleted Pods:" in out and "Deleted Containers:\n" in out
    assert anyone.inro("pod", "ps", "--format", "{{.Name}}").ok().out == "pod\n"

    for answer in ("n\n", ""):
        out = anyone.inro("system", "reset", input=answer).ok().out
        assert out.startswith("WARNING!") and "images and artifacts" in out
    assert len(engine.containers(anyone)) == 2

    assert "Are you sure" in anyone.inro("system", "reset", input="y\n").ok().out
    for listing in (("ps", "-aq"), ("pod", "ps", "-q"), ("images", "-aq"), ("volume", "ls", "-q"), ("secret", "ls", "-q"),
                    ("artifact", "ls", "-q")):
        assert anyone.inro(*listing).ok().out == "", listing
    anyone.inro("system", "check").ok()
    assert "0B" in anyone.inro("system", "df").ok().out
    # what is left is what a new user's first command makes
    assert anyone.inro("run", "--rm", engine.box(anyone), "echo", "again").ok().out == "again\n"
    assert anyone.inro("system", "reset", "-f").ok().out == ""


def test_port(anyone):
    anyone.inro("create", "--name", "one", engine.box(anyone), "true").ok()
    assert anyone.inro("port", "one").ok().out == ""
    anyone.inro("port", "one", "80").fails("No public port '80/tcp' published for one", code=125)
    anyone.inro("container", "port", "one", "53/udp").fails("No public port '53/udp'", code=125)
    anyone.inro("port", "one", "0").fails("invalid port: 0", code=125)
    anyone.inro("port", "two").fails("No such container: two", code=125)
