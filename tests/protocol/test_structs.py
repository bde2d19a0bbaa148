"""Every message and command: there and back again unchanged, and nothing outside its bounds gets in."""

from __future__ import annotations

import json
import math
from typing import Any, get_args

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from pythonosc.osc_message import OscMessage

from follower.errors import ProtocolError
from follower.events import Gap, Jump, Notice, Position, Practice, Session, State, StateChange
from follower.osc.sink import TimeType, encode
from follower.protocol.codec import RefusedError, decode_message, decode_request, kind_of, to_object
from follower.protocol.codec import encode as encode_json
from follower.protocol.commands import OSC_REQUESTS, REQUESTS, PlaybackPosition, Request, Seek
from follower.protocol.messages import EVENT_MESSAGES, MESSAGES, Message
from follower.protocol.osc_arguments import UNKNOWN, decode_osc, osc_address, osc_arguments
from follower.protocol.schema import attribute_lines, first_sentence, schema
from follower.testing import SESSION

EVERY = [*REQUESTS, *MESSAGES]
DEFINITIONS = schema()["$defs"]
VALIDATORS: dict[type[Any], Any] = {
    struct: jsonschema.Draft202012Validator({"$ref": f"#/$defs/{struct.__name__}", "$defs": DEFINITIONS})
    for struct in EVERY
}
"""Each for its own definition: trying all forty of a side takes five times as long as all the rest of an example."""


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Everything a field's type allows."""
    match kind:
        case inspect.FloatType():
            return st.floats(kind.ge, kind.le, allow_nan=False, allow_infinity=False)
        case inspect.IntType():
            return st.integers(-(2**40) if kind.ge is None else kind.ge, 2**40 if kind.le is None else kind.le)
        case inspect.StrType():
            return st.text(min_size=kind.min_length or 0, max_size=kind.max_length or 200)
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.EnumType():
            return st.sampled_from(kind.cls)
        case inspect.NoneType():
            return st.none()
        case inspect.ListType():
            return st.lists(values(kind.item_type), max_size=3)
        case inspect.UnionType():
            return st.one_of(*[values(t) for t in kind.types])
        case inspect.BoolType():
            return st.booleans()
        case inspect.StructType():
            return st.fixed_dictionaries({f.name: values(f.type) for f in kind.fields}).map(
                lambda found: kind.cls(**found)
            )
    raise AssertionError(kind)


