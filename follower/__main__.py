"""`python -m follower` is the `follower` command."""

import sys

from follower.cli import main

sys.exit(main())
