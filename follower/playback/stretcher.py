"""What a time stretcher is: the protocol, and the bounds of its rate."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

MIN_RATE = 0.4
MAX_RATE = 2.5


class Committed(NamedTuple):
    """Up to where the output is decided: a new rate acts from here on.

    Attributes:
        output_samples: output samples from the next one pulled to this point.
        source_sample: position in the recording (samples, fractional) that sounds there.
    """

    output_samples: float
    source_sample: float


class Stretcher(Protocol):
    """Plays a recording at a changing rate without changing its pitch; pull-driven, no clock, no thread.

    The same calls give the same samples, bit for bit. Memory is bounded.
    """

    def start(self, source_sample: float, rate: float) -> None:
        """Forget everything; the next output sample is `source_sample` of the recording, played at `rate`."""

    def pull(self, n: int, rate: float) -> NDArray[np.float32]:
        """Return the next `n` output samples, shape (n, channels), n >= 0.

        `rate` (source samples per output sample, `MIN_RATE`..`MAX_RATE`) acts from `committed` on.
        """

    @property
    def source_sample(self) -> float:
        """Position in the recording (samples, fractional) of the next output sample."""

    @property
    def committed(self) -> Committed:
        """Up to where the output is decided."""
