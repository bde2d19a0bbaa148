"""The text of one option to a checked value. A wrong text raises what argparse reports for the option."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable

from follower.errors import FollowerError
from follower.protocol.address import Address, parse_address

_MINUTES = re.compile(r"(?P<sign>[+-]?)(?P<minutes>[0-9]+):(?P<seconds>[0-5][0-9](?:\.[0-9]*)?)")


def time_s(text: str) -> float:
    """Read a time in seconds or as minutes and seconds.

    Example:
        >>> time_s("83.5"), time_s("1:23.5"), time_s("-0:00.25")
        (83.5, 83.5, -0.25)
    """
    found = _MINUTES.fullmatch(text)
    if found is not None:
        value = 60 * int(found["minutes"]) + float(found["seconds"])
        return -value if found["sign"] == "-" else value
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; give seconds (83.5) or minutes and seconds (1:23.5)")
    return value


def duration_s(text: str) -> float:
    """Read a time above 0, as `time_s`."""
    value = time_s(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time above 0")
    return value


def time_within(low_s: float, high_s: float, meaning: str) -> Callable[[str], float]:
    """Return an option's type: a time as `time_s` reads it, from low to high; `meaning` as in `number`."""

    def parse(text: str) -> float:
        value = time_s(text)
        if not low_s <= value <= high_s:
            raise argparse.ArgumentTypeError(f"{text!r} is not {meaning}")
        return value

    return parse


def whole_number(low: int) -> Callable[[str], int]:
    """Return an option's type: a whole number from `low` on."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < low:
            raise argparse.ArgumentTypeError(f"{value} is too few; give {low} or more")
        return value

    return parse


def number(low: float, high: float, meaning: str) -> Callable[[str], float]:
    """Return an option's type: a number from low to high; `meaning` ends the sentence that refuses another."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {meaning}")
        return value

    return parse


def address(text: str) -> Address:
    """Read HOST:PORT, [IPv6]:PORT or PORT."""
    try:
        return parse_address(text)
    except FollowerError as e:
        raise argparse.ArgumentTypeError(str(e)) from e
