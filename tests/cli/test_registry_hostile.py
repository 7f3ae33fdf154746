# SPDX-License-Identifier: Apache-2.0
"""inro-registry and registries that are broken or mean harm."""

import json
import os
import re
import socket
import threading
import time

import pytest

from registries import MANIFEST, digest
from registryclient import Client, Failed, endpoint

TURNS = True  # see conftest.py

BLOB = bytes(range(256)) * 4096  # 1 MiB
NAME = digest(BLOB)
PATH = f"/v2/app/blobs/{NAME}"


@pytest.fixture
def client(root):
    with Client(root, "--timeout=2") as c:
        yield c


def errors(code, message):
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def manifest(client, place, reference="1"):
    return client.document("manifest", place, reference=reference)


# ---- answers that are errors ----


def test_not_found(client, registries):
    bad = registries.hostile()
    bad.on("GET", "/v2/app/manifests/1", status=404,
           body=errors("MANIFEST_UNKNOWN", "manifest unknown"))
    with pytest.raises(Failed) as e:
        manifest(client, endpoint(bad, "app"))
    assert e.value.message == (f"reading manifest 1 of {bad.host}/app: the registry answered "
                               "404 Not Found: manifest unknown (MANIFEST_UNKNOWN)")
    assert e.value.error["code"] == "MANIFEST_UNKNOWN" and e.value.error["kind"] == "not-found"
    assert e.value.answer["status"] == 404
    assert len(bad.requests) == 1


def test_text_of_the_registry_can_not_steer_a_terminal(client, registries):
    bad = registries.hostile()
    bad.on("GET", ".*", status=400, body=errors("BAD\x1b]0;x\x07", "\x1b[2J\r\n" + "long" * 1000))
    with pytest.raises(Failed) as e:
        manifest(client, endpoint(bad, "app"))
    assert not re.search("[\x00-\x1f\x7f]", e.value.message + e.value.error["code"])
    assert len(e.value.message) < 500


def test_web_page(client, registries):
    bad = registries.hostile()
    bad.on("GET", ".*", headers={"Content-Type": "text/html; charset=utf-8"}, body=b"<html>")
    with pytest.raises(Failed, match="web page"):
        manifest(client, endpoint(bad, "app"))


def test_errors_that_pass_are_tried_again(client, registries):
    bad = registries.hostile()
    bad.on("GET", ".*", status=500, times=1)
    bad.on("GET", ".*", lambda r: r.drop(), times=1)
    bad.on("GET", ".*", status=429, headers={"Retry-After": "1"}, times=1)
    bad.on("GET", ".*", headers={"Content-Type": MANIFEST}, body=b"{}")
    start = time.monotonic()
    answer, text = manifest(client, endpoint(bad, "app"))
    assert text == b"{}" and len(bad.requests) == 4
    assert time.monotonic() - start > 1  # as it was asked to wait
    notices = [p["notice"] for p in answer["partial"]]  # libcurl itself tries one of them again
    assert len(notices) >= 2 and all(re.match("trying again in .* s: ", n) for n in notices)


def test_tries_end(client, registries):
    bad = registries.hostile()
    bad.on("GET", ".*", status=503)
    with pytest.raises(Failed, match="503 Service Unavailable"):
        manifest(client, endpoint(bad, "app"))
    assert len(bad.requests) == 4  # --retries=3


def test_rate_limit_that_takes_longer(client, registries):
    bad = registries.hostile()
    bad.on("GET", ".*", status=429, headers={"Retry-After": "3600"},
           body=errors("TOOMANYREQUESTS", "slow down"))
    with pytest.raises(Failed, match="429 Too Many Requests: slow down") as e:
        manifest(client, endpoint(bad, "app"))
    assert e.value.error["after"] == 3600 and len(bad.requests) == 1
    assert "try again in" in e.value.hint and "log in" in e.value.hint


