"""What the server counts, for Prometheus: `/metrics`. Sessions are counted, never named: labels must not grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from follower.events import Event, Gap, Position

LAG_BUCKETS_S: Final = (0.005, 0.01, 0.023, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """The server's counters, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        made = {"namespace": "follower", "registry": self._registry}
        self.opened: Counter = Counter("sessions_opened", "Audio sessions opened", **made)  # type: ignore[arg-type]
        self.refused: Counter = Counter("sessions_refused", "Sessions refused", ["code"], **made)  # type: ignore[arg-type]
        self._positions = Counter("positions", "Positions sent", **made)  # type: ignore[arg-type]
        self._lag = Histogram(
            "lag_seconds",
            "From when sound was played to its position",
            buckets=LAG_BUCKETS_S,
            **made,  # type: ignore[arg-type]
        )
        self._lost = Counter("lost_audio_seconds", "Audio that was lost or left out", **made)  # type: ignore[arg-type]
        self._gaps = Counter("gaps", "Gaps in the audio", **made)  # type: ignore[arg-type]

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a figure that is looked up when it is asked for."""
        Gauge(name, text, namespace="follower", registry=self._registry).set_function(value)

    def observe(self, event: Event) -> None:
        """Count an event of a session (its thread)."""
        match event:
            case Position(latency_ms=latency_ms):
                self._positions.inc()
                if latency_ms is not None:
                    self._lag.observe(latency_ms / 1e3)
            case Gap(sample_rate_hz=rate_hz, lost_samples=lost):
                self._gaps.inc()
                self._lost.inc(lost / rate_hz)
            case _:
                pass

    def text(self) -> bytes:
        """All of them as Prometheus reads them."""
        return generate_latest(self._registry)
