"""Sound of a performance: fluidsynth, rooms, colour, noise, codecs."""

from __future__ import annotations

import io
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from scipy import signal
from scipy.fft import next_fast_len

Samples = NDArray[np.float32]

FONTS = {
    "fluid": "sf2/FluidR3_GM.sf2",
    "musescore": "sf2/MuseScore_General_Full.sf2",
    "timgm": "sf2/TimGM6mb.sf2",
    "csound": "sf2/sf_GMbank.sf2",
    "opl3": "sf2/OPL-3_FM_128M.sf2",
}
"""Debian's General MIDI soundfonts under `FONT_FOLDER`: fluid-soundfont-gm, musescore-general-soundfont-lossless,
timgm6mb-soundfont, csound-soundfont, opl3-soundfont."""
FONT_FOLDER = Path("/usr/share/sounds")
SAMPLE_RATE_HZ = 22050
"""Synthesised at this rate at once: what folds down from above 11 kHz lies above the pitches that are read."""
TICKS_PER_S = 10_000


@dataclass(frozen=True)
class Voice:
    """One instrument's performance.

    Attributes:
        program: General MIDI program.
        notes: (onset, end, pitch, velocity) in seconds, (n, 4).
        volume: controller 7, 0..127.
        pedal: seconds at which the sustain pedal is changed; None is no pedal.
    """

    program: int
    notes: NDArray[np.float64]
    volume: int
    pedal: NDArray[np.float64] | None = None


def synthesise(voices: tuple[Voice, ...], font: str, a4_hz: float, duration_s: float) -> Samples:
    """Dry mono sound at 22050 Hz, (duration_s * 22050,).

    Args:
        voices: at most 15; further ones share the last channel.
        font: a key of `FONTS`.
        a4_hz: tuning.
        duration_s: what sounds longer is cut.

    Raises:
        FileNotFoundError: fluidsynth or the soundfont is not installed.
    """
    file = FONT_FOLDER / FONTS[font]
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing; install Debian's soundfonts (training/sound.py lists them)")
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder, "a.mid"), Path(folder, "a.wav")
        _midi(voices, a4_hz, duration_s).save(midi)
        options = [
            "-ni",
            "-q",
            "-R",
            "0",
            "-C",
            "0",
            "-g",
            "0.5",
            "-r",
            str(SAMPLE_RATE_HZ),
            "-O",
            "float",
            "-T",
            "wav",
        ]
        subprocess.run(
            ["fluidsynth", *options, "-F", str(wav), str(file), str(midi)], check=True, capture_output=True, timeout=600
        )
        stereo, _ = sf.read(wav, dtype="float32", always_2d=True)
    mono = stereo.mean(axis=1)
    out = np.zeros(int(duration_s * SAMPLE_RATE_HZ), dtype=np.float32)
    out[: len(mono)] = mono[: len(out)]
    return out


def _midi(voices: tuple[Voice, ...], a4_hz: float, duration_s: float) -> mido.MidiFile:
    events: list[tuple[float, int, mido.Message]] = []
    fine = int(np.clip(8192 + 8192 * 12 * np.log2(a4_hz / 440.0), 0, 16383))
    for k, voice in enumerate(voices):
        channel = [c for c in range(16) if c != 9][min(k, 14)]
        for control, value in ((101, 0), (100, 1), (6, fine >> 7), (38, fine & 127), (7, voice.volume)):
            events.append((0.0, 0, mido.Message("control_change", channel=channel, control=control, value=value)))
        events.append((0.0, 1, mido.Message("program_change", channel=channel, program=voice.program)))
        for at_s in voice.pedal if voice.pedal is not None else ():
            for order, (late_s, value) in enumerate(((0.0, 0), (0.06, 100))):
                message = mido.Message("control_change", channel=channel, control=64, value=value)
                events.append((float(at_s) + late_s, 2 + order, message))
        for on, off, pitch, velocity in voice.notes:
            note = int(np.clip(pitch, 0, 127))
            strength = int(np.clip(velocity, 1, 127))
            events.append((float(on), 5, mido.Message("note_on", channel=channel, note=note, velocity=strength)))
            events.append((float(off), 4, mido.Message("note_off", channel=channel, note=note)))
    events.append((duration_s, 6, mido.Message("control_change", channel=0, control=123, value=0)))
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    last = 0
    for at_s, _, message in sorted(events, key=lambda e: e[:2]):
        tick = round(at_s * TICKS_PER_S)
        track.append(message.copy(time=max(0, tick - last)))
        last = max(last, tick)
    return mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_S, tracks=[track])


