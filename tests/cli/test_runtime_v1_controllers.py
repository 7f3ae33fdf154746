# SPDX-License-Identifier: Apache-2.0
"""Controllers that most machines have without mounting them: hugetlb, net_cls, net_prio, perf_event.
A hierarchy of v1 can be made in the machine's own cgroup namespace only: for as long as the test runs,
in a mount namespace of the test."""

import json
import os
import pathlib
import shlex

import cgroups
import harness

# What was removed dies a little later, and a hierarchy that is unmounted before that stays: again then.
SCRIPT = """
cd /sys/fs/cgroup
undo() {{
    {rt} delete --force c1
    for c in {controllers}; do
        if mountpoint -q $c; then rmdir $c/inro 2>/dev/null || true; umount $c; fi
        for i in 1 2 3 4 5 6 7 8 9 10; do
            grep -q ":$c:" /proc/self/cgroup || break
            sleep 0.1
            mount -t cgroup -o $c none $c && umount $c
        done
        rmdir $c 2>/dev/null || true
    done
}}
trap undo EXIT
for c in {controllers}; do
    mkdir $c
    mount -t cgroup -o $c none $c || exit 77
done
{script}
"""


def with_controllers(root, controllers, script):
    outer = os.environ.get("INRO_TEST_CGROUP_NS")
    if not outer or not os.path.isdir("/sys/fs/cgroup/memory"):
        harness.machine_cannot("no cgroup v1 here")
    rt = shlex.join(map(str, root.runtime_argv()))
    text = SCRIPT.format(rt=rt, controllers=controllers, script=script.replace("$RT", rt))
    r = root.run("nsenter", f"--cgroup={outer}", "unshare", "--mount", "--propagation", "private",
                 "sh", "-ec", text)
    if r.code == 77:
        harness.machine_cannot(f"mount the controllers {controllers} of cgroup v1")
    return r


def test_network(root):
    b = root.bundle("sleep", "60")
    name = root.dir.name  # another run of this test sees the same hierarchies
    b.linux["cgroupsPath"] = f"/inro/{name}"
    b.linux["resources"] = {"network": {"classID": 0x100001,
                                        "priorities": [{"name": "lo", "priority": 5}]}}
    b.save()
    new = json.dumps({"network": {"classID": 0x100002,
                                  "priorities": [{"name": "lo", "priority": 6}]}})
    bad = json.dumps({"network": {"classID": 0x100003,
                                  "priorities": [{"name": "lo", "priority": 7},
                                                 {"name": "nosuch0", "priority": 1}]}})
    show = f"cat net_cls/inro/{name}/net_cls.classid; grep lo net_prio/inro/{name}/net_prio.ifpriomap"
    r = with_controllers(root, "net_cls net_prio perf_event", f"""
        $RT run --detach --bundle {b.path} c1 >/dev/null 2>&1 </dev/null
        pid=$($RT state c1 | sed -n 's/.*"pid": \\([0-9]*\\).*/\\1/p')
        grep -c '\\(net_cls\\|net_prio\\|perf_event\\):/inro/{name}$' /proc/$pid/cgroup
        {show}
        echo {shlex.quote(new)} | $RT update -r - c1
        {show}
        ! echo {shlex.quote(bad)} | $RT update -r - c1
        {show}""").fails("nosuch0", code=0)
    harness.wait_for(lambda: ":net_" not in pathlib.Path("/proc/self/cgroup").read_text(), 10,
                     "the end of the hierarchies")
    assert r.out == f"3\n{0x100001}\nlo 5\n" + f"{0x100002}\nlo 6\n" * 2


def has_hugetlb():
    words = []
    for path in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if os.path.exists(f"{path}/cgroup.controllers"):
            words += open(f"{path}/cgroup.controllers").read().split()
    return "hugetlb" in words


def test_huge_pages(root):
    """By v1 where it is mounted, else by the cgroup2 of a hybrid machine, which has it then."""
    if cgroups.is_v2("hugetlb") and not has_hugetlb():
        harness.machine_cannot("no hugetlb controller")
    b = root.bundle("sleep", "60")
    b.linux["resources"] = {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]}
    b.save()
    b.run("--detach", stdout=None, stderr=None).ok()
    f = cgroups.Files(json.loads(root.runtime("state", "c1").ok().out)["pid"])
    files = ("hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max")
    rsvd = ("hugetlb", "hugetlb.2MB.rsvd.limit_in_bytes", "hugetlb.2MB.rsvd.max")
    assert f.get(*files) == f.get(*rsvd) == str(4 << 20)
    new = {"hugepageLimits": [{"pageSize": "2MB", "limit": 8 << 20}]}
    root.runtime("update", "-r", "-", "c1", input=json.dumps(new)).ok()
    assert f.get(*files) == f.get(*rsvd) == str(8 << 20)
    new = {"hugepageLimits": [{"pageSize": "2MB", "limit": 2 << 20},
                              {"pageSize": "3MB", "limit": 0}]}
    root.runtime("update", "-r", "-", "c1", input=json.dumps(new)).fails(
        "setting hugepageLimits[1]: this kernel has no hugetlb.3MB", code=1)
    assert f.get(*files) == f.get(*rsvd) == str(8 << 20)
    stats = json.loads(root.runtime("events", "--stats", "c1").ok().out)["data"]["hugetlb"]
    assert stats["2MB"] == {"failcnt": 0}
