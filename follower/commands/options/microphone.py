"""Which audio input is opened, and how."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Self

DEFAULT_BLOCK_SAMPLES = 256


@dataclass(frozen=True)
class MicrophoneOptions:
    """Which audio input is opened, and how.

    Attributes:
        device: number or part of the name; None is the default input.
        sample_rate_hz: None is the device's own.
        channels: averaged; None is one or two, as the device has.
        block_samples: samples per block.
    """

    device: str | None
    sample_rate_hz: int | None
    channels: int | None
    block_samples: int

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        group = parser.add_argument_group("audio input")
        group.add_argument("--device", metavar="D", help="number or part of the name, see follower devices")
        group.add_argument("--rate", type=int, metavar="HZ", help="sample rate (default: the device's own)")
        group.add_argument("--channels", type=int, metavar="N", help="channels, averaged (default: 1 or 2)")
        group.add_argument(
            "--block",
            type=int,
            default=DEFAULT_BLOCK_SAMPLES,
            metavar="N",
            help="samples per block (default: %(default)s)",
        )

    @classmethod
    def of(cls, values: argparse.Namespace) -> Self:
        """Take what was parsed; `MicrophoneSource` says which numbers it accepts."""
        return cls(values.device, values.rate, values.channels, values.block)
