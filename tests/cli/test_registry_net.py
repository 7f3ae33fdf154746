# SPDX-License-Identifier: Apache-2.0
"""inro-registry: certificates, mirrors, proxies, many transfers at once, and what it may do."""

import contextlib
import os
import pathlib
import shutil
import socket
import threading
import time

import pytest

from registries import digest, pki
from registryclient import Client, Failed, Reader, endpoint

BLOB = bytes(range(256)) * 4096
NAME = digest(BLOB)
PATH = f"/v2/app/blobs/{NAME}"


@pytest.fixture
def client(root):
    with Client(root, "--timeout=5") as c:
        yield c


# ---- certificates ----


def test_certificate_of_nobody(client, root, registries):
    reg = registries.hostile(tls=True)
    reg.on("GET", "/v2/", body=b"{}")
    with pytest.raises(Failed, match="certificate") as e:
        client.call("ping", endpoint(reg))
    assert f"/etc/inro/certs.d/{reg.host}/ca.crt" in e.value.hint and "insecure" in e.value.hint
    assert not reg.requests
    assert client.call("ping", endpoint(reg, certs=reg.certs(root.dir)))["ok"]
    assert client.call("ping", endpoint(reg, insecure=True))["ok"]
    # and what was allowed for one does not help the other
    with pytest.raises(Failed, match="certificate"):
        client.call("ping", endpoint(reg))


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_by_the_environment(root, registries, name):
    reg = registries.hostile(tls=True)
    reg.on("GET", "/v2/", body=b"{}")
    ca = root.dir / "certs/ca.pem"
    ca.parent.mkdir()
    shutil.copy(reg.ca, ca)
    root.run("openssl", "rehash", ca.parent).ok()
    path = ca if name == "SSL_CERT_FILE" else ca.parent
    with Client(root, env={name: str(path)}) as client:
        assert client.call("ping", endpoint(reg))["ok"]


def test_certificate_of_somebody_else(client, root, registries):
    reg = registries.hostile(tls=True, address="127.0.0.3")
    certs = reg.certs(root.dir)
    with pytest.raises(Failed, match="does not match|no alternative certificate subject name"):
        client.call("ping", endpoint(reg, certs=certs))


def test_certificates_that_are_none(client, root, registries):
    reg = registries.hostile(tls=True)
    certs = root.dir / "certs"
    certs.mkdir()
    (certs / "ca.crt").write_text("nonsense")
    with pytest.raises(Failed, match="certificate"):
        client.call("ping", endpoint(reg, certs=certs))


def test_client_certificate(client, root, registries):
    reg = registries.hostile(tls=True, client_certs=True)
    other = registries.hostile(tls=True, client_certs=True, address="127.0.0.2")
    reg.on("GET", "/v2/", body=b"{}")
    reg.on("GET", PATH, status=307, headers={"Location": other.url + "/x"})
    certs = reg.certs(root.dir)
    with pytest.raises(Failed):
        client.call("ping", endpoint(reg, certs=certs))
    with_key = root.dir / "with-key"
    shutil.copytree(certs, with_key)
    shutil.copy(pki().client_cert, with_key / "client.cert")
    shutil.copy(pki().client_key, with_key / "client.key")
    place = endpoint(reg, "app", certs=with_key)
    assert client.call("ping", place)["ok"]
    # it is shown to no other host
    answer, _ = client.blob(place, NAME, len(BLOB))
    assert isinstance(answer, Failed) and not other.requests


def test_no_tls(client, registries):
    reg = registries.hostile()
    reg.on("GET", "/v2/", body=b"{}")
    with pytest.raises(Failed, match="does not speak TLS") as e:
        client.call("ping", {"url": f"https://{reg.host}"})
    assert e.value.hint == f"if {reg.host} is meant to speak plain http, allow it as insecure"
    with pytest.raises(Failed, match="without TLS"):
        client.call("ping", {"url": f"http://{reg.host}"})
    assert not reg.requests
    place = {"url": f"https://{reg.host}", "insecure": True}
    assert client.call("ping", place)["ok"] and client.call("ping", place)["ok"]


# ---- several endpoints ----