def fields(struct: type[Message] | type[Request]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return info.fields


def built(struct: type[Message] | type[Request]) -> st.SearchStrategy[Any]:
    required = {f.name: values(f.type) for f in fields(struct) if f.required}
    optional = {f.name: values(f.type) for f in fields(struct) if not f.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda found: struct(**found))


BUILT = {struct: built(struct) for struct in EVERY}
"""Made once: hypothesis examines every new strategy, which takes longer than three examples."""


@pytest.mark.parametrize("struct", EVERY, ids=lambda s: s.__name__)
@given(data=st.data())
def test_there_and_back(struct: type[Any], data: st.DataObject) -> None:
    content = data.draw(BUILT[struct])
    text = encode_json(content)
    back = decode_request(text) if struct in REQUESTS else decode_message(json.loads(text))
    assert back == content
    assert type(back) is struct
    if not (struct.__name__ == "HelloMessage" and "session" in json.loads(text)):  # that needs the others too
        assert VALIDATORS[struct].is_valid(json.loads(text))


@pytest.mark.parametrize(("side", "structs"), [("client", REQUESTS), ("server", MESSAGES)])
def test_a_side_sends_its_structs_told_apart_by_type(side: str, structs: tuple[type[Any], ...]) -> None:
    """So what fits a struct's definition fits its side's, and none of the others there."""
    assert DEFINITIONS[side] == {"oneOf": [{"$ref": f"#/$defs/{s.__name__}"} for s in structs]}
    for struct in structs:
        definition = DEFINITIONS[struct.__name__]
        assert definition["properties"]["type"] == {"enum": [kind_of(struct)]}
        assert "type" in definition["required"]
    assert len({kind_of(struct) for struct in structs}) == len(structs)


def outside(kind: inspect.Type) -> list[Any]:
    """Values just outside a field's type."""
    match kind:
        case inspect.FloatType() | inspect.IntType():
            below = [] if kind.ge is None else [kind.ge - 1, -math.inf]
            above = [] if kind.le is None else [kind.le + 1, math.inf]
            return ["5", True, [], *below, *above]
        case inspect.StrType():
            short = [""] if kind.min_length else []
            long = ["x" * (kind.max_length + 1)] if kind.max_length else []
            return [5, {}, *short, *long]
        case inspect.LiteralType() | inspect.EnumType():
            return ["other", 99, None]
        case inspect.ListType():
            return [5, [{"surplus": 5} if isinstance(kind.item_type, inspect.StructType) else [None]]]
        case inspect.BoolType():
            return ["true", 1, None]
        case inspect.UnionType():
            found: list[Any] = []
            for t in kind.types:
                found += [v for v in outside(t) if not (isinstance(v, float) and math.isinf(v))]
            numbers = any(isinstance(t, inspect.FloatType) for t in kind.types)
            return [v for v in found if not (numbers and isinstance(v, int | float) and not isinstance(v, bool))]
    return []


@pytest.mark.parametrize(
    ("struct", "field", "bad"),
    [(s, f, bad) for s in EVERY for f in fields(s) for bad in outside(f.type)],
    ids=lambda v: v.__name__ if isinstance(v, type) else getattr(v, "encode_name", repr(v)[:12]),
)
@settings(max_examples=3)
@given(data=st.data())
def test_nothing_outside_the_bounds_gets_in(
    struct: type[Any], field: inspect.Field, bad: Any, data: st.DataObject
) -> None:
    content = {**to_object(data.draw(BUILT[struct])), field.encode_name: bad}
    if struct in REQUESTS:
        text = json.dumps(content).replace("-Infinity", "-1e999").replace("Infinity", "1e999")
        with pytest.raises(RefusedError, match=f"^{kind_of(struct)}.{field.encode_name}") as refused:
            decode_request(text)
        assert refused.value.code == "invalid"
    else:
        with pytest.raises(ProtocolError, match=field.encode_name):
            decode_message(content)


@pytest.mark.parametrize("struct", REQUESTS, ids=lambda s: s.__name__)
def test_nothing_unknown_is_accepted_and_nothing_required_may_be_missing(struct: type[Request]) -> None:
    with pytest.raises(RefusedError, match=r"unknown field `surplus`|missing required"):
        decode_request(json.dumps({"type": kind_of(struct), "surplus": 1}))
    if any(f.required for f in fields(struct)):
        with pytest.raises(RefusedError, match="missing required"):
            decode_request(json.dumps({"type": kind_of(struct)}))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_no_number_is_sent_that_is_not_json(bad: float) -> None:
    with pytest.raises(ProtocolError, match="give finite numbers"):
        encode_json(Seek(bad))


def test_they_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Seek(1.0).orchestra_time_s = 2.0  # type: ignore[misc]


@pytest.mark.parametrize("struct", EVERY, ids=lambda s: s.__name__)
def test_each_says_what_it_and_its_attributes_are(struct: type[Message] | type[Request]) -> None:
    assert first_sentence(struct).endswith(".")
    assert list(attribute_lines(struct)) == [f.name for f in fields(struct)]


# OSC


def test_the_order_of_osc_arguments_is_that_of_protocol_1() -> None:
    order = {osc_address(s): [(a.name, a.type) for a in osc_arguments(s)] for s in (*EVENT_MESSAGES, *OSC_REQUESTS)}
    assert order["/follower/position"] == [
        ("seq", "i"), ("orchestra_time", "d"), ("rate", "f"), ("confidence", "f"), ("state", "s"), ("audio_time", "d"),
        ("capture_time", "d"), ("latency_ms", "f"),
    ]  # fmt: skip
    assert order["/follower/jump"] == [("from", "d"), ("to", "d")]
    assert order["/follower/playback"] == [("orchestra_time", "d"), ("rate", "f")]
    assert order["/follower/stop"] == []


EVENTS = (
    SESSION,
    Position(3, 4096, 44100, None, None, 1.0, 0.25, State.WAITING),
    StateChange(0, 44100, State.LOST, State.FOLLOWING, "why"),
    Jump(0, 44100, 1.0, 2.0),
    Gap(0, 44100, 64),
    Notice(0, 44100, "said"),
    Practice(0, 44100, start_s=1.0, tune_to="piano"),
)


@pytest.mark.parametrize("time_type", TimeType)
@pytest.mark.parametrize("item", EVENTS, ids=lambda item: type(item).__name__)
def test_osc_types_are_those_of_the_structs(item: Session, time_type: TimeType) -> None:
    dgram = encode(item, time_type)
    address = OscMessage(dgram).address
    struct = next(s for s in EVENT_MESSAGES if osc_address(s) == address)
    tags = dgram[dgram.index(b",") + 1 :].split(b"\0")[0].decode()
    assert tags == "".join(a.type for a in osc_arguments(struct)).replace("d", time_type.value)


def test_unknown_numbers_are_minus_one() -> None:
    values_ = OscMessage(encode(EVENTS[1])).params
    assert [values_[n] for n in (1, 6, 7)] == [UNKNOWN] * 3


@given(st.floats(0, 1e9), st.floats(0, 16), st.lists(st.none() | st.text()))
def test_osc_commands_have_the_bounds_of_their_structs(position_s: float, rate: float, more: list[object]) -> None:
    assert decode_osc("/follower/playback", [position_s, rate, *more]) == PlaybackPosition(position_s, rate)
    assert decode_osc("/follower/playback", [position_s]) == PlaybackPosition(position_s, 1.0)


@pytest.mark.parametrize("bad", [-0.001, 1.1e9, math.nan, math.inf, True, "5", None, b""])
def test_osc_arguments_outside_are_refused_by_number_and_value(bad: object) -> None:
    with pytest.raises(ProtocolError, match="argument 1 is"):
        decode_osc("/follower/seek", [bad])
    with pytest.raises(ProtocolError, match="argument 2 is"):
        decode_osc("/follower/playback", [0.0, bad])


@pytest.mark.parametrize("alias", [Message, Request])
def test_the_unions_hold_structs_with_types_of_their_own(alias: Any) -> None:
    kinds = [kind_of(s) for s in get_args(alias)]
    assert len(set(kinds)) == len(kinds)
    msgspec.json.Decoder(alias)  # msgspec refuses a union that it cannot tell apart


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(RefusedError, match="surrogate"):
        decode_request('{"type": "watch", "\\ud800": 1}')
