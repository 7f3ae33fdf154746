# SPDX-License-Identifier: Apache-2.0
"""inro ps: sizes, orders, times, and what podman has besides."""

import json
import re
import time

import pytest

import engine


@pytest.fixture
def web(anyone):
    with engine.running(anyone, "web"):
        yield anyone


def test_ps_with_sizes(web):
    web.inro("exec", "web", "dd", "if=/dev/zero", "of=/file", "bs=1000", "count=500").ok()
    lines = web.inro("ps", "--size").ok().out.splitlines()
    assert lines[0].endswith("SIZE") and "500kB (virtual " in lines[1]
    assert "500kB" in web.inro("ps", "--format", "{{.Size}}").ok().out
    assert json.loads(web.inro("ps", "--format", "json").ok().out)["Size"] == "0B"


def test_ps_in_another_order(web):
    web.inro("run", "--name", "a1", "box", "echo").ok()
    web.inro("run", "--name", "z9", "box", "false")
    order = lambda *args: web.inro("ps", "-a", *args, "--format", "{{.Names}}").ok().out.split()
    assert order() == order("--sort", "created") == ["z9", "a1", "web"]
    assert order("--sort", "names") == ["a1", "web", "z9"]
    assert order("--sort", "command") == ["a1", "z9", "web"]
    assert order("--sort", "status")[2] == "web"
    web.inro("ps", "--sort", "taste").fails("taste", code=125)


def test_ps_of_a_time(web):
    time.sleep(0.05)
    now = time.time()
    names = lambda until: web.inro("ps", "--filter", f"until={until}",
                                   "--format", "{{.Names}}").ok().out
    assert names(int(now) + 2) == "web\n" and names("1h") == ""
    web.inro("ps", "--filter", "until=often").fails("often", code=125)


def test_fields_of_ps_that_podman_has(web):
    text = "{{.Exited}} {{.AutoRemove}} {{.Created}} {{.StartedAt}} {{.Pod}}|" \
           "{{.IsInfra}} {{.Restarts}} {{.HealthStatus}}|{{.Pid}}"
    out = web.inro("ps", "--format", text).ok().out
    pid = web.inro("inspect", "--format", "{{.State.Pid}}", "web").ok().out
    assert re.fullmatch(rf"false false .* ago \d{{10}} \|false 0 \|{pid}", out), out
    assert int(pid) > 0
    web.inro("create", "--name", "more", "--cidfile", "cid", "--expose", "80", "--expose", "53/udp",
             engine.box(web), "true", cwd=web.dir).ok()
    out = web.inro("ps", "-a", "--format", "{{.Names}} {{.CIDFile}} {{.ExposedPorts}}|").ok().out
    assert out == f"more {web.dir}/cid 80/tcp, 53/udp|\nweb  |\n"
