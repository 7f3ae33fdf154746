# SPDX-License-Identifier: Apache-2.0
"""A message bus with a systemd on it that does what a test wants: for errors that the real ones
don't make. A thread, one socket, the little of the D-Bus protocol that the runtime uses.

    bus = FakeBus(path)                      # listens; bus.calls: the members called, with arguments
    bus.on["StartTransientUnit"] = fn        # fn(bus, connection, message) instead of the usual
"""

import contextlib
import os
import pathlib
import socket
import struct
import threading
import time

CALL, REPLY, ERROR, SIGNAL = 1, 2, 3, 4
MANAGER = "org.freedesktop.systemd1.Manager"
OWNER = ":1.0"  # systemd's name on this bus
FIELDS = {"path": (1, "o"), "interface": (2, "s"), "member": (3, "s"), "error": (4, "s"),
          "reply": (5, "u"), "destination": (6, "s"), "sender": (7, "s"), "signature": (8, "g")}
NUMBERS = {"y": (1, "B"), "n": (2, "h"), "q": (2, "H"), "b": (4, "I"), "i": (4, "i"),
           "u": (4, "I"), "x": (8, "q"), "t": (8, "Q"), "d": (8, "d")}
CGROUPS = pathlib.Path("/sys/fs/cgroup")


def pad(data, to):
    return data + b"\0" * (-len(data) % to)


def put(data, kind, value):
    if kind == "g":
        return data + bytes([len(value)]) + value.encode() + b"\0"
    if kind == "u":
        return pad(data, 4) + struct.pack("<I", value)
    return pad(data, 4) + struct.pack("<I", len(value.encode())) + value.encode() + b"\0"


def message(kind, serial, signature="", args=(), **fields):
    """The bytes of a message, little-endian."""
    body, head = b"", b""
    for t, arg in zip(signature, args):
        body = put(body, t, arg)
    if signature:
        fields["signature"] = signature
    for name, value in fields.items():
        code, t = FIELDS[name]
        head = put(pad(head, 8) + bytes([code, 1]) + t.encode() + b"\0", t, value)
    start = b"l" + bytes([kind, 1, 1]) + struct.pack("<III", len(body), serial, len(head))
    return pad(start + head, 8) + body


class Reader:
    """Values of a message, in order."""

    def __init__(self, data, pos=0):
        self.data, self.pos = data, pos

    def number(self, size, fmt):
        self.pos += -self.pos % size
        self.pos += size
        return struct.unpack_from("<" + fmt, self.data, self.pos - size)[0]

    def text(self, length):
        self.pos += length + 1
        return self.data[self.pos - length - 1:self.pos - 1].decode()

    def value(self, types):
        """One value; types is a list of characters that is used up."""
        t = types.pop(0)
        if t in "sog":
            return self.text(self.number(1, "B") if t == "g" else self.number(4, "I"))
        if t == "v":
            return self.value(list(self.value(["g"])))
        if t == "(":
            self.pos += -self.pos % 8
            items = []
            while types[0] != ")":
                items.append(self.value(types))
            types.pop(0)
            return tuple(items)
        if t == "a":
            return self.array(types)
        return self.number(*NUMBERS[t])

    def array(self, types):
        end = self.number(4, "I")
        self.pos += -self.pos % (8 if types[0] in "({xtd" else 1 if types[0] in "ygv" else 4)
        end += self.pos
        items, left = [], list(types)
        while self.pos < end:
            left = list(types)
            items.append(self.value(left))
        if not items:
            depth, used = 0, 0
            for used, t in enumerate(types, 1):
                depth += {"(": 1, ")": -1}.get(t, 0)
                if depth == 0 and t != "a":
                    break
            left = types[used:]
        types[:] = left
        return items


class Message:
    """A call that came in: serial, member, args."""

    def __init__(self, data):
        self.serial = struct.unpack_from("<I", data, 8)[0]
        length = struct.unpack_from("<I", data, 12)[0]
        fields, end = Reader(data, 16), 16 + length
        self.fields = {}
        while fields.pos < end:
            fields.pos += -fields.pos % 8
            code = fields.number(1, "B")
            self.fields[code] = fields.value(["v"])
        self.member = self.fields.get(3)
        body = Reader(data[end + -end % 8:])
        types = list(self.fields.get(8, ""))
        self.args = []
        while types:
            self.args.append(body.value(types))


