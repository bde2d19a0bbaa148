"""The subcommands of `follower`: one file each with `add_parser(subparsers)` and `run(args) -> int`."""
