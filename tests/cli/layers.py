# SPDX-License-Identifier: Apache-2.0
"""Making layers and image archives by hand, and looking at unpacked trees."""

import gzip
import hashlib
import io
import json
import lzma
import os
import stat
import subprocess
import tarfile

MTIME = 1_600_000_000


def entry(name, data=None, kind=None, link="", **attrs):
    """(TarInfo, bytes) of one member; data makes it a file, a trailing slash a directory."""
    info = tarfile.TarInfo(name.rstrip("/") or name)
    info.mtime, info.mode = MTIME, 0o644
    if kind:
        info.type = kind
    elif link:
        info.type = tarfile.SYMTYPE
    elif name.endswith("/") or name == ".":
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    info.linkname = link
    data = (data or "").encode() if not isinstance(data, bytes) else data
    info.size = len(data)
    for key, value in attrs.items():
        setattr(info, key, value)
    return info, data


def hardlink(name, target):
    return entry(name, kind=tarfile.LNKTYPE, link=target)


def xattr(name, data="", **values):
    """A file (or directory) with SCHILY.xattr records; "__" in a keyword stands for a dot."""
    headers = {"SCHILY.xattr." + k.replace("__", "."): v for k, v in values.items()}
    return entry(name, data, pax_headers=headers)


def tar(*entries, fmt=tarfile.PAX_FORMAT, encoding="utf-8"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=fmt, encoding=encoding,
                      errors="surrogateescape") as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def files(**contents):
    """A layer of these files."""
    return tar(*(entry(name, data) for name, data in contents.items()))


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE,
                          check=True).stdout


COMPRESSORS = {"plain": lambda data: data, "gzip": lambda data: gzip.compress(data, mtime=0),
               "zstd": zstd, "xz": lzma.compress}


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def config(layers, **more):
    """An image config for uncompressed layers."""
    doc = {"architecture": "amd64", "os": "linux", "created": "2024-05-06T07:08:09Z",
           "config": {"Cmd": ["/bin/sh"]},
           "rootfs": {"type": "layers", "diff_ids": [sha(layer) for layer in layers]}}
    if os.uname().machine == "aarch64":
        doc["architecture"] = "arm64"
    return json.dumps({**doc, **more}).encode()


def docker_archive(layers, tags=("example.com/made:1",), conf=None, compress="plain", links=False):
    """As docker save writes it; links: equal layers are symlinks as in docker before 25."""
    conf = config(layers) if conf is None else conf
    conf_name = hashlib.sha256(conf).hexdigest() + ".json"
    members, names, seen = [], [], {}
    for number, layer in enumerate(layers):
        name = f"layer{number}/layer.tar"
        if links and layer in seen:
            members.append(entry(name, link="../" + seen[layer]))
        else:
            members.append(entry(name, COMPRESSORS[compress](layer)))
        seen.setdefault(layer, name)
        names.append(name)
    manifest = [{"Config": conf_name, "RepoTags": list(tags), "Layers": names}]
    members += [entry(conf_name, conf), entry("manifest.json", json.dumps(manifest).encode())]
    return tar(*members)


class Layout:
    """An OCI image layout under construction."""

    def __init__(self):
        self.blobs, self.manifests = {}, []

    def blob(self, data, media, **more):
        self.blobs[sha(data)] = data
        return {"mediaType": "application/vnd.oci.image." + media, "digest": sha(data),
                "size": len(data), **more}

    def image(self, layers, compress="plain", name=None, platform=None, conf=None):
        suffix = {"plain": "", "gzip": "+gzip", "zstd": "+zstd"}[compress]
        doc = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
               "config": self.blob(config(layers) if conf is None else conf, "config.v1+json"),
               "layers": [self.blob(COMPRESSORS[compress](layer), "layer.v1.tar" + suffix)
                          for layer in layers]}
        desc = self.blob(json.dumps(doc).encode(), "manifest.v1+json")
        if name:
            desc["annotations"] = {"org.opencontainers.image.ref.name": name}
        if platform:
            desc["platform"] = platform
        return desc

    def index(self, manifests, **more):
        doc = {"schemaVersion": 2, "manifests": manifests}
        return self.blob(json.dumps(doc).encode(), "index.v1+json", **more)

    def archive(self, *manifests):
        index = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
        members = [entry("oci-layout", '{"imageLayoutVersion":"1.0.0"}'),
                   entry("index.json", index)]
        members += [entry("blobs/sha256/" + digest.split(":")[1], data)
                    for digest, data in self.blobs.items()]
        return tar(*members)


def look(root):
    """{path: what `ls -l` would tell of it} of a tree, contents as bytes, overlay's marks too."""
    found = {}
    root = os.fsencode(root)
    for top, dirs, files in os.walk(root):
        for name in [b""] + files + [d for d in dirs if os.path.islink(os.path.join(top, d))]:
            path = os.path.join(top, name) if name else top
            st = os.lstat(path)
            one = {"mode": stat.filemode(st.st_mode), "perm": stat.S_IMODE(st.st_mode),
                   "owner": (st.st_uid, st.st_gid), "mtime": st.st_mtime, "nlink": st.st_nlink,
                   "ino": st.st_ino, "blocks": st.st_blocks, "size": st.st_size,
                   "xattrs": {n: os.getxattr(path, n, follow_symlinks=False)
                              for n in os.listxattr(path, follow_symlinks=False)}}
            if stat.S_ISREG(st.st_mode):
                with open(path, "rb") as file:
                    one["data"] = file.read()
            elif stat.S_ISLNK(st.st_mode):
                one["target"] = os.readlink(path)
            elif not stat.S_ISDIR(st.st_mode):
                one["device"] = (os.major(st.st_rdev), os.minor(st.st_rdev))
            found[os.path.relpath(path, root)] = one
    return found
