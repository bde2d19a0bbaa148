"""Sinks for events: one file each behind `base.Sink`."""
