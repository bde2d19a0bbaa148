"""The Python client, under its public name (`follower.websocket.client`)."""

from follower.websocket.client import FollowerClient

__all__ = ["FollowerClient"]
