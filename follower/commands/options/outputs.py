"""Where positions go: files, OSC, WebSocket, plug-ins."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from follower.commands.options.access import AccessOptions
from follower.commands.options.values import address, number
from follower.errors import ConfigError
from follower.protocol.address import Address, is_loopback

DEFAULT_BLACKBOX_MINUTES = 120.0


def add_blackbox_minutes(parser: Any, default: float) -> None:
    """Declare how much a blackbox keeps."""
    parser.add_argument(
        "--blackbox-minutes",
        type=number(0.1, 1440.0, "a number of minutes up to 1440"),
        default=default,
        metavar="N",
        help="of audio kept at least; at 48 kHz a minute takes 12 MB (default: %(default)g)",
    )


@dataclass(frozen=True)
class OutputOptions:
    """Where positions go.

    Attributes:
        positions: CSV file with a row per position; None for none.
        jsonl: file with every event as a line of JSON; None for none.
        out: folder for the alignment as arrays and as CSV; None for none.
        osc: where OSC is sent.
        osc_float: send times as 32-bit floats.
        osc_in: where OSC commands are taken; None for nowhere.
        websocket: where WebSocket clients and the practice room's page are served; None for nowhere.
        access: who may connect there.
        sinks: plug-ins, each MODULE:CLASS[=ARG].
        blackbox: file that keeps what the engine takes, for `follower replay` to have it again; None for none.
        blackbox_minutes: of audio it keeps at least.
    """

    positions: Path | None
    jsonl: Path | None
    out: Path | None
    osc: tuple[Address, ...]
    osc_float: bool
    osc_in: Address | None
    websocket: Address | None
    access: AccessOptions
    sinks: tuple[str, ...]
    blackbox: Path | None
    blackbox_minutes: float

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        files = parser.add_argument_group("files")
        files.add_argument("--positions", type=Path, metavar="F.csv", help="write one row per position")
        files.add_argument("--jsonl", type=Path, metavar="F.jsonl", help="write every event as a line of JSON")
        files.add_argument(
            "--out", type=Path, metavar="DIR", help="write hyp.npy, p_po_align.npy, o_po_align.npy and positions.csv"
        )
        files.add_argument(
            "--blackbox",
            type=Path,
            metavar="F",
            help="keep the last minutes of audio and commands, also when the program is killed: follower replay F "
            "gives the same positions again",
        )
        add_blackbox_minutes(files, DEFAULT_BLACKBOX_MINUTES)
        network = parser.add_argument_group("network (docs/protocol.md)")
        network.add_argument(
            "--osc", type=address, action="append", default=[], metavar="HOST:PORT", help="send OSC; repeatable"
        )
        network.add_argument(
            "--osc-float", action="store_true", help="send times as 32-bit floats (Pure Data needs it)"
        )
        network.add_argument("--osc-in", type=address, metavar="[HOST:]PORT", help="take OSC commands on this port")
        network.add_argument(
            "--osc-in-any",
            action="store_true",
            help="let --osc-in have an address that other machines reach: whoever reaches it commands the follower",
        )
        network.add_argument(
            "--ws", type=address, metavar="[HOST:]PORT", help="serve WebSocket clients and the practice room"
        )
        AccessOptions.add_arguments(network)
        parser.add_argument(
            "--sink",
            action="append",
            default=[],
            metavar="MODULE:CLASS[=ARG]",
            help="a sink of your own, see examples/text_sink.py; repeatable",
        )

    @classmethod
    def of(cls, values: argparse.Namespace) -> Self:
        """Take what was parsed.

        Raises:
            ConfigError: OSC commands from other machines, and nobody said that they are meant.
        """
        where = values.osc_in
        if where is not None and not values.osc_in_any and not is_loopback(where.host):
            raise ConfigError(
                f"--osc-in {where} can be reached from other machines, and OSC has no token: anyone there could pause "
                "the follower or send it elsewhere; add --osc-in-any where that is meant, or listen on 127.0.0.1"
            )
        return cls(
            values.positions,
            values.jsonl,
            values.out,
            tuple(values.osc),
            values.osc_float,
            values.osc_in,
            values.ws,
            AccessOptions.of(values),
            tuple(values.sink),
            values.blackbox,
            values.blackbox_minutes,
        )
