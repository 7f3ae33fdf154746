# SPDX-License-Identifier: Apache-2.0
"""The programs of tests/kernel: modules against the running kernel."""

import re


def test_cgroup(root, build):
    result = root.run(build / "tests/kernel/kernel_cgroup").ok()
    # Not one that looked at nothing: the layout is the machine's.
    assert re.search(r"^layout: (v1|hybrid|v2)$", result.out, re.M), result
    assert " 0 checks failed" in result.out
