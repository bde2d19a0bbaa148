from __future__ import annotations

import json

import pytest

from follower.config import FeatureConfig, PrepConfig
from follower.errors import ConfigError


def test_json_round_trip_gives_an_equal_config() -> None:
    config = PrepConfig(features=FeatureConfig(hop_samples=256, n_mels=64), notebook_hop_samples=1024)
    assert PrepConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sample_rate_hz", 1000),
        ("hop_samples", 0),
        ("hop_samples", 4096),
        ("low_fft_samples", 5000),
        ("mid_fft_samples", 1024),
        ("n_semitones", 200),
        ("mid_from_midi", 80),
        ("n_mfcc", 41),
    ],
)
def test_a_field_out_of_range_is_named_with_its_value(field: str, value: int) -> None:
    data = FeatureConfig().to_json() | {field: value}
    with pytest.raises(ConfigError, match=rf"{field} is {value}"):
        FeatureConfig.from_json(data)


def test_missing_unknown_and_mistyped_fields_are_refused() -> None:
    data = FeatureConfig().to_json()
    with pytest.raises(ConfigError, match="lacks fields \\['n_mels'\\]"):
        FeatureConfig.from_json({k: v for k, v in data.items() if k != "n_mels"})
    with pytest.raises(ConfigError, match="colour"):
        FeatureConfig.from_json(data | {"colour": 1})
    with pytest.raises(ConfigError, match="hop_samples is '512'"):
        FeatureConfig.from_json(data | {"hop_samples": "512"})
    with pytest.raises(ConfigError, match="hop_samples is True"):
        FeatureConfig.from_json(data | {"hop_samples": True})
    with pytest.raises(ConfigError, match="JSON object"):
        PrepConfig.from_json([1, 2])
