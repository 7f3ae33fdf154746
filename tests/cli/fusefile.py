#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a process of a container does to one of the runtime's that it may trace: takes its socket and
sends the runtime a file of the container's own filesystem (fuse.Hanging). A program of its own, as
whoever has the file open, be it between fork and exec, waits for that filesystem when it closes it.

usage: fusefile.py CONTAINER-PID PID send|accept KIND:NUMBER...
The last message has the file; accept: of the socket that it listens at. Says "sent", and stays."""

import contextlib
import ctypes
import os
import socket
import stat
import struct
import sys
import time

PIDFD_GETFD = 438


def steal(pid, listening):
    """Its first socket of that kind."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    for number in range(3, 64):
        fd = libc.syscall(PIDFD_GETFD, pidfd, number, 0)
        if fd >= 0 and stat.S_ISSOCK(os.fstat(fd).st_mode):
            found = socket.socket(fileno=fd)
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == listening:
                return found
    raise SystemExit(f"process {pid} has no such socket")


def main(container, pid, how, *messages):
    sock = steal(int(pid), how == "accept")
    if how == "accept":
        sock = sock.accept()[0]
    program = os.open(f"/proc/{container}/root/mnt/program", os.O_RDONLY)
    with contextlib.suppress(BrokenPipeError):
        for n, message in enumerate(messages, 1):
            kind, number = map(int, message.split(":"))
            socket.send_fds(sock, [struct.pack("=iiq", kind, 0, number)],
                            [program] if n == len(messages) else [])
    sock.close()
    print("sent", flush=True)
    time.sleep(1000)


if __name__ == "__main__":
    main(*sys.argv[1:])
