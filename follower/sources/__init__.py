"""Sources of live audio: one file each behind `base.Source`."""
