"""The one exception tree.

::

    FollowerError                  every error this project raises on purpose; the command line prints it, exit code 2
    ├── InputError                 something the user gave cannot be used
    │   ├── AudioFileError         a recording is missing, unreadable, empty, silent or not finite
    │   └── ScenarioError          a scenario folder lacks a file or holds a wrong one
    ├── ConfigError                a configuration value outside its range
    ├── CacheError                 a cache folder cannot be used
    │   ├── CacheMissingError      no such folder, or a file of it is gone
    │   ├── CacheVersionError      written in another format version
    │   └── CacheCorruptError      a checksum is wrong, or a shape is not what the cache's configuration says
    ├── AlignmentError             no feasible alignment exists
    ├── OutputError                a result cannot be written
    ├── DeviceError                an audio device failed
    ├── ProtocolError              a client sent something outside the protocol
    └── MissingDependencyError     an optional library or system package is not installed
"""

from __future__ import annotations


class FollowerError(Exception):
    """Base of every error raised on purpose. The message says what was wrong, with the value, and what to do."""


class InputError(FollowerError):
    """Something the user gave cannot be used."""


class AudioFileError(InputError):
    """A recording is missing, unreadable, empty, silent or not finite."""


class ScenarioError(InputError):
    """A scenario folder lacks a file or holds a wrong one."""


class ConfigError(FollowerError):
    """A configuration value outside its range."""


class CacheError(FollowerError):
    """A cache folder cannot be used."""


class CacheMissingError(CacheError):
    """No such cache folder, or one of its files is gone."""


class CacheVersionError(CacheError):
    """The cache was written in another format version."""


class CacheCorruptError(CacheError):
    """A checksum, shape or value in the cache is wrong."""


class AlignmentError(FollowerError):
    """No feasible alignment exists."""


class OutputError(FollowerError):
    """A result cannot be written."""


class DeviceError(FollowerError):
    """An audio device failed."""


class ProtocolError(FollowerError):
    """A client sent something outside the protocol."""


class MissingDependencyError(FollowerError):
    """An optional library or system package is not installed."""
