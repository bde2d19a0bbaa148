"""The orchestra recording played after the follower: time stretching, control, rendering, sound card."""
