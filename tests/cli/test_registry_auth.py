# SPDX-License-Identifier: Apache-2.0
"""inro-registry: who it shows credentials to, and which."""

import json
import time
import urllib.parse

import pytest

from registries import TokenServer, digest
from registryclient import Client, Failed, endpoint

BASIC = "Basic amFuZTpzZWNyZXQ="  # jane:secret
JANE = ("jane", "secret")


@pytest.fixture
def client(root):
    with Client(root, "--timeout=5", "--retries=1") as c:
        yield c


def challenge(realm, **params):
    words = ", ".join(f'{k}="{v}"' for k, v in {"realm": realm, **params}.items())
    return {"WWW-Authenticate": "Bearer " + words}


def guarded(server, realm, good="Bearer good", **params):
    """Answers 401 with a challenge until the token is good."""
    server.on("GET", "/v2/.*", lambda r: r.answer(200, {}, b"{}") if r.authorization == good
              else r.answer(401, challenge(realm, service="s", **params)))
    return server


def tokens(server, **members):
    server.on("GET", "/token.*", body=json.dumps({"token": "good", **members}).encode())
    return server


def get(client, place, reference="1"):
    return client.document("manifest", place, reference=reference)[1]


# ---- the flow ----


def test_one_token_for_many_requests(root, registries):
    reg = registries.start(auth="token")
    layers = [bytes([i]) * 1000 for i in range(8)]
    image = reg.push("team/app", "1", layers)
    with Client(root) as client:
        place = endpoint(reg, "team/app", auth=True)
        client.document("manifest", place, reference="1")
        started = [client.start_blob(place, name, 1000) for name in image.layers]
        for (number, reader), layer in zip(started, layers):
            client.wait(number)
            reader.join()
            assert reader.data == layer
    assert len(reg.token_server.requests) == 1
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(reg.token_server.requests[0].path).query)
    assert query == {"service": ["test-registry"], "account": ["jane"],
                     "scope": ["repository:team/app:pull"]}


def test_many_requests_at_once_get_one_token(root, registries):
    reg = registries.start(auth="token")
    data = [bytes([i]) * 1000 for i in range(8)]
    names = [reg.blob("team/app", d) for d in data]
    with Client(root) as client:
        place = endpoint(reg, "team/app", auth=True)
        started = [client.start_blob(place, name, 1000) for name in names]
        for number, reader in started:
            client.wait(number)
            reader.join()
    assert len(reg.token_server.requests) == 1


def test_token_that_expires(root, registries):
    reg = registries.start(auth="token", expires_in=1)
    image = reg.push("team/app", "1", [b"x"])
    with Client(root) as client:
        place = endpoint(reg, "team/app", auth=True)
        for _ in range(2):
            assert get(client, place) == image.manifest
            time.sleep(1.1)
    assert len(reg.token_server.requests) == 2


def test_token_that_the_registry_has_forgotten(client, registries):
    """It has not expired by the clock, but is refused: another one is fetched."""
    bad = registries.hostile()
    count = iter(range(100))
    bad.on("GET", "/token.*", lambda r: r.answer(
        200, {}, json.dumps({"token": f"t{next(count)}", "expires_in": 3600}).encode()))
    good = ["Bearer t0"]
    bad.on("GET", "/v2/.*", lambda r: r.answer(200, {}, b"{}") if r.authorization in good
           else r.answer(401, challenge(bad.url + "/token", service="s")))
    place = endpoint(bad, "app")
    get(client, place)
    good[:] = ["Bearer t1"]
    assert get(client, place) == b"{}"
    assert len(bad.seen("GET", "/token.*")) == 2


def test_push_asks_for_push(root, registries):
    reg = registries.start(auth="token")
    with Client(root) as client:
        place = endpoint(reg, "team/app", auth=True)
        client.upload(place, b"data", digest(b"data"))
        client.upload(place, b"more", digest(b"more"))
    scopes = [r.query["scope"] for r in reg.token_server.requests]
    assert scopes == ["repository:team/app:pull,push"]


