"""``imagekin serve``: the page and the HTTP API."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from imagekin import location
from imagekin.cli import progress
from imagekin.cli.commands.options import placed
from imagekin.cli.settings import Settings, shared
from imagekin.errors import MissingPackageError

if TYPE_CHECKING:
    from imagekin.server.keys import Keys
    from imagekin.server.options import Options

VARIABLE = "IMAGEKIN_TOKEN"


@click.command("serve")
@click.argument("folders", nargs=-1, metavar="[FOLDER]...")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need a token.")
@click.option("--port", type=click.IntRange(0, 65_535), default=7700, show_default=True, help="0: any that is free.")
@click.option("--token", metavar="TEXT", help=f"What programs must send [${VARIABLE}; made where it is needed].")
@click.option("--allow-host", "names", multiple=True, metavar="NAME", help="A name it is asked by, as behind a proxy.")
@click.option("--allow-urls", is_flag=True, help="Let searches name http(s) URLs, and fetch them.")
@click.option("--read-only", is_flag=True, help="Requests may only look: nothing is removed, tagged, moved or indexed.")
@click.option("--set-aside", metavar="FOLDER", help="Let duplicates be moved to this folder.")
@click.option("--open", "browser", is_flag=True, help="Open the page in the browser.")
@placed
@shared
@click.pass_obj
def command(
    settings: Settings, /, folders: tuple[str, ...], *, host: str, port: int, token: str | None, browser: bool,
    set_aside: str | None, **how: Any,
) -> None:  # fmt: skip
    """Serve a collection to the browser and to programs, until Ctrl-C; FOLDERs are indexed meanwhile."""
    try:
        from imagekin.server import running
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f'the server needs a package that is not installed ({error.name}); pip install "imagekin[server]"'
        ) from error
    from imagekin.server import keys as doorkeys
    from imagekin.server.options import Options, is_loopback

    token = token or os.environ.get(VARIABLE)
    made = doorkeys.new() if token is None and not is_loopback(host) else None
    place = None if set_aside is None else location.absolute(set_aside)
    options = Options(host, port, token or made, set_aside=place, **how)
    keys = None if options.token is None else doorkeys.Keys(options.token)
    with settings.open(create=True) as photos:
        running.serve(
            photos, options, keys, folders=folders,
            on_ready=lambda address: _tell(settings, address, options, keys=keys, made=made, browser=browser),
        )  # fmt: skip
    progress.note(settings, "The server has ended.")


def _tell(
    settings: Settings, address: str, options: Options, *, keys: Keys | None, made: str | None, browser: bool
) -> None:
    """Say where the server is, and once how to get in."""
    from imagekin.cli import output

    page = address if keys is None else f"{address}enter?code={keys.code}"
    if settings.json:
        output.line({"address": address, "page": page, "token": made})
    else:
        click.echo(f"Open {page}{' (this address works once)' if keys is not None else ''}")
        if made is not None:
            click.echo(f"Token for programs: {made}")
        if made is not None and not settings.quiet:
            click.echo("Others can reach this server, unencrypted: put a proxy with TLS before it on a network.")
        sys.stdout.flush()
    if browser:
        import webbrowser

        webbrowser.open(page)
