"""The project's own concerto: written as notes, synthesised here, with exact beats.

It shows the whole way from two recordings to a table of errors (`follower demo`) and is the fixture of the
end-to-end tests. No sample, font or recording from elsewhere is in it.
"""

from __future__ import annotations

from follower.demo.render import DEMO_SECONDS, demo_scenario, write_demo_scenario

__all__ = ["DEMO_SECONDS", "demo_scenario", "write_demo_scenario"]
