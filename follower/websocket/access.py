"""Who may talk to the server: loopback for all, other addresses with a token, browsers only from the server's own page.

A web page anywhere can open a WebSocket to 127.0.0.1 (browsers do not stop it), so the Origin is checked on loopback
too, and so is Host, against names rebound to 127.0.0.1.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from follower.errors import ConfigError
from follower.protocol.address import is_loopback

MIN_TOKEN_CHARACTERS = 16


def path_and_query(target: str) -> tuple[str, str]:
    """Return a request target's path and query; what is no path is an empty one.

    Example:
        >>> path_and_query("/ws?token=x"), path_and_query("//[")
        (('/ws', 'token=x'), ('//[', ''))
    """
    path, _, query = target.partition("?")
    return (path if path.startswith("/") else ""), query


@dataclass(frozen=True)
class Access:
    """The rules for one bind address.

    Args:
        host: address to listen on.
        token: what every client must show; required unless `host` is loopback.
        origins: further web origins (`https://example.org`) whose pages may connect.

    Raises:
        ConfigError: a reachable address without a token, or a token too short to be secret.
    """

    host: str
    token: str | None = None
    origins: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise ConfigError(
                f"{self.host or 'every address'} can be reached from other machines; set a token with --token-file "
                "(or FOLLOWER_TOKEN), or bind to 127.0.0.1"
            )
        if self.token is not None and len(self.token) < MIN_TOKEN_CHARACTERS:
            raise ConfigError(
                f"the token has {len(self.token)} characters; give {MIN_TOKEN_CHARACTERS} or more, "
                'for example from: python -c "import secrets; print(secrets.token_urlsafe())"'
            )

    def refusal(
        self, path: str, hosts: Iterable[str], origins: Iterable[str], authorizations: Iterable[str]
    ) -> str | None:
        """Return why a WebSocket handshake is refused, or None when it may go on.

        Args:
            path: request target, with its query.
            hosts: values of the Host header (one, or the request is refused).
            origins: values of the Origin header; programs send none, browsers one.
            authorizations: values of the Authorization header.
        """
        hosts, origins, authorizations = list(hosts), list(origins), list(authorizations)
        if len(hosts) != 1 or len(origins) > 1 or len(authorizations) > 1:
            return "give each of Host, Origin and Authorization at most once, and Host once"
        if is_loopback(self.host) and not is_loopback(_hostname(hosts[0])):
            return "Host names another machine"
        if origins and not self._origin_fits(origins[0], hosts[0]):
            return "this Origin may not connect; allow it with --origin"
        if self.token is not None and not self._token_shown(path, authorizations):
            return "token missing or wrong; connect with ?token=... or an Authorization: Bearer header"
        return None

    def _origin_fits(self, origin: str, host: str) -> bool:
        if origin in self.origins:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()

    def _token_shown(self, path: str, authorizations: list[str]) -> bool:
        assert self.token is not None
        shown = parse_qs(path_and_query(path)[1]).get("token", [])
        shown += [a[len("Bearer ") :] for a in authorizations if a.startswith("Bearer ")]
        # Headers are decoded with surrogate escapes where they are not ASCII.
        return any(hmac.compare_digest(s.encode(errors="surrogateescape"), self.token.encode()) for s in shown)


def _hostname(host: str) -> str:
    try:
        return urlsplit("//" + host).hostname or ""
    except ValueError:
        return ""
