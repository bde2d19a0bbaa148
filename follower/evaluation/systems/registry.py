"""Which systems there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from follower.errors import ConfigError
from follower.evaluation.systems.live import live_outcome, mix_outcome
from follower.evaluation.systems.maps import map_outcome, path_map_outcome
from follower.evaluation.systems.offline import naive_outcome, notebook_outcome
from follower.evaluation.systems.outcome import Outcome
from follower.evaluation.systems.workbench import Workbench
from follower.inference.methods import DEFAULT_METHOD, METHODS

System = Callable[[Workbench], Outcome]

SYSTEMS: Final[Mapping[str, System]] = MappingProxyType(
    {f"live:{method}": partial(live_outcome, method) for method in METHODS}
    | {f"mix:{method}": partial(mix_outcome, method) for method in METHODS}
    | {
        "notebook": notebook_outcome,
        "naive": naive_outcome,
        "map": map_outcome,
        "map:notebook": partial(path_map_outcome, lambda bench: bench.notebook),
        "map:naive": partial(path_map_outcome, lambda bench: bench.naive),
    }
)
ALIASES: Final[Mapping[str, str]] = MappingProxyType({"live": f"live:{DEFAULT_METHOD}", "mix": f"mix:{DEFAULT_METHOD}"})
DEFAULT_SYSTEM: Final = f"live:{DEFAULT_METHOD}"


def system_name(name: str) -> str:
    """The full name of a system.

    Raises:
        ConfigError: there is no such system.
    """
    name = ALIASES.get(name, name)
    if name not in SYSTEMS:
        raise ConfigError(f"unknown system {name!r}; choose from: {', '.join((*SYSTEMS, *ALIASES))}")
    return name
