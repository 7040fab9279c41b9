"""Running a server until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Sequence

import uvicorn

from imagekin import files, location
from imagekin.collection import Collection
from imagekin.duplicates import planning
from imagekin.errors import InputError
from imagekin.server.app import Application
from imagekin.server.deadlines import DeadlineProtocol, sweep
from imagekin.server.gallery import Gallery
from imagekin.server.keys import Keys
from imagekin.server.metrics import Metrics
from imagekin.server.options import Options

KEEP_ALIVE = 10
GRACE = 3
BACKLOG = 512


def bound(options: Options) -> socket.socket:
    """A socket that listens at the address of *options*.

    Raises:
        InputError: the address is in use, not allowed, or not one of this machine.
    """
    host = options.host.strip("[]")
    try:
        found = socket.getaddrinfo(host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(found[0], found[1], found[2])  # by its protocol asyncio knows TCP, and sends at once
        try:
            if hasattr(socket, "SO_REUSEADDR") and not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(found[4])
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        raise InputError(_why(options, error)) from error
    listening.setblocking(False)
    return listening


class Server(uvicorn.Server):
    """uvicorn's server, with a clock for every connection.

    Args:
        app: what answers.
        listening: a bound socket.

    Attributes:
        on_ready: called once it answers.
    """

    def __init__(self, app: Application, listening: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=DeadlineProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=GRACE,
                backlog=BACKLOG,
            )
        )
        self._app = app
        self.listening = listening
        self.on_ready: Callable[[], object] = lambda: None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listening.getsockname()[1])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets=sockets)
        self._sweeper = asyncio.ensure_future(sweep(self.server_state))
        self.on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what has begun, for a while, and end."""
        self._app.end()
        self._sweeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sweeper
        await super().shutdown(sockets=sockets)

    def run_here(self) -> None:
        """Answer until Ctrl-C or SIGTERM."""
        with contextlib.suppress(KeyboardInterrupt):
            self.run(sockets=[self.listening])


def _why(options: Options, error: OSError) -> str:
    where = f"{options.host}:{options.port}"
    if error.errno == errno.EADDRINUSE:
        return f"something listens at {where} already; give another --port, or 0 for any that is free."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"this user may not listen at {where}; give a --port from 1024 up."
    return f"cannot listen at {where} ({error.strerror or error}); give an address of this machine as --host."


def serve(
    collection: Collection,
    options: Options,
    keys: Keys | None = None,
    *,
    folders: Sequence[str] = (),
    name: str | None = None,
    on_ready: Callable[[str], object] = lambda address: None,
) -> None:
    """Serve a collection until Ctrl-C, and index folders meanwhile.

    Args:
        collection: what is served; it stays open.
        options: where and how.
        keys: what opens the server where it has a token.
        folders: to index; requests may have them indexed again.
        name: what the collection is called in addresses; by default as its folder.
        on_ready: called with the server's address once it answers.

    Raises:
        InputError: the address cannot be listened at, a folder is not there, or duplicates cannot be set aside there.
    """
    chosen = [location.absolute(folder) for folder in folders]
    for folder in chosen:
        if files.is_absent(folder) and folder not in collection.roots():
            raise InputError(f"there is no folder or file {folder}; give one that exists.")
    if options.set_aside is not None:
        planning.target_of(options.set_aside, [*collection.roots(), *chosen])
    gallery = Gallery(Metrics())
    with contextlib.closing(bound(options)) as listening:
        served = gallery.add(collection, name, folders=chosen)
        server = Server(Application(gallery, options, keys), listening)

        def ready() -> None:
            on_ready(_address(options, server.port))
            if chosen:
                served.jobs.start(chosen)

        server.on_ready = ready
        server.run_here()


def _address(options: Options, port: int) -> str:
    host = options.host.strip("[]")
    if host in ("0.0.0.0", "::", ""):
        host = socket.gethostname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
