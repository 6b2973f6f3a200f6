"""Whose work a line's is: its request, and the place in the app's code that it belongs to."""

from __future__ import annotations

import re

import numpy as np

from slowpath.ledger.rows import Ints
from slowpath.recording import Recording
from slowpath.recording.model import SPAN_KINDS

_THREAD = SPAN_KINDS["thread"]
_STANDARD = re.compile(r"[/\\]lib[/\\]python3\.\d+t?[/\\]")


def library(path: str) -> str:
    """Return the installed package that a source file is of, or "python"; empty for others."""
    for folder in ("site-packages/", "dist-packages/"):
        _, found, rest = path.replace("\\", "/").rpartition(folder)
        if found:
            return rest.partition("/")[0]
    return "python" if path.startswith("<") or _STANDARD.search(path) else ""


class Owners:
    """Tells for which request a line worked."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        #: Indices into `recording.requests` by main line, by start.
        self.by_line: dict[int, list[int]] = {}
        for index, request in enumerate(recording.requests):
            self.by_line.setdefault(request.line, []).append(index)
        #: Index among the measured requests, by index among all; -1 for the others.
        self.measured = np.full(len(recording.requests) + 1, -1, np.int64)
        chosen = [i for i, r in enumerate(recording.requests) if recording.measured(r)]
        self.measured[chosen] = np.arange(len(chosen))
        self.requests = [recording.requests[i] for i in chosen]
        #: Where the app asked for each job.
        jobs = recording.spans[(recording.spans["kind"] == _THREAD) & (recording.spans["a"] > 0)]
        numbers = jobs["line"] >> 32 << 32 | jobs["a"]
        self.asked_at = dict(zip(numbers.tolist(), jobs["site"].tolist(), strict=True))

    def of(self, line: int) -> list[int]:
        """Return the indices of the requests that a line may have worked for."""
        found = self.by_line.get(line)
        if found is None:
            known = self.recording.lines.get(line)
            found = self.by_line.get(known.request, []) if known and known.request else []
        return found

    def home(self, line: int) -> int:
        """Return the site that a line's work belongs to where no span tells a better one.

        That is its own function, where this is the app's; else the line of the app that asked
        for the job, else the endpoint.
        """
        found = self.of(line)
        handler = self.recording.requests[found[0]].handler if found else 0
        known = self.recording.lines.get(line)
        if known is None:
            return handler
        if known.site and self._is_app(known.site, handler):
            return known.site
        return self.asked_at.get(line) or handler or known.site

    def _is_app(self, site: int, handler: int) -> bool:
        """Tell whether a site is of the app: not of a library, unless the endpoint is too."""
        package = library(self.recording.sites[site].path)
        return not package or (
            bool(handler) and package == library(self.recording.sites[handler].path)
        )

    def measured_of(self, lines: Ints, at: Ints) -> Ints:
        """Return the index of the measured request for which each line worked then; -1: none."""
        unique, inverse = np.unique(lines, return_inverse=True)
        table = np.full(len(unique), -1, np.int64)
        several = []
        for i, line in enumerate(unique.tolist()):
            found = self.of(line)
            if found:
                table[i] = found[0]
            if len(found) > 1:
                several.append((i, found))
        result = table[inverse]
        for i, found in several:
            starts = [self.recording.requests[j].start_ns for j in found]
            chosen = np.flatnonzero(inverse == i)
            position = np.maximum(np.searchsorted(starts, at[chosen], "right") - 1, 0)
            result[chosen] = np.array(found)[position]
        return self.measured[result]
