"""The boundary of a request: an ASGI application around the app's own.

It opens the request on the task that runs it, watches `send` and `receive` go by, and records
the request when the app returns. A scope inside a scope (a mounted app, an in-process client)
is part of the outer one.
"""

import functools
import re
import struct
from types import MethodType
from typing import Any, Awaitable, Callable, MutableMapping, Optional

from slowpath.probe import core, wire
from slowpath.probe.core import Line, local, now
from slowpath.probe.hook import Hook
from slowpath.probe.loop import LOOP, Task, Unbegun
from slowpath.probe.routes import place
from slowpath.probe.sites import adopt_main

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SEND = wire.SPAN_KINDS["send"]
_RECEIVE = wire.SPAN_KINDS["receive"]
_WEBSOCKET = wire.RequestFlag.WEBSOCKET
_STREAMED = wire.RequestFlag.STREAMED
#: A request shorter than this that was never suspended tells its only slice by itself. It is
#: below `loop.MEASURED_NS`, so that the slice, which ends a little later, needs no CPU time.
SINGLE_NS = 900_000
#: The two records of a request in one.
_REQUEST = struct.Struct(wire.RECORD.format + wire.RECORD.format[1:])
#: W3C Trace Context; later versions may add fields.
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-([0-9a-f]{16})-[0-9a-f]{2}(?![^-])")
#: Set by the probe: writes out what waits; called when the app's lifespan ends.
on_shutdown: Callable[[], None] = lambda: None  # noqa: E731


class Request:
    """One ASGI scope in the making; all lines that work for it share it.

    Its `on_send` and `on_receive` stand between the server and the app.
    """

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "complete",
        "done",
        "first_byte",
        "flags",
        "headers",
        "hook",
        "line",
        "main",
        "receive",
        "send",
        "server",
        "status",
    )

    def __init__(self, hook: Hook, main: Line, receive: Receive, send: Send, flags: int) -> None:
        self.hook = hook
        self.main: Optional[Line] = main
        self.line = main.id
        self.receive = receive
        self.send = send
        self.flags = flags
        self.done = False
        self.server: Any = None
        self.status = self.bytes_in = self.bytes_out = self.first_byte = self.complete = 0
        self.headers: Any = ()

    def on_send(self, message: Message) -> Awaitable[None]:
        """Note status, size and first byte; messages that may wait for the peer are timed."""
        if self.done:
            return self.servers(self.send)(message)  # type: ignore[no-any-return]
        try:
            kind = message["type"]
            if kind == "http.response.start":
                self.status = int(message["status"])
                headers = message.get("headers")
                # An iterator is the server's to consume.
                self.headers = headers if isinstance(headers, (list, tuple)) else ()
            elif kind == "http.response.body":
                self.bytes_out += len(message.get("body") or b"")
                if not message.get("more_body"):
                    if not self.complete:
                        self.complete = now()
                        self.first_byte = self.first_byte or self.complete
                else:
                    if not self.first_byte:
                        self.first_byte = now()
                        if content_length(self.headers) < 0:
                            self.flags |= _STREAMED
                    if not self.complete and 0 <= content_length(self.headers) <= self.bytes_out:
                        self.complete = now()  # a middleware may pass a whole answer on in parts
                    return self.timed_send(message)
            elif kind == "websocket.accept":
                self.status = 101
                self.first_byte = now()
            elif kind == "websocket.send":
                self.bytes_out += len(message.get("bytes") or message.get("text") or b"")
                return self.timed_send(message)
        except (KeyError, TypeError, ValueError):
            pass  # no ASGI message: the server will tell the app
        except Exception as exc:
            self.hook.failed(exc)
        return self.send(message)

    async def timed_send(self, message: Message) -> None:
        """Send, and record the wait if the peer reads slowly."""
        line = local.here.line or self.main
        if line is None:
            return await self.send(message)
        line.waits += 1
        started = now()
        try:
            return await self.send(message)
        finally:
            line.waits -= 1
            if line.paused > started:
                self.waited(_SEND, line, started, message)

    async def on_receive(self) -> Message:
        """Receive, noting size and disconnection; waiting for the peer is recorded."""
        if self.done:
            return await self.servers(self.receive)()  # type: ignore[no-any-return]
        line = local.here.line or self.main
        if line is None:
            return await self.receive()
        line.waits += 1
        started = now()
        try:
            message = await self.receive()
        finally:
            line.waits -= 1
            if line.paused > started:
                self.waited(_RECEIVE, line, started)
        try:
            kind = message["type"]
            if kind == "http.request":
                self.bytes_in += len(message.get("body", b""))
            elif kind == "websocket.receive":
                self.bytes_in += len(message.get("bytes") or message.get("text") or b"")
            elif kind == "http.disconnect" and not self.first_byte:
                self.flags |= wire.RequestFlag.DISCONNECTED
        except Exception as exc:
            self.hook.failed(exc)
        return message

    def end(self) -> None:
        """Let go of what is needed no more.

        A task and what belongs to it lives for one more turn of the loop, and more objects then
        set off more garbage collections in the app: of the server's methods only what they are
        made of is kept, for messages that come late.
        """
        self.done = True
        self.main = None  # it refers to the request: leave no cycle to collect
        self.headers = ()
        send, receive = self.send, self.receive
        if (
            type(send) is MethodType
            and type(receive) is MethodType
            and send.__self__ is receive.__self__
        ):
            self.server = send.__self__
            self.send = send.__func__
            self.receive = receive.__func__

    def servers(self, function: Any) -> Any:
        """Return the server's own `send` or `receive` after the end."""
        return function if self.server is None else MethodType(function, self.server)

    def waited(self, kind: int, line: Line, started: int, sent: Optional[Message] = None) -> None:
        """Record a wait for the peer."""
        try:
            size = -1
            if sent is not None:
                size = len(sent.get("body") or sent.get("bytes") or sent.get("text") or b"")
            core.emit(kind, line, started, now(), 0, "", size)
        except Exception as exc:
            self.hook.failed(exc)


