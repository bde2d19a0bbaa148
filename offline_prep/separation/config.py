"""Settings of the separation."""

from __future__ import annotations

from dataclasses import dataclass

from follower.config import JsonConfig, require


@dataclass(frozen=True)
class SeparationConfig(JsonConfig):
    """Settings of the separation of the full mix into piano and orchestra.

    Attributes:
        block_s: the mix is taken apart in blocks of this length, so that memory does not grow with the piece (s).
        context_s: each block is heard with this much of the music before and after it (s).
        crossfade_s: neighbouring blocks are faded into each other over this much (s).
        orchestra_templates: spectra that describe the orchestra of a block.
        guide_rounds: updates that find them in the orchestra recording.
        rounds: updates that divide the mix between the two.
        guide_slack_frames: the orchestra may sound this many frames (23 ms) before or after the map says it does.
        guide_weight: how strongly the orchestra is held to the loudness of its recording, against what the mix shows.
        sparsity: keeps piano notes silent that explain little; in units of a template's own sum.
        orchestra_colour_bands: the orchestra's colour in the mix may differ from its recording's this smoothly
            (standard deviation of the smoothing, bands).
        piano_colour_bands: the same of the piano against the templates.
        piano_decay: what a frame of a piano note keeps of the frame before at most, unless it is struck.
        mask_power: the parts' magnitudes are raised to this power before each takes its share of the mix.
        spatial_rounds: updates of where the parts are between the channels.
    """

    block_s: float = 30.0
    context_s: float = 1.5
    crossfade_s: float = 0.5
    orchestra_templates: int = 50
    guide_rounds: int = 25
    rounds: int = 40
    guide_slack_frames: int = 3
    guide_weight: float = 0.1
    sparsity: float = 0.05
    orchestra_colour_bands: float = 4.0
    piano_colour_bands: float = 8.0
    piano_decay: float = 0.98
    mask_power: float = 1.5
    spatial_rounds: int = 3

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ConfigError: a setting is out of range.
        """
        for name in ("block_s", "context_s", "crossfade_s", "mask_power"):
            require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        for name in ("orchestra_templates", "guide_rounds", "rounds"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in (
            "guide_slack_frames",
            "guide_weight",
            "sparsity",
            "orchestra_colour_bands",
            "piano_colour_bands",
            "spatial_rounds",
        ):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        require(0 < self.piano_decay < 1, "piano_decay", self.piano_decay, "between 0 and 1")
        require(
            self.crossfade_s <= 2 * self.context_s, "crossfade_s", self.crossfade_s, f"at most {2 * self.context_s:g}"
        )
        require(self.block_s >= 2 * self.crossfade_s, "block_s", self.block_s, f"{2 * self.crossfade_s:g} or more")
