"""A sample counter's relation to the monotonic clock, filtered from jittery time stamps."""

from __future__ import annotations

import math

FIRST_BANDWIDTH_HZ = 0.5
LAST_BANDWIDTH_HZ = 0.02
SETTLING_S = 20.0
"""The bandwidth narrows as this over the time since the last reset, between the two bounds."""
RESET_S = 0.1
"""A stamp this far off means lost or inserted samples: the time is taken anew, the speed is kept."""
STEP_S = 0.015
"""Stamps that are all off by more than this, to the same side, for `STEP_AFTER_S` mean a step too: a browser or driver
left out a buffer or two. The loop alone would take up to ten seconds to follow."""
STEP_AFTER_S = 0.5
"""A busy machine makes single stamps late; among those of half a second some are punctual."""
MAX_DRIFT = 2e-3


class ClockModel:
    """Second-order delay-locked loop from (sample, time) stamps (F. Adriaensen, Using a DLL to filter time, 2005).

    Args:
        sample_rate_hz: the nominal rate.

    Example:
        >>> clock = ClockModel(48000)
        >>> for k in range(2000):
        ...     clock.stamp(480 * k, 5.0 + 0.01 * k * 1.0001)
        >>> round(clock.time_s(480 * 2000), 3), round(clock.drift_ppm)
        (25.002, 100)
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._nominal_s = 1.0 / sample_rate_hz
        self._period_s = self._punctual_period_s = self._nominal_s
        self._sample = -1
        self._time_s = math.nan
        self._since_s = 0.0
        self._off_s = 0.0
        self._least_s = 0.0

    def stamp(self, sample: int, time_s: float) -> None:
        """Take a stamp: the counter stood at `sample` at `time_s`; a counter that begins anew is a step of the time."""
        if not math.isfinite(time_s) or sample == self._sample:
            return
        if math.isnan(self._time_s):
            self._sample, self._time_s = sample, time_s
            return
        span_s = (sample - self._sample) * self._period_s
        error_s = time_s - (self._time_s + span_s)
        self._sample = sample
        # Stamps are late by chance, and not early: one that is early soon after a step goes on with it.
        goes_on = error_s < -STEP_S and self._since_s < STEP_AFTER_S
        if abs(error_s) > RESET_S or goes_on or self._has_stepped(error_s, span_s):
            # After a step what is sure is that the stamps are off by as much as the most punctual of them.
            steps = abs(error_s) > RESET_S or goes_on
            self._time_s = time_s if steps else self._time_s + span_s + self._least_s
            self._since_s = self._off_s = 0.0
            self._period_s = self._punctual_period_s  # the stamps of which the step was made say nothing of the speed
            return
        self._since_s += span_s
        narrow = 1.0 / (1.0 + self._since_s / SETTLING_S * (FIRST_BANDWIDTH_HZ / LAST_BANDWIDTH_HZ - 1.0))
        omega = 2.0 * math.pi * span_s * max(LAST_BANDWIDTH_HZ, FIRST_BANDWIDTH_HZ * narrow)
        # Wide spans (a pause in the stamps) must not make the loop overshoot.
        omega = min(omega, 0.5)
        self._time_s += span_s + math.sqrt(2.0) * omega * error_s
        period_s = self._period_s * (1.0 + omega * omega * error_s / span_s)
        bound = MAX_DRIFT * self._nominal_s
        self._period_s = max(self._nominal_s - bound, min(self._nominal_s + bound, period_s))
        if abs(error_s) < STEP_S:
            self._punctual_period_s = self._period_s

    def _has_stepped(self, error_s: float, span_s: float) -> bool:
        """Whether the stamps have been off for long enough, this one included."""
        if abs(error_s) < STEP_S or (self._off_s > 0 and error_s * self._least_s < 0):
            self._off_s = 0.0
            return False
        if self._off_s == 0 or abs(error_s) < abs(self._least_s):
            self._least_s = error_s
        self._off_s += span_s
        return self._off_s >= STEP_AFTER_S

    @property
    def since_step_s(self) -> float:
        """How long the stamps have agreed with each other (s)."""
        return self._since_s

    @property
    def known(self) -> bool:
        """Whether there was a stamp."""
        return not math.isnan(self._time_s)

    def time_s(self, sample: float) -> float:
        """When the counter stands at `sample`; NaN before the first stamp."""
        return self._time_s + (sample - self._sample) * self._period_s

    @property
    def drift_ppm(self) -> float:
        """How much slower than nominal the counter runs, in millionths of time."""
        return 1e6 * (self._period_s / self._nominal_s - 1.0)

    @property
    def stretch(self) -> float:
        """Seconds of the monotonic clock per nominal second of the counter."""
        return self._period_s / self._nominal_s
