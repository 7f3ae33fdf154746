# SPDX-License-Identifier: Apache-2.0
"""`make demo`: the first thing that a newcomer sees."""

import os
import pathlib
import re

DEMO = pathlib.Path(__file__).resolve().parents[2] / "scripts/demo"


def test_demo_shows_container_beside_host(root):
    out = root.run(DEMO, env={"INRO": root.program("inro"),
                              "INRO_ROOT": str(root.state / "inro")}).ok().out
    host = os.uname().nodename

    def row(name):
        """The container's and the host's column."""
        line = re.search(rf"^  {name} .*$", out, re.M).group()
        return line[18:57].strip(), line[58:].strip()

    assert row("hostname") == ("first", host)
    assert row("pid 1")[0] == "sh"
    assert row("interfaces")[0] == "lo"
    assert row("root")[0] == "overlay, rw"
    assert row("seccomp")[0] == "filter"
    assert row("memory")[0] == "256 MiB"
    assert row("tasks")[0] == "100"
    assert int(row("capabilities")[0]) < int(row("capabilities")[1])
    assert int(row("processes")[0]) < 10
    assert "/proc(proc)" in out and "net_bind_service" in out
    assert re.search(r"inro run --rm --network none host true +best +[\d.]+ ms, median +[\d.]+ ms, of 20 runs", out)
    assert max(map(len, out.splitlines())) <= 100
