"""The outputs `replay` and `live` share: sinks made from the options."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from follower.commands.options.access import AccessOptions
from follower.commands.options.outputs import OutputOptions
from follower.errors import OutputError
from follower.piece.piece import Piece
from follower.protocol.address import Address
from follower.session import plugins
from follower.session.controls import ControlQueue
from follower.session.sink import Sink

if TYPE_CHECKING:
    from follower.osc.control import OscControl
    from follower.playback.desk import Desk
    from follower.websocket.access import Access


@contextlib.contextmanager
def open_outputs(
    options: OutputOptions, piece: Piece, controls: ControlQueue, desk: Desk | None = None
) -> Iterator[list[Sink]]:
    """Open a sink for each output asked for; closing completes them.

    Args:
        options: where positions go.
        piece: the prepared piece.
        controls: where what listeners ask for goes.
        desk: what the orchestra is asked for; None where nobody hears it.

    Raises:
        OutputError: a file, folder or port cannot be used.
        ConfigError: an address that needs a token, or a plug-in that cannot be loaded.
    """
    with contextlib.ExitStack() as stack:
        sinks = [stack.enter_context(sink) for sink in file_sinks(options, piece)]
        sinks += [stack.enter_context(plugins.create(text)) for text in options.sinks]
        if options.osc:
            sinks.append(stack.enter_context(_osc_sink(options)))
        if options.osc_in is not None:
            control = stack.enter_context(_osc_control(options.osc_in, controls, sinks))
            print(f"OSC commands on: {Address(options.osc_in.host, control.port)}", file=sys.stderr)
        if options.websocket is not None:
            from follower.websocket.session_sound import SessionSound
            from follower.websocket.sink import WebSocketSink

            sound = None if desk is None else SessionSound(piece, desk)
            host, port = options.websocket.host, options.websocket.port
            sink = stack.enter_context(WebSocketSink(port, controls, access_to(host, options.access), sound=sound))
            print(f"practice room: http://{Address(host, sink.port)}/", file=sys.stderr)
            sinks.append(sink)
        yield sinks


def access_to(host: str, options: AccessOptions) -> Access:
    """Return the rules of who may connect to an address.

    Raises:
        ConfigError: the address needs a token.
    """
    from follower.websocket.access import Access

    return Access(host, options.token, options.origins)


def _osc_sink(options: OutputOptions) -> Sink:
    from follower.osc.sink import OscSink, TimeType

    return OscSink(list(options.osc), TimeType.FLOAT if options.osc_float else TimeType.DOUBLE)


def _osc_control(address: Address, controls: ControlQueue, sinks: list[Sink]) -> OscControl:
    from follower.osc.control import OscControl
    from follower.osc.sink import OscSink

    def announce() -> None:
        for sink in sinks:
            if isinstance(sink, OscSink):
                sink.announce()

    return OscControl(address, controls, announce)


def file_sinks(options: OutputOptions, piece: Piece) -> list[Sink]:
    """Make (not open) the sinks that write files.

    Raises:
        OutputError: `--out` cannot be made.
    """
    from follower.files.alignments import AlignmentSink
    from follower.files.csv_positions import CsvSink
    from follower.files.jsonl import JsonlSink

    sinks: list[Sink] = []
    if options.positions is not None:
        sinks.append(CsvSink(options.positions))
    if options.jsonl is not None:
        sinks.append(JsonlSink(options.jsonl))
    if options.out is not None:
        try:
            options.out.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise OutputError(f"cannot make the folder {options.out}: {e.strerror or e}; choose another") from e
        frame_s = piece.manifest.config.notebook_hop_samples / piece.feature_config.sample_rate_hz
        sinks.append(AlignmentSink(options.out, piece.map, frame_s))
        sinks.append(CsvSink(options.out / "positions.csv"))
    return sinks
