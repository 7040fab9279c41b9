"""``imagekin doctor``: what is installed and in use, and whether a collection is sound."""

from __future__ import annotations

import click

from imagekin.cli import diagnosis, output
from imagekin.cli.settings import Settings, shared


@click.command("doctor")
@shared
@click.pass_obj
def command(settings: Settings) -> int:
    """Say what is installed and what is used and why; read the whole collection and check it. Exits 1 on a fault."""
    found = diagnosis.installed()
    found["collection"] = diagnosis.collection(settings)
    faults = found["collection"].setdefault("faults", [])
    if settings.json:
        output.record(found)
    else:
        found["collection"]["faults"] = output.first(faults)
        output.say(output.pairs(found))
    return 1 if faults else 0
