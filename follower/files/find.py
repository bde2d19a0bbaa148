"""Which file of a folder is a recording of a given name."""

from __future__ import annotations

from pathlib import Path

from follower.errors import ScenarioError

AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aac")


def find_audio(folder: Path, name: str) -> Path:
    """Path of the recording `name` in a scenario folder, whatever its format.

    Raises:
        ScenarioError: no such recording.
    """
    for ending in AUDIO_ENDINGS:
        path = folder / f"{name}{ending}"
        if path.is_file():
            return path
    raise ScenarioError(f"scenario {folder} has no {name}.wav (or {', '.join(AUDIO_ENDINGS[1:])})")
