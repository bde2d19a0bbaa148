"""What is heard in a real browser: piano and orchestra of one performance, captured together in the page.

The orchestra recording is a tone that rises evenly, above all that the piano plays: since the player keeps pitches, its
frequency at an instant is the orchestra's position then.
"""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from follower.engine import Engine
from follower.events import AudioBlock, Position, StateChange
from follower.piece.piece import Piece
from follower.playback.orchestra_file import load_orchestra_of
from follower.playback.player import OrchestraPlayer
from follower.playback.render import course_of, render
from follower.playback.stretchers import DEFAULT_STRETCHER, make_stretcher
from follower.testing import SOUND_RATE_HZ, make_sound
from follower.websocket.access import Access
from follower.websocket.audio_sessions import AudioSessions
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.limits import Limits
from follower.websocket.thread import ServerThread
from tests.browser import Page, chromium
from tests.websocket.practice_pieces import put_piece

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(chromium() is None, reason="not installed: chromium (Debian: chromium)"),
]
SECONDS = 16.0
LEAD_S = 2.0
"""Silence before the piano, while the browser opens everything."""
FROM_S, TO_S = 4.0, SECONDS - 2.0
"""The middle of the piece, where the follower has its place and the end is not near."""
LOW_HZ, HIGH_HZ = 6000.0, 10000.0
WINDOW = 4096
PIECE_S = 2.0
"""Of the capture: some notes."""
MAX_LEFT_OUT_S = 0.3
PUNCTUAL = 0.98
"""Quantile of the stamps, by how punctual they are; of the last two hundredths some are wrong, as at a skip."""
HEARD_WITHIN_S = 0.015
"""Of the local player's."""
CAPTURE = """
(() => {
  const connect = AudioNode.prototype.connect;
  const heard = (window.heard = { blocks: [], first: 0, rate: 0, stamps: [], input: 0 });
  AudioNode.prototype.connect = function (target, ...more) {
    // Whatever goes to the loudspeaker or into the page's own capture goes into ours as well.
    const context = this.context;
    const isInput = this instanceof MediaStreamAudioSourceNode;
    if ((isInput || target === context.destination) && !context.ours) {
      heard.rate = context.sampleRate;
      context.ours = new AudioWorkletNode(context, "capture", {
        channelCount: 1, numberOfOutputs: 0, processorOptions: { blockSamples: 4096 },
      });
      context.ours.port.onmessage = (event) => {
        if (heard.blocks.push(event.data.samples) === 1) heard.first = event.data.end / heard.rate - 4096 / heard.rate;
      };
      setInterval(() => {
        const { performanceTime, contextTime } = context.getOutputTimestamp();
        const rendered = context.currentTime;
        heard.stamps.push([rendered, performance.now() / 1000 - rendered, performanceTime / 1000 - contextTime]);
      }, 20);
    }
    if (isInput) heard.input = this.mediaStream.getAudioTracks()[0].getSettings().latency ?? 0;
    if (isInput || target === context.destination) connect.call(this, context.ours);
    return connect.call(this, target, ...more);
  };
})();
"""


def rising_tone() -> NDArray[np.float32]:
    t = np.arange(round(SECONDS * SOUND_RATE_HZ)) / SOUND_RATE_HZ
    phase = 2 * np.pi * (LOW_HZ * t + (HIGH_HZ - LOW_HZ) * t**2 / (2 * SECONDS))
    return (0.3 * np.sin(phase)).astype(np.float32)


def performance(path: Path) -> NDArray[np.float32]:
    """Write the piano as the browser's microphone hears it, once; return it at 48 kHz."""
    silence = np.zeros(round(LEAD_S * 48000), np.float32)
    played = soxr.resample(make_sound(SECONDS), SOUND_RATE_HZ, 48000).astype(np.float32)
    sound = np.concatenate([silence, played, np.zeros(3 * 48000, np.float32)])
    soundfile.write(path, sound, 48000, "PCM_16")
    return sound


def captured(page: Page) -> tuple[NDArray[np.float32], int]:
    """Piano and orchestra as one signal, and its rate."""
    text = page.value(
        "(() => { const all = new Float32Array(heard.blocks.length * 4096);"
        " heard.blocks.forEach((b, i) => all.set(b, 4096 * i));"
        " const bytes = new Uint8Array(all.buffer); let text = '';"
        " for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));"
        " return btoa(text); })()"
    )
    return np.frombuffer(base64.b64decode(text), "<f4"), page.value("heard.rate")


def later_s(page: Page, between_s: tuple[float, float]) -> float:
    """How much later than the piano one hears the orchestra, between two instants of the capture (s).

    The piano was played before it was captured, the orchestra is heard after, by what the browser says of its
    devices. It captures and renders a buffer of the device at once, when its clock steps, and the page learns that
    later, by up to a buffer (10 ms) and whatever else it is doing: of many such lags the least is none. A single stamp
    says little.
    """
    first_s, input_s, stamps = page.value("[heard.first, heard.input, heard.stamps]")
    rendered_s, lag_s, output_s = np.array(stamps).T
    kept = (rendered_s > first_s + between_s[0]) & (rendered_s < first_s + between_s[1])
    assert kept.sum() > 100, "the browser hardly said when it plays"
    return float(np.quantile(output_s[kept] - lag_s[kept], PUNCTUAL)) + float(input_s)


