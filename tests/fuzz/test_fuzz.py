"""Two thousand hostile examples for everything that reads from outside; 100,000 by `python -m tests.fuzz`."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from follower.errors import InputError, ProtocolError
from follower.protocol.codec import RefusedError, decode_request, kind_of, require_in_bounds
from follower.protocol.commands import OSC_REQUESTS, REQUESTS
from follower.protocol.osc_arguments import decode_osc, osc_address
from follower.protocol.schema import schema
from tests.fuzz import run
from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS, Target

EXAMPLES = 2000


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_that_reads_from_outside_fails(
    target: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    folder = tmp_path / "folder"
    folder.mkdir()
    outcome = fuzz(target, EXAMPLES, 0, folder)
    assert [f"{f.number}: {f.error}" for f in outcome.findings] == []
    assert outcome.examples == EXAMPLES
    assert outcome.slowest_s < 5.0
    assert capfd.readouterr() == ("", ""), "nobody is flooded with messages"
    assert [r.getMessage() for r in caplog.records if r.name == "root"] == []


# The watching itself.


def watching(name: str, monkeypatch: pytest.MonkeyPatch, target: Target) -> str:
    @contextlib.contextmanager
    def opened(folder: Path) -> Iterator[Target]:
        yield target

    monkeypatch.setitem(TARGETS, name, opened)
    return name


def test_what_escapes_is_found_with_its_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(data: bytes) -> None:
        if len(data) > 40:
            raise ZeroDivisionError("by zero")

    outcome = fuzz(watching("failing", monkeypatch, fails), 500, 1, tmp_path)
    assert len(outcome.findings) == 5
    assert all(len(f.data) > 40 and f.error == "ZeroDivisionError: by zero" for f in outcome.findings)


def test_descriptors_and_files_outside_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()

    def writes(data: bytes) -> None:
        (tmp_path / "stray").write_bytes(data)

    with pytest.raises(AssertionError, match="outside"):
        fuzz(watching("writing", monkeypatch, writes), 3, 0, tmp_path / "folder")


def test_a_thread_that_is_left_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "CLOSES_WITHIN_S", 0.1)
    let_go = threading.Event()
    try:
        with pytest.raises(AssertionError, match="threads are left"):
            fuzz(
                watching("threads", monkeypatch, lambda data: threading.Thread(target=let_go.wait).start()),
                1, 0, tmp_path,
            )  # fmt: skip
    finally:
        let_go.set()


# What is near to sense: requests of the schema's shape, with values inside and outside its bounds.

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip
NUMBERS = st.one_of(
    st.floats(allow_nan=False), st.integers(-(2**70), 2**70), st.sampled_from([0, 1, -1, 8000, 192_000, 1e9, 1e15])
)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """An object with the type and most of the properties of a request."""
    struct = draw(st.sampled_from(REQUESTS))
    properties = schema()["$defs"][struct.__name__]["properties"]
    content: dict[str, Any] = {"type": kind_of(struct)}
    for name, rule in properties.items():
        if name == "type" or draw(st.integers(0, 9)) == 0:
            continue
        near = st.sampled_from(rule["enum"]) if "enum" in rule else st.text(max_size=130) | NUMBERS
        content[name] = draw(st.one_of(near, NUMBERS, ODD) if draw(st.booleans()) else near)
    return content


@settings(max_examples=EXAMPLES, deadline=None)
@given(requests())
def test_a_request_is_taken_within_its_bounds_or_refused(content: dict[str, Any]) -> None:
    try:
        request = decode_request(json.dumps(content))
    except RefusedError as e:
        assert len(str(e)) < 500
        return
    require_in_bounds(request)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(OSC_REQUESTS), st.lists(NUMBERS | ODD | st.binary(max_size=9), max_size=3))
def test_an_osc_command_is_taken_within_its_bounds_or_refused(struct: Any, values: list[Any]) -> None:
    try:
        request = decode_osc(osc_address(struct), values)
    except ProtocolError as e:
        assert len(str(e)) < 500
        return
    with contextlib.suppress(InputError):
        require_in_bounds(request)
        return
    pytest.fail(f"{request} is out of bounds")
