#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A criu that does what $FAKE_CRIU says, with the little of protocol buffers that it takes.

Installed as `criu` in a directory of $PATH; writes each request that it gets as a line of JSON to
$FAKE_CRIU_LOG: {"NUMBER": [value, ...]}, messages nested the same way.
"""

import json
import os
import signal
import socket
import sys
import time

DUMP, RESTORE, PRE_DUMP, NOTIFY, FEATURE_CHECK, VERSION = 1, 2, 4, 6, 9, 10
MESSAGES = {(2,), (5,), (2, 11), (2, 23), (2, 25), (2, 27), (2, 39)}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def decode(data, where=()):
    found, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            raw, at = data[at:at + value], at + value
            place = where + (tag >> 3,)
            value = decode(raw, place) if place in MESSAGES else raw.decode()
        found.setdefault(tag >> 3, []).append(value)
    return found


def number(value):
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7f | 0x80]), value >> 7
    return out + bytes([value])


def field(num, value):
    if isinstance(value, int):
        return number(num << 3) + number(value)
    raw = value if isinstance(value, bytes) else value.encode()
    return number(num << 3 | 2) + number(len(raw)) + raw


def message(*fields):
    return b"".join(field(num, value) for num, value in fields)


class Criu:
    def __init__(self):
        self.mode = os.environ.get("FAKE_CRIU", "")
        self.sock = socket.socket(fileno=int(sys.argv[2]))
        self.opts = {}

    def receive(self):
        data = self.sock.recv(1 << 20)
        if not data:
            sys.exit(1)
        request = decode(data)
        with open(os.environ["FAKE_CRIU_LOG"], "a", encoding="ascii") as log:
            log.write(json.dumps(request) + "\n")
        return request

    def answer(self, kind, *fields, success=1):
        self.sock.send(message((1, kind), (2, success), *fields))

    def notify(self, script, pid=0):
        self.answer(NOTIFY, (5, message((1, script), (2, pid))))
        return self.receive()

    def version(self):
        if self.mode == "hangs":
            time.sleep(1000)
        major, minor = (3, 14) if self.mode == "old" else (3, 17)
        self.answer(VERSION, (10, message((1, major), (2, minor))))

    def log(self, name, text):
        work = self.opts.get(17, self.opts[1])[0]
        with open(f"/proc/{os.getppid()}/fd/{work}/{name}", "w", encoding="ascii") as log:
            log.write(text)

    def work(self, kind):
        if self.mode == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "exits":
            sys.exit(3)
        if self.mode == "garbage":
            self.sock.send(b"\xff" * 100)
        elif self.mode == "names another":
            self.notify("post-restore", os.getppid())
        elif self.mode == "names 1":
            self.notify("post-restore", 1)
        elif self.mode == "names a stranger":
            # dies with the container's cgroup, where this is, too
            self.notify("post-restore", os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "20"))
        elif self.mode == "enters a stranger":
            self.notify("setup-namespaces", os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "20"))
        elif self.mode == "wrong":
            self.answer(FEATURE_CHECK)
        elif self.mode == "empty":
            self.sock.send(message((1, 0)))
        elif self.mode == "fails":
            self.log("dump.log", "".join(f"(00.00{i})  42: Error (criu/x.c:{i}): cause {i}\n"
                                         for i in range(5)) + "(00.9) Error (a): Dumping FAILED.\n")
            self.answer(kind, (7, 5), (9, "no space"), success=0)
        elif self.mode == "quiet":
            self.answer(kind, (7, 5), (9, "no \x1bspace"), success=0)
        else:
            for script in ("pre-dump", "network-lock", "status-ready", "post-dump"):
                self.notify(script)
            self.answer(kind)

    def run(self):
        while True:
            request = self.receive()
            kind = request[1][0]
            self.opts = request.get(2, [{}])[0]
            if kind == VERSION:
                self.version()
            elif kind == FEATURE_CHECK:
                has = 0 if self.mode == "lacks" else 1
                self.answer(kind, (8, message((1, has), (2, has))))
            else:
                self.work(kind)
            if not request.get(4):
                return


if __name__ == "__main__":
    if sys.argv[1:2] != ["swrk"]:
        sys.exit(2)
    Criu().run()
