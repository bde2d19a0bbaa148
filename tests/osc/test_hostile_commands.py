"""OSC commands that no sane program sends, to a running session, as bytes over a real socket."""

from __future__ import annotations

import socket
import struct

import pytest

from follower.engine import Engine
from follower.events import AudioBlock, Notice, Position
from follower.osc.control import OscControl
from follower.protocol.address import Address
from follower.session.runner import run
from follower.testing import SOUND_RATE_HZ, ListSink, ScriptedSource, make_piece, make_sound
from tests.controls import ArrivalQueue

WAIT_S = 20.0


def playback(time_s: float, rate: float) -> bytes:
    return b"/follower/playback\0\0,dd\0" + struct.pack(">dd", time_s, rate)


@pytest.mark.parametrize("dgram", [playback(0.0, 1e308), playback(1e308, 1.0), playback(0.0, -1e308)])
def test_it_is_told_and_the_performance_goes_on(dgram: bytes) -> None:
    sound = make_sound(4.0)
    half = len(sound) // 2
    controls, sink = ArrivalQueue(), ListSink()
    with OscControl(Address("127.0.0.1", 0), controls, lambda: None) as control:

        def send() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.sendto(dgram, ("127.0.0.1", control.port))
            assert controls.arrived.acquire(timeout=WAIT_S)

        items = [AudioBlock(0, sound[:half]), send, AudioBlock(half, sound[half:])]
        run(ScriptedSource(list(items), SOUND_RATE_HZ), Engine(make_piece(4.0), SOUND_RATE_HZ), [sink], controls)
    assert any("argument" in e.message for e in sink.events if isinstance(e, Notice))
    assert max(p.audio_time_s for p in sink.events if isinstance(p, Position)) > 3.9
