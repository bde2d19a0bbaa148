"""Latency figures: arithmetic on made-up arrivals, and a whole measurement with a receiver in another process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from follower.cli import main
from follower.errors import InputError, OutputError
from follower.evaluation.latency.delays import Delays, Figures, delays
from follower.evaluation.latency.histograms import plot_delays
from follower.evaluation.latency.load import cpu_load
from follower.evaluation.latency.musical import musical_delay
from follower.evaluation.latency.probes import Emitted, TimedSource
from follower.events import AudioBlock, Notice
from follower.session.source import Source
from follower.testing import BLOCK, RATE_HZ, FakeEngine, audio, position


def test_figures() -> None:
    found = Figures.of(np.arange(101.0))
    assert (found.count, found.p50_ms, found.p95_ms, found.p99_ms, found.max_ms) == (101, 50.0, 95.0, 99.0, 100.0)
    assert Figures.of(np.zeros(0)).count == 0


T = np.arange(0.0, 60.0, 0.05)
TRUTH_S = 10.0 + 1.1 * T + 0.3 * np.sin(T)


@pytest.mark.parametrize("late_s", [-0.08, 0.0, 0.05])
def test_a_known_delay_is_found(late_s: float) -> None:
    audio_s = np.arange(1.0, 58.0, 512 / 22050)
    position_s = 10.0 + 1.1 * (audio_s - late_s) + 0.3 * np.sin(audio_s - late_s)
    rate = 1.1 + 0.3 * np.cos(audio_s)
    position_s[::7] += 5.0  # lost for a while: errors of place say nothing about time
    found = musical_delay(audio_s, position_s, rate, T, TRUTH_S)
    assert found.lag_ms == pytest.approx(1e3 * late_s, abs=1.5)
    assert found.bias_ms == pytest.approx(1e3 * late_s, abs=2.0)


def test_gaps_and_jumps_in_the_truth_are_left_out() -> None:
    truth_audio_s = np.array([0.0, 0.1, 0.2, 5.0, 5.1, 5.2, 5.3])
    truth_s = np.array([0.0, 0.1, 0.2, 5.0, 5.1, 25.2, 25.3])
    audio_s = np.array([0.15, 2.0, 5.15, 5.25])
    found = musical_delay(audio_s, np.array([0.15, 2.0, 15.1, 25.25]), np.ones(4), truth_audio_s, truth_s)
    assert found.count == 2


def test_without_anything_to_compare_there_is_no_number() -> None:
    assert np.isnan(musical_delay(np.array([100.0]), np.array([0.0]), np.ones(1), T, TRUTH_S).bias_ms)


class Blocks:
    """A source of three blocks and a notice."""

    sample_rate_hz = RATE_HZ

    def __enter__(self) -> Blocks:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def stop(self) -> None:
        return None

    def blocks(self) -> Iterator[AudioBlock | Notice]:
        yield Notice(0, RATE_HZ, "said")
        for n in range(3):
            yield audio(n * BLOCK)


def test_delays_join_source_sinks_and_receiver() -> None:
    now = iter([10.0, 11.0, 12.0])
    inner: Source = Blocks()
    cpu = iter([1.0, 1.1, 1.2])
    source = TimedSource(inner, clock=lambda: next(now), cpu_clock=lambda: next(cpu))
    assert sum(isinstance(item, AudioBlock) for item in source.blocks()) == 3
    emitted = Emitted(iter([10.001, 11.002, 11.004]).__next__, iter([1.0005, 1.101, 1.102]).__next__)
    for p in (position(0), position(1), replace(position(1), seq=2)):
        emitted.note(p)
    emitted.note(Notice(0, RATE_HZ, "no position"))
    found = delays(source, emitted, {"osc": [(0, 10.003), (2, 11.005), (99, 1.0)], "websocket": [(1, 11.006)]})
    np.testing.assert_allclose(found.compute_ms, [1.0, 4.0], atol=1e-6)  # per block: until its last event
    np.testing.assert_allclose(found.compute_cpu_ms, [0.5, 2.0], atol=1e-6)
    np.testing.assert_allclose(found.osc_ms, [3.0, 5.0], atol=1e-6)
    np.testing.assert_allclose(found.websocket_ms, [6.0], atol=1e-6)
    assert found.positions == 3


def test_a_timed_source_ends_in_time() -> None:
    source = TimedSource(Blocks(), seconds=2 * BLOCK / RATE_HZ)
    assert [b.first_sample for b in source.blocks() if isinstance(b, AudioBlock)] == [0, BLOCK]


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_the_load_runs_meanwhile_and_ends(monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def noted(command: list[str]) -> subprocess.Popen[bytes]:
        started.append(start(command))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    with cpu_load(processes):
        assert [process.poll() for process in started] == [None] * processes
    assert all(process.returncode is not None for process in started)


def test_plot(tmp_path: Path) -> None:
    measured = Delays(np.array([1.0, 2.0]), np.array([1.0, 1.0]), np.array([3.0]), np.zeros(0), 2)
    plot_delays(measured, tmp_path / "h.png", "title")
    assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputError, match="choose a file"):
        plot_delays(measured, tmp_path / "none" / "h.png", "title")
    with pytest.raises(InputError, match="longer recording"):
        plot_delays(Delays(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0), 0), tmp_path / "h.png", "title")


def test_the_whole_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a second in real time, through sockets, into a receiver in another process."""
    soundfile.write(tmp_path / "p.wav", np.zeros(RATE_HZ), RATE_HZ)
    monkeypatch.setattr("follower.piece.reading.load_piece", lambda path: SimpleNamespace(path=path))
    monkeypatch.setattr("follower.engine.Engine", lambda cache, rate_hz, method, start_s: FakeEngine(rate_hz, method))
    monkeypatch.setattr("follower.kernels.warmup", lambda names: None)
    code = main(
        ["latency", "cache", str(tmp_path / "p.wav"), "--seconds", "0.5", "--load", "1",
         "--json", str(tmp_path / "f.json"), "--plot", str(tmp_path / "h.png")]
    )  # fmt: skip
    assert code == 0
    found = json.loads((tmp_path / "f.json").read_text())
    positions = RATE_HZ // 2 // BLOCK
    assert found["positions"] == positions
    assert found["compute"]["count"] == positions
    for name in ("osc", "websocket"):
        # A busy machine may make a sender wait, and then only the newest is sent; nothing is invented.
        assert 0 < found[name]["count"] <= positions
        assert found[name]["p50_ms"] > 0.0
    assert "p99 target" in capsys.readouterr().out
    assert (tmp_path / "h.png").is_file()


@pytest.mark.parametrize(("option", "value"), [("--seconds", "0"), ("--seconds", "nan"), ("--load", "-1")])
def test_what_cannot_be_measured(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "cache", "p.wav", option, value]) == 2
    assert f"argument {option}: " in capsys.readouterr().err
