"""Stacks that py-spy sampled from outside, in the collapsed ("raw") form that it writes.

A line is a stack, callers first, parted by semicolons, and how often it was seen. They carry no
time: what they tell is told of all that was sampled.
"""

from __future__ import annotations

import re
from collections import Counter
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

#: Callers first.
Stack = tuple[Site, ...]


@dataclass(frozen=True)
class Stacks:
    """How often each stack was seen; `ns` says for how much time one sample stands."""

    counts: Counter[Stack]
    ns: int = 1_000_000_000 // RATE


NONE = Stacks(Counter())


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


def parse(text: str) -> Stacks:
    """Read what `anonymous` left; lines that are no stacks are passed over.

    Processes are told apart where there are several.
    """
    counts: Counter[tuple[str, Stack]] = Counter()
    for line in text.splitlines():
        stack, _, seen = line.rpartition(" ")
        frames = stack.split(";")
        if not frames[0] or not seen.isdigit():
            continue
        process = frames.pop(0) if _KNOWN.fullmatch(frames[0]) else ""
        counts[process, tuple(map(_site, frames))] += int(seen)
    several = len({process for process, _ in counts}) > 1
    found: Counter[Stack] = Counter()
    for (process, sites), count in counts.items():
        found[(Site("", 0, process), *sites) if several else sites] += count
    return Stacks(found)


def _site(frame: str) -> Site:
    known = _FRAME.fullmatch(frame)
    return Site(known[2], int(known[3]), known[1]) if known else Site("", 0, frame)


def stacks_of(folder: RunFolder) -> Stacks:
    """Return the stacks of a run; `NONE` where py-spy did not record it."""
    try:
        return parse(folder.stacks_txt.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return NONE
