"""Attacks on the server: none gets in, and it serves on."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from distill3d.viewer import protocol
from distill3d.viewer.security import POLICY, host_of
from distill3d.viewer.server import MOST_PAGES, Server
from distill3d.viewer.sources import set_stage
from tests.viewer.conftest import PATIENCE_S, Talk, camera_json, stand_in, talking


@pytest.fixture(scope="module")
def server(scenes: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all attacks: each has to leave it as it was."""
    page = stand_in(tmp_path_factory.mktemp("static"))
    with Server(set_stage([scenes["ball"]]), static=page).running() as running:
        yield running


def request(server: Server, target: str, *lines: str, method: str = "GET") -> tuple[int, str, bytes]:
    """Status, head and body of a request whose target is sent as it is, to the last byte."""
    head = [
        f"{method} {target} HTTP/1.1",
        *(lines or (f"Host: 127.0.0.1:{server.port}",)),
        "Connection: close",
    ]
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1"))
        data = b""
        while more := connection.recv(65536):
            data += more
    top, _, body = data.partition(b"\r\n\r\n")
    return int(top.split()[1]), top.decode().lower(), body


def still_serves(server: Server) -> bool:
    """Whether an honest page is let in and gets a frame."""
    with talking(server) as talk:
        assert talk.hello(server.token)["type"] == "welcome"
        seq = talk.ask_frame(moving=True)
        return talk.hear_bytes()[0].seq == seq


def let_in(server: Server) -> bool:
    with talking(server) as talk:
        try:
            return talk.hello(server.token)["type"] == "welcome"
        except ConnectionClosed:
            return False


FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example:{port}",
    "localhost.evil.example",
    "127.0.0.1:{port}@evil.example",
    "evil.example@127.0.0.1:{port}",
    "127.0.0.1:{port}/evil",
    "0.0.0.0:{port}",
    "[::1",
    "",
]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@pytest.mark.parametrize("target", ["/", "/app.js", "/asset/x", "/ws"])
def test_a_foreign_host_is_refused(server: Server, host: str, target: str) -> None:
    status, _, body = request(server, target, f"Host: {host.format(port=server.port)}")
    assert status in (400, 403) and b"<script" not in body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
def test_our_own_names_are_served_on_any_port(server: Server, host: str) -> None:
    """Another port is what a tunnel has."""
    assert request(server, "/", f"Host: {host}:{server.port}")[0] == 200
    assert request(server, "/", f"Host: {host}:8080")[0] == 200


def test_two_hosts_or_none_are_refused(server: Server) -> None:
    ours = f"Host: 127.0.0.1:{server.port}"
    assert request(server, "/", ours, "Host: evil.example")[0] in (400, 403)
    assert request(server, "/", "Accept: */*")[0] in (400, 403)


def test_host_of_takes_hosts_with_ports_and_nothing_else() -> None:
    assert [host_of(h) for h in ("a.b:1", "A.b", "[::1]:80", "[::1]")] == ["a.b", "a.b", "::1", "::1"]
    for odd in ("a:b", "u@a", "a/x", "a?x", "a#x", "a:999999", "a:1:2", " a", "a\t"):
        assert host_of(odd) is None, odd


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "file://", "{ok}x"],
)
def test_a_foreign_origin_is_refused(server: Server, origin: str) -> None:
    ours = f"http://127.0.0.1:{server.port}"
    foreign = origin.format(port=server.port, ok=ours)
    assert request(server, "/", f"Host: 127.0.0.1:{server.port}", f"Origin: {foreign}")[0] == 403
    with pytest.raises(InvalidStatus) as refused, talking(server, origin=foreign):
        pass
    assert refused.value.response.status_code == 403
    with talking(server, origin=ours) as talk:
        assert talk.hello(server.token)["type"] == "welcome"