def test_mount_asks_for_both_repositories(root, registries):
    reg = registries.start(auth="token")
    name = reg.blob("base/image", b"layer")
    with Client(root) as client:
        answer = client.upload(endpoint(reg, "team/app", auth=True), b"layer", name,
                               **{"from": "base/image"})
    assert answer["mounted"]
    assert not [p for m, p, s in reg.requests() if m == "PUT" and "team/app" in p]
    query = urllib.parse.parse_qs(
        urllib.parse.urlsplit(reg.token_server.requests[-1].path).query)
    assert query["scope"] == ["repository:team/app:pull,push", "repository:base/image:pull"]


def test_identity_token(root, registries):
    reg = registries.start(auth="token")
    image = reg.push("team/app", "1", [b"x"])
    with Client(root) as client:
        place = endpoint(reg, "team/app", auth={"identityToken": TokenServer.REFRESH})
        assert get(client, place) == image.manifest
        with pytest.raises(Failed, match="refuses the credentials .invalid refresh token.") as e:
            get(client, endpoint(reg, "team/app", auth={"identityToken": "bad&grant_type=x"}))
    assert e.value.error["kind"] == "denied"
    assert [r.method for r in reg.token_server.requests] == ["POST", "POST"]
    assert dict(urllib.parse.parse_qsl(reg.token_server.requests[0].body.decode())) == {
        "grant_type": "refresh_token", "service": "test-registry", "client_id": "inro",
        "scope": "repository:team/app:pull", "refresh_token": TokenServer.REFRESH}


def test_registry_token(client, registries):
    bad = guarded(registries.hostile(), "http://x/token", good="Bearer mine")
    assert get(client, endpoint(bad, "app", auth={"registryToken": "mine"})) == b"{}"
    with pytest.raises(Failed, match="the registry refuses the token"):
        get(client, endpoint(bad, "app", auth={"registryToken": "other"}))
    with pytest.raises(Failed, match="characters"):
        get(client, endpoint(bad, "app", auth={"registryToken": "a\r\nX-Evil: 1"}))
    assert [r.authorization for r in bad.requests] == ["Bearer mine", "Bearer other"]


def test_anonymous_token(root, registries):
    reg = registries.start(auth="token", anonymous=["open/app"])
    image = reg.push("open/app", "1", [b"x"])
    reg.push("closed/app", "1", [b"x"])
    with Client(root) as client:
        assert get(client, endpoint(reg, "open/app")) == image.manifest
        with pytest.raises(Failed, match="401 Unauthorized: authentication required") as e:
            get(client, endpoint(reg, "closed/app"))
    assert e.value.hint == f"it may not exist, or need credentials: inro login {reg.host}"
    assert all(r.authorization is None for r in reg.token_server.requests)


@pytest.mark.parametrize("auth", ["basic", "token"])
def test_wrong_password(root, registries, auth):
    reg = registries.start(auth=auth)
    with Client(root) as client:
        with pytest.raises(Failed, match="refuses") as e:
            client.call("ping", endpoint(reg, auth=("jane", "wrong")))
        assert e.value.error["kind"] == "denied" and "wrong" not in json.dumps(e.value.answer)
        with pytest.raises(Failed, match="user name|401|credentials") if auth == "basic" else \
                pytest.raises(Failed, match="insufficient|401"):
            get(client, endpoint(reg, "app"))
        assert client.call("ping", endpoint(reg, auth=True))["ok"]


def test_user_without_the_right(client, registries):
    """The token server gives a token that is not enough."""
    bad = registries.hostile()
    tokens(bad)
    bad.on("GET", "/v2/.*", lambda r: r.answer(401, challenge(
        bad.url + "/token", service="s", error="insufficient_scope"),
        b'{"errors": [{"code": "DENIED", "message": "requested access is denied"}]}'))
    with pytest.raises(Failed, match="requested access is denied .DENIED.") as e:
        get(client, endpoint(bad, "app", auth=JANE))
    assert e.value.hint == "it may not exist, or jane may not do this"
    assert len(bad.seen("GET", "/v2/.*")) == 2 and len(bad.seen("GET", "/token.*")) == 1


