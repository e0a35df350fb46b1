"""The server: one port, one page, and a WebSocket for each browser that has it open; in its own thread."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from distill3d.camera import turntable
from distill3d.errors import UserError
from distill3d.viewer import frames, protocol
from distill3d.viewer.conversation import Conversation, Speed
from distill3d.viewer.keeper import Keeper
from distill3d.viewer.security import LOOPBACK, Gate

STATIC = Path(__file__).with_name("static")
PAGE = {"/": ("index.html", "text/html"), "/app.js": ("app.js", "text/javascript")}
MOST_PAGES = 16
STARTED_WITHIN_S = 20.0
GOODBYE_WITHIN_S = 1.0
WARM_UP_PX = 16


class Server:
    """Serves a stage until it is closed."""

    def __init__(
        self, keeper: Keeper, *, host: str = "127.0.0.1", port: int = 0, static: Path = STATIC
    ) -> None:
        """Raises UserError if the port cannot be had, or `static` lacks the page."""
        self.stage, self._keeper = keeper.stage, keeper
        self._pages = _pages(static)
        self.token = secrets.token_urlsafe(16)
        self._host, self._socket = host, _bound(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._renderer = ThreadPoolExecutor(1, "viewer-render")
        self._speed = Speed({})
        self._talking: set[Conversation] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._uvicorn = self._configured()
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Of the page, without the token."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}/"

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return f"{self.address}#t={self.token}"

    @contextmanager
    def running(self) -> Iterator[Server]:
        """Inside, pages are served."""
        self._thread = threading.Thread(target=self._serve, name="viewer", daemon=True)
        self._thread.start()
        try:
            self._wait_until_started()
            self._renderer.submit(self._warm_up)
            yield self
        finally:
            self._say_goodbye()
            self._uvicorn.should_exit = True
            self._thread.join(10)
            self._renderer.shutdown(wait=False, cancel_futures=True)
            self._socket.close()

    def _say_goodbye(self) -> None:
        """Tell every page; one that does not listen is not waited for."""
        if self._loop is None or not self._loop.is_running():
            return

        async def say() -> None:
            words = [asyncio.create_task(page.part(self.stage.farewell)) for page in self._talking]
            if words:
                await asyncio.wait(words, timeout=GOODBYE_WITHIN_S)

        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(say(), self._loop).result(2 * GOODBYE_WITHIN_S)

    def _warm_up(self) -> None:
        """Draw a few pixels of every scene while the browser opens: the first ones load what draws them."""
        camera = turntable(1, width=WARM_UP_PX, height=WARM_UP_PX)
        for entry in list(self.stage.entries):
            frames.render(entry.showing.scene, camera, "rgb", depth=True)

    def _serve(self) -> None:
        self._uvicorn.run(sockets=[self._socket])

    def _wait_until_started(self) -> None:
        pause, waited = threading.Event(), 0.0
        while not self._uvicorn.started:
            if waited > STARTED_WITHIN_S or not (self._thread and self._thread.is_alive()):
                raise UserError(f"the viewer's server did not start at {self.address}; try another --port")
            pause.wait(0.02)
            waited += 0.02

    def _configured(self) -> uvicorn.Server:
        app = Starlette(
            routes=[
                *(Route(path, self._page) for path in PAGE),
                Route("/asset/{name}", self._asset),
                Route("/photo/{name}", self._photo),
                WebSocketRoute("/ws", self._talk),
            ],
            lifespan=self._lifespan,
        )
        config = uvicorn.Config(
            Gate(app, {*LOOPBACK, self._host.lower()}),
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            ws="websockets-sansio",
            ws_max_size=protocol.MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=protocol.MAX_MESSAGE_BYTES,
            lifespan="on",
        )
        return uvicorn.Server(config)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        keeping = asyncio.create_task(self._keeper.keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _page(self, request: Request) -> Response:
        name, media_type = PAGE[request.url.path]
        return Response(self._pages[name], media_type=media_type)

    async def _asset(self, request: Request) -> Response:
        found = self.stage.asset(request.path_params["name"])
        if found is None:
            return PlainTextResponse("this is shown no longer", 404)
        return Response(found[0], media_type=found[1])

    async def _photo(self, request: Request) -> Response:
        data = await self._keeper.photo(request.path_params["name"])
        if data is None:
            return PlainTextResponse("there is no such photograph", 404)
        return Response(data, media_type="image/jpeg")

    async def _talk(self, socket: WebSocket) -> None:
        await socket.accept()
        if len(self._talking) >= MOST_PAGES:
            await socket.close(protocol.TOO_MANY, "too many pages are open")
            return
        conversation = Conversation(socket, self.stage, self._renderer, self._speed, self._keeper.order)
        self._talking.add(conversation)
        try:
            await conversation.hold(self.token)
        finally:
            self._talking.remove(conversation)


def _pages(static: Path) -> dict[str, bytes]:
    """The built page."""
    missing = [name for name, _ in PAGE.values() if not (static / name).is_file()]
    if missing:
        raise UserError(f"the viewer's page is not built ({static} lacks {missing[0]}); run make viewer")
    return {name: (static / name).read_bytes() for name, _ in PAGE.values()}


def _bound(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise UserError(f"port {port} is none; expected 0 (any that is free) to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise UserError(
            f"port {port} of {host} cannot be had ({error.strerror or error}); "
            "give another --port, or none for any that is free"
        ) from error
