"""The outputs `replay` and `live` share: their options, and the sinks made from them."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from follower.commands.serving import access_of, add_access_options
from follower.errors import OutputError
from follower.piece.piece import Piece
from follower.protocol.address import Address, parse_address
from follower.session import plugins
from follower.session.controls import ControlQueue
from follower.session.sink import Sink

if TYPE_CHECKING:
    from follower.osc.control import OscControl


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Declare the outputs: files, OSC, WebSocket, plug-ins."""
    files = parser.add_argument_group("files")
    files.add_argument("--positions", type=Path, metavar="F.csv", help="write one row per position")
    files.add_argument("--jsonl", type=Path, metavar="F.jsonl", help="write every event as a line of JSON")
    files.add_argument(
        "--out", type=Path, metavar="DIR", help="write hyp.npy, p_po_align.npy, o_po_align.npy and positions.csv"
    )
    network = parser.add_argument_group("network (docs/protocol.md)")
    network.add_argument(
        "--osc", type=parse_address, action="append", default=[], metavar="HOST:PORT", help="send OSC; repeatable"
    )
    network.add_argument("--osc-float", action="store_true", help="send times as 32-bit floats (Pure Data needs it)")
    network.add_argument("--osc-in", type=parse_address, metavar="[HOST:]PORT", help="take OSC commands on this port")
    network.add_argument(
        "--ws", type=parse_address, metavar="[HOST:]PORT", help="serve WebSocket clients and the monitor page"
    )
    add_access_options(network)
    parser.add_argument(
        "--sink",
        action="append",
        default=[],
        metavar="MODULE:CLASS[=ARG]",
        help="a sink of your own, see examples/text_sink.py; repeatable",
    )


@contextlib.contextmanager
def open_outputs(args: argparse.Namespace, piece: Piece, controls: ControlQueue) -> Iterator[list[Sink]]:
    """Open a sink for each output asked for; closing completes them.

    Args:
        args: of `add_outputs`.
        piece: the prepared piece.
        controls: where what listeners ask for goes.

    Raises:
        OutputError: a file, folder or port cannot be used.
        ConfigError: an address that needs a token, or a plug-in that cannot be loaded.
    """
    with contextlib.ExitStack() as stack:
        sinks = [stack.enter_context(sink) for sink in file_sinks(args, piece)]
        sinks += [stack.enter_context(plugins.create(text)) for text in args.sink]
        if args.osc:
            sinks.append(stack.enter_context(_osc_sink(args.osc, args.osc_float)))
        if args.osc_in is not None:
            control = stack.enter_context(_osc_control(args.osc_in, controls, sinks))
            print(f"OSC commands on: {Address(args.osc_in.host, control.port)}", file=sys.stderr)
        if args.ws is not None:
            from follower.websocket.sink import WebSocketSink

            sink = stack.enter_context(WebSocketSink(args.ws.port, controls, access_of(args.ws.host, args)))
            print(f"monitor page: http://{Address(args.ws.host, sink.port)}/", file=sys.stderr)
            sinks.append(sink)
        yield sinks


def _osc_sink(targets: list[Address], as_float: bool) -> Sink:
    from follower.osc.sink import OscSink, TimeType

    return OscSink(targets, TimeType.FLOAT if as_float else TimeType.DOUBLE)


def _osc_control(address: Address, controls: ControlQueue, sinks: list[Sink]) -> OscControl:
    from follower.osc.control import OscControl
    from follower.osc.sink import OscSink

    def announce() -> None:
        for sink in sinks:
            if isinstance(sink, OscSink):
                sink.announce()

    return OscControl(address, controls, announce)


def file_sinks(args: argparse.Namespace, piece: Piece) -> list[Sink]:
    """Make (not open) the sinks that write files.

    Raises:
        OutputError: `--out` cannot be made.
    """
    from follower.files.alignments import AlignmentSink
    from follower.files.csv_positions import CsvSink
    from follower.files.jsonl import JsonlSink

    sinks: list[Sink] = []
    if args.positions is not None:
        sinks.append(CsvSink(args.positions))
    if args.jsonl is not None:
        sinks.append(JsonlSink(args.jsonl))
    if args.out is not None:
        try:
            args.out.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise OutputError(f"cannot make the folder {args.out}: {e.strerror or e}; choose another") from e
        frame_s = piece.manifest.config.notebook_hop_samples / piece.feature_config.sample_rate_hz
        sinks.append(AlignmentSink(args.out, piece.map, frame_s))
        sinks.append(CsvSink(args.out / "positions.csv"))
    return sinks