def refused(talk: Talk) -> int:
    """The code with which the server hangs up, having told nothing but a sentence."""
    heard = []
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            heard.append(talk.hear())
    assert all(message["type"] == "problem" for message in heard)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


@pytest.mark.parametrize("token", ["", "x", "ü" * 22, "{token}x", "{less}"])
def test_without_the_token_nothing_is_told(server: Server, token: str) -> None:
    with talking(server) as talk:
        wrong = token.format(token=server.token, less=server.token[:-1])
        talk.say(type="hello", token=wrong, protocol=protocol.PROTOCOL)
        assert refused(talk) == protocol.WRONG_TOKEN


@pytest.mark.parametrize(
    "first",
    [
        "",
        "{",
        "[]",
        '{"type":"request_frame"}',
        '{"type":"control","run":0,"action":"stop"}',
        '{"type":"welcome"}',
    ],
)
def test_another_first_message_is_no_hello(server: Server, first: str) -> None:
    with talking(server) as talk:
        talk.socket.send(first)
        assert refused(talk) == protocol.WRONG_TOKEN


def test_bytes_for_a_first_message_are_no_hello(server: Server) -> None:
    with talking(server) as talk:
        talk.socket.send(b"\x00" * 32)
        assert refused(talk) == protocol.WRONG_TOKEN


