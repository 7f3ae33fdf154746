# SPDX-License-Identifier: Apache-2.0
"""Vulnerabilities of other engines that have no place in another test."""

import json
import os
import subprocess


def test_cve_2019_5736_the_runtime_can_not_be_overwritten(root):
    """The init that waits for `start` is the runtime's program: a container reaches its file by
    /proc/PID/exe, and once nobody executes it any more, only a read-only mount keeps it safe."""
    bundle = root.bundle("true")
    # Not pipes: the container would hold them open.
    root.runtime("create", "--bundle", bundle.path, "c1", stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL).ok()
    pid = json.loads(root.runtime("state", "c1").ok().out)["pid"]
    exe = f"/proc/{pid}/exe"
    sealed = os.readlink(exe).startswith("/memfd:")
    assert sealed or os.statvfs(exe).f_flag & os.ST_RDONLY
    # The file that is installed has no such protection, or the line above says nothing.
    assert not os.statvfs(root.program("inro-runtime")).f_flag & os.ST_RDONLY


def test_cve_2022_24769_no_inheritable_capabilities(anyone):
    """With them, an executable file's inheritable set gave capabilities to any user inside."""
    bundle = anyone.bundle("sh", "-c", "grep -E 'CapInh|CapAmb' /proc/self/status")
    lines = bundle.run().ok().out.split()
    assert lines == ["CapInh:", "0" * 16, "CapAmb:", "0" * 16]