def test_basic_is_sent_at_once_when_it_is_known(client, registries):
    bad = registries.hostile()
    bad.on("GET", ".*", lambda r: r.answer(200, {}, b"{}") if r.authorization == BASIC
           else r.answer(401, {"WWW-Authenticate": 'Negotiate, Basic realm="x"'}))
    place = endpoint(bad, "app", auth=JANE)
    get(client, place)
    get(client, place)
    assert [r.authorization for r in bad.requests] == [None, BASIC, BASIC]


# ---- who gets nothing ----


@pytest.mark.parametrize("value", ["", "Bearer", 'Bearer realm="', "Negotiate", 'Bearer realm=""',
                                   'Basic realm="a', "Digest realm=x", "=,=", "Bearer , , =",
                                   'Bearer realm="x", realm="y"', "\x01"])
def test_challenges_that_are_none(client, registries, value):
    bad = registries.hostile()
    bad.on("GET", ".*", status=401, headers={"WWW-Authenticate": value} if value else {})
    with pytest.raises(Failed) as e:
        get(client, endpoint(bad, "app", auth=JANE))
    assert all(r.authorization is None for r in bad.requests) and len(bad.requests) == 1, e.value


def test_other_origins_have_other_credentials(client, registries):
    one, two = registries.hostile(), registries.hostile()
    for server in one, two:
        server.on("GET", "/v2/.*", lambda r: r.answer(200, {}, b"{}") if r.authorization
                  else r.answer(401, {"WWW-Authenticate": 'Basic realm="x"'}))
    get(client, endpoint(one, "app", auth=JANE))
    with pytest.raises(Failed, match="wants a user name"):
        get(client, endpoint(two, "app"))
    with pytest.raises(Failed, match="wants a user name"):
        get(client, endpoint(one, "app"))
    assert all(r.authorization is None for r in two.requests)


def test_realm_needs_tls_like_the_registry(root, registries):
    plain = tokens(registries.hostile())
    bad = guarded(registries.hostile(tls=True), plain.url + "/token")
    with Client(root) as client:
        place = endpoint(bad, "app", auth=JANE, certs=bad.certs(root.dir))
        with pytest.raises(Failed, match="names a token server without TLS"):
            get(client, place)
    assert not plain.requests


def test_insecure_registry_has_no_insecure_token_server_elsewhere(root, registries):
    """What is said of a registry's host is not said of one that it names."""
    for other, message in ((tokens(registries.hostile(address="127.0.0.2")), "without TLS, 127.0.0.2"),
                           (tokens(registries.hostile(tls=True, address="127.0.0.2")), "certificate")):
        bad = guarded(registries.hostile(), other.url + "/token")
        for auth in JANE, {"identityToken": "refresh"}:
            with Client(root, "--retries=1") as client:
                with pytest.raises(Failed, match=message):
                    get(client, endpoint(bad, "app", auth=auth))
        assert not other.requests
    # its own host is meant, whatever the port
    near = tokens(registries.hostile())
    bad = guarded(registries.hostile(), near.url + "/token")
    with Client(root) as client:
        assert get(client, endpoint(bad, "app", auth=JANE)) == b"{}"
    assert [r.authorization for r in near.requests] == [BASIC]


@pytest.mark.parametrize("realm", ["file:///etc/passwd", "/token", "token", "http://a:b@x/token",
                                   "http://169.254.169.254/token", "ldap://127.0.0.1/"])
def test_realms_that_are_none(client, registries, realm):
    bad = guarded(registries.hostile(), realm)
    with pytest.raises(Failed, match="token"):
        get(client, endpoint(bad, "app", auth=JANE))
    assert len(bad.requests) == 1


