"""Sound to evidence: features, observations, start detection, bleed of the loudspeakers.

May import: errors, config, events, protocol, kernels.
"""
