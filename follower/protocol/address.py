"""Network addresses as people write them: HOST:PORT, [::1]:PORT or just PORT for this machine."""

from __future__ import annotations

import argparse
import ipaddress
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Address:
    """Where to send to or listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be reached from this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_address(text: str) -> Address:
    """Read an address of the command line; raises argparse's error so that the parser names the option.

    Example:
        >>> parse_address("9000"), str(parse_address("[::1]:9000"))
        (Address(host='127.0.0.1', port=9000), '[::1]:9000')
    """
    host, colon, port_text = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if colon else LOOPBACK
    if not (port_text.isascii() and port_text.isdigit() and int(port_text) <= 65535) or not host:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT with a port of 0..65535")
    return Address(host, int(port_text))
