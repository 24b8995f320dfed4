"""The command line: one function a subcommand."""
