"""Hooks: how the probe gets between an app and a library, and out of the way again.

A hook names the module whose import installs it. It patches with `Hook.patch`, so that
`uninstall` can restore; whatever fails inside it is noted, switches it off, and never reaches
the app. `Hook.timed` and `Hook.timed_async` make the common wrapper.
"""

import functools
import os
import re
import sys
from importlib import metadata
from typing import Any, Callable, Dict, List, Optional, Tuple

from slowpath.probe import core, wire
from slowpath.probe.core import Line, local, now, own_site

#: Tells (resource, a, b) of a finished call from its arguments and result (None if it raised).
Describe = Callable[[Tuple[Any, ...], Dict[str, Any], Any], Tuple[str, int, int]]

STRICT = os.environ.get("SLOWPATH_STRICT") == "1"
_MISSING = object()


class Unknown(Exception):
    """A library does not look as the hook knows it."""


class Hook:
    """Base of all hooks.

    Class attributes:
        name: what the report calls it.
        module: the module whose import installs it.
        distribution: whose version is checked; empty for the standard library.
        known: the versions it was tested with, from (inclusive) to (exclusive).
    """

    name = ""
    module = ""
    distribution = ""
    known: Tuple[Tuple[int, ...], Tuple[int, ...]] = ((0,), (9999,))

    def __init__(self) -> None:
        self.enabled = False
        self.failures = 0
        self.state = "absent"
        self._patches: List[Tuple[Any, str, Any, Any]] = []

    def install(self, module: Any) -> None:
        """Patch `module` or its classes; raise `Unknown` if it is not as expected."""
        raise Unknown(f"hook {self.name} installs nothing")

    def try_install(self, module: Any) -> None:
        """Install unless the version is unknown; on any error leave the library as it was."""
        if self.enabled:
            return
        version = self._version()
        if version and not self.known[0] <= version < self.known[1]:
            self.state = "off: version {} is not known (known: {} to {})".format(
                *(".".join(map(str, v)) for v in (version, *self.known))
            )
            return
        try:
            # Enabled first: what a patched class already made runs the wrapper at once.
            self.enabled = True
            self.install(module)
            self.state = "on"
        except Exception as exc:
            self.uninstall()
            self.state = f"off: {type(exc).__name__}: {exc}"[:200]
            if STRICT and not isinstance(exc, Unknown):
                raise

    def uninstall(self) -> None:
        """Restore everything that was patched, unless somebody patched it after us.

        Theirs then calls ours, which only hands on while the hook is off.
        """
        self.enabled = False
        while self._patches:
            owner, name, original, replacement = self._patches.pop()
            if vars(owner).get(name) is not replacement:
                continue
            if original is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        self.state = "off: uninstalled"

    def failed(self, exc: Exception) -> None:
        """Note an error inside the hook and switch it off; raised only in our own tests."""
        self.failures += 1
        self.enabled = False
        where = exc.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        line = where.tb_lineno if where is not None else 0
        # The message may quote the app's data, so only its type is kept.
        self.state = f"off: failed with {type(exc).__name__} (line {line})"
        if STRICT:
            raise exc

    def patch(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace `owner.name` by `make(original)`, keeping how it was bound.

        Raises:
            Unknown: `owner` has no such attribute.
        """
        original = getattr(owner, name, _MISSING)
        if original is _MISSING:
            raise Unknown(f"{getattr(owner, '__name__', owner)} has no {name}")
        own = vars(owner).get(name, _MISSING)
        if isinstance(own, (staticmethod, classmethod)):
            replacement: Any = type(own)(make(own.__func__))
        else:
            replacement = make(original)
        setattr(owner, name, replacement)
        self._patches.append((owner, name, own, replacement))

    def timed(
        self, kind: str, describe: Optional[Describe] = None, floor_ns: int = 0
    ) -> Callable[[Any], Any]:
        """Return a maker of a wrapper that records a span around a plain function.

        Spans shorter than `floor_ns` are not recorded; their time stays with what is around.
        """
        code = wire.SPAN_KINDS[kind]

        def make(original: Any) -> Any:
            @functools.wraps(original)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                line = local.here.line
                if line is None or not self.enabled:
                    return original(*args, **kwargs)
                result = None
                failed = wire.SpanFlag.FAILED
                line.waits += 1
                started = now()
                try:
                    result = original(*args, **kwargs)
                    failed = 0
                    return result
                finally:
                    ended = now()
                    line.waits -= 1
                    if ended - started >= floor_ns:
                        self.span(
                            code, line, started, ended, failed, describe, args, kwargs, result
                        )

            return wrapper

        return make

    def timed_cpu(self, kind: str, describe: Optional[Describe] = None) -> Callable[[Any], Any]:
        """Return a maker of a wrapper around a plain function that only computes.

        Most calls are far below `core.FLOOR_NS`, so those cost two readings of the clock.
        """
        code = wire.SPAN_KINDS[kind]
        floor_ns = core.FLOOR_NS

        def make(original: Any) -> Any:
            @functools.wraps(original)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                started = now()
                result = original(*args, **kwargs)
                ended = now()
                if ended - started >= floor_ns and self.enabled:
                    line = local.here.line
                    if line is not None:
                        self.span(code, line, started, ended, 0, describe, args, kwargs, result)
                return result

            return wrapper

        return make

    def timed_async(
        self, kind: str, describe: Optional[Describe] = None, floor_ns: int = 0
    ) -> Callable[[Any], Any]:
        """Return a maker of a wrapper that records a span around a coroutine function."""
        code = wire.SPAN_KINDS[kind]

        def make(original: Any) -> Any:
            @functools.wraps(original)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                line = local.here.line
                if line is None or not self.enabled:
                    return await original(*args, **kwargs)
                result = None
                failed = wire.SpanFlag.FAILED
                line.waits += 1
                started = now()
                try:
                    result = await original(*args, **kwargs)
                    failed = 0
                    return result
                finally:
                    ended = now()
                    line.waits -= 1
                    if ended - started >= floor_ns:
                        self.span(
                            code, line, started, ended, failed, describe, args, kwargs, result
                        )

            return wrapper

        return make

    def span(
        self,
        code: int,
        line: Line,
        started: int,
        ended: int,
        flags: int,
        describe: Optional[Describe],
        args: Tuple[Any, ...],
        kwargs: Dict[str, Any],
        result: Any,
    ) -> None:
        """Record a span that a wrapper measured; its site is the app's line that called."""
        if not self.enabled:  # a span inside this one has failed
            return
        try:
            resource, a, b = (
                describe(args, kwargs, result) if describe is not None else ("", -1, -1)
            )
            site = own_site(sys._getframe(2))
            core.emit(code, line, started, ended, site, resource, a, b, flags)
        except Exception as exc:
            self.failed(exc)

    def _version(self) -> Tuple[int, ...]:
        if not self.distribution:
            return ()
        try:
            text = metadata.version(self.distribution)
        except Exception:  # installed without metadata: judged by its looks alone
            return ()
        return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


class Importer:
    """Installs hooks when the modules they name have been imported.

    It stands first on `sys.meta_path`, lets the others find the module, and adds one step after
    the module's own execution. The module, its spec and its loader stay as they were.
    """

    def __init__(self, hooks: List[Hook]) -> None:
        self._wanted: Dict[str, List[Hook]] = {}
        for hook in hooks:
            self._wanted.setdefault(hook.module, []).append(hook)

    def install(self) -> None:
        """Hook what is imported already, and wait for the rest."""
        for name in [name for name in self._wanted if name in sys.modules]:
            self._imported(name, sys.modules[name])
        sys.meta_path.insert(0, self)

    def uninstall(self) -> None:
        """Stop waiting."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find one of the wanted modules by the other finders; None for all others."""
        if name not in self._wanted:
            return None
        try:
            spec = None
            for finder in sys.meta_path:
                if finder is not self:
                    spec = finder.find_spec(name, path, target)
                    if spec is not None:
                        break
            if spec is not None and spec.loader is not None:
                self._after_execution(name, spec.loader)
            return spec
        except Exception:
            if STRICT:
                raise
            return None

    def _after_execution(self, name: str, loader: Any) -> None:
        if isinstance(loader, type):  # that of all builtin or frozen modules
            return
        original = loader.exec_module

        def exec_module(module: Any) -> None:
            # A loader may be that of many modules, such as all of one zip file.
            ours = getattr(module, "__name__", name) == name
            if ours:
                try:
                    del loader.exec_module
                except AttributeError:
                    pass
            original(module)
            if ours:
                self._imported(name, module)

        loader.exec_module = exec_module

    def _imported(self, name: str, module: Any) -> None:
        for hook in self._wanted.pop(name, []):
            hook.try_install(module)
