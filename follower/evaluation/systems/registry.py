"""Which systems there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from follower.errors import ConfigError
from follower.evaluation.scenario import Scenario
from follower.evaluation.systems.live import live_outcome, mix_outcome
from follower.evaluation.systems.maps import map_outcome, path_map_outcome
from follower.evaluation.systems.offline import naive_outcome, notebook_outcome, separation_outcome
from follower.evaluation.systems.outcome import Outcome
from follower.evaluation.systems.outside import check_plugin, plugin_outcome, positions_file, positions_outcome
from follower.evaluation.systems.workbench import Workbench
from follower.inference.methods import DEFAULT_METHOD, METHODS

System = Callable[[Workbench], Outcome]

SYSTEMS: Final[Mapping[str, System]] = MappingProxyType(
    {f"live:{method}": partial(live_outcome, method) for method in METHODS}
    | {f"mix:{method}": partial(mix_outcome, method) for method in METHODS}
    | {
        "notebook": notebook_outcome,
        "separation": separation_outcome,
        "naive": naive_outcome,
        "map": map_outcome,
        "map:notebook": partial(path_map_outcome, lambda bench: bench.notebook),
        "map:separation": partial(path_map_outcome, lambda bench: bench.separation),
        "map:naive": partial(path_map_outcome, lambda bench: bench.naive),
    }
)
ALIASES: Final[Mapping[str, str]] = MappingProxyType({"live": f"live:{DEFAULT_METHOD}", "mix": f"mix:{DEFAULT_METHOD}"})
DEFAULT_SYSTEM: Final = f"live:{DEFAULT_METHOD}"


POSITIONS: Final = "positions:"
"""Before the folder of positions that were made elsewhere."""
FAMILIES: Final = frozenset(name.partition(":")[0] for name in SYSTEMS)
"""What stands before a colon in our own names; a module of such a name cannot be evaluated."""


def system_name(name: str) -> str:
    """The full name of a system: one of ours, `positions:DIR`, or a plug-in `MODULE:CLASS[=ARGUMENT]`.

    Raises:
        ConfigError: there is no such system, or the plug-in cannot be loaded or is none.
    """
    name = ALIASES.get(name, name)
    if name in SYSTEMS or (name.startswith(POSITIONS) and name != POSITIONS):
        return name
    family, colon, _ = name.partition(":")
    if not colon or family in FAMILIES or name == POSITIONS:
        ours = ", ".join((*SYSTEMS, *ALIASES))
        raise ConfigError(f"unknown system {name!r}; choose from: {ours}, positions:DIR, MODULE:CLASS[=ARG]")
    check_plugin(name)
    return name


def system_of(name: str) -> System:
    """The system of a name that `system_name` gave."""
    if name.startswith(POSITIONS):
        return partial(positions_outcome, Path(name.removeprefix(POSITIONS)))
    return SYSTEMS[name] if name in SYSTEMS else partial(plugin_outcome, name)


def needs_cache(name: str) -> bool:
    """Whether a system works from what `offline-prep` makes of the two recordings."""
    return name in SYSTEMS


def check_scenario(name: str, scenario: Scenario) -> None:
    """Find out before the work whether a system has what it needs for a scenario.

    Raises:
        ScenarioError: it has not.
    """
    if name.startswith(POSITIONS):
        positions_file(Path(name.removeprefix(POSITIONS)), scenario)
