"""The optional PortAudio binding, found or explained, and what this project asks of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from follower.errors import DeviceError, MissingDependencyError


class Stream(Protocol):
    """What is used of `sounddevice.InputStream`."""

    @property
    def active(self) -> bool:
        """Whether the callback is being called."""
        ...

    @property
    def samplerate(self) -> float:
        """Rate the device really runs at."""
        ...

    def start(self) -> None:
        """Start capturing."""
        ...

    def close(self, ignore_errors: bool = True) -> None:
        """Stop and release the device."""
        ...


def load() -> Any:
    """Return the `sounddevice` module.

    Raises:
        MissingDependencyError: the package or the PortAudio library is not installed; says which.
    """
    try:
        return importlib.import_module("sounddevice")
    except ModuleNotFoundError as e:
        raise MissingDependencyError(
            "audio devices need the Python package sounddevice; install it with: pip install sounddevice"
        ) from e
    except OSError as e:
        raise MissingDependencyError(
            "audio devices need the PortAudio library; install it, on Debian or Ubuntu with: "
            "sudo apt install libportaudio2 (on macOS and Windows: pip install --force-reinstall sounddevice)"
        ) from e


def rescan() -> None:
    """Let PortAudio look for devices again: it lists them only once. Ends every open stream of this process.

    Raises:
        DeviceError: PortAudio cannot start again.
    """
    sd = load()
    try:
        sd._terminate()
        sd._initialize()
    except sd.PortAudioError as e:
        raise DeviceError(f"PortAudio does not start again ({_reason(e)})") from e


@dataclass(frozen=True)
class Device:
    """One audio device.

    Attributes:
        index: PortAudio's number.
        name: PortAudio's name.
        host_api: the system's audio interface the device belongs to.
        inputs: input channels; 0 for a loudspeaker.
        outputs: output channels.
        sample_rate_hz: default rate of the device.
        is_default_input: whether the device is the input when none is named.
    """

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    sample_rate_hz: int
    is_default_input: bool


def devices() -> list[Device]:
    """Return all audio devices.

    Raises:
        MissingDependencyError: see `load`.
        DeviceError: PortAudio cannot list them.
    """
    sd = load()
    try:
        apis = [str(api["name"]) for api in sd.query_hostapis()]
        found = list(sd.query_devices())
    except sd.PortAudioError as e:
        raise DeviceError(f"the audio devices cannot be listed ({_reason(e)}); is a sound server running?") from e
    default = sd.default.device[0]
    return [
        Device(
            index,
            str(d["name"]),
            apis[d["hostapi"]],
            int(d["max_input_channels"]),
            int(d["max_output_channels"]),
            int(d["default_samplerate"]),
            index == default,
        )
        for index, d in enumerate(found)
    ]


def find_input(name: int | str | None) -> Device:
    """Return the input device of that number or (part of a) name; None is the default one.

    Raises:
        MissingDependencyError: see `load`.
        DeviceError: there is none, or several fit.
    """
    inputs = [d for d in devices() if d.inputs > 0]
    if not inputs:
        raise DeviceError("there is no audio input; plug in a microphone and look with: follower devices")
    return _find(name, inputs, "input", next((d for d in inputs if d.is_default_input), inputs[0]))


def find_output(name: int | str | None) -> Device:
    """Return the output device of that number or (part of a) name; None is the default one.

    Raises:
        MissingDependencyError: see `load`.
        DeviceError: there is none, or several fit.
    """
    outputs = [d for d in devices() if d.outputs > 0]
    if not outputs:
        raise DeviceError("there is no audio output; connect a loudspeaker and look with: follower devices")
    default = load().default.device[1]
    return _find(name, outputs, "output", next((d for d in outputs if d.index == default), outputs[0]))


def _find(name: int | str | None, choice: list[Device], direction: str, default: Device) -> Device:
    """The one device of `choice` that a name fits: by number, by whole name, or by part of it."""
    if name is None:
        return default
    if isinstance(name, str) and name.isascii() and name.isdigit():
        name = int(name)
    if isinstance(name, int):
        fitting = [d for d in choice if d.index == name]
    else:
        fitting = [d for d in choice if d.name == name] or [d for d in choice if name.lower() in d.name.lower()]
    if len(fitting) != 1:
        many = f"no {direction} device is" if not fitting else f"{len(fitting)} {direction} devices are"
        raise DeviceError(f"{many} called {name!r}; give a number or a name listed by: follower devices")
    return fitting[0]


def open_input(
    device: Device,
    sample_rate_hz: int,
    channels: int,
    block_samples: int,
    callback: Callable[[Any, int, Any, Any], None],
) -> Stream:
    """Open (not start) an input stream of float32.

    Raises:
        DeviceError: PortAudio refuses.
    """
    sd = load()
    try:
        stream: Stream = sd.InputStream(
            samplerate=sample_rate_hz,
            blocksize=block_samples,
            device=device.index,
            channels=channels,
            dtype="float32",
            latency="low",
            callback=callback,
        )
    except (sd.PortAudioError, ValueError) as e:
        raise DeviceError(
            f"{device.name} cannot be opened at {sample_rate_hz} Hz with {channels} channels ({_reason(e)}); "
            "try --rate, --channels or another --device"
        ) from e
    return stream


def start(stream: Stream, name: str) -> None:
    """Start a stream.

    Raises:
        DeviceError: PortAudio refuses.
    """
    sd = load()
    try:
        stream.start()
    except sd.PortAudioError as e:
        raise DeviceError(f"{name} does not start ({_reason(e)})") from e


def _reason(error: BaseException) -> str:
    return str(error.args[0]) if error.args else str(error)
