# SPDX-License-Identifier: Apache-2.0
"""A policy for SELinux that has no more than what the tests ask about: a container (box_t, files
box_file_t, categories), everything else (host_t), and what the kernel shows as files. What is not
named here is allowed. The transition is for message queues, of which a new one doesn't get its
directory's label."""

import os
import pathlib
import shutil
import subprocess

import harness

FS = pathlib.Path("/sys/fs/selinux")
BOX, BOX_FILE = "box_u:box_r:box_t:s0:c1,c2", "box_u:object_r:box_file_t:s0:c1,c2"
# in the order that the kernel numbers them
SIDS = """kernel security unlabeled fs file file_labels init any_socket port netif netmsg node
    igmp_packet icmp_socket tcp_socket sysctl_modprobe sysctl sysctl_fs sysctl_kernel sysctl_net
    sysctl_net_unix sysctl_vm sysctl_dev kmod policy scmp_packet devnull""".split()
CLASSES = {
    "file": "read write open create entrypoint execute", "dir": "read write search add_name",
    "chr_file": "read write open", "sock_file": "read write create", "lnk_file": "read write create",
    "process": "transition dyntransition ptrace",
    "key": "view read write search link create",
}
RULES = """
sensitivity s0; dominance { s0 }
category c0; category c1; category c2; category c3;
level s0:c0.c3;
mlsconstrain file { read write execute entrypoint } ( h1 dom h2 );
policycap nnp_nosuid_transition;
attribute every;
type host_t, every; type kernel_files_t, every; type box_t, every; type box_file_t, every;
role box_r; role box_r types { host_t box_t };
allow host_t every:{ file dir chr_file sock_file lnk_file process key } *;
allow box_t { box_t box_file_t }:{ file dir chr_file sock_file lnk_file } *;
allow box_t box_t:{ process key } *;
allow box_t kernel_files_t:file { read open };
allow box_t kernel_files_t:dir { read search };
allow box_t kernel_files_t:lnk_file read;
type_transition box_t host_t:file box_file_t;
user box_u roles { box_r } level s0 range s0 - s0:c0.c3;
"""
MOUNTS = {"fs_use_xattr": ("ext4", "overlay"), "fs_use_task": ("pipefs", "sockfs"),
          "fs_use_trans": ("tmpfs", "devpts", "devtmpfs", "mqueue")}


def policy_text():
    lines = [f"class {name}" for name in CLASSES] + [f"sid {sid}" for sid in SIDS]
    lines += [f"class {name} {{ {words} }}" for name, words in CLASSES.items()]
    lines += [RULES.strip()] + [f"sid {sid} box_u:box_r:host_t:s0 - s0:c0.c3" for sid in SIDS]
    lines += [f"{how} {fs} box_u:object_r:host_t:s0;" for how, names in MOUNTS.items() for fs in names]
    lines += [f"genfscon {fs} / box_u:object_r:kernel_files_t:s0"
              for fs in ("proc", "sysfs", "cgroup2", "selinuxfs")]
    return "\n".join(lines) + "\n"


def enabled():
    """With a policy or without."""
    return "selinuxfs" in pathlib.Path("/proc/filesystems").read_text()


def load(scratch):
    """Puts the policy in the place of whatever policy there is. For a machine that is thrown away: the
    kernel has no way back."""
    if not enabled():
        harness.machine_cannot("its kernel runs without SELinux")
    if not shutil.which("checkpolicy"):
        harness.machine_cannot("it has no checkpolicy to make a policy")
    if not (FS / "load").exists():
        subprocess.run(["mount", "-t", "selinuxfs", "selinuxfs", FS], check=True)
    if (FS / "enforce").read_text() == "1":
        harness.machine_cannot("its own policy is enforced")
    text, binary = scratch / "policy.conf", scratch / "policy"
    text.write_text(policy_text())
    version = (FS / "policyvers").read_text()
    subprocess.run(["checkpolicy", "-M", "-U", "allow", "-c", version, "-o", binary, text], check=True)
    fd = os.open(FS / "load", os.O_WRONLY)
    try:
        data = binary.read_bytes()
        assert os.write(fd, data) == len(data)
    finally:
        os.close(fd)


def label(path, context):
    """Of a tree."""
    for top, _, files in os.walk(path):
        for name in [".", *files]:
            os.setxattr(os.path.join(top, name), "security.selinux", context.encode() + b"\0",
                        follow_symlinks=False)


def label_of(path):
    return os.getxattr(path, "security.selinux", follow_symlinks=False).rstrip(b"\0").decode()