def test_nobody_there(client):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with pytest.raises(Failed, match=f"connecting to 127.0.0.1:{port}: Connection refused"):
        client.call("ping", {"url": f"https://127.0.0.1:{port}"})
    with pytest.raises(Failed, match="finding the address of registry.invalid"):
        client.call("ping", {"url": "https://registry.invalid"})


# ---- limits ----


def test_gigantic_manifest(client, registries):
    bad = registries.hostile()
    bad.on("GET", "/v2/app/manifests/1", body=b" " * (5 << 20))

    def endless(request):
        request.head(200, {"Transfer-Encoding": "chunked"})
        while True:
            request.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")

    bad.on("GET", "/v2/app/manifests/2", endless)
    for reference in ("1", "2"):
        with pytest.raises(Failed, match="more than 4194304 bytes"):
            manifest(client, endpoint(bad, "app"), reference)


def test_gigantic_headers(client, registries):
    bad = registries.hostile()
    bad.on("GET", ".*", headers={f"X-{i}": "y" * 1000 for i in range(80)})
    with pytest.raises(Failed, match="bytes of headers"):
        manifest(client, endpoint(bad, "app"))

    def informational(request):
        while True:
            request.wfile.write(b"HTTP/1.1 100 Continue\r\nX-A: " + b"b" * 500 + b"\r\n\r\n")

    bad.rules.clear()
    bad.on("GET", ".*", informational)
    with pytest.raises(Failed, match="bytes of headers"):
        manifest(client, endpoint(bad, "app"))


def test_gigantic_explanation(client, registries):
    bad = registries.hostile()
    bad.on("GET", ".*", status=404, body=b"x" * (50 << 20))
    with pytest.raises(Failed, match="404 Not Found$"):
        manifest(client, endpoint(bad, "app"))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"errors": "x"}',
                                  b'{"errors": [{"code": 5, "message": {}}]}',
                                  b'{"errors": [{"code": null}]}', b"[" * 100000])
def test_explanations_that_are_none(client, registries, body):
    bad = registries.hostile()
    bad.on("GET", ".*", status=403, body=body)
    with pytest.raises(Failed, match="403 Forbidden"):
        manifest(client, endpoint(bad, "app"))


@pytest.mark.parametrize("what", ["headers", "body"])
def test_slow_loris(client, registries, what):
    bad = registries.hostile()
    stop = threading.Event()

    def drip(request):
        if what == "body":
            request.head(200, {"Content-Length": "100000"})
        else:
            request.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not stop.wait(0.3):
            request.wfile.write(b"x")

    bad.on("GET", ".*", drip)
    start = time.monotonic()
    with Client(client.who, "--timeout=1", "--retries=1") as quick:
        with pytest.raises(Failed, match=r"no more than \d+ bytes went through in 1 s|"
                                         "nothing came for 1 s|nobody answered in time"):
            manifest(quick, endpoint(bad, "app"))
    stop.set()
    assert time.monotonic() - start < 8


def test_encodings_that_were_not_asked_for(client, registries):
    bad = registries.hostile()

    def squeezed(request):
        assert request.headers["Accept-Encoding"] == "identity"
        request.answer(200, {"Transfer-Encoding": "gzip, chunked"}, b"0\r\n\r\n")

    bad.on("GET", ".*", squeezed)
    with pytest.raises(Failed, match="encoding that was not asked for"):
        manifest(client, endpoint(bad, "app"))
    # What a store of files says of a blob that is gzip's is no reason to unpack it.
    bad.rules.clear()
    bad.on("GET", ".*", headers={"Content-Encoding": "gzip"}, body=BLOB)
    assert client.blob(endpoint(bad, "app"), NAME, len(BLOB))[1] == BLOB


# ---- blobs that break off ----


def part(body, first, total=None, last=None, **headers):
    """A 206 answer with what is left of body."""
    last = len(body) - 1 if last is None else last
    return {"status": 206, "body": body[first:], "headers": {
        "Content-Range": f"bytes {first}-{last}/{total or len(body)}", **headers}}