@pytest.mark.parametrize("how", ["absent", "404", "500", "down", "denied", "web page"])
def test_mirror_that_does_not_help(client, registries, how):
    mirror, reg = registries.hostile(), registries.hostile()
    reg.on("GET", "/v2/app/manifests/1", body=b"{}")
    if how == "500":
        mirror.on("GET", ".*", status=500)
    elif how == "denied":
        mirror.on("GET", ".*", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    elif how == "web page":
        mirror.on("GET", ".*", headers={"Content-Type": "text/html"}, body=b"<html>")
    place = endpoint(mirror, "cache/app")
    if how == "down":
        place["url"] = "https://registry.invalid"
    answer, text = client.document("manifest", [place, endpoint(reg, "app")], reference="1")
    assert text == b"{}" and answer["endpoint"] == reg.url
    assert f"; trying {reg.url}" in answer["partial"][-1]["notice"]
    assert len(mirror.requests) <= 2


def test_mirror_that_breaks_off(client, registries):
    mirror, reg = registries.hostile(), registries.hostile()

    def half(request):
        request.head(200, {"Content-Length": str(len(BLOB))})
        request.wfile.write(BLOB[:400000])
        request.wfile.flush()
        request.drop()

    mirror.on("GET", PATH, half, times=1)
    reg.on("GET", PATH, lambda r: r.answer(206, {
        "Content-Range": f"bytes 400000-{len(BLOB) - 1}/{len(BLOB)}"}, BLOB[400000:]))
    _, data = client.blob([endpoint(mirror, "app"), endpoint(reg, "app")], NAME, len(BLOB))
    assert data == BLOB and reg.requests[0].headers["Range"] == "bytes=400000-"


def test_last_endpoint_is_the_one_that_is_reported(client, registries):
    mirror, reg = registries.hostile(), registries.hostile()
    mirror.on("GET", ".*", status=403)
    with pytest.raises(Failed, match=f"{reg.host}/app: the registry answered 404"):
        client.document("manifest", [endpoint(mirror, "app"), endpoint(reg, "app")], reference="1")


# ---- proxies ----


def tunnel(to):
    """A proxy that leads every CONNECT to one port."""
    def action(request):
        request.head(200)
        with socket.create_connection(("127.0.0.1", to)) as upstream:
            def pump(source, sink):
                with contextlib.suppress(OSError):  # whoever ends first
                    while data := source.recv(65536):
                        sink.sendall(data)
                    sink.shutdown(socket.SHUT_WR)
            thread = threading.Thread(target=pump, args=(upstream, request.handler.connection),
                                      daemon=True)
            thread.start()
            pump(request.handler.connection, upstream)
            thread.join(10)
        request.handler.close_connection = True
    return action


def test_proxy(root, registries):
    reg, proxy = registries.hostile(tls=True), registries.hostile()
    reg.on("GET", "/v2/", body=b"{}")
    proxy.on("CONNECT", "registry.test:443", tunnel(reg.port))
    proxy.on("GET", "http://plain.test/v2/", body=b"{}")
    proxy.on("CONNECT", "plain.test:443", status=502)
    env = {"https_proxy": f"http://user:pw@{proxy.host}", "HTTP_PROXY": proxy.host,
           "no_proxy": "direct.test"}
    certs = str(reg.certs(root.dir))
    with Client(root, env=env) as client:
        assert client.call("ping", {"url": "https://registry.test", "tlsDir": certs})["ok"]
        assert client.call("ping", {"url": "http://plain.test", "insecure": True})["ok"]
        assert proxy.requests[0].headers["Proxy-Authorization"] == "Basic dXNlcjpwdw=="
        assert "Proxy-Authorization" not in reg.requests[0].headers
        count = len(proxy.requests)
        with pytest.raises(Failed, match="finding the address of direct.test"):
            client.call("ping", {"url": "https://direct.test"})
        # loopback is never asked for through one
        assert client.call("ping", endpoint(reg, certs=certs))["ok"]
        assert len(proxy.requests) == count


def test_proxy_is_no_way_around_the_rules(root, registries):
    proxy = registries.hostile()
    proxy.on("GET", f"http://plain.test{PATH}", status=302,
             headers={"Location": "http://169.254.169.254/x"})
    with Client(root, env={"http_proxy": proxy.host}) as client:
        answer, _ = client.blob({"url": "http://plain.test", "insecure": True,
                                 "repository": "app"}, NAME, len(BLOB))
    assert "169.254.169.254" in answer.message and len(proxy.requests) == 1


# ---- many at once ----


@pytest.mark.parametrize("tls", [False, True])
def test_slow_readers_hold_up_nobody_and_take_no_memory(client, root, registries, tls):
    reg = registries.start(tls=tls)
    data = os.urandom(1 << 20) * 64
    name = reg.blob("app", data)
    reg.push("app", "1", [b"layer"])
    place = endpoint(reg, "app", certs=reg.certs(root.dir))
    pipes = []
    for _ in range(8):
        read, write = os.pipe()
        pipes.append((read, client.send("blob", place, write, digest=name, size=len(data))))
        os.close(write)
    time.sleep(1)  # all of them are stuck by now
    assert client.document("manifest", place, reference="1")[0]["ok"]
    readers = []
    for read, _ in pipes:
        readers.append(Reader(read))
        readers[-1].start()
    for (_, number), reader in zip(pipes, readers):
        assert client.wait(number)["done"] == len(data)
        reader.join()
        assert digest(reader.data) == name
    status = pathlib.Path(f"/proc/{client.process.pid}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0])
    assert peak < 40 << 10, f"{peak} kB"


def test_registry_that_is_restarted(root, registries):
    """In the middle of a download: it goes on when the registry is there again."""
    reg = registries.start()
    data = os.urandom(1 << 20) * 64
    name = reg.blob("app", data)
    with Client(root, "--retries=10") as client:
        read, write = os.pipe()
        number = client.send("blob", endpoint(reg, "app"), write, digest=name, size=len(data))
        os.close(write)
        with os.fdopen(read, "rb") as f:
            start = f.read(1 << 20)
            reg.stop()
            reader = threading.Timer(1, reg.start_again)
            reader.start()
            assert digest(start + f.read()) == name
            reader.join()
        assert client.wait(number)["done"] == len(data)


def test_time_that_our_reader_takes_does_not_count(root, registries):
    reg = registries.start()
    data = os.urandom(1 << 20) * 8
    name = reg.blob("app", data)
    with Client(root, "--timeout=1", "--retries=0") as client:
        read, write = os.pipe()
        number = client.send("blob", endpoint(reg, "app"), write, digest=name, size=len(data))
        os.close(write)
        time.sleep(3)
        with os.fdopen(read, "rb") as f:
            assert f.read() == data
        client.wait(number)


def test_more_than_are_served_at_once(client, registries):
    reg = registries.hostile()
    reg.on("GET", "/v2/app/manifests/.*", lambda r: (time.sleep(0.05), r.answer(200, {}, b"{}")))
    ids = []
    with open("/dev/null", "wb") as null:
        for i in range(100):
            ids.append(client.send("manifest", endpoint(reg, "app"), null.fileno(),
                                   reference=str(i)))
        for number in ids:
            assert client.wait(number)["ok"]
    assert len(reg.requests) == 100


# ---- what it may do ----


def test_confinement(anyone, registries):
    reg = registries.start()
    with Client(anyone) as client:
        assert client.call("ping", endpoint(reg))["ok"]
        proc = pathlib.Path(f"/proc/{client.process.pid}")
        status = dict(line.split(":\t", 1) for line in
                      (proc / "status").read_text().splitlines() if ":\t" in line)
        uid = anyone.uid or 65534
        assert status["Uid"].split() == [str(uid)] * 4
        assert status["Gid"].split() == [str(anyone.gid or 65534)] * 4
        assert not status["Groups"].split() or anyone.rootless
        assert [int(status[k], 16) for k in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [0] * 4
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        # not dumpable: root's, so that nobody of the same user reads its memory
        assert (proc / "environ").stat().st_uid == 0
        fds = {os.readlink(fd).split(":")[0] for fd in (proc / "fd").iterdir() if int(fd.name) > 2}
    assert fds == {"socket"}


def test_not_for_people(root):
    root.run(root.program("inro-registry"), stdin=None, close_fds=True).fails(
        "inro-registry is run by inro, not by hand", code=2)
