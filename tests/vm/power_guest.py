#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""In the VM of tests/vm/power, as its first process: looks at the store that the last machine has
left, then changes it until this one is killed. Lines of JSON on the second serial port say what it
sees. Its argument is the user that inro runs as."""

import http.server
import itertools
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import subprocess
import sys
import termios
import threading
import time
import tty

TOOLS, STORE = pathlib.Path("/mnt"), pathlib.Path("/srv")
ROOT = STORE / "inro"
REMOTE = "127.0.0.1:5000/app"
WHO = pwd.getpwnam(sys.argv[1])
RUN = pathlib.Path(f"/run/user/{WHO.pw_uid}")
PORT = os.open("/dev/ttyS1", os.O_RDWR | os.O_NOCTTY)
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": WHO.pw_dir, "XDG_RUNTIME_DIR": str(RUN),
       "INRO_CONFIG": str(TOOLS / "inro.conf")}


def say(what, **more):
    """The host knows it when this returns."""
    os.write(PORT, json.dumps({"say": what, **more}).encode() + b"\n")
    termios.tcdrain(PORT)


def modprobe(*names):
    subprocess.run(["modprobe", "-a", *names], check=True)


def mount(kind, what, place):
    subprocess.run(["mount", "-t", kind, what, place], check=True)


def mounts():
    for kind, place in (("sysfs", "/sys"), ("tmpfs", "/run"), ("tmpfs", "/tmp"),
                        ("cgroup2", "/sys/fs/cgroup")):
        mount(kind, kind, place)
    modprobe("overlay")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # libraries that the root disk does not have
    for path in (TOOLS / "lib").iterdir():
        place = pathlib.Path("/usr/lib/x86_64-linux-gnu") / path.name
        if not place.exists():
            place.symlink_to(path)
    begin = time.monotonic()
    mount("ext4", "/dev/vdb", STORE)
    for path in (ROOT, RUN):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chown(path, WHO.pw_uid, WHO.pw_gid)
    say("mounted", seconds=round(time.monotonic() - begin, 1))


class Registry(http.server.BaseHTTPRequestHandler):
    """What the host has put on the disk of tools."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = TOOLS / "registry" / re.sub("[^A-Za-z0-9/.-]", "_", self.path.lstrip("/"))
        if self.path == "/v2/":
            data, kind = b"{}", "application/json"
        elif path.is_file():
            data, kind = path.read_bytes(), "application/vnd.oci.image.manifest.v1+json"
        else:
            data, kind = None, "text/plain"
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        if self.command == "GET" and data:
            self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def inro(*args):
    user = {} if WHO.pw_uid == 0 else {"user": WHO.pw_uid, "group": WHO.pw_gid, "extra_groups": []}
    return subprocess.run([TOOLS / "bin/inro", "--root", ROOT, *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, env=ENV, cwd="/", **user)


def check(*options):
    done = inro("system", "check", "--format", "json", *options)
    try:
        return json.loads(done.stdout), done.returncode
    except ValueError:
        return {"Broken": done.stderr}, done.returncode


def listed():
    out = inro("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").stdout
    return dict(line.rsplit(" ", 1) for line in out.splitlines())


def tried(images):
    """Half an image never runs: the program is looked for in a whole one, and not found."""
    said = {}
    for name in images:
        if "<none>" in name:
            continue
        done = inro("run", "--rm", "--network", "none", "--pull", "never", name, "/none/such")
        said[name] = [done.returncode, done.stderr]
    return said


def look():
    """At what the last machine has left."""
    begin = time.monotonic()
    first = inro("images", "-q")
    quick, _ = check("--quick")
    report, _ = check()
    images = listed()
    ran = tried(images)
    say("found", first=first.returncode, told=first.stderr.strip(), images=images, ran=ran,
        report=report, doubted=[image["Names"] for image in quick.get("Images", [])],
        seconds=round(time.monotonic() - begin, 1))


def heal():
    """All that can be pulled is pulled again, the rest is removed; then nothing may be wrong."""
    begin = time.monotonic()
    failed = [done.stderr for done in (inro("pull", "-q", f"{REMOTE}:{tag}") for tag in "12")
              if done.returncode]
    report, repaired = check("--repair")
    pulled = [image for image in report.get("Images", [])
              if any(name.startswith(REMOTE) for name in image.get("Names") or [])]
    whole, after = check("--quick")
    say("healed", failed=failed, pulled=pulled, repaired=repaired, after=after, report=whole,
        seconds=round(time.monotonic() - begin, 1))


def remove_all():
    names = list(listed())
    for name in names:
        say("gone", name=name)
    inro("rmi", "-f", *names)


def work(boot):
    archive, data = TOOLS / "image.tar", TOOLS / "layer.tar"
    for i in itertools.count():
        made = f"localhost/made-{boot}-{i}:1"
        steps = [("pull", "-q", f"{REMOTE}:1"), ("pull", "-q", f"{REMOTE}:2"),
                 ("load", "-q", "-i", archive), ("import", data, made)]
        random.shuffle(steps)
        for step in steps:
            say("does", step=step[0], number=i)
            done = inro(*step)
            if done.returncode:
                say("failed", step=[str(word) for word in step], error=done.stderr)
            elif step[0] == "import":
                say("safe", name=made, id=done.stdout.strip().rpartition(":")[2][:12])
        if i:
            made = f"localhost/made-{boot}-{i - 1}:1"
            say("gone", name=made)
            say("does", step="rmi", number=i)
            inro("rmi", made)
        names = [f"{REMOTE}:1", f"{REMOTE}:2", "localhost/loaded:1"]
        inro("rmi", *random.sample(names, random.randint(1, 3)))


def main():
    tty.setraw(PORT)
    os.environ["PATH"] = ENV["PATH"]
    try:
        say("started")
        mounts()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 5000), Registry)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        look()
        heal()
        remove_all()
        say("ready", used=shutil.disk_usage(STORE).used)
        work(random.randrange(1 << 32))
    except BaseException as e:  # the host has to know
        say("broken", error=repr(e))
    time.sleep(3600)


main()
