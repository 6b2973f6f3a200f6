"""Stacks that py-spy sampled from outside, in the collapsed ("raw") form that it writes.

A line is a stack, callers first, parted by semicolons, and how often it was seen. A line
`from START to END` (ns of the recording's clock) stands before those of each stretch of time; runs
of before there were stretches lack it, and what they tell is told of all that was sampled.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from slowpath.recording import Site
from slowpath.recording.folder import RunFolder

#: Samples a second; each stands for the time between two.
RATE = 100
SAMPLED = "All samples: every thread that was not idle"

#: With `--subprocesses`, each line begins with the processes by number and command line.
_RECORD = re.compile(r'(?m)^(?=process \d+:")')
_PROCESS = re.compile(r'(?:^|;)process (\d+):"')
_FRAME = re.compile(r"(.*) \((.*):(\d+)\)", re.DOTALL)
_KNOWN = re.compile(r"process (\d+)")
_HEADING = re.compile(r"from (\d+) to (\d+)")

#: Callers first.
Stack = tuple[Site, ...]
#: A stack and the process it was seen in.
_Seen = tuple[str, Stack]


@dataclass(frozen=True)
class Stretch:
    """How often each stack was seen, and from when to when (ns); None where nobody noted it."""

    counts: Counter[Stack]
    window: tuple[int, int] | None = None


@dataclass(frozen=True)
class Stacks:
    """Stretches by time; `ns` says for how much time one sample stands."""

    stretches: tuple[Stretch, ...] = ()
    ns: int = 1_000_000_000 // RATE

    @property
    def counts(self) -> Counter[Stack]:
        """How often each stack was seen in all."""
        total: Counter[Stack] = Counter()
        for stretch in self.stretches:
            total.update(stretch.counts)
        return total


NONE = Stacks()


def anonymous(raw: str) -> str:
    """Leave the command lines of processes out of what py-spy wrote: they may hold secrets.

    >>> anonymous('process 7:"python main.py --password=x;y";main (/srv/main.py:3) 12')
    'process 7;main (/srv/main.py:3) 12\\n'
    """
    kept = []
    for record in _RECORD.split(raw):
        # A command line may hold semicolons, quotes and ends of lines; the last quote ends it.
        head, end, rest = record.strip().rpartition('";')
        numbers = _PROCESS.findall(head)
        if end and numbers:
            kept.append(f"process {numbers[-1]};{rest}\n")
    return "".join(kept)


def count(text: str) -> int:
    """Return how many samples there are in what `anonymous` left."""
    return sum(int(line.rpartition(" ")[2]) for line in text.splitlines())


def heading(start_ns: int, end_ns: int) -> str:
    """Write the line that stands before the stacks of a stretch."""
    return f"from {start_ns} to {end_ns}\n"


def parse(text: str) -> Stacks:
    """Read what `anonymous` left, with headings or without.

    Lines that are no stacks are passed over. Processes are told apart where there are several.
    """
    found: list[tuple[tuple[int, int] | None, Counter[_Seen]]] = []
    for line in text.splitlines():
        if known := _HEADING.fullmatch(line):
            found.append(((int(known[1]), int(known[2])), Counter()))
            continue
        stack, _, seen = line.rpartition(" ")
        frames = stack.split(";")
        if not frames[0] or not seen.isdigit():
            continue
        if not found:
            found.append((None, Counter()))
        process = frames.pop(0) if _KNOWN.fullmatch(frames[0]) else ""
        found[-1][1][process, tuple(map(_site, frames))] += int(seen)
    several = len({process for _, counts in found for process, _ in counts}) > 1
    return Stacks(
        tuple(Stretch(_merged(counts.items(), several), window) for window, counts in found)
    )


def _merged(counts: Iterable[tuple[_Seen, int]], several: bool) -> Counter[Stack]:
    merged: Counter[Stack] = Counter()
    for (process, sites), seen in counts:
        merged[(Site("", 0, process), *sites) if several else sites] += seen
    return merged


def _site(frame: str) -> Site:
    known = _FRAME.fullmatch(frame)
    return Site(known[2], int(known[3]), known[1]) if known else Site("", 0, frame)


def stacks_of(folder: RunFolder) -> Stacks:
    """Return the stacks of a run; `NONE` where py-spy did not record it."""
    try:
        return parse(folder.stacks_txt.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return NONE
