"""The conversation with one page: its requests in turn, the newest frame of each pane first, and all news."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from distill3d import __version__
from distill3d.errors import UserError
from distill3d.viewer import answers, frames, protocol, wire
from distill3d.viewer.protocol import Metrics, Problem, RequestFrame
from distill3d.viewer.stage import Stage

HELLO_WITHIN_S = 5.0
MOST_WAITING = 64
"""Requests of a page, besides frames, of which only the newest wait."""
DIVISORS = (8, 4, 2, 1)
SMALLEST_PX = 48
"""Of the longer side of coarse frames."""
AT_ONCE_S = 0.06
"""What a frame may take while the camera moves."""
NEWS_APART_S = 0.1

Orders = Callable[[protocol.Scrub | protocol.Control], None]
"""What carries out what a page wants of a run; raises ValueError, in a sentence, if that cannot be."""


@dataclass(frozen=True)
class Speed:
    """How long a layer takes for a pixel, as far as that is known. Shared by all pages."""

    seconds_per_pixel: dict[tuple[int, str], float]

    def divisor(self, request: RequestFrame) -> int:
        """The finest that is there at once; the coarsest where nothing is known."""
        pixels = request.camera.width * request.camera.height
        each = self.seconds_per_pixel.get((request.layer, request.channel))
        if each is None:
            return DIVISORS[0]
        return next((d for d in reversed(DIVISORS) if each * pixels / d**2 < AT_ONCE_S), DIVISORS[0])

    def learn(self, request: RequestFrame, frame: frames.Frame) -> None:
        """A frame took so long."""
        pixels = frame.alpha.shape[0] * frame.alpha.shape[1]
        self.seconds_per_pixel[request.layer, request.channel] = frame.seconds / pixels


@dataclass
class Work:
    """A frame that is asked for, and the divisors of its sides that are still to come."""

    request: RequestFrame
    divisors: list[int]


class Conversation:
    """What one page asks for, and what it gets."""

    def __init__(
        self, socket: WebSocket, stage: Stage, renderer: Executor, speed: Speed, orders: Orders
    ) -> None:
        self._socket, self._stage, self._renderer, self._orders = socket, stage, renderer, orders
        self._speed, self._let_in = speed, False
        self._frames: OrderedDict[tuple[int, int], Work] = OrderedDict()
        self._others: list[Any] = []
        self._wanted = asyncio.Event()
        self._speaking = asyncio.Lock()

    async def hold(self, token: str) -> None:
        """From hello to goodbye."""
        if not await self._admitted(token):
            return
        self._let_in = True
        welcome = self._stage.welcome(__version__)
        await self._say(welcome)
        parts = (self._listen(), self._work(), self._tell(welcome.layers))
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except WebSocketDisconnect:
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def part(self, sentence: str) -> None:
        """Tell the page that the server ends, and why; one that was not let in learns nothing."""
        if not self._let_in:
            return
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the page has gone first
            await self._say(protocol.Goodbye(sentence))

    async def _admitted(self, token: str) -> bool:
        """Whether the first message is a hello with the token; if not, the page is told and let go."""
        try:
            hello = wire.decode(await asyncio.wait_for(self._socket.receive_text(), HELLO_WITHIN_S))
        except (TimeoutError, ValueError, KeyError):
            hello = None
        except WebSocketDisconnect:
            return False
        if not isinstance(hello, protocol.Hello) or not secrets.compare_digest(
            hello.token.encode(), token.encode()
        ):
            await self._refuse(
                protocol.WRONG_TOKEN, "the address lacks this run's token; open the one that was printed"
            )
            return False
        if hello.protocol != protocol.PROTOCOL:
            await self._refuse(
                protocol.WRONG_PROTOCOL, "this page is of another version of distill3d; reload it"
            )
            return False
        return True

    async def _refuse(self, code: int, sentence: str) -> None:
        await self._say(Problem(sentence, None, None))
        await self._socket.close(code, sentence[:100])

    async def _listen(self) -> None:
        while True:
            try:
                text = await self._socket.receive_text()
            except KeyError:  # a binary message, of which the page has none to send
                await self._say(Problem("a binary message; expected text", None, None))
                continue
            try:
                self._take(wire.decode(text))
            except ValueError as error:
                await self._say(Problem(str(error), None, None))

    def _take(self, message: Any) -> None:
        """Keep a request until its turn comes. Raises ValueError for one that cannot be kept."""
        if isinstance(message, protocol.Hello):
            raise ValueError("hello was said already")
        if isinstance(message, RequestFrame):
            self._frames[message.pane, message.layer] = Work(message, [])
            if len(self._frames) > MOST_WAITING:
                self._frames.popitem(last=False)
        elif len(self._others) < MOST_WAITING:
            self._others.append(message)
        else:
            raise ValueError(f"more than {MOST_WAITING} requests wait already; wait for answers")
        self._wanted.set()

    async def _work(self) -> None:
        while True:
            await self._wanted.wait()
            while self._others or self._frames:
                request: Any = None
                try:
                    if self._others:
                        request = self._others.pop(0)
                        await self._answer(request)
                    else:
                        key, work = self._frames.popitem(last=False)
                        request = work.request
                        await self._frame(key, work)
                except (ValueError, UserError) as error:
                    layer = getattr(request, "layer", None)
                    await self._say(Problem(str(error), getattr(request, "seq", None), layer))
            self._wanted.clear()

    async def _frame(self, key: tuple[int, int], work: Work) -> None:
        """Render the next frame of a request; the rest of it waits behind the other panes'."""
        request = work.request
        scene = self._stage.of(request.layer).showing.scene
        divisors = work.divisors or self._divisors(request)
        camera = frames.cameras_of(request.camera, divisors[0])
        last = len(divisors) == 1

        def draw() -> bytes:
            frame = frames.render(scene, camera, request.channel, depth=request.depth)
            self._speed.learn(request, frame)
            return frames.pack(
                frame,
                layer=request.layer,
                seq=request.seq,
                pane=request.pane,
                last=last,
                exact=request.exact,
            )

        await self._send(await self._in_turn(draw))
        if not last:
            self._frames.setdefault(key, Work(request, divisors[1:]))

    def _divisors(self, request: RequestFrame) -> list[int]:
        """Of the sides of the frames that answer a request, coarse to fine."""
        if request.exact:
            return [1]
        longer = max(request.camera.width, request.camera.height)
        first = self._speed.divisor(request)
        while first > 1 and longer // first < SMALLEST_PX:
            first //= 2
        return [first] if request.moving else [d for d in DIVISORS if d <= first]

    async def _answer(self, request: Any) -> None:
        if isinstance(request, protocol.Scrub | protocol.Control):
            self._orders(request)
            return
        for part in await self._in_turn(lambda: answers.answer(self._stage, request)):
            await (self._send(part) if isinstance(part, bytes) else self._say(part))

    async def _tell(self, layers: tuple[protocol.Layer, ...]) -> None:
        """Tell the page whatever is new on the stage; it knows these layers."""
        stage, problems = self._stage, 0
        runs: dict[int, protocol.Run] = {}
        steps: dict[int, int] = {}
        while True:
            version = stage.version
            if stage.layers is not layers:
                layers = stage.layers
                await self._say(protocol.Layers(layers))
            for number, shown in enumerate(stage.runs):
                run = stage.run(number)
                if runs.get(number) != run:
                    runs[number] = run
                    await self._say(run)
                fresh = tuple(line for line in shown.watched.lines if line.step > steps.get(number, -1))
                if fresh:
                    steps[number] = fresh[-1].step
                    await self._say(Metrics(number, fresh))
            for problem in stage.problems[max(0, problems - stage.problems_before) :]:
                await self._say(problem)
            problems = stage.problems_before + len(stage.problems)
            await asyncio.sleep(NEWS_APART_S)
            await stage.news(version)

    async def _in_turn(self, work: Callable[[], Any]) -> Any:
        """Run something in the thread that renders, where one thing is done at a time."""
        return await asyncio.get_running_loop().run_in_executor(self._renderer, work)

    async def _say(self, message: Any) -> None:
        async with self._speaking:
            await self._socket.send_text(wire.encode(message))

    async def _send(self, data: bytes) -> None:
        async with self._speaking:
            await self._socket.send_bytes(data)