def test_silence_is_no_hello(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill3d.viewer.conversation.HELLO_WITHIN_S", 0.2)
    with talking(server) as talk:
        assert refused(talk) == protocol.WRONG_TOKEN


def test_a_page_of_another_version_is_told_to_reload(server: Server) -> None:
    with talking(server) as talk:
        problem = talk.hello(server.token, protocol=protocol.PROTOCOL + 1)
        assert "another version" in problem["sentence"]
        assert refused(talk) == protocol.WRONG_PROTOCOL


def test_the_token_is_in_no_address_that_is_sent(server: Server) -> None:
    assert server.url == f"{server.address}#t={server.token}" and len(server.token) >= 22


TRAVERSALS = [
    "/asset/../../../../etc/passwd",
    "/asset/..%2f..%2f..%2fetc%2fpasswd",
    "/asset/%2e%2e/%2e%2e/etc/passwd",
    "/asset/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/asset/..%5c..%5cetc%5cpasswd",
    "/asset/....//....//etc/passwd",
    "/asset//etc/passwd",
    "/asset/%2Fetc%2Fpasswd",
    "/asset/%00",
    "/asset/..%c0%af..%c0%afetc%c0%afpasswd",
    "/asset/..%252f..%252fetc%252fpasswd",
    "/asset/file:///etc/passwd",
    "//etc/passwd",
    "/../pyproject.toml",
    "/static/index.html",
    "/index.html",
    "http://evil.example/",
]


@pytest.mark.parametrize("target", TRAVERSALS)
@pytest.mark.parametrize("folder", ["asset", "photo"])
def test_there_is_no_way_to_a_file(server: Server, target: str, folder: str) -> None:
    status, _, body = request(server, target.replace("asset", folder))
    if target.startswith("http://"):
        assert status in (200, 400, 403, 404) and b"passwd" not in body
    else:
        assert status in (400, 404)
    assert b"root:" not in body


def test_every_answer_has_the_headers_that_keep_pages_apart(server: Server) -> None:
    with talking(server) as talk:
        asset = talk.hello(server.token)["layers"][0]["asset"]
    for target in ("/", "/app.js", f"/asset/{asset}", "/asset/x", "/nothing"):
        _, head, _ = request(server, target)
        assert f"content-security-policy: {POLICY}".lower() in head
        assert "x-content-type-options: nosniff" in head and "referrer-policy: no-referrer" in head
        assert "access-control" not in head and "server:" not in head
    for word in ("unsafe-eval' ", "*", "http:", "https:", "script-src 'self' 'unsafe-inline'"):
        assert word not in POLICY.replace("'wasm-unsafe-eval'", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_only_get_is_answered(server: Server, method: str) -> None:
    status, head, _ = request(server, "/", method=method)
    assert status == 405 and "access-control" not in head


def test_a_message_that_is_too_long_ends_the_conversation(server: Server) -> None:
    with talking(server) as talk:
        talk.hello(server.token)
        with pytest.raises(ConnectionClosed) as closed:
            talk.socket.send("x" * (protocol.MAX_MESSAGE_BYTES + 1))
            while True:
                talk.hear()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
    assert still_serves(server)


def test_so_many_pages_and_no_more(server: Server) -> None:
    talks = [talking(server) for _ in range(MOST_PAGES)]
    try:
        for talk in talks:
            talk.__enter__()
        with talking(server) as late:
            assert refused(late) == protocol.TOO_MANY
    finally:
        for talk in talks:
            talk.__exit__(None, None, None)
    until = time.monotonic() + PATIENCE_S
    while not let_in(server):
        assert time.monotonic() < until, "pages that have gone still count"
    assert still_serves(server)


def test_a_flood_of_requests_is_cut(server: Server) -> None:
    with talking(server) as talk:
        talk.hello(server.token)
        for _ in range(500):
            talk.ask("request_property", layer=0, name="opacity")
        seq = talk.ask_frame(moving=True)
        heard = [talk.hear()]
        while not (isinstance(heard[-1], tuple) and heard[-1][0].seq == seq):
            heard.append(talk.hear())
    assert any(isinstance(message, dict) and "wait" in message["sentence"] for message in heard)


def mutated(random_: random.Random) -> str | bytes:
    """A message that is wrong in one or several ways, or right by accident."""
    valid = {
        "type": "request_frame",
        "seq": 1,
        "pane": 0,
        "layer": 0,
        "camera": camera_json(),
        "channel": "rgb",
        "moving": True,
        "depth": True,
        "exact": False,
    }
    odd = [
        None,
        -1,
        2**40,
        1e400,
        "x" * 2000,
        [],
        {},
        [[]] * 100,
        True,
        0.5,
        "\ud800",
        "../../etc/passwd",
        float("nan"),
    ]
    for _ in range(random_.randint(1, 3)):
        target = random_.choice([valid, valid["camera"]]) if isinstance(valid["camera"], dict) else valid
        if target:
            key = random_.choice([*target, "extra"])
            target[key] = random_.choice(odd)
    if random_.random() < 0.2:
        valid["type"] = random_.choice(["scrub", "control", "hello", "request_pick", "request_query", "", 3])
    text = json.dumps(valid)
    if random_.random() < 0.3:
        cut = random_.randrange(len(text))
        text = text[:cut] + random_.choice(["", "\x00", "}", "[" * 5000, "é"]) + text[cut + 1 :]
    return text.encode() if random_.random() < 0.05 else text


def fuzz(server: Server, least: int, seconds: float, seed: int) -> int:
    """Send mutated messages, some number at least and for a while; how many. The conversation survives."""
    random_, sent, until = random.Random(seed), 0, time.monotonic() + seconds
    with talking(server) as talk:
        talk.hello(server.token)
        while sent < least or time.monotonic() < until:
            for _ in range(20):
                message = mutated(random_)
                if len(message) < protocol.MAX_MESSAGE_BYTES:
                    talk.socket.send(message)
                    sent += 1
            seq = talk.ask("request_property", layer=0, name="opacity")
            while not isinstance(message := talk.hear(), tuple) or message[0].seq != seq:
                pass
    return sent


def test_malformed_messages_do_no_harm(server: Server) -> None:
    assert fuzz(server, 300, 0.0, seed=0) >= 300
    assert still_serves(server)


@pytest.mark.slow
def test_a_minute_of_malformed_messages_does_no_harm(server: Server) -> None:
    assert fuzz(server, 5000, 60.0, seed=1) >= 5000
    assert still_serves(server)
