"""The server's parts that need no socket: queue, rate limit, access rules, message checking, cache names."""

from __future__ import annotations

import contextlib
import json
from collections import deque
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from follower.errors import ConfigError, InputError
from follower.piece.manifest import MANIFEST
from follower.protocol.codec import RefusedError, decode_request
from follower.protocol.commands import AskList, OpenAudio, Pause, PlaybackPosition, Resume, Seek, Start, Stop
from follower.protocol.schema import schema
from follower.websocket.access import Access
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.limits import Limits, TokenBucket
from follower.websocket.pages import PAGES, page
from follower.websocket.queue import BURST, LatestWinsQueue

TOKEN = "a-token-that-is-long-enough"


@given(st.lists(st.one_of(st.integers(0, 9), st.sampled_from("abc"), st.none())))
def test_the_queue_against_a_plain_model(steps: list[int | str | None]) -> None:
    """Integers are positions, letters other items, None takes one."""
    box: LatestWinsQueue[int | str] = LatestWinsQueue(lambda item: isinstance(item, int), capacity=3)
    model: deque[int | str] = deque()
    for step in steps:
        if step is None:
            assert box.take_one() == (model.popleft() if model else None)
            continue
        assert box.put(step) == (not model)
        same = [item for item in model if isinstance(item, int) == isinstance(step, int)]
        if isinstance(step, int) and len(same) == BURST:
            model = deque(item for item in model if not isinstance(item, int))
        elif isinstance(step, str) and len(same) == 3:
            model.remove(same[0])
        model.append(step)
    assert box.take() == list(model)
    assert box.take_one() is None


def test_the_queue_counts_what_is_not_delivered() -> None:
    box: LatestWinsQueue[int | str] = LatestWinsQueue(lambda item: isinstance(item, int), capacity=1)
    for item in (*range(BURST + 1), "a", "b"):
        box.put(item)
    assert (box.superseded, box.dropped, box.take()) == (BURST, 1, [BURST, "b"])


def test_token_bucket_in_simulated_time() -> None:
    now = [0.0]
    bucket = TokenBucket(10.0, 5.0, lambda: now[0])
    assert [bucket.wait_s(1.0) for _ in range(5)] == [0.0] * 5
    assert bucket.wait_s(1.0) == pytest.approx(0.1)
    now[0] += 0.1
    assert bucket.wait_s(1.0) == 0.0
    now[0] += 1000.0
    assert bucket.wait_s(50.0) == 0.0, "more than the burst passes when the bucket is full"
    assert bucket.wait_s(1.0) == pytest.approx(4.6), "and is worked off"


def test_a_folder_that_is_a_cache_itself_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "bach").mkdir()
    (tmp_path / "bach" / MANIFEST).write_text("{}")
    with pytest.raises(InputError, match=f"is a cache itself; give the folder it is in: --caches {tmp_path}"):
        CacheFolder(tmp_path / "bach")


def test_limits_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="stall_s is 0"):
        Limits(stall_s=0)


def refusal(access: Access, path: str = "/ws", host: str = "127.0.0.1:8765", **headers: str) -> str | None:
    return access.refusal(
        path, [host], [headers["origin"]] if "origin" in headers else [],
        [headers["authorization"]] if "authorization" in headers else [],
    )  # fmt: skip


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765", "127.9.9.9"])
def test_loopback_needs_no_token(host: str) -> None:
    assert refusal(Access("127.0.0.1"), host=host) is None
    assert refusal(Access("127.0.0.1"), host=host, origin=f"http://{host}") is None


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "file://", "http://127.0.0.1:1", "http://[", "https:"]
)
def test_a_foreign_page_may_not_connect_even_on_loopback(origin: str) -> None:
    assert "Origin" in (refusal(Access("127.0.0.1"), origin=origin) or "")


def test_an_allowed_origin_may() -> None:
    access = Access("127.0.0.1", origins=frozenset({"https://stage.example"}))
    assert refusal(access, origin="https://stage.example") is None


def test_a_name_rebound_to_loopback_is_refused() -> None:
    assert "Host" in (refusal(Access("127.0.0.1"), host="evil.example:8765") or "")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "", "::", "stage.local"])
def test_a_reachable_address_needs_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match="--token"):
        Access(host)
    access = Access(host, TOKEN)
    at = "stage.local:8765"
    assert "token" in (refusal(access, host=at) or "")
    assert "token" in (refusal(access, f"/ws?token={TOKEN}x", host=at) or "")
    assert "token" in (refusal(access, host=at, authorization=TOKEN) or "")
    assert refusal(access, f"/ws?token={TOKEN}", host=at) is None
    assert refusal(access, host=at, authorization=f"Bearer {TOKEN}") is None
    assert "Origin" in (refusal(access, f"/ws?token={TOKEN}", host=at, origin="http://evil.example") or "")


def test_a_guessable_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="4 characters"):
        Access("0.0.0.0", "abcd")


