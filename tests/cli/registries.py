# SPDX-License-Identifier: Apache-2.0
"""Registries on loopback, for tests. With the fixture `registries` (conftest.py):

    def test_pull(anyone, registries):
        reg = registries.start(tls=True, auth="token")      # docker-registry; or auth="basic", None
        reg.host, reg.url, reg.ca                           # "127.0.0.1:4711", "https://...", a file
        reg.user, reg.password                              # good credentials
        reg.certs(anyone.dir / "certs.d")                   # writes certs.d/HOST/ca.crt there
        image = reg.push("team/app", "1.0", [layer_bytes])  # .digest, .layers, .config, .manifest
        reg.requests()                                      # [(method, path, status)], in order
        reg.token_server.requests                           # of auth="token"

        bad = registries.hostile(tls=True)                  # answers what the test says
        bad.on("GET", "/v2/app/manifests/1", status=500, times=1)
        bad.on("GET", "/v2/app/manifests/1", body=b"{}", headers={"Content-Type": "..."})
        bad.on("GET", "/v2/.*", lambda request: request.answer(302, {"Location": "..."}))
        bad.requests                                        # [Request]: method, path, headers, body

All of them are stopped when the test ends. Paths of on() are regular expressions for the path with
its query, the whole of it; the first rule that fits, and is not used up, answers; else it is 404.
"""

import base64
import collections
import functools
import hashlib
import http.client
import http.server
import json
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

import harness

ADDRESS = "127.0.0.1"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"

Image = collections.namedtuple("Image", "digest manifest config layers")


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _openssl(*args, **kw):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, **kw).stdout


