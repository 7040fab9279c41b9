"""One module a command, each with a ``command``; ``imagekin.cli.app`` imports the one that is run."""