def positions_heard(sound: NDArray[np.float32], rate_hz: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Instants of the capture (s), and the orchestra's positions there (s); only where it sounds steadily."""
    at_s, found_s = [], []
    window = np.hanning(WINDOW)
    hz = np.fft.rfftfreq(8 * WINDOW, 1 / rate_hz)
    band = (hz > LOW_HZ - 100) & (hz < HIGH_HZ + 100)
    for first in range(0, len(sound) - WINDOW, WINDOW // 2):
        spectrum = np.abs(np.fft.rfft(sound[first : first + WINDOW] * window, 8 * WINDOW)) * band
        if spectrum.max() > 0.05 * window.sum() / 2:
            at_s.append((first + WINDOW / 2) / rate_hz)
            found_s.append((hz[int(np.argmax(spectrum))] - LOW_HZ) * SECONDS / (HIGH_HZ - LOW_HZ))
    return np.array(at_s), np.array(found_s)


def piano_begins_s(sound: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """When the piano's recording begins in the capture (s), by what is heard of it in each piece of `PIECE_S`.

    By cross-correlation of what lies below the orchestra. All are the same unless a busy browser leaves out sound.
    """
    reference = soxr.resample(make_sound(SECONDS), SOUND_RATE_HZ, 8000)
    low = soxr.resample(sound, rate_hz, 8000)
    length = round(PIECE_S * 8000)
    n = 1 << (len(low) + len(reference)).bit_length()

    def lags(part: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.fft.irfft(np.fft.rfft(part, n) * np.conj(np.fft.rfft(reference, n)), n)[: len(low)]

    whole = int(np.argmax(lags(low)))
    first = max(whole - round(MAX_LEFT_OUT_S * 8000), 0)
    found = []
    for begin in range(0, len(low), length):
        piece = np.zeros_like(low)
        piece[begin : begin + length] = low[begin : begin + length]
        found.append(first + int(np.argmax(lags(piece)[first : whole + round(MAX_LEFT_OUT_S * 8000)])))
    return np.array(found) / 8000


def local_errors_s(piece: Piece) -> NDArray[np.float64]:
    """What the local player's listener hears of the same performance: orchestra minus piano (s)."""
    engine = Engine(piece, SOUND_RATE_HZ)
    sound = np.concatenate([np.zeros(round(LEAD_S * SOUND_RATE_HZ), np.float32), make_sound(SECONDS)])
    events = engine.process(AudioBlock(0, sound))
    recording = load_orchestra_of(piece, None, given=False)
    player = OrchestraPlayer(recording, lambda: make_stretcher(DEFAULT_STRETCHER, recording))
    kept = [e for e in events if isinstance(e, Position | StateChange)]
    course = course_of(list(render(player, kept, LEAD_S + SECONDS)))
    at_s = np.arange(LEAD_S + FROM_S, LEAD_S + TO_S, 0.05)
    return course.position_at(at_s) - (at_s - LEAD_S)


def test_the_orchestra_is_heard_where_the_local_player_would_play_it(tmp_path: Path) -> None:
    piece = put_piece(tmp_path / "caches", "chirp", SECONDS, rising_tone())
    performance(tmp_path / "p.wav")
    caches = CacheFolder(tmp_path / "caches")
    with (
        ServerThread(0, Access("127.0.0.1"), Limits(), lambda _: AudioSessions(caches, 2)) as server,
        Page("about:blank", tmp_path, f"--use-file-for-fake-audio-capture={tmp_path / 'p.wav'}%noloop") as page,
    ):
        page.call("Page.addScriptToEvaluateOnNewDocument", source=CAPTURE)
        page.call("Page.navigate", url=f"http://127.0.0.1:{server.port}/")
        page.wait_until("document.querySelector('.piece .open') !== null")
        page.value("document.querySelector('.piece .open').click()")
        page.wait_until("!document.getElementById('sit').disabled")
        page.click("sit")
        page.wait_until(f"window.heard.blocks.length * 4096 > {LEAD_S + SECONDS + 1} * window.heard.rate")
        sound, rate_hz = captured(page)
        begins_s = piano_begins_s(sound, rate_hz)
        apart_s = later_s(page, (float(np.median(begins_s)) + FROM_S, float(np.median(begins_s)) + TO_S))
        assert page.faults == []
    at_s, found_s = positions_heard(sound, rate_hz)
    played_s = at_s - begins_s[(at_s / PIECE_S).astype(int)]
    kept = (played_s > FROM_S) & (played_s < TO_S)
    assert kept.sum() > 100, "the orchestra was hardly heard"
    errors_s = found_s[kept] - (played_s[kept] + apart_s)
    local_s = local_errors_s(piece)
    assert float(np.median(errors_s)) == pytest.approx(float(np.median(local_s)), abs=HEARD_WITHIN_S)
    assert float(np.median(np.abs(errors_s))) < float(np.median(np.abs(local_s))) + HEARD_WITHIN_S