def test_password_does_not_follow_the_token_servers_redirect(client, registries):
    bad, other = registries.hostile(), tokens(registries.hostile())
    guarded(bad, bad.url + "/token")
    bad.on("GET", "/token.*", lambda r: r.answer(307, {"Location": other.url + "/token"}))
    assert get(client, endpoint(bad, "app", auth=JANE)) == b"{}"
    assert [r.authorization for r in bad.seen("GET", "/token.*")] == [BASIC]
    assert [r.authorization for r in other.requests] == [None]


@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_cve_2020_15157_challenge_of_another_host(root, registries, address, scheme):
    """A blob lies elsewhere, and whoever is there wants to know a password."""
    reg, evil = registries.hostile(tls=True), registries.hostile(tls=True, address=address)
    reg.on("GET", "/v2/.*", lambda r: r.answer(307, {"Location": evil.url + "/x"})
           if r.authorization == BASIC else r.answer(401, {"WWW-Authenticate": 'Basic realm="r"'}))
    evil.on("GET", "/x", status=401, headers={
        "WWW-Authenticate": f'{scheme} realm="{evil.url}/token",service="s"'})
    tokens(evil)
    with Client(root, "--timeout=5", "--retries=1") as client:
        place = endpoint(reg, "app", auth=JANE, certs=reg.certs(root.dir))
        answer, _ = client.blob(place, digest(b"x"), 1)
    assert answer.message.endswith(f"{evil.host} answered 401 Unauthorized")
    assert [(r.path, r.authorization) for r in evil.requests] == [("/x", None)]


def test_refresh_token_is_posted_to_no_other_host(client, registries):
    bad, other = registries.hostile(), registries.hostile()
    guarded(bad, bad.url + "/token")
    bad.on("POST", "/token.*", lambda r: r.answer(307, {"Location": other.url + "/token"}))
    with pytest.raises(Failed):
        get(client, endpoint(bad, "app", auth={"identityToken": "refresh"}))
    assert all(b"refresh-me" not in r.body for r in other.requests)
    assert not other.requests


@pytest.mark.parametrize("answer", [
    b"", b"[]", b"{}", b'{"token": 5}', b'{"token": ""}', b'{"token": "a\\r\\nX-Evil: 1"}',
    b'{"token": "caf\xc3\xa9"}', b'{"token": "' + b"x" * 70000 + b'"}', b"{" * 5000])
def test_tokens_that_are_none(client, registries, answer):
    bad = registries.hostile()
    guarded(bad, bad.url + "/token")
    bad.on("GET", "/token.*", body=answer)
    with pytest.raises(Failed, match="getting a token from 127.0.0.1"):
        get(client, endpoint(bad, "app"))
    assert all(r.headers.get("X-Evil") is None for r in bad.requests)
    assert len(bad.seen("GET", "/v2/.*")) == 1


def test_401_without_an_end(client, registries):
    bad = tokens(registries.hostile())
    bad.on("GET", "/v2/.*", lambda r: r.answer(401, challenge(bad.url + "/token")))
    with pytest.raises(Failed, match="401"):
        get(client, endpoint(bad, "app", auth=JANE))
    assert len(bad.requests) == 3


def test_access_token_and_odd_times(client, registries):
    for times in ({}, {"expires_in": 0}, {"expires_in": -5}, {"expires_in": 2**62}):
        bad = registries.hostile()
        guarded(bad, bad.url + "/token")
        bad.on("GET", "/token.*",
               body=json.dumps({"token": "", "access_token": "good", **times}).encode())
        place = endpoint(bad, "app")
        assert get(client, place) == get(client, place) == b"{}"
        assert len(bad.seen("GET", "/token.*")) == 1


def test_challenge_of_a_hostile_size(client, registries):
    bad = tokens(registries.hostile())
    guarded(bad, bad.url + "/token", scope=" ".join(f"repository:r{i}:pull" for i in range(300)))
    assert get(client, endpoint(bad, "app")) == b"{}"
    assert bad.seen("GET", "/token.*")[0].path.count("scope=") <= 8