def in_room(dry: Samples, rng: np.random.Generator) -> Samples:
    """Direct sound, early reflections and a tail whose high part dies sooner; dry to a hall of 2.5 s."""
    decay_s, wet_db = rng.uniform(0.2, 2.5), rng.uniform(-22.0, -3.0)
    t = np.arange(int(1.2 * decay_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    b, a = signal.butter(1, 2500.0, fs=SAMPLE_RATE_HZ)
    low, high = rng.standard_normal((2, len(t))) * 10.0 ** (-3.0 * t / np.array([[decay_s], [0.45 * decay_s]]))
    tail = 2.0 * signal.lfilter(b, a, low) + 0.5 * (high - signal.lfilter(b, a, high))
    late = int(rng.uniform(0.005, 0.03) * SAMPLE_RATE_HZ)
    response = np.concatenate([np.zeros(late), tail])
    for at in rng.integers(60, 1100, 6):
        response[at] += rng.choice([-1.0, 1.0]) * rng.uniform(5.0, 15.0)
    response *= 10.0 ** (wet_db / 20.0) / np.sqrt(np.sum(response**2))
    response[0] += 1.0
    return np.asarray(signal.oaconvolve(dry, response)[: len(dry)], dtype=np.float32)


def coloured(sound: Samples, rng: np.random.Generator) -> Samples:
    """Two broad peaks or dips and a shelf above 3 to 6 kHz, all of minimum phase."""
    for centre_hz in (rng.uniform(120.0, 600.0), rng.uniform(800.0, 4000.0)):
        amplitude, w = 10.0 ** (rng.uniform(-5.0, 5.0) / 40.0), 2 * np.pi * centre_hz / SAMPLE_RATE_HZ
        alpha = np.sin(w) / 1.6
        b = np.array([1 + alpha * amplitude, -2 * np.cos(w), 1 - alpha * amplitude])
        a = np.array([1 + alpha / amplitude, -2 * np.cos(w), 1 - alpha / amplitude])
        sound = signal.lfilter(b / a[0], a / a[0], sound)
    b, a = signal.butter(1, rng.uniform(2500.0, 6000.0), fs=SAMPLE_RATE_HZ)
    low = signal.lfilter(b, a, sound)
    return np.asarray(low + (sound - low) * 10.0 ** (rng.uniform(-8.0, 4.0) / 20.0), dtype=np.float32)


def loudness(sound: Samples) -> float:
    """RMS of the louder parts."""
    frames = sound[: len(sound) // 4410 * 4410].reshape(-1, 4410)
    power = np.mean(frames.astype(np.float64) ** 2, axis=1)
    return float(np.sqrt(np.mean(power[power >= 0.01 * power.max()]) + 1e-20))


def recorded(sound: Samples, rng: np.random.Generator) -> Samples:
    """Through a medium: level, noise of a random slope 25 to 75 dB down, and half of the time a codec."""
    sound = sound / np.float32(loudness(sound) * rng.uniform(6.0, 30.0))
    count = next_fast_len(len(sound), real=True)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= np.maximum(np.arange(len(spectrum)), 20) ** rng.uniform(0.0, 1.0)
    noise = np.fft.irfft(spectrum, count)[: len(sound)]
    noise *= loudness(sound) / (np.std(noise) + 1e-12) * 10.0 ** (-rng.uniform(25.0, 75.0) / 20.0)
    sound = np.clip(sound + noise, -1.0, 1.0).astype(np.float32)
    codec = rng.choice(["", "", "ogg", "mp3"])
    return through_codec(sound, str(codec), rng.uniform(0.2, 0.95)) if codec else sound


def through_codec(sound: Samples, codec: str, compression: float) -> Samples:
    """Encoded by libsndfile as "ogg" or "mp3" and decoded again, its delay taken out, same length."""
    kind = {"ogg": ("OGG", "VORBIS"), "mp3": ("MP3", "MPEG_LAYER_III")}[codec]
    buffer = io.BytesIO()
    with sf.SoundFile(buffer, "w", SAMPLE_RATE_HZ, 1, kind[1], format=kind[0], compression_level=compression) as file:
        file.write(sound)
    buffer.seek(0)
    decoded, _ = sf.read(buffer, dtype="float32")
    few = min(len(decoded), len(sound), 1 << 18)
    lag = int(np.argmax(signal.fftconvolve(decoded[:few], sound[:few][::-1]))) - (few - 1)
    moved = np.zeros(len(sound), dtype=np.float32)
    part = decoded[max(lag, 0) :][: len(sound) - max(-lag, 0)]
    moved[max(-lag, 0) : max(-lag, 0) + len(part)] = part
    return moved
