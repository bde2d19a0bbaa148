"""How late is what the follower reports? Compute, delivery and musical delay (`follower latency`).

- compute: a block handed over by the source until the last event it caused was given to the sinks, and the processor
  time of that thread within (what remains when other programs want the processor too);
- delivery: the same block until the event was parsed by an OSC and a WebSocket receiver in another process;
- musical: the shift in time between estimates and the annotated truth.
"""
