"""WebSocket and HTTP server: positions out, commands and audio in, the monitor page. Protocol: docs/protocol.md."""
