# SPDX-License-Identifier: Apache-2.0
"""Where a container's cgroups are, for tests that look into them: v1, hybrid and v2."""

import pathlib

import harness


def mounts():
    """{controller: mount point}; "" is cgroup2."""
    found = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        fstype, _, options = right.split(" ", 2)
        if fstype == "cgroup2":
            found[""] = left.split()[4]
        elif fstype == "cgroup":
            for word in options.split(","):
                found[word] = left.split()[4]
    return found


def directory(pid, controller):
    """The cgroup of this process for a controller: on v1, or the cgroup2."""
    where = mounts()
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, names, path = line.split(":", 2)
        # a v1 hierarchy that is being unmounted has no controllers either
        if controller in names.split(",") or (number == "0" and controller not in where):
            key = controller if names else ""
            return pathlib.Path(where[key] + path)
    return harness.machine_cannot(f"no cgroup of process {pid} for {controller}")


def is_v2(controller):
    return controller not in mounts()


class Files:
    """Files of the cgroups of one process: get("memory", "memory.limit_in_bytes", "memory.max")."""

    def __init__(self, pid):
        self.pid = pid

    def path(self, controller, v1_name, v2_name):
        return directory(self.pid, controller) / (v2_name if is_v2(controller) else v1_name)

    def get(self, controller, v1_name, v2_name):
        return self.path(controller, v1_name, v2_name).read_text().strip()
