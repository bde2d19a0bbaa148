"""Recordings that libsndfile does not read: AAC, in MPEG-4 files (.m4a, as phones record) or bare (.aac), by PyAV."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from follower.errors import AudioFileError

if TYPE_CHECKING:
    from typing import IO

HEAD_BYTES = 12
MAX_DECODED_S = 8 * 3600.0


def is_mpeg4(path: Path) -> bool:
    """Whether a file begins as MPEG-4 or bare AAC does, whatever it is called.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as f:
        head = f.read(HEAD_BYTES)
    # MPEG-4: the type of the first box. Bare AAC (ADTS): 12 bits of ones, then a layer of 0, which MP3 does not have.
    return head[4:8] == b"ftyp" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0)


def decode_mpeg4(path: Path) -> IO[bytes]:
    """Return the sound as a WAV file without a name, at its beginning; closing it removes it.

    Raises:
        AudioFileError: PyAV is not installed, or the file cannot be decoded.
    """
    try:
        import av
    except ImportError as e:
        raise AudioFileError(
            f"{path} is AAC (m4a), which needs PyAV: pip install av, or export the recording as wav, flac, ogg or mp3"
        ) from e
    decoded: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (handed to the caller)
    try:
        with av.open(str(path)) as container:
            _copy(container, decoded, path)
    except (OSError, ValueError, soundfile.LibsndfileError) as e:  # PyAV's errors are OSError or ValueError too
        decoded.close()
        raise AudioFileError(f"{path} is not an audio file that can be read ({e!s:.80}); export it again") from e
    except AudioFileError:
        decoded.close()
        raise
    decoded.seek(0)
    return decoded


def _copy(container: Any, decoded: IO[bytes], path: Path) -> None:
    import av

    if not container.streams.audio:
        raise AudioFileError(f"{path} holds no sound; give a recording")
    stream = container.streams.audio[0]
    rate_hz, channels = int(stream.rate or 0), min(max(int(stream.channels), 1), 2)
    if not 8000 <= rate_hz <= 192_000:
        raise AudioFileError(f"{path} says its sample rate is {rate_hz} Hz; export it again")
    resampler = av.AudioResampler(format="s16", layout="mono" if channels == 1 else "stereo", rate=rate_hz)
    with soundfile.SoundFile(decoded, "w", rate_hz, channels, "PCM_16", format="WAV") as out:
        written = 0
        for frame in container.decode(stream):
            for part in resampler.resample(frame):
                samples: Any = part.to_ndarray()
                frames = np.ascontiguousarray(samples.reshape(-1, channels), np.int16)
                written += len(frames)
                if written > MAX_DECODED_S * rate_hz:
                    raise AudioFileError(f"{path} is longer than {MAX_DECODED_S / 3600:g} hours; cut it")
                out.write(frames)