def broken(after, **headers):
    def action(request):
        request.head(200, {"Content-Length": str(len(BLOB)), **headers})
        request.wfile.write(BLOB[:after])
        request.wfile.flush()
        request.drop()
    return action


def test_goes_on_where_it_broke_off(client, registries):
    bad = registries.hostile()
    bad.on("GET", PATH, broken(300000, ETag='"abc"'), times=1)
    bad.on("GET", PATH, lambda r: r.answer(**part(BLOB, int(r.headers["Range"][6:-1]))))
    answer, data = client.blob(endpoint(bad, "app"), NAME, len(BLOB))
    assert data == BLOB and answer["done"] == len(BLOB)
    first, second = bad.requests
    assert "Range" not in first.headers
    assert second.headers["Range"] == "bytes=300000-" and second.headers["If-Range"] == '"abc"'


def test_goes_on_in_many_small_steps(client, registries):
    """As long as something comes, tries are not used up."""
    bad = registries.hostile()

    def step(request):
        first = int(request.headers.get("Range", "bytes=0-")[6:-1])
        answer = part(BLOB, first) if first else {"status": 200, "headers": {}}
        request.head(answer["status"], {**answer["headers"],
                                        "Content-Length": str(len(BLOB) - first)})
        request.wfile.write(BLOB[first:first + 150000])
        request.wfile.flush()
        request.drop()

    bad.on("GET", PATH, step)
    assert client.blob(endpoint(bad, "app"), NAME, len(BLOB))[1] == BLOB
    assert len(bad.requests) == 7


@pytest.mark.parametrize("slow", [False, True])
def test_progress_that_is_none(client, registries, slow):
    """Whoever sends a byte and breaks off, or a byte now and then, is not listened to for ever."""
    bad = registries.hostile()

    def drip(request):
        first = int(request.headers.get("Range", "bytes=0-")[6:-1])
        answer = part(BLOB, first) if first else {"status": 200, "headers": {}}
        request.head(answer["status"], {**answer["headers"],
                                        "Content-Length": str(len(BLOB) - first)})
        request.wfile.write(BLOB[first:first + 1])
        request.wfile.flush()
        end = time.monotonic() + 30
        while slow and time.monotonic() < end:
            time.sleep(0.2)
            first += 1
            request.wfile.write(BLOB[first:first + 1])
            request.wfile.flush()
        request.drop()

    bad.on("GET", PATH, drip)
    with Client(client.who, "--timeout=1", "--retries=2") as quick:
        answer, data = quick.blob(endpoint(bad, "app"), NAME, len(BLOB))
    assert isinstance(answer, Failed) and len(bad.requests) == 3
    assert len(data) < 50 and BLOB.startswith(data)
    assert ("bytes went through in 1 s" if slow else "broke off") in answer.message


def test_range_is_not_known_to_the_server(client, registries):
    bad = registries.hostile()
    bad.on("GET", PATH, broken(300000), times=1)
    bad.on("GET", PATH, body=BLOB)
    assert client.blob(endpoint(bad, "app"), NAME, len(BLOB))[1] == BLOB


@pytest.mark.parametrize("content_range", [
    "bytes 0-1048575/1048576", "bytes 300001-1048575/1048576", "bytes 300000-2000000/3000000",
    "bytes 300000-1048575/1048575", "pages 300000-1048575/1048576", "bytes */1048576", "", None])
def test_another_range_than_asked_for(client, registries, content_range):
    bad = registries.hostile()
    headers = {} if content_range is None else {"Content-Range": content_range}
    bad.on("GET", PATH, broken(300000), times=1)
    bad.on("GET", PATH, status=206, headers=headers, body=BLOB[300000:], times=1)
    bad.on("GET", PATH, body=BLOB)
    answer, data = client.blob(endpoint(bad, "app"), NAME, len(BLOB))
    if content_range and content_range.endswith("/3000000"):
        assert "the registry sends 3000000 bytes" in answer.message
    else:
        assert data == BLOB
        assert "Range" in bad.requests[1].headers and "Range" not in bad.requests[2].headers


