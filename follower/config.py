"""Configuration: frozen, validated, and the same after a JSON round trip. It travels inside the cache."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self, get_args, get_origin, get_type_hints

from follower.errors import ConfigError


def require(condition: bool, name: str, value: object, expected: str) -> None:
    """Raise `ConfigError` naming the field, its value and what was expected, unless `condition` holds."""
    if not condition:
        raise ConfigError(f"{name} is {value!r}; expected {expected}")


def require_spans_and_shares(config: JsonConfig, others: Sequence[str] = ()) -> None:
    """Check that every field in seconds is more than 0, and every other one but `others` between 0 and 1.

    Raises:
        ConfigError: a field is out of range.
    """
    for name, value in vars(config).items():
        if name.endswith("_s"):
            require(value > 0, name, value, "more than 0")
        elif name not in others:
            require(0 < value < 1, name, value, "between 0 and 1")


def _decode(hint: Any, value: Any, name: str) -> Any:
    """Bring one JSON value back to the type of its field."""
    if isinstance(hint, type) and issubclass(hint, JsonConfig):
        return hint.from_json(value)
    if get_origin(hint) is tuple:
        require(isinstance(value, list), name, value, "a list")
        inner = get_args(hint)[0]
        return tuple(_decode(inner, v, name) for v in value)
    if get_origin(hint) is types.UnionType:
        if value is None:
            return None
        hint = next(a for a in get_args(hint) if a is not type(None))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    require(type(value) is hint, name, value, getattr(hint, "__name__", str(hint)))
    return value


class JsonConfig:
    """Mixin for frozen dataclasses of int, float, str, bool, tuples of these, and other `JsonConfig`s."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data; `from_json` gives an equal object back."""
        out: dict[str, Any] = {}
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            v = getattr(self, f.name)
            out[f.name] = v.to_json() if isinstance(v, JsonConfig) else list(v) if isinstance(v, tuple) else v
        return out

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Build from `to_json`'s data.

        Raises:
            ConfigError: a field is missing, unknown, of the wrong type, or out of range.
        """
        require(isinstance(data, dict), cls.__name__, data, "a JSON object")
        assert isinstance(data, dict)
        hints = get_type_hints(cls)
        names = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        if names != set(data):
            raise ConfigError(
                f"{cls.__name__}: lacks fields {sorted(names - set(data))}, has unknown {sorted(set(data) - names)}"
            )
        return cls(**{n: _decode(hints[n], data[n], f"{cls.__name__}.{n}") for n in names})


@dataclass(frozen=True)
class FeatureConfig(JsonConfig):
    """Configuration of the causal features that prep and the live engine share.

    Attributes:
        sample_rate_hz: rate the features work at; the stream is resampled to it.
        hop_samples: frame k uses samples up to (k + 1) * hop_samples.
        low_fft_samples: window for semitones below `mid_from_midi`.
        mid_fft_samples: window for semitones in [mid_from_midi, high_from_midi).
        high_fft_samples: window for semitones from `high_from_midi` on, and of the MFCC and RMS.
        mid_from_midi: first semitone of the middle register.
        high_from_midi: first semitone of the high register.
        lowest_midi: first semitone (21 = A0).
        n_semitones: number of semitones (88 = the piano).
        n_mels: mel bands under the MFCC.
        n_mfcc: MFCC coefficients kept, the 0th included.
    """

    sample_rate_hz: int = 22050
    hop_samples: int = 512
    low_fft_samples: int = 8192
    mid_fft_samples: int = 4096
    high_fft_samples: int = 2048
    mid_from_midi: int = 52
    high_from_midi: int = 72
    lowest_midi: int = 21
    n_semitones: int = 88
    n_mels: int = 40
    n_mfcc: int = 13

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigError: a field is out of range.
        """
        require(8000 <= self.sample_rate_hz <= 192000, "sample_rate_hz", self.sample_rate_hz, "8000..192000")
        for name in ("low_fft_samples", "mid_fft_samples", "high_fft_samples"):
            n = getattr(self, name)
            require(n >= 64 and n & (n - 1) == 0, name, n, "a power of two from 64 on")
        require(
            0 < self.hop_samples <= self.high_fft_samples,
            "hop_samples",
            self.hop_samples,
            f"1..{self.high_fft_samples} (the shortest window)",
        )
        require(
            self.high_fft_samples <= self.mid_fft_samples <= self.low_fft_samples,
            "mid_fft_samples",
            self.mid_fft_samples,
            "between the high and the low register's window",
        )
        require(self.lowest_midi >= 12, "lowest_midi", self.lowest_midi, "12 or more")
        top = self.lowest_midi + self.n_semitones - 1
        require(self.n_semitones >= 12 and top <= 120, "n_semitones", self.n_semitones, "12 or more, up to MIDI 120")
        require(
            self.lowest_midi <= self.mid_from_midi <= self.high_from_midi,
            "mid_from_midi",
            self.mid_from_midi,
            "between lowest_midi and high_from_midi",
        )
        require(1 < self.n_mfcc <= self.n_mels, "n_mfcc", self.n_mfcc, f"2..{self.n_mels} (n_mels)")

    @property
    def hop_s(self) -> float:
        """Seconds per frame."""
        return self.hop_samples / self.sample_rate_hz


@dataclass(frozen=True)
class PrepConfig(JsonConfig):
    """Configuration of the features in a cache.

    Attributes:
        features: configuration of the causal features, which prep and the live engine compute alike.
        notebook_hop_samples: hop of the notebook's chroma and MFCC at 22050 Hz.
    """

    features: FeatureConfig = field(default_factory=FeatureConfig)
    notebook_hop_samples: int = 512

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigError: a field is out of range.
        """
        require(64 <= self.notebook_hop_samples <= 4096, "notebook_hop_samples", self.notebook_hop_samples, "64..4096")
