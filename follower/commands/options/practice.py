"""How a session is practised, from its beginning on; all of it can be asked for while it runs too."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from follower.commands.options.values import number, time_s, time_within, whole_number
from follower.errors import ConfigError

if TYPE_CHECKING:
    from follower.protocol.practice_commands import PracticeCommand

_lead_in_s = time_within(0.0, 60.0, "a length between 0 and 60 s")
_rate = number(0.4, 2.5, "a rate between 0.4 and 2.5")
_tempo = number(20.0, 300.0, "a tempo between 20 and 300 beats a minute")


@dataclass(frozen=True)
class PracticeOptions:
    """How a session is practised.

    Attributes:
        lead_in_s: orchestra before every begin (s).
        lead_in_bars: bars of orchestra before every begin, in the tempo of the clicks; 0 for `lead_in_s`.
        beats_per_bar: of these bars.
        clicks: clicks before every begin.
        beats_per_minute: their tempo.
        loop_s: begin and end of a passage that is played again and again (s); None for none.
        tempo_limits: slowest and fastest rate of the orchestra; None for free.
        tune: play the orchestra at the piano's pitch.
        record: record the session.
        marker: marker to begin at; None for none.
    """

    lead_in_s: float
    lead_in_bars: int
    beats_per_bar: int
    clicks: int
    beats_per_minute: float
    loop_s: tuple[float, float] | None
    tempo_limits: tuple[float, float] | None
    tune: bool
    record: bool
    marker: str | None

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        group = parser.add_argument_group("practising (docs/practice-room.md)")
        group.add_argument("--start-at", metavar="MARKER", help="begin at this marker")
        group.add_argument(
            "--lead-in", type=_lead_in_s, default=0.0, metavar="TIME", help="orchestra before every begin"
        )
        group.add_argument(
            "--lead-in-bars",
            type=whole_number(0),
            default=0,
            metavar="N",
            help="the same in bars, of the tempo given with --count-in-tempo",
        )
        group.add_argument(
            "--beats-per-bar", type=whole_number(1), default=4, metavar="N", help="of these bars (default: 4)"
        )
        group.add_argument("--count-in", type=whole_number(0), default=0, metavar="N", help="clicks before every begin")
        group.add_argument(
            "--count-in-tempo", type=_tempo, default=60.0, metavar="BPM", help="of clicks and bars (default: 60)"
        )
        group.add_argument(
            "--loop", nargs=2, type=time_s, metavar=("FROM", "TO"), help="play this passage again and again"
        )
        group.add_argument(
            "--tempo-limits",
            nargs=2,
            type=_rate,
            metavar=("SLOWEST", "FASTEST"),
            help="keep the orchestra between these rates; 1 is the recording's tempo, the same twice is a fixed tempo",
        )
        group.add_argument("--tune", action="store_true", help="play the orchestra at the piano's pitch")
        group.add_argument("--record", action="store_true", help="record piano and orchestra beside the cache")

    @classmethod
    def of(cls, values: argparse.Namespace) -> Self:
        """Take what was parsed.

        Raises:
            ConfigError: limits or a loop the wrong way round, too many clicks, or two places to begin.
        """
        if values.count_in > 16:
            raise ConfigError(f"--count-in {values.count_in} is too many clicks; give 16 or less")
        if values.lead_in_bars > 8 or values.beats_per_bar > 12:
            raise ConfigError("--lead-in-bars may be 8, --beats-per-bar 12; give no more")
        if values.lead_in > 0 and values.lead_in_bars > 0:
            raise ConfigError("give --lead-in or --lead-in-bars, not both: each says how much orchestra comes first")
        if values.tempo_limits is not None and values.tempo_limits[0] > values.tempo_limits[1]:
            raise ConfigError("--tempo-limits: give the slowest rate first")
        if values.loop is not None and values.loop[1] - values.loop[0] < 1.0:
            raise ConfigError("--loop: give where it begins, then where it ends, at least a second later")
        if values.start_at is not None and values.start is not None:
            raise ConfigError("give --start or --start-at, not both: each says where the pianist begins")
        return cls(
            values.lead_in,
            values.lead_in_bars,
            values.beats_per_bar,
            values.count_in,
            values.count_in_tempo,
            None if values.loop is None else (values.loop[0], values.loop[1]),
            None if values.tempo_limits is None else (values.tempo_limits[0], values.tempo_limits[1]),
            values.tune,
            values.record,
            values.start_at,
        )

    def commands(self, start_s: float | None) -> list[PracticeCommand]:
        """Return what is asked for at the beginning of the session.

        Args:
            start_s: where the pianist begins (s), if known.
        """
        from follower.protocol import practice_commands as c

        asked: list[PracticeCommand] = []
        if self.tempo_limits is not None:
            asked.append(c.Tempo(*self.tempo_limits))
        if self.tune:
            asked.append(c.Tune("piano"))
        if self.lead_in_s > 0:
            asked.append(c.LeadIn(self.lead_in_s))
        if self.lead_in_bars > 0:
            asked.append(c.LeadInBars(self.lead_in_bars, self.beats_per_bar))
        if self.clicks > 0 or self.lead_in_bars > 0:
            asked.append(c.CountIn(self.clicks, self.beats_per_minute))
        if self.loop_s is not None:
            asked.append(c.Loop(*self.loop_s))
        if self.marker is not None:
            asked.append(c.BeginAt(self.marker))
        elif start_s is not None and (self.lead_in_s > 0 or self.lead_in_bars > 0 or self.clicks > 0):
            asked.append(c.Begin(start_s))
        if self.record:
            asked.append(c.Record())
        return asked