def test_repeated_headers_are_refused() -> None:
    assert Access("127.0.0.1").refusal("/ws", ["127.0.0.1", "localhost"], [], []) is not None
    assert Access("127.0.0.1").refusal("/ws", [], [], []) is not None
    assert Access("127.0.0.1").refusal("/ws", ["127.0.0.1"], ["http://127.0.0.1", "x"], []) is not None


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ('{"type": "start"}', Start()),
        ('{"type": "stop"}', Stop()),
        ('{"type": "pause"}', Pause()),
        ('{"type": "resume"}', Resume()),
        ('{"type": "seek", "orchestra_time": 5}', Seek(5.0)),
        ('{"type": "playback", "orchestra_time": 5}', PlaybackPosition(5.0, 1.0)),
        ('{"type": "playback", "orchestra_time": 5, "rate": 0.5}', PlaybackPosition(5.0, 0.5)),
        ('{"type": "list"}', AskList()),
        ('{"type": "audio", "sample_rate": 48000, "format": "f32le"}', OpenAudio(48000, "f32le")),
    ],
)
def test_messages_that_are_taken(text: str, request_: object) -> None:
    assert decode_request(text) == request_


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("", "malformed", "JSON"),
        ("{", "malformed", "JSON"),
        ("[" * 100_000, "malformed", "JSON"),
        ("[]", "malformed", "list"),
        ("5", "malformed", "int"),
        ('{"type": "seek", "orchestra_time": NaN}', "malformed", "NaN"),
        ("1" * 10_000, "malformed", "JSON"),
        ("{}", "invalid", "None"),
        ('{"type": ["seek"]}', "invalid", "unknown type"),
        ('{"type": "fly"}', "invalid", "fly"),
        ('{"type": "position"}', "invalid", "position"),
        ('{"type": "seek"}', "invalid", "orchestra_time"),
        ('{"type": "seek", "orchestra_time": -1}', "invalid", ">= 0.0, got -1"),
        ('{"type": "seek", "orchestra_time": 1e999}', "invalid", "<= 1000000000.0, got inf"),
        ('{"type": "seek", "orchestra_time": true}', "invalid", "`float`, got `bool`"),
        ('{"type": "seek", "orchestra_time": 1, "more": 2}', "invalid", "more"),
        ('{"type": "audio", "sample_rate": 48000.5, "format": "f32le"}', "invalid", "`int`, got `float`"),
        ('{"type": "audio", "sample_rate": 1, "format": "f32le"}', "invalid", ">= 8000, got 1"),
        ('{"type": "audio", "sample_rate": 48000, "format": "mp3"}', "invalid", "mp3"),
        ('{"type": "audio", "sample_rate": 48000, "format": "f32le", "channels": 0}', "invalid", ">= 1, got 0"),
        ('{"type": "ping", "client_time": 1e999}', "invalid", "client_time"),
        ('{"type": "ping", "client_time": ' + "9" * 400 + "}", "invalid", "client_time"),
    ],
)
def test_messages_that_are_refused(text: str, code: str, word: str) -> None:
    with pytest.raises(RefusedError, match=word) as refused:
        decode_request(text)
    assert refused.value.code == code
    assert len(str(refused.value)) < 400


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["type", "orchestra_time"]), inner),
    max_leaves=5,
)


@given(st.text() | st.builds(lambda kind, more: json.dumps({**more, "type": kind}),
       st.sampled_from(["seek", "audio", "watch", "gap", "playback", "ping"]),
       st.dictionaries(st.sampled_from(["orchestra_time", "sample_rate", "format", "channels", "cache", "session",
                                        "lost_samples", "client_time", "rate", "start"]), JSON_VALUES)))  # fmt: skip
def test_no_text_raises_anything_else(text: str) -> None:
    with contextlib.suppress(RefusedError):
        decode_request(text)


def make_cache(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text("{}")
    return folder


def test_only_caches_directly_inside_the_folder_have_names(tmp_path: Path) -> None:
    root = tmp_path / "caches"
    make_cache(root / "concerto")
    make_cache(root / ".hidden")
    make_cache(root / "deep" / "inner")
    outside = make_cache(tmp_path / "outside")
    (root / "link").symlink_to(outside)
    (root / "file").write_text("")
    assert CacheFolder(root).names() == ["concerto"]


@pytest.mark.parametrize(
    "name",
    ["../outside", "..", ".", "", "link", "deep/inner", "/etc", "concerto/../../outside", "concerto\0", ".hidden"],
)
def test_no_name_leaves_the_folder(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "caches"
    make_cache(root / "concerto")
    make_cache(root / ".hidden")
    make_cache(root / "deep" / "inner")
    (root / "link").symlink_to(make_cache(tmp_path / "outside"))
    monkeypatch.setattr("follower.websocket.cache_folder.load_piece", lambda path: pytest.fail(f"loaded {path}"))
    with pytest.raises(RefusedError, match="choose one of: concerto") as refused:
        CacheFolder(root).load(name)
    assert refused.value.code == "unknown_cache"


def test_the_only_cache_needs_no_name_and_sessions_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Loaded:
        pass

    loads: list[Path] = []

    def load(path: Path) -> Loaded:
        loads.append(path)
        return Loaded()

    monkeypatch.setattr("follower.websocket.cache_folder.load_piece", load)
    make_cache(tmp_path / "a")
    folder = CacheFolder(tmp_path)
    first = folder.load(None)
    assert folder.load("a") is first
    assert loads == [tmp_path.resolve() / "a"]
    make_cache(tmp_path / "b")
    with pytest.raises(RefusedError, match="no cache named; choose one of: a, b"):
        folder.load(None)


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        CacheFolder(tmp_path / "none")


@pytest.mark.parametrize("path", list(PAGES))
def test_every_page_is_shipped(path: str) -> None:
    response = page(path)
    assert response.status_code == 200
    assert response.body
    assert response.headers["Content-Type"] == PAGES[path][1]


@pytest.mark.parametrize("path", ["/nothing", "/../pyproject.toml", "/web/index.html", "", "//"])
def test_there_is_no_other_page(path: str) -> None:
    assert page(path).status_code == 404


def test_pages_name_no_other_host() -> None:
    for path in PAGES:
        body = page(path).body.decode()
        for name in ("http://www.w3.org/2000/svg", "https://json-schema.org"):  # names, not addresses to load
            body = body.replace(name, "")
        assert "http://" not in body and "https://" not in body, path
