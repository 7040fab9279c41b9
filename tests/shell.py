"""The command line, called within the test's own process."""

from __future__ import annotations

from click.testing import CliRunner, Result

from imagekin.cli.app import app


def invoke(*arguments: object) -> Result:
    """Run ``imagekin`` with these arguments, written as a shell would hand them over."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])
