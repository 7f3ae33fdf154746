# SPDX-License-Identifier: Apache-2.0
"""A filesystem of a container's own (FUSE) that answers up to a point, and then never."""

import os
import select
import stat
import struct
import subprocess
import threading

import harness

LOOKUP, FORGET, GETATTR, OPEN, FLUSH, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 25, 26, 36, 42
HOUR, ENOSYS = 3600, 38
DIRECTORY, PROGRAM = (1, stat.S_IFDIR | 0o755), (2, stat.S_IFREG | 0o755)


def attributes(inode, mode):
    return struct.pack("<6Q10I", inode, 4096, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


class Hanging:
    """Mounted at a directory of a container; all names in it are programs. asked: the kernel has
    sent the request (LOOKUP, OPEN) that is never answered, and waits for it."""

    def __init__(self, pid, where, never):
        self.never, self.asked, self.stop = never, threading.Event(), False
        try:
            self.fd = os.open("/dev/fuse", os.O_RDWR)
        except OSError as e:
            harness.machine_cannot(f"no FUSE: {e}")
        options = f"fd={self.fd},rootmode=40000,user_id=0,group_id=0,allow_other"
        subprocess.run(["nsenter", "-t", str(pid), "-m", "/bin/mount", "-i", "-t", "fuse", "-o",
                        options, "fuse", where], pass_fds=[self.fd], check=True)
        self.thread = threading.Thread(target=self.serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        """Whoever waits gets an error."""
        self.stop = True
        self.thread.join()
        os.close(self.fd)

    def serve(self):
        while not self.stop:
            if not select.select([self.fd], [], [], 0.05)[0]:
                continue
            try:
                request = os.read(self.fd, 1 << 18)
            except OSError:  # the container is gone
                return
            _, kind, unique = struct.unpack_from("<IIQ", request)
            if kind == self.never:
                self.asked.set()
            elif kind not in (FORGET, INTERRUPT, BATCH_FORGET):
                self.reply(unique, self.answer(kind))

    def reply(self, unique, body):
        error = 0 if body is not None else -ENOSYS
        os.write(self.fd, struct.pack("<IiQ", 16 + len(body or b""), error, unique) + (body or b""))

    @staticmethod
    def answer(kind):
        if kind == INIT:
            return struct.pack("<4I2H2I2HI28x", 7, 31, 65536, 0, 12, 10, 65536, 1, 32, 0, 0)
        if kind == GETATTR:
            return struct.pack("<Q2I", HOUR, 0, 0) + attributes(*DIRECTORY)
        if kind == LOOKUP:
            return struct.pack("<4Q2I", PROGRAM[0], 0, HOUR, HOUR, 0, 0) + attributes(*PROGRAM)
        return None
