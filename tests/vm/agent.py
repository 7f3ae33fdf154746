#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""In the VM: runs the commands that tests/vm/vm sends through a virtio serial port.

Frames go both ways: session (u32), type (one byte), length (u32), payload.
    to here:    r  run: JSON {"argv", "env", "cwd"}     i  standard input, empty: its end
                k  kill
    from here:  !  ready (session 0)                    o  standard output and error
                x  exit status, as text: the session's last frame
"""

import glob
import json
import os
import pathlib
import queue
import signal
import struct
import subprocess
import threading
import time

HEADER = struct.Struct("<IcI")


def find_port():
    while True:
        for name in glob.glob("/sys/class/virtio-ports/*/name"):
            if pathlib.Path(name).read_text().strip() == "inro":
                return "/dev/" + name.split("/")[-2]
        time.sleep(0.1)


class Port:
    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.lock = threading.Lock()

    def send(self, session, kind, payload=b""):
        data = HEADER.pack(session, kind, len(payload)) + payload
        with self.lock:
            while data:
                data = data[os.write(self.fd, data):]

    def read(self, size):
        data = b""
        while len(data) < size:
            part = os.read(self.fd, min(size - len(data), 1 << 20))
            if not part:
                time.sleep(0.1)  # the host isn't connected
            data += part
        return data

    def receive(self):
        session, kind, length = HEADER.unpack(self.read(HEADER.size))
        return session, kind, self.read(length)


class Session:
    """A command that runs."""

    def __init__(self, port, number, spec):
        self.port, self.number = port, number
        self.input = queue.Queue()
        self.process = None
        threading.Thread(target=self.run, args=(spec,), daemon=True).start()

    def run(self, spec):
        try:
            status = self.execute(spec)
        except OSError as e:
            self.port.send(self.number, b"o", f"vm: {e}\n".encode())
            status = 127
        self.port.send(self.number, b"x", str(status).encode())

    def execute(self, spec):
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "HOME": "/root", "LANG": "C.UTF-8", **spec.get("env", {})}
        self.process = subprocess.Popen(spec["argv"], env=env, cwd=spec.get("cwd") or "/root",
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        threading.Thread(target=self.feed, daemon=True).start()
        while data := os.read(self.process.stdout.fileno(), 1 << 16):
            self.port.send(self.number, b"o", data)
        code = self.process.wait()
        return code if code >= 0 else 128 - code

    def feed(self):
        with self.process.stdin as pipe:
            while data := self.input.get():
                try:
                    pipe.write(data)
                    pipe.flush()
                except OSError:
                    return

    def kill(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)


def main():
    port = Port(find_port())
    sessions = {}
    port.send(0, b"!")
    while True:
        number, kind, payload = port.receive()
        if kind == b"r":
            sessions[number] = Session(port, number, json.loads(payload))
        elif number in sessions:
            if kind == b"i":
                sessions[number].input.put(payload)
            elif kind == b"k":
                sessions[number].kill()


if __name__ == "__main__":
    main()
