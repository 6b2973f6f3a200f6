"""What a cause's `cure` is given: the place of a finding, and the files of its project."""

from __future__ import annotations

import io
import os
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from slowpath.codemod.change import Refused
from slowpath.codemod.source import Source
from slowpath.codemod.spot import Spot

MOST_BYTES = 2_000_000
#: Files of a project that are read to see whether a name is used elsewhere.
MOST_FILES = 20_000
_SKIPPED = frozenset({"venv", "env", "node_modules", "__pycache__", "site-packages"})


class Place(NamedTuple):
    """A line in a function."""

    path: str
    line: int
    function: str


class Project:
    """The files beneath a folder; each is read once.

    Args:
        root: paths of findings are relative to it, or absolute.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sources: dict[str, Source] = {}

    def source(self, path: str) -> Source:
        """Read a file of the project.

        Raises:
            Refused: it is not there, not Python's UTF-8, or not the project's own.
        """
        found = self._sources.get(path)
        if found is None:
            found = self._sources[path] = Source(path, self._text(path))
        return found

    def file(self, path: str) -> Path:
        """Where a file lies that a finding names.

        Raises:
            Refused: outside of the project; what is installed is not the user's to change.
        """
        full = (self.root / path).resolve()
        parts = full.parts
        if not full.is_relative_to(self.root.resolve()):
            raise Refused(f"{path} does not belong to the project.")
        if "site-packages" in parts or "dist-packages" in parts:
            raise Refused(f"{path} belongs to an installed package.")
        return full

    def _text(self, path: str) -> str:
        file = self.file(path)
        try:
            if file.stat().st_size > MOST_BYTES:
                raise Refused(f"{path} is too large to be changed.")
            data = file.read_bytes()
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            if encoding not in ("utf-8", "ascii"):
                raise Refused(f"{path} is written in {encoding}, not UTF-8.")
            return data.decode("utf-8")
        except (OSError, SyntaxError, UnicodeDecodeError) as exc:
            raise Refused(f"{path} cannot be read.") from exc

    @cached_property
    def _texts(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for folder, folders, files in os.walk(self.root):
            # Hidden folders hold environments, caches and the like.
            folders[:] = [each for each in folders if each[0] != "." and each not in _SKIPPED]
            for name in files:
                if name.endswith(".py") and len(found) < MOST_FILES:
                    file = Path(folder, name)
                    path = file.relative_to(self.root).as_posix()
                    try:
                        found[path] = file.read_text("utf-8", errors="replace")
                    except OSError:
                        continue
        return found

    def mentions(self, *words: str, but: str = "") -> bool:
        """Whether any file other than `but` has all these words in it, in whatever sense."""
        patterns = [re.compile(rf"\b{re.escape(word)}\b") for word in words]
        other = Path(but).as_posix()
        return any(
            path != other and all(pattern.search(text) is not None for pattern in patterns)
            for path, text in self._texts.items()
            if all(word in text for word in words)
        )


@dataclass(frozen=True)
class Site:
    """A finding as far as a cure looks at it; fields as those of `causes.base.Finding`."""

    project: Project
    path: str
    line: int
    function: str
    end_line: int = 0
    culprit: str = ""
    message: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    chain: tuple[Place, ...] = ()

    @property
    def culprit_name(self) -> str:
        """The last part of the culprit's name, as a call would write it; "" if it has none.

        A run may only know what was asked of whom: `GET partner/rates`.
        """
        return "" if re.search(r"[\s/]", self.culprit) else _last_name(self.culprit)

    def spot(self) -> Spot:
        """The code at the finding's line.

        Raises:
            Refused: it is not there, or not what it was.
        """
        return self.at(Place(self.path, self.line, self.function))

    def at(self, place: Place) -> Spot:
        """The code at another line, such as one of the chain."""
        source = self.project.source(place.path)
        return Spot(source, source.scope(place.line, place.function), place.line)

    def on_loop(self) -> tuple[Spot, str, tuple[Place, ...]]:
        """The innermost coroutine function on the way to the finding's line.

        Returns:
            It; the name of what it calls on that way; the places beneath it, none if the finding
            stands in it.

        Raises:
            Refused: no coroutine function of the project is on the way.
        """
        here = self.spot()
        if here.scope.is_async:
            return here, self.culprit_name, ()
        places = [*self.chain]
        if not places or (places[-1].path, places[-1].line) != (self.path, self.line):
            places.append(Place(self.path, self.line, self.function))
        for number in range(len(places) - 2, -1, -1):
            spot = self.at(places[number])
            if spot.scope.is_async:
                return spot, _called(places[number + 1].function), tuple(places[number + 1 :])
        raise Refused(
            f"{self.function} is a plain function, and no coroutine function is known that calls "
            "it: there is nowhere to await."
        )


def _last_name(dotted: str) -> str:
    match = re.search(r"([A-Za-z_]\w*)(?:\(\)|\[\])*$", dotted)
    return match[1] if match else ""


def _called(function: str) -> str:
    """The name by which a function is called: a class's for its `__init__`."""
    *outer, name = function.split(".")
    if name in ("__init__", "__new__", "__call__") and outer:
        return outer[-1] if name != "__call__" else ""
    return name