class Pki:
    """A certificate authority of our own: ca, a server's cert and key, a client's too."""

    def __init__(self, directory):
        self.dir = directory
        self.ca = directory / "ca.crt"
        ca_key = directory / "ca.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                 "-nodes", "-days", "3", "-subj", "/CN=inro test CA", "-keyout", ca_key,
                 "-out", self.ca)
        self.cert, self.key = self.issue("server", "DNS:localhost,DNS:registry.test,IP:127.0.0.1,IP:127.0.0.2,IP:::1")
        self.client_cert, self.client_key = self.issue("client", "DNS:client")
        # signs tokens: RS256 needs no more than openssl's command line
        self.token_key, self.token_cert = directory / "token.key", directory / "token.crt"
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3",
                 "-subj", "/CN=inro test tokens", "-keyout", self.token_key, "-out", self.token_cert)

    def issue(self, name, san):
        key, cert, ext = (self.dir / f"{name}.{end}" for end in ("key", "crt", "ext"))
        ext.write_text(f"subjectAltName={san}\n")
        request = _openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                           "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                           "-keyout", key)
        _openssl("x509", "-req", "-days", "3", "-CA", self.ca, "-CAkey", self.dir / "ca.key",
                 "-CAcreateserial", "-extfile", ext, "-out", cert, input=request)
        return cert, key

    def server_context(self, client_certs=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if client_certs:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def token(self, claims):
        """A JSON Web Token as docker-registry takes it."""
        der = _openssl("x509", "-in", self.token_cert, "-outform", "DER")
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        signed = b".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = _openssl("dgst", "-sha256", "-sign", self.token_key, input=signed)
        return (signed + b"." + _base64url(signature)).decode()


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@functools.lru_cache(maxsize=None)
def pki():
    """Made once for all tests of a run."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="pki"))
    directory.chmod(0o755)
    return Pki(directory)


def pki_forget():
    if pki.cache_info().currsize:
        shutil.rmtree(pki().dir, ignore_errors=True)
        pki.cache_clear()


class Server:
    """What all registries have: an address, certificates, a client's side."""

    def __init__(self, tls, port=0, user=None, password=None):
        self.tls, self.port = tls, port
        self.user, self.password = user, password
        self.ca = pki().ca if tls else None

    @property
    def host(self):
        return f"{ADDRESS}:{self.port}"

    @property
    def url(self):
        return ("https://" if self.tls else "http://") + self.host

    def certs(self, directory):
        """Makes directory/HOST/ca.crt, as in certs.d; returns directory/HOST."""
        directory = pathlib.Path(directory) / self.host
        directory.mkdir(parents=True, exist_ok=True)
        if self.tls:
            shutil.copy(self.ca, directory / "ca.crt")
        return directory

    def connect(self):
        if not self.tls:
            return http.client.HTTPConnection(ADDRESS, self.port, timeout=30)
        context = ssl.create_default_context(cafile=str(self.ca))
        return http.client.HTTPSConnection(ADDRESS, self.port, timeout=30, context=context)


class Registry(Server):
    """Debian's docker-registry."""

    def __init__(self, directory, tls, auth, delete=True, token_server=None, extra=None):
        super().__init__(tls, user="jane" if auth else None, password="s3cret/ü" if auth else None)
        self.dir, self.auth = directory, auth
        self.token_server = token_server
        self.log = directory / "log"
        self.config = {
            "version": "0.1",
            "log": {"level": "info", "formatter": "json", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(directory / "data")},
                        "delete": {"enabled": delete}},
            "http": {},
            **(extra or {}),
        }
        if tls:
            self.config["http"]["tls"] = {"certificate": str(pki().cert), "key": str(pki().key)}
        if auth == "basic":
            line = subprocess.run(["htpasswd", "-nbB", self.user, self.password], check=True,
                                  capture_output=True).stdout
            (directory / "htpasswd").write_bytes(line)
            self.config["auth"] = {"htpasswd": {"realm": "test registry",
                                                "path": str(directory / "htpasswd")}}
        elif auth == "token":
            self.config["auth"] = {"token": {
                "realm": token_server.url + "/token", "service": "test-registry",
                "issuer": "test-tokens", "rootcertbundle": str(pki().token_cert)}}
        self.process = None
        self._start()

    def _start(self):
        for _ in range(20):  # somebody may take the port before the registry does
            with socket.socket() as probe:
                probe.bind((ADDRESS, 0))
                self.port = probe.getsockname()[1]
            if self._start_at():
                return
        raise RuntimeError("docker-registry does not start: " + self.log.read_text())

    def _start_at(self):
        self.config["http"]["addr"] = self.host
        path = self.dir / "config.yml"
        path.write_text(json.dumps(self.config))  # JSON is YAML
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", str(path)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection((ADDRESS, self.port), timeout=1).close()
                return True
            except OSError:
                time.sleep(0.02)
        self.stop()
        return False

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def start_again(self):
        """At the same port, with what it had stored."""
        self.stop()
        harness.wait_for(self._start_at, 10, "docker-registry")

    def requests(self):
        """(method, path with query, status) of all that was answered."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if "http.response.status" in entry and "http.request.method" in entry:
                found.append((entry["http.request.method"], entry["http.request.uri"],
                              entry["http.response.status"]))
        return found

    def request(self, method, path, body=None, headers=None, scope=None):
        """(status, headers, body), as a user who may do all."""
        headers = dict(headers or {})
        if self.auth == "basic":
            headers["Authorization"] = _basic(self.user, self.password)
        elif self.auth == "token":
            headers["Authorization"] = "Bearer " + self.token_server.make(scope or path, self.user)
        connection = self.connect()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def blob(self, repository, data):
        """Uploads a blob; returns its digest."""
        status, headers, text = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        assert status == 202, text
        location = urllib.parse.urlsplit(headers["Location"])
        path = f"{location.path}?{location.query}&digest={digest(data)}"
        status, _, text = self.request("PUT", path, data,
                                       {"Content-Type": "application/octet-stream"})
        assert status == 201, text
        return digest(data)

    def manifest(self, repository, reference, data, media_type=MANIFEST):
        status, _, text = self.request("PUT", f"/v2/{repository}/manifests/{reference}", data,
                                       {"Content-Type": media_type})
        assert status == 201, text
        return digest(data)

    def push(self, repository, tag, layers, config=None, media_type=None, **members):
        """An image of these layers: bytes, gzip's or a tar's; media_type(s) said or guessed."""
        config = config if isinstance(config, bytes) else json.dumps(config or {
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(_plain(x)) for x in layers]},
        }).encode()
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {
            "mediaType": CONFIG, "digest": self.blob(repository, config), "size": len(config)},
            "layers": [], **members}
        for layer in layers:
            guess = LAYER_GZIP if layer[:2] == b"\x1f\x8b" else LAYER
            manifest["layers"].append({"mediaType": media_type or guess, "size": len(layer),
                                       "digest": self.blob(repository, layer)})
        text = json.dumps(manifest).encode()
        self.manifest(repository, tag, text)
        return Image(digest(text), text, config, [x["digest"] for x in manifest["layers"]])


def _plain(layer):
    import gzip  # pylint: disable=import-outside-toplevel
    return gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer


def _basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Request:
    """One that came to a Hostile server; answer() or the raw `wfile` answer it."""

    def __init__(self, handler):
        self.handler = handler
        self.method, self.path = handler.command, handler.path
        self.headers = handler.headers
        self.wfile = handler.wfile
        self.body = b""
        if "Content-Length" in self.headers:
            self.body = handler.rfile.read(int(self.headers["Content-Length"]))
        elif self.headers.get("Transfer-Encoding") == "chunked":
            self.body = self._chunks()
        self.authorization = self.headers.get("Authorization")
        self.query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))

    def _chunks(self):
        body = b""
        while size := int(self.handler.rfile.readline().split(b";")[0], 16):
            body += self.handler.rfile.read(size)
            self.handler.rfile.readline()
        self.handler.rfile.readline()
        return body

    def head(self, status, headers=None):
        """Status line and headers alone."""
        self.handler.send_response(status)
        for name, value in (headers or {}).items():
            for one in value if isinstance(value, list) else [value]:
                self.handler.send_header(name, one)
        self.handler.end_headers()
        self.wfile.flush()

    def answer(self, status=200, headers=None, body=b""):
        """The whole answer, with its length unless headers say otherwise."""
        headers = dict(headers or {})
        if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            headers["Content-Length"] = str(len(body))
        self.head(status, headers)
        if self.method != "HEAD":
            self.wfile.write(body)
            self.wfile.flush()

    def drop(self):
        """The connection ends here."""
        self.handler.close_connection = True
        self.handler.connection.shutdown(socket.SHUT_RDWR)

    def __repr__(self):
        return f"{self.method} {self.path}"


class Hostile(Server):
    """An HTTP server that answers by rules."""

    def __init__(self, tls=False, client_certs=False, address=ADDRESS):
        super().__init__(tls)
        self.address = address
        self.rules, self.requests = [], []
        self._lock = threading.Lock()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def _any(self):
                owner.answer(Request(self))

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = _any

            def log_message(self, format, *args):  # pylint: disable=redefined-builtin
                pass

        class Threads(http.server.ThreadingHTTPServer):
            daemon_threads = True
            context = pki().server_context(client_certs) if tls else None

            def finish_request(self, request, client_address):
                if self.context:  # in the connection's own thread
                    request.settimeout(20)
                    request = self.context.wrap_socket(request, server_side=True)
                super().finish_request(request, client_address)

            def handle_error(self, request, client_address):
                pass  # clients that go away are what tests are about

        self.server = Threads((address, 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def host(self):
        return f"{self.address}:{self.port}"

    def on(self, method, path, action=None, *, status=200, headers=None, body=b"", times=None):
        """A rule; action(request) answers, else status, headers and body are the answer."""
        self.rules.append({"method": method, "path": re.compile(path), "times": times,
                           "action": action or (lambda r: r.answer(status, headers, body))})
        return self

    def answer(self, request):
        with self._lock:
            self.requests.append(request)
            rule = self._rule(request)
        if rule:
            rule["action"](request)
        else:
            request.answer(404, {"Content-Type": "application/json"}, json.dumps(
                {"errors": [{"code": "NAME_UNKNOWN", "message": "no rule"}]}).encode())

    def _rule(self, request):
        for rule in self.rules:
            if rule["method"] == request.method and rule["path"].fullmatch(request.path) \
                    and rule["times"] != 0:
                if rule["times"]:
                    rule["times"] -= 1
                return rule
        return None

    def seen(self, method, path):
        """Requests that came for this path (a regular expression)."""
        return [r for r in self.requests if r.method == method and re.fullmatch(path, r.path)]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class TokenServer(Hostile):
    """Gives docker-registry's tokens: GET with Basic, POST (OAuth 2) with a refresh token."""

    REFRESH = "refresh-token-of-jane"

    def __init__(self, tls, user, password, expires_in=300, anonymous=()):
        super().__init__(tls)
        self.users = {user: password}
        self.expires_in, self.anonymous = expires_in, anonymous
        self.on("GET", "/token.*", self._get)
        self.on("POST", "/token.*", self._post)

    def make(self, scopes, user):
        """A token; scopes: a list, "repository:a/b:pull", or a path whose repository it is for."""
        if isinstance(scopes, str):
            match = re.match("/v2/(.*?)/(blobs|manifests|tags|referrers)/", scopes)
            scopes = [f"repository:{match.group(1)}:pull,push,delete" if match else scopes]
        access = []
        for scope in filter(None, scopes):
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            actions = actions.split(",")
            if user is None:
                actions = ["pull"] if name in self.anonymous and "pull" in actions else []
            access.append({"type": kind, "name": name, "actions": actions})
        now = int(time.time())
        return pki().token({"iss": "test-tokens", "sub": user or "", "aud": "test-registry",
                            "exp": now + max(self.expires_in, 1), "nbf": now - 10, "iat": now,
                            "jti": str(time.monotonic_ns()), "access": access})

    def _give(self, request, scopes, user):
        if request.query.get("service", "test-registry") != "test-registry":
            return request.answer(400, {}, b'{"details": "unknown service"}')
        text = {"token": self.make(scopes, user), "expires_in": self.expires_in}
        return request.answer(200, {"Content-Type": "application/json"}, json.dumps(text).encode())

    def _get(self, request):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
        user = None
        if request.authorization:
            good = {_basic(u, p): u for u, p in self.users.items()}
            user = good.get(request.authorization)
            if user is None:
                return request.answer(401, {"Content-Type": "application/json"},
                                      b'{"details": "incorrect username or password"}')
        return self._give(request, query.get("scope", []), user)

    def _post(self, request):
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.REFRESH \
                or not form.get("client_id") or form.get("service") != "test-registry":
            return request.answer(401, {"Content-Type": "application/json"},
                                  b'{"details": "invalid refresh token"}')
        return self._give(request, form.get("scope", "").split(" "), next(iter(self.users)))


class Registries:
    """Starts them and stops all."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.started = []

    def start(self, tls=False, auth=None, expires_in=300, anonymous=(), **kw):
        """docker-registry. auth: None, "basic", "token"; expires_in: of tokens; anonymous:
        repositories that may be read without credentials; delete=False: nothing can be deleted."""
        directory = self.dir / f"registry{len(self.started)}"
        directory.mkdir(parents=True)
        token_server = None
        if auth == "token":
            token_server = TokenServer(tls, "jane", "s3cret/ü", expires_in, anonymous)
            self.started.append(token_server)
        self.started.append(Registry(directory, tls, auth, token_server=token_server, **kw))
        return self.started[-1]

    def hostile(self, tls=False, **kw):
        """A server that does what the test says."""
        self.started.append(Hostile(tls, **kw))
        return self.started[-1]

    def stop(self):
        for server in self.started:
            server.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