def test_continued_download(client, registries):
    """offset: what an earlier command has stored already."""
    bad = registries.hostile()
    bad.on("GET", PATH, lambda r: r.answer(**part(BLOB, int(r.headers["Range"][6:-1]))))
    place = endpoint(bad, "app")
    assert client.blob(place, NAME, len(BLOB), 1000000)[1] == BLOB[1000000:]
    count = len(bad.requests)
    answer, data = client.blob(place, NAME, len(BLOB), len(BLOB))
    assert (answer["done"], data, len(bad.requests)) == (len(BLOB), b"", count)
    # of a blob whose size is not known
    assert client.blob(place, NAME, 0, 1000000)[1] == BLOB[1000000:]
    bad.rules.clear()
    bad.on("GET", PATH, status=416, headers={"Content-Range": f"bytes */{len(BLOB)}"})
    assert client.blob(place, NAME, 0, len(BLOB))[0]["done"] == len(BLOB)


def test_range_not_satisfiable(client, registries):
    bad = registries.hostile()
    bad.on("GET", PATH, status=416, times=1)
    bad.on("GET", PATH, body=BLOB)
    assert client.blob(endpoint(bad, "app"), NAME, len(BLOB), 5)[1] == BLOB[5:]
    bad.rules.clear()
    bad.on("GET", PATH, status=416)
    answer, data = client.blob(endpoint(bad, "app"), NAME, len(BLOB), 5)
    assert "416 Range Not Satisfiable" in answer.message and data == b""


def test_wrong_length(client, registries):
    bad = registries.hostile()
    bad.on("GET", PATH, body=BLOB + b"x")
    answer, data = client.blob(endpoint(bad, "app"), NAME, len(BLOB))
    assert answer.error["kind"] == "corrupt" and data == b""
    assert "the registry sends 1048577 bytes, but it has 1048576" in answer.message
    assert len(bad.requests) == 1


def chunked(data):
    return {"headers": {"Transfer-Encoding": "chunked"},
            "body": b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)}


def test_length_that_is_not_said(client, registries):
    bad = registries.hostile()
    bad.on("GET", PATH, **chunked(BLOB))
    place = endpoint(bad, "app")
    assert client.blob(place, NAME, len(BLOB))[1] == BLOB
    assert client.blob(place, NAME)[1] == BLOB
    answer, data = client.blob(place, NAME, limit=1000)
    assert "more than 1000 bytes" in answer.message and len(data) <= 1000
    bad.rules.clear()
    bad.on("GET", PATH, **chunked(BLOB * 2))
    answer, data = client.blob(place, NAME, len(BLOB))
    assert "more than 1048576 bytes" in answer.message and len(data) <= len(BLOB)
    bad.rules.clear()
    bad.on("GET", PATH, **chunked(BLOB[:1000]))
    answer, data = client.blob(place, NAME, len(BLOB))
    assert "it ended after 1000 of 1048576 bytes" in answer.message


# ---- redirects ----


def test_token_does_not_follow_to_another_host(root, registries):
    reg, store = registries.hostile(tls=True), registries.hostile(tls=True, address="127.0.0.2")
    reg.on("GET", PATH, lambda r: r.answer(307, {"Location": store.url + "/signed?x=1"})
           if r.authorization else r.answer(401, {"WWW-Authenticate": 'Basic realm="r"'}))
    store.on("GET", r"/signed\?x=1", body=BLOB)
    certs = reg.certs(root.dir)
    with Client(root) as client:
        place = endpoint(reg, "app", auth=("jane", "secret"), certs=certs)
        assert client.blob(place, NAME, len(BLOB))[1] == BLOB
    assert reg.requests[-1].authorization.startswith("Basic ")
    assert [r.authorization for r in store.requests] == [None]


def test_token_does_not_follow_to_another_port(client, registries):
    reg, other = registries.hostile(), registries.hostile()
    reg.on("GET", PATH, lambda r: r.answer(302, {"Location": other.url + "/x"}))
    other.on("GET", "/x", body=BLOB)
    place = endpoint(reg, "app", auth={"registryToken": "t0ken"})
    assert client.blob(place, NAME, len(BLOB))[1] == BLOB
    assert reg.requests[0].authorization == "Bearer t0ken"
    assert other.requests[0].authorization is None