class FakeBus:
    """on[member](bus, connection, message) takes the place of what systemd would do."""

    def __init__(self, path):
        self.path = str(path)
        self.calls, self.on, self.units, self.serial = [], {}, {}, 0
        self.greeting = b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(8)
        os.chmod(self.path, 0o666)
        self.open = True
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    @property
    def env(self):
        return {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=" + self.path,
                "DBUS_SESSION_BUS_ADDRESS": "unix:path=" + self.path}

    def members(self):
        return [m.member for m in self.calls if m.member not in ("Hello", "AddMatch")]

    def close(self):
        self.open = False
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)
        for unit in list(self.units):
            self.remove(unit)

    def serve(self):
        while self.open:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with contextlib.suppress(OSError, EOFError):
                self.talk(connection)
            connection.close()

    @staticmethod
    def receive(connection, size):
        data = b""
        while len(data) < size:
            more = connection.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def talk(self, connection):
        data = b""
        while not data.endswith(b"BEGIN\r\n"):
            data += self.receive(connection, 1)
        assert data == b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n", data
        connection.sendall(self.greeting)
        while True:
            head = self.receive(connection, 16)
            body, _, fields = struct.unpack_from("<III", head, 4)
            m = Message(head + self.receive(connection, fields + -fields % 8 + body))
            self.calls.append(m)
            self.on.get(m.member, FakeBus.usual)(self, connection, m)

    def send(self, connection, *args, **fields):
        self.serial += 1
        fields.setdefault("sender", OWNER)
        connection.sendall(message(args[0], self.serial, *args[1:], **fields))

    def reply(self, connection, m, signature="", *args, **fields):
        self.send(connection, REPLY, signature, args, reply=m.serial, **fields)

    def error(self, connection, m, name, text):
        self.send(connection, ERROR, "s", (text,), reply=m.serial, error=name)

    def removed(self, connection, unit, result="done", job="/org/freedesktop/systemd1/job/1",
                **fields):
        self.send(connection, SIGNAL, "uoss", (1, job, unit, result),
                  path="/org/freedesktop/systemd1", interface=MANAGER, member="JobRemoved",
                  **fields)

    def usual(self, connection, m):
        """As systemd does."""
        if m.member == "StartTransientUnit":
            if m.args[0] in self.units:
                self.error(connection, m, "org.freedesktop.systemd1.UnitExists",
                           f"Unit {m.args[0]} was already loaded.")
                return
            self.place(m)
        if m.member == "StopUnit":
            if m.args[0] not in self.units:
                self.error(connection, m, "org.freedesktop.systemd1.NoSuchUnit",
                           f"Unit {m.args[0]} not loaded.")
                return
            self.remove(m.args[0])
        if m.member in ("StartTransientUnit", "StopUnit"):
            self.reply(connection, m, "o", "/org/freedesktop/systemd1/job/1")
            self.removed(connection, m.args[0])
        elif m.member == "Hello":
            self.reply(connection, m, "s", ":1.7", sender="org.freedesktop.DBus")
        else:
            self.reply(connection, m)

    def place(self, m):
        """Puts the process into the unit's cgroup, where systemd keeps its account."""
        unit, properties = m.args[0], dict(m.args[2])
        self.units[unit] = properties
        for top in (CGROUPS, CGROUPS / "systemd", CGROUPS / "unified"):
            if (top / "cgroup.procs").exists():
                (top / "system.slice" / unit).mkdir(parents=True, exist_ok=True)
                (top / "system.slice" / unit / "cgroup.procs").write_text(
                    str(properties["PIDs"][0]))

    def remove(self, unit):
        self.units.pop(unit, None)
        for directory in CGROUPS.glob(f"**/system.slice/{unit}"):
            end = time.monotonic() + 5
            while directory.exists():
                with contextlib.suppress(OSError):
                    directory.rmdir()
                assert time.monotonic() < end, f"{directory} is in use"


def slices_removed():
    """What the runtime makes above a unit's cgroups stays, as it does with systemd."""
    for directory in CGROUPS.glob("**/system.slice"):
        with contextlib.suppress(OSError):
            directory.rmdir()
