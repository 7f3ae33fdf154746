# SPDX-License-Identifier: Apache-2.0
"""Prints all that a tree's entries tell, as JSON: run where the tree can be seen.

usage: treelook.py DIRECTORY"""

import hashlib
import json
import os
import stat
import sys

# Bookkeeping of the tools, of overlayfs, and of the machine.
OWN = ("user.umoci.", "user.rootlesscontainers", "trusted.overlay.", "user.overlay.", "security.selinux")
NOW = 1_700_000_000  # times in the images are earlier; what is later has been made just now


def text(raw):
    return raw.decode("latin-1")


def look(path, links, name):
    st = os.lstat(path)
    kind = stat.S_IFMT(st.st_mode)
    one = {"mode": oct(st.st_mode), "uid": st.st_uid, "gid": st.st_gid,
           "mtime": st.st_mtime_ns if st.st_mtime < NOW else "now"}
    xattrs = {n: os.getxattr(path, n, follow_symlinks=False).hex()
              for n in os.listxattr(path, follow_symlinks=False) if not n.startswith(OWN)}
    if xattrs:
        one["xattrs"] = xattrs
    if kind == stat.S_IFREG:
        with open(path, "rb") as file:
            one["sha256"] = hashlib.sha256(file.read()).hexdigest()
        one["size"] = st.st_size
    elif kind == stat.S_IFLNK:
        one["target"] = text(os.readlink(path))
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        one["device"] = [os.major(st.st_rdev), os.minor(st.st_rdev)]
    if kind != stat.S_IFDIR and st.st_nlink > 1:
        links.setdefault((st.st_dev, st.st_ino), []).append(name)
    return one


def main(root):
    found, links = {}, {}
    root = os.fsencode(root)
    for top, dirs, files in os.walk(root):
        for name in [b"", *sorted(files), *sorted(d for d in dirs if os.path.islink(os.path.join(top, d)))]:
            path = os.path.join(top, name) if name else top
            shown = text(os.path.relpath(path, root))
            found[shown] = look(path, links, shown)
    for names in links.values():
        for name in names if len(names) > 1 else []:
            found[name]["links"] = sorted(names)
    json.dump(found, sys.stdout)


main(sys.argv[1])
