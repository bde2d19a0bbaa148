"""Changes examples as an attacker or a bad disk would: flipped and cut bytes, absurd numbers, pieces of others."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

NUMBERS: Final = (
    b"-1", b"0", b"1e999", b"-1e999", b"1e308", b"1e-320", b"NaN", b"Infinity", b"null", b"true", b"[]", b"{}", b'""',
    b"9" * 40, b"2147483648", b"-2147483649", b"18446744073709551616", b"0.1", b"1.", b"[[[[[[", b'"\\ud800"',
)  # fmt: skip
"""What stands where a number was expected, in texts."""
BYTES: Final = (
    b"\0", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\x80",
    b"\x7f\xef\xff\xff\xff\xff\xff\xff", b"\x7f\xf8\0\0\0\0\0\0", b"\xff" * 8, b"%", b"../", b"\r\n", b"\\",
    b"\xed\xa0\x80",
)  # fmt: skip
"""What lengths, counts, floats and paths turn into, in binary examples."""


class Mutator:
    """Makes new examples of old ones.

    Args:
        corpus: whole examples.
        seed: of the random numbers; the same seed makes the same examples.
        header_bytes: most changes are made in so many first bytes.

    Example:
        >>> first = Mutator([b"abc"], seed=1)
        >>> second = Mutator([b"abc"], seed=1)
        >>> [first.next() for _ in range(5)] == [second.next() for _ in range(5)]
        True
    """

    def __init__(self, corpus: Sequence[bytes], seed: int, header_bytes: int = 256) -> None:
        self._corpus = list(corpus)
        self._random = random.Random(seed)
        self._header_bytes = header_bytes

    def next(self) -> bytes:
        """Return an example with one to five changes; one in twenty is unchanged, one in fifty is noise."""
        rng = self._random
        luck = rng.random()
        data = bytearray(rng.choice(self._corpus))
        if luck < 0.05:
            return bytes(data)
        if luck < 0.07:
            return rng.randbytes(rng.randrange(300))
        for _ in range(rng.randint(1, 5)):
            self._change(data)
        return bytes(data)

    def _change(self, data: bytearray) -> None:
        rng = self._random
        reach = min(len(data), self._header_bytes) if rng.random() < 0.75 else len(data)
        at = rng.randrange(reach + 1)
        match rng.randrange(8):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[at % len(data)] = rng.randrange(256)
            case 2:
                piece = rng.choice(BYTES)
                data[at : at + len(piece)] = piece
            case 3:
                data[at:at] = rng.choice(BYTES)
            case 4:
                del data[at : at + rng.randint(1, 40)]
            case 5:
                other = rng.choice(self._corpus)
                begin = rng.randrange(len(other) + 1)
                data[at:at] = other[begin : begin + rng.randint(1, 80)]
            case 6:
                self._change_number(data)
            case _:
                del data[at + rng.randrange(200) :]

    def _change_number(self, data: bytearray) -> None:
        """Put something else where digits stand."""
        digits = [n for n, value in enumerate(data) if 48 <= value <= 57]
        if not digits:
            data += self._random.choice(NUMBERS)
            return
        begin = end = self._random.choice(digits)
        while end < len(data) and chr(data[end]) in "0123456789.eE+-":
            end += 1
        data[begin:end] = self._random.choice(NUMBERS)
