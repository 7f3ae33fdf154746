# SPDX-License-Identifier: Apache-2.0
"""The programs of tests/kernel: modules against the running kernel."""

import re


def test_cgroup(root, build):
    result = root.run(build / "tests/kernel/kernel_cgroup").ok()
    # Not one that looked at nothing: the layout is the machine's.
    assert re.search(r"^layout: (v1|hybrid|v2)$", result.out, re.M), result
    assert " 0 checks failed" in result.out


def test_net(anyone, build):
    """In network namespaces of its own; without privileges, in a user namespace, too."""
    wrap = ["unshare", "--user", "--map-root-user"] if anyone.rootless else []
    result = anyone.run(*wrap, build / "tests/kernel/kernel_net").ok()
    assert " 0 checks failed" in result.out
    assert result.out.count("ok - ") == 11, result


def test_firewall(anyone, build):
    wrap = ["unshare", "--user", "--map-root-user"] if anyone.rootless else []
    result = anyone.run(*wrap, build / "tests/kernel/kernel_firewall").ok()
    assert " 0 checks failed" in result.out
    assert result.out.count("ok - ") == 6, result