def test_stays_with_tls(root, registries):
    reg, plain = registries.hostile(tls=True), registries.hostile()
    reg.on("GET", PATH, headers={"Location": plain.url + "/x"}, status=302)
    plain.on("GET", "/x", body=BLOB)
    with Client(root) as client:
        answer, data = client.blob(endpoint(reg, "app", certs=reg.certs(root.dir)), NAME, len(BLOB))
    assert "without TLS" in answer.message and data == b"" and not plain.requests


def test_insecure_holds_for_one_host(client, registries):
    """Where an insecure registry says that its blobs lie is another host."""
    for other, message in ((registries.hostile(address="127.0.0.2"), "without TLS"),
                           (registries.hostile(tls=True, address="127.0.0.2"), "certificate")):
        reg = registries.hostile()
        reg.on("GET", PATH, headers={"Location": other.url + "/x"}, status=307)
        other.on("GET", "/x", body=BLOB)
        answer, data = client.blob(endpoint(reg, "app"), NAME, len(BLOB))
        assert message in answer.message and "127.0.0.2" in answer.message
        assert data == b"" and not other.requests


def test_redirects_end(client, registries):
    bad = registries.hostile()
    bad.on("GET", ".*", headers={"Location": "/again"}, status=302)
    answer, _ = client.blob(endpoint(bad, "app"), NAME, len(BLOB))
    assert "more than 5 redirects" in answer.message and len(bad.requests) == 6


@pytest.mark.parametrize("location,message", [
    ("file:///etc/passwd", "neither https nor http"),
    ("ftp://127.0.0.1/x", "neither https nor http"),
    ("gopher://127.0.0.1:6379/_x", "neither https nor http"),
    ("http://jane:secret@127.0.0.1/", "user name in it"),
    ("http://192.0.2.1/", "192.0.2.1 is to be spoken to without TLS"),
    ("https://169.254.169.254/latest/meta-data/", "169.254.169.254"),
    ("https://0xa9fea9fe/", "169.254.169.254"),
    ("https://[fd00:ec2::254]/", "fd00:ec2::254"),
    ("https://[::ffff:169.254.169.254]/", "169.254"),
    ("https://0.0.0.0:22/", "0.0.0.0"),
    ("http://", "not well-formed"),
    ("http://a b/", "not well-formed"),
    ("/" + "x" * 20000, "302"),
])
def test_redirects_to_where_nobody_may_go(client, registries, location, message):
    bad = registries.hostile()
    bad.on("GET", ".*", headers={"Location": location}, status=302)
    answer, data = client.blob(endpoint(bad, "app"), NAME, len(BLOB))
    assert message in answer.message and data == b""
    assert len(bad.requests) == 1


def test_other_methods_are_not_redirected_to_a_get(client, registries):
    bad = registries.hostile()
    bad.on("DELETE", "/v2/app/manifests/1", headers={"Location": "/x"}, status=302)
    bad.on("DELETE", "/v2/app/manifests/2", headers={"Location": "/x"}, status=307)
    bad.on("DELETE", "/x", status=202)
    with pytest.raises(Failed, match="302"):
        client.call("delete", endpoint(bad, "app"), reference="1")
    assert client.call("delete", endpoint(bad, "app"), reference="2")["ok"]


# ---- lists ----


def test_list_without_an_end(client, registries):
    bad = registries.hostile()
    count = iter(range(10**9))
    bad.on("GET", "/v2/app/tags/list.*", lambda r: r.answer(
        200, {"Link": f'</v2/app/tags/list?last={next(count)}>; rel="next"'},
        json.dumps({"tags": ["x" * 100] * 1000}).encode()))
    with pytest.raises(Failed, match="the list does not end"):
        client.document("tags", endpoint(bad, "app"))
    assert len(bad.requests) < 300
    assert len(json.loads(client.document("tags", endpoint(bad, "app"), limit=1500)[1])["tags"]) \
        == 1500


