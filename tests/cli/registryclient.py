# SPDX-License-Identifier: Apache-2.0
"""Speaks to inro-registry as the engine does (src/image/registry/proto.h), for tests of it alone."""

import contextlib
import json
import os
import socket
import tempfile
import threading


class Failed(Exception):
    """A request that failed: .error, .answer, .partial."""

    def __init__(self, answer, partial):
        super().__init__(answer["error"].get("message"))
        self.answer, self.partial = answer, partial
        self.error = answer["error"]
        self.message, self.hint = self.error.get("message", ""), self.error.get("hint", "")


class Client:
    """One inro-registry; use it as a context manager."""

    def __init__(self, who, *options, env=None, wrap=()):
        self.who = who
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def place():
            os.dup2(theirs.fileno(), 3)

        self.process = who.popen(*wrap, who.program("inro-registry"), "--retries=3", *options,
                                 preexec_fn=place, pass_fds=(3,), env=env or {})
        theirs.close()
        self.sock.settimeout(60)
        self.last_id, self.tls_dirs = 0, set()
        self.answers = {}  # that came while another was waited for

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.sock.close()
        with contextlib.suppress(Exception):
            self.process.wait(10)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def send_raw(self, message, fd=None):
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        socket.send_fds(self.sock, [data], [] if fd is None else [fd])

    def send(self, op, endpoints, fd=None, **members):
        """Starts a request; returns its id."""
        if isinstance(endpoints, dict):
            endpoints = [endpoints]
        for endpoint in endpoints:
            if endpoint.get("tlsDir") and endpoint["tlsDir"] not in self.tls_dirs:
                self._send_tls(endpoint["tlsDir"])
        self.last_id += 1
        self.send_raw({"id": self.last_id, "op": op, "endpoints": endpoints, **members}, fd)
        return self.last_id

    def _send_tls(self, directory):
        parts = {}
        for name, key in (("ca.crt", "ca"), ("client.cert", "cert"), ("client.key", "key")):
            path = os.path.join(directory, name)
            if os.path.exists(path):
                with open(path, encoding="ascii") as f:
                    parts[key] = f.read()
        with tempfile.TemporaryFile() as f:
            f.write(json.dumps(parts).encode())
            f.flush()
            self.last_id += 1
            self.send_raw({"id": self.last_id, "op": "tls", "text": directory}, f.fileno())
        self.tls_dirs.add(directory)

    def receive(self):
        data = self.sock.recv(1 << 17)
        if not data:
            raise EOFError
        return json.loads(data)

    def wait(self, number):
        """The answer to a request, with "partial": all that came before it."""
        partial = self.answers.setdefault(number, [])
        while not (partial and not partial[-1].get("partial")):
            answer = self.receive()
            self.answers.setdefault(answer["id"], []).append(answer)
        answer = partial.pop()
        del self.answers[number]
        if not answer["ok"]:
            raise Failed(answer, partial)
        return {**answer, "partial": partial}

    def call(self, op, endpoints, fd=None, **members):
        return self.wait(self.send(op, endpoints, fd, **members))

    def document(self, op, endpoints, **members):
        """(answer, bytes) of a request that gives a document."""
        with tempfile.TemporaryFile() as f:
            answer = self.call(op, endpoints, f.fileno(), **members)
            f.seek(0)
            return answer, f.read()

    def start_blob(self, endpoints, digest, size=0, offset=0, **members):
        """Starts a download into a pipe; returns (id, a thread that reads, with .data)."""
        read, write = os.pipe()
        number = self.send("blob", endpoints, write, digest=digest, size=size, offset=offset,
                           **members)
        os.close(write)
        reader = Reader(read)
        reader.start()
        return number, reader

    def blob(self, endpoints, digest, size=0, offset=0, **members):
        """(answer or Failed, bytes)."""
        number, reader = self.start_blob(endpoints, digest, size, offset, **members)
        try:
            answer = self.wait(number)
        except Failed as e:
            answer = e
        reader.join(60)
        return answer, reader.data

    def upload(self, endpoints, data, digest, **members):
        with tempfile.TemporaryFile() as f:
            f.write(data)
            f.flush()
            return self.call("upload", endpoints, f.fileno(), digest=digest, size=len(data),
                             **members)

    def put(self, endpoints, reference, data, media_type):
        with tempfile.TemporaryFile() as f:
            f.write(data)
            f.flush()
            return self.call("put", endpoints, f.fileno(), reference=reference,
                             mediaType=media_type)


class Reader(threading.Thread):
    """Reads a pipe to its end."""

    def __init__(self, fd):
        super().__init__(daemon=True)
        self.fd, self.data = fd, b""

    def run(self):
        parts = []
        with os.fdopen(self.fd, "rb", buffering=0) as f:
            while part := f.read(1 << 20):
                parts.append(part)
        self.data = b"".join(parts)


def endpoint(server, repository=None, auth=None, certs=None, **members):
    """Of a server of registries.py; auth: True (its own user), (user, password), or members."""
    made = {"url": server.url, **members}
    if repository:
        made["repository"] = repository
    if not server.tls:
        made.setdefault("insecure", True)
    if certs:
        made["tlsDir"] = str(certs)
    if auth is True:
        auth = (server.user, server.password)
    if isinstance(auth, tuple):
        auth = {"username": auth[0], "password": auth[1]}
    if auth:
        made["auth"] = auth
    return made