class AsgiHook(Hook):
    """Base of the hooks that put the boundary in place, one for each server."""

    name = "asgi"
    #: The boundary is called by a server alone. It starts a request for every scope, then: a
    #: server may start the next one on a connection from within the task that ends the last.
    of_server = False

    def task_of(self, app: App, scope: Scope, receive: Receive, send: Send) -> Optional[Task]:
        """Return a call of `app` as a task; None if that fails."""
        coro = app(scope, receive, send)
        try:
            return Unbegun(coro, None)
        except Exception as exc:
            coro.close()  # type: ignore[attr-defined]
            self.failed(exc)
            return None

    def around(self, app: App) -> App:
        """Return `app` with the boundary around it."""
        if self.of_server:
            try:
                adopt_main()  # by now it has imported what it runs
            except Exception as exc:
                self.failed(exc)

        async def boundary(scope: Scope, receive: Receive, send: Send) -> None:
            kind = scope["type"]
            if kind == "http":
                flags = 0
            elif kind == "websocket":
                flags = _WEBSOCKET
            else:
                try:
                    return await app(scope, receive, send)
                finally:
                    on_shutdown()
            line = local.here.line
            if line is None:
                # A server that steps coroutines itself: be the task, then come here again.
                stepped = self.enabled and LOOP.enabled
                task = self.task_of(boundary, scope, receive, send) if stepped else None
                await (app(scope, receive, send) if task is None else task)
                return None
            outer = line.request
            if not self.enabled or (
                outer is not None and not outer.done and (outer.main is line or not self.of_server)
            ):
                return await app(scope, receive, send)
            request = line.request = Request(self, line, receive, send, flags)
            if type(line) is Task and line.paused == line.born:
                # Made for this request and still in its first slice.
                accepted, began = line.born, line.started
            else:
                accepted = began = now()
            try:
                return await app(scope, request.on_receive, request.on_send)
            except BaseException as exc:
                request.flags |= (
                    wire.RequestFlag.FAILED
                    if isinstance(exc, Exception)
                    else wire.RequestFlag.CANCELLED
                )
                raise
            finally:
                try:
                    finish(scope, request, accepted, began)
                except Exception as exc:
                    self.failed(exc)
                request.end()

        return boundary


