"""How the orchestra is heard: through a device while following, and into files after a replay."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from follower.commands.options.values import number
from follower.playback.stretchers import DEFAULT_STRETCHER, STRETCHERS

_decibels = number(-120.0, 24.0, "a level between -120 and 24 dB")
_milliseconds = number(1.0, 2000.0, "a latency between 1 and 2000 ms")
_balance = number(-1.0, 1.0, "a balance between -1 (left) and 1 (right)")


def _wav(text: str) -> Path:
    """Read the name of a file that will be WAV whatever it is called."""
    path = Path(text)
    if path.suffix.lower() not in (".wav", ""):
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .wav, and WAV is what is written")
    return path


@dataclass(frozen=True)
class PlayOptions:
    """What plays the orchestra, and how loud.

    Attributes:
        play: whether it is played through a device.
        device: audio output, number or part of the name; None is the default one.
        latency_ms: buffer of the audio output.
        recording: what to play; None is the recording the cache was made from.
        stretcher: name in `follower.playback.stretchers.STRETCHERS`.
        volume_db: level of the orchestra.
        balance: -1 left to 1 right.
        limiter: keep peaks under full scale when playing.
    """

    play: bool
    device: str | None
    latency_ms: float
    recording: Path | None
    stretcher: str
    volume_db: float
    balance: float
    limiter: bool

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> Any:
        """Declare the options; return their group."""
        group = parser.add_argument_group("hearing the orchestra (docs/playback.md)")
        group.add_argument("--play", action="store_true", help="play the orchestra recording after the follower")
        group.add_argument("--play-device", metavar="D", help="audio output: number or part of the name")
        group.add_argument(
            "--play-latency",
            type=_milliseconds,
            default=60.0,
            metavar="MS",
            help="buffer of the audio output; more when there are drop-outs (default: %(default)g)",
        )
        group.add_argument(
            "--orchestra",
            type=Path,
            metavar="FILE",
            help="what to play (default: the recording the cache was made from)",
        )
        group.add_argument(
            "--stretcher", choices=tuple(STRETCHERS), default=DEFAULT_STRETCHER, help="default: %(default)s"
        )
        group.add_argument("--volume", type=_decibels, default=0.0, metavar="DB", help="of the orchestra (default: 0)")
        group.add_argument("--balance", type=_balance, default=0.0, metavar="B", help="-1 left .. 1 right (default: 0)")
        group.add_argument("--limiter", action="store_true", help="keep peaks under full scale when playing")
        return group

    @classmethod
    def of(cls, values: argparse.Namespace) -> Self:
        """Take what was parsed."""
        return cls(
            values.play,
            values.play_device,
            values.play_latency,
            values.orchestra,
            values.stretcher,
            values.volume,
            values.balance,
            values.limiter,
        )


@dataclass(frozen=True)
class RenderOptions:
    """What is written when a replay is over.

    Attributes:
        stereo: file with the piano left and the orchestra right; None for none.
        mix: file with both as one mono sum; None for none.
        report: plot of how far the orchestra was from where it should be; None for none.
        piano_volume_db: level of the piano in the files.
    """

    stereo: Path | None
    mix: Path | None
    report: Path | None
    piano_volume_db: float

    @property
    def wanted(self) -> bool:
        """Whether anything is to be written."""
        return any(path is not None for path in (self.stereo, self.mix, self.report))

    @staticmethod
    def add_arguments(group: Any) -> None:
        """Declare the options beside those of `PlayOptions`."""
        group.add_argument(
            "--render", type=_wav, metavar="F.wav", help="write piano left, following orchestra right (24 bit)"
        )
        group.add_argument(
            "--render-mix", type=_wav, metavar="F.wav", help="write both as one mono sum, limited (24 bit)"
        )
        group.add_argument(
            "--render-report",
            type=Path,
            metavar="F.png",
            help="draw how far the orchestra was from where it should be",
        )
        group.add_argument(
            "--piano-volume", type=_decibels, default=0.0, metavar="DB", help="level of the piano in files (default: 0)"
        )

    @classmethod
    def of(cls, values: argparse.Namespace) -> Self:
        """Take what was parsed."""
        return cls(values.render, values.render_mix, values.render_report, values.piano_volume)
