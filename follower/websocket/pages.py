"""The page over HTTP: the files there are when the program starts, so that no request can name another one."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from importlib.resources import files

from websockets.datastructures import Headers
from websockets.http11 import Response

WEB = "websocket/web"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def _named() -> dict[str, tuple[str, str]]:
    """The files there are, by the path a request names them with."""
    found = {
        f"/{file.name}": (f"{WEB}/{file.name}", TYPES[ending])
        for file in files("follower").joinpath(WEB).iterdir()
        if (ending := f".{file.name.rpartition('.')[2]}") in TYPES
    }
    index = found.pop("/index.html")
    return {"/": index, **found, "/protocol.json": ("protocol/schema.json", "application/schema+json")}


PAGES = _named()
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; "
    "img-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@cache
def _content(path: str) -> bytes:
    return files("follower").joinpath(PAGES[path][0]).read_bytes()


def answer(status: HTTPStatus, body: bytes, content_type: str = "text/plain; charset=utf-8") -> Response:
    """Return an HTTP response that closes the connection."""
    headers = Headers(SECURITY_HEADERS)
    headers["Content-Type"] = content_type
    headers["Content-Length"] = str(len(body))
    headers["Connection"] = "close"
    return Response(status.value, status.phrase, headers, body)


def page(path: str) -> Response:
    """Return the file for a request path (without its query), or 404."""
    if path not in PAGES:
        return answer(HTTPStatus.NOT_FOUND, b"there is only the page, at /\n")
    return answer(HTTPStatus.OK, _content(path), PAGES[path][1])