@pytest.mark.parametrize("link", ['<http://127.0.0.2:1/x>; rel="next"', '<https://[::1]/>; rel=next',
                                  '<x', '<file:///etc/passwd>; rel="next"',
                                  '</v2/app/tags/list?n=1000>; rel="next"'])
def test_links_that_lead_nowhere(client, registries, link):
    bad = registries.hostile()
    bad.on("GET", ".*", headers={"Link": link}, body=b'{"tags": ["a"]}')
    with pytest.raises(Failed, match="next page"):
        client.document("tags", endpoint(bad, "app"))
    assert len(bad.requests) == 1


def test_names_that_are_none(client, registries):
    bad = registries.hostile()
    bad.on("GET", "/v2/app/tags/list.*", body=json.dumps(
        {"name": "other", "tags": ["good", "\x1b[2J", "../up", "", "a" * 129, "also.good"]}).encode())
    bad.on("GET", "/v2/_catalog.*", body=json.dumps(
        {"repositories": ["a/b", "\x1b[2J", "A", "x" * 300]}).encode())
    assert json.loads(client.document("tags", endpoint(bad, "app"))[1]) \
        == {"name": "app", "tags": ["good", "also.good"]}
    assert json.loads(client.document("catalog", endpoint(bad))[1]) == {"repositories": ["a/b"]}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"tags": 5}', b'{"tags": [5]}', b"{" * 1000])
def test_lists_that_are_none(client, registries, body):
    bad = registries.hostile()
    bad.on("GET", ".*", body=body)
    with pytest.raises(Failed):
        client.document("tags", endpoint(bad, "app"))


# ---- the engine's side ----


@pytest.mark.parametrize("name", ["../x", "a/../b", "/a", "a//b", "a/", "A", "a b", "a?x", "a#",
                                  "a%2e", "x" * 300])
def test_repositories_that_are_none(client, registries, name):
    bad = registries.hostile()
    with pytest.raises(Failed, match="not the name of a repository"):
        manifest(client, endpoint(bad, name))
    with pytest.raises(Failed, match="neither a tag nor a digest"):
        manifest(client, endpoint(bad, "app"), "a/../b")
    assert not bad.requests


@pytest.mark.parametrize("message", [b"x", b"{}", b'{"id": 1, "op": "fly"}',
                                     b'{"id": 0, "op": "ping", "endpoints": [{"url": "x"}]}',
                                     b'{"id": 1, "op": "ping", "endpoints": []}'])
def test_requests_that_break_the_protocol_end_it(client, message):
    client.send_raw(message)
    with pytest.raises(EOFError):
        client.receive()
    assert client.process.wait(10) == 1


def test_request_without_its_fd(client, registries):
    bad = registries.hostile()
    with pytest.raises(Failed, match="without a file descriptor"):
        client.call("manifest", endpoint(bad, "app"), reference="1")


def test_reader_that_goes_away(client, registries):
    bad = registries.hostile()
    bad.on("GET", PATH, body=BLOB)
    bad.on("GET", "/v2/", body=b"{}")
    read, write = os.pipe()
    number = client.send("blob", endpoint(bad, "app"), write, digest=NAME, size=len(BLOB))
    os.close(write)
    os.close(read)
    with pytest.raises(Failed, match="handing on what came: Broken pipe"):
        client.wait(number)
    assert len(bad.requests) == 1
    assert client.call("ping", endpoint(bad))["ok"]


def test_ends_with_the_engine(client, registries):
    bad = registries.hostile()
    stop = threading.Event()
    bad.on("GET", ".*", lambda r: stop.wait(20))
    client.send("ping", endpoint(bad))
    time.sleep(0.3)
    client.sock.close()
    start = time.monotonic()
    assert client.process.wait(10) == 0
    assert time.monotonic() - start < 1
    stop.set()
