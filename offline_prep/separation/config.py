"""Settings of the separation."""

from __future__ import annotations

from dataclasses import dataclass

from follower.config import JsonConfig, require


@dataclass(frozen=True)
class SeparationConfig(JsonConfig):
    """Settings of the separation of the full mix into piano and orchestra.

    Set by the SDR of both parts in 25 s of four rendered passages whose parts are known (docs/separation.md names
    them); within a factor of two of most of these values it changes by 0.2 dB or less.

    Attributes:
        block_s: the mix is taken apart in blocks of this length, so that memory does not grow with the piece (s).
        context_s: each block is heard with this much of the music before and after it (s).
        crossfade_s: neighbouring blocks are faded into each other over this much (s).
        gain_every_s: the gain of the orchestra recording is fitted to frames of the whole mix this far apart (s).
        gain_quantile: it is that of this share of the frames, in each band; in louder ones the piano plays, too.
        gain_bands: how smooth it is from band to band (standard deviation of the smoothing, bands).
        orchestra_templates: spectra that describe the orchestra of a block.
        guide_rounds: updates that find them in the orchestra recording.
        rounds: updates that divide the mix between the two.
        guide_slack_frames: the orchestra may sound this many frames (23 ms) before or after the map says it does.
        guide_weight: how strongly the orchestra is held to the loudness of its recording, against what the mix shows.
        guide_quantile: the orchestra is as loud against its recording as it is in this share of the frames, template
            by template; elsewhere the piano adds to it.
        piano_learning: share of the piano's templates that is learnt from the mix; the rest is as given.
        sustained_frames: the orchestra has what its templates hold for so many frames (0.8 s); what is shorter is the
            piano's, but for what the guide has.
        guide_headroom: so many times as loud as the guide's a short sound may be and be the orchestra's.
        sparsity: keeps piano notes silent that explain little; in units of a template's own sum.
        orchestra_colour_bands: the orchestra's colour in the mix may differ from its recording's this smoothly
            (standard deviation of the smoothing, bands).
        piano_colour_bands: the same of the piano against the templates.
        piano_decay: what a frame of a piano note keeps of the frame before at most, unless it is struck.
        mask_power: the parts' levels are raised to this power before each takes its share of the mix; 2 would be right
            were they exact.
        spatial_rounds: updates of where the parts are between the channels; more than one came no closer.
    """

    block_s: float = 30.0
    context_s: float = 1.5
    crossfade_s: float = 0.5
    gain_every_s: float = 0.2
    gain_quantile: float = 0.5
    gain_bands: float = 6.0
    orchestra_templates: int = 100
    guide_rounds: int = 25
    rounds: int = 40
    guide_slack_frames: int = 3
    guide_weight: float = 0.2
    guide_quantile: float = 0.4
    piano_learning: float = 0.5
    sustained_frames: int = 33
    guide_headroom: float = 1.0
    sparsity: float = 0.2
    orchestra_colour_bands: float = 4.0
    piano_colour_bands: float = 8.0
    piano_decay: float = 0.98
    mask_power: float = 0.6
    spatial_rounds: int = 1

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ConfigError: a setting is out of range.
        """
        for name in ("block_s", "context_s", "crossfade_s", "mask_power", "gain_every_s", "gain_bands"):
            require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        for name in ("orchestra_templates", "guide_rounds", "rounds", "sustained_frames"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in (
            "guide_slack_frames",
            "guide_weight",
            "sparsity",
            "piano_learning",
            "guide_headroom",
            "orchestra_colour_bands",
            "piano_colour_bands",
            "spatial_rounds",
        ):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("gain_quantile", "guide_quantile"):
            require(0 < getattr(self, name) < 1, name, getattr(self, name), "between 0 and 1")
        require(0 < self.piano_decay < 1, "piano_decay", self.piano_decay, "between 0 and 1")
        require(
            self.crossfade_s <= 2 * self.context_s, "crossfade_s", self.crossfade_s, f"at most {2 * self.context_s:g}"
        )
        require(self.block_s >= 2 * self.crossfade_s, "block_s", self.block_s, f"{2 * self.crossfade_s:g} or more")
