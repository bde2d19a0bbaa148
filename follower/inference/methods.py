"""The methods by name. Loads nothing, so that a command line can list them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

METHODS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tempo": "follower.inference.tempo_filter",
        "dense-sparse": "follower.inference.dense_sparse",
    }
)
"""Module of each method's frontier; it defines `create(piece: Piece) -> Frontier`."""
DEFAULT_METHOD: Final = "tempo"