def finish(scope: Scope, request: Request, accepted: int, began: int) -> None:
    """Record a request that has ended."""
    if len(core.buffer) >= core.BOUND:
        core.dropped["records"] += 2
        return
    main = request.main
    line = request.line
    handler, template = place(scope, request.status)
    ended = now()
    flags = request.flags
    if type(main) is Task and main.paused == accepted and ended - began < SINGLE_NS:
        flags |= wire.RequestFlag.SINGLE
        main.single = True
    core.buffer.extend(
        _REQUEST.pack(
            wire.REQUEST,
            flags,
            local.here.number,
            line,
            handler,
            template,
            accepted,
            ended,
            request.status,
            request.bytes_out,
            wire.REQUEST_MORE,
            0,
            0,
            line,
            # From first to last byte in µs; a REQUEST_MORE has no site.
            min((request.complete - request.first_byte) // 1000 + 1, 0xFFFFFFFF)
            if request.complete
            else 0,
            core.text(scope.get("method") or "WEBSOCKET"),
            request.first_byte,
            request.bytes_in,
            client_span(scope),
            began,
        )
    )


def content_length(headers: Any) -> int:
    """Return the length that the headers of a response tell; -1 if they do not."""
    for name, value in headers:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return -1


def client_span(scope: Scope) -> int:
    """Return the span id of the client's `traceparent` as a signed integer; 0 if there is none."""
    try:
        for name, value in scope.get("headers", ()):
            if name == b"traceparent":
                found = _TRACEPARENT.match(value)
                if found is None:
                    return 0
                number = int(found[1], 16)
                return number - (1 << 64) if number >> 63 else number
    except (TypeError, ValueError):
        pass  # no headers of ASGI
    return 0


class UvicornHook(AsgiHook):
    """uvicorn, and gunicorn with uvicorn's workers: the app is wrapped when it is loaded."""

    name = "uvicorn"
    of_server = True
    module = "uvicorn.config"

    def install(self, module: Any) -> None:
        def make(original: Any) -> Any:
            def load(config: Any) -> Any:
                result = original(config)
                if self.enabled and getattr(config, "interface", "") != "wsgi":
                    config.loaded_app = self.around(config.loaded_app)
                    FRAMEWORK.rest()
                return result

            return load

        self.patch(module.Config, "load", make)


class UvicornServerHook(Hook):
    """uvicorn's end: it may raise the signal that stopped it anew, and then nothing else runs."""

    name = "uvicorn server"
    module = "uvicorn.server"

    def install(self, module: Any) -> None:
        def make(original: Any) -> Any:
            @functools.wraps(original)
            async def shutdown(*args: Any, **kwargs: Any) -> Any:
                try:
                    return await original(*args, **kwargs)
                finally:
                    on_shutdown()

            return shutdown

        self.patch(module.Server, "shutdown", make)


class HypercornHook(AsgiHook):
    """hypercorn: the app is wrapped in its own wrapper."""

    name = "hypercorn"
    of_server = True
    module = "hypercorn.app_wrappers"

    def install(self, module: Any) -> None:
        def make(original: Any) -> Any:
            def init(wrapper: Any, app: Any, *args: Any, **kwargs: Any) -> None:
                original(wrapper, self.around(app) if self.enabled else app, *args, **kwargs)
                FRAMEWORK.rest()

            return init

        self.patch(module.ASGIWrapper, "__init__", make)


class StarletteBoundary(AsgiHook):
    """Starlette and FastAPI under any other server (granian, daphne, a test client)."""

    name = "starlette boundary"
    module = "starlette.applications"

    def install(self, module: Any) -> None:
        def make(original: Any) -> Any:
            # A coroutine function like the original: servers tell ASGI versions apart by that.
            @functools.wraps(original)
            async def call(app: Any, scope: Scope, receive: Receive, send: Send) -> None:
                if not self.enabled:
                    return await original(app, scope, receive, send)  # type: ignore[no-any-return]

                def inner(*exchange: Any) -> Awaitable[None]:
                    return original(app, *exchange)  # type: ignore[no-any-return]

                return await self.around(inner)(scope, receive, send)

            return call

        self.patch(module.Starlette, "__call__", make)

    def rest(self) -> None:
        """Step aside: a server's own boundary serves this process."""
        if self.enabled:
            self.uninstall()
            self.state = "on"


FRAMEWORK = StarletteBoundary()
HOOKS = (UvicornHook(), UvicornServerHook(), HypercornHook(), FRAMEWORK)
