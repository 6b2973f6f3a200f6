"""Several processes that work on one program, each on some of its files.

They are forked once the program is in memory, so nothing is sent there; what one has worked out
and others want to know goes round as bytes.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

R = TypeVar("R")

#: Forking is safe and cheap here; elsewhere the work is done by one process.
FORKS = sys.platform == "linux"
# A pipe takes at least so many numbers of so many bytes before anybody reads them.
_IN_PIPE, _BYTES = 1_000, 4


class Seat:
    """One process of a team; number 0 is the one that began it, through which all messages go."""

    def __init__(self, number: int, size: int, lines: Sequence[Connection]) -> None:
        self.number = number
        self.size = size
        self._lines = lines

    def share(self, mine: bytes) -> list[bytes]:
        """Give something to all, and get what each of them gives, in the order of their seats.

        Everybody has to come here equally often.
        """
        if self.number:
            [line] = self._lines
            line.send((True, mine))
            return line.recv()  # type: ignore[no-any-return]
        given = [mine, *(_heard(line) for line in self._lines)]
        for line in self._lines:
            line.send(given)
        return given


class Turns:
    """Numbers from 0 on, each given to one process of a team: to whoever asks next.

    They lie in a pipe, which needs no lock and no memory that processes share.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._step = size // _IN_PIPE + 1
        self._out, into = os.pipe()
        starts = range(0, size, self._step)
        os.write(into, b"".join(start.to_bytes(_BYTES, "big") for start in starts))
        os.close(into)

    def __iter__(self) -> Iterator[int]:
        try:
            while said := os.read(self._out, _BYTES):
                start = int.from_bytes(said, "big")
                yield from range(start, min(start + self._step, self._size))
        finally:
            os.close(self._out)


class TeamError(RuntimeError):
    """What went wrong in another process, with its traceback."""


def together(work: Callable[[Seat], R], size: int) -> list[R]:
    """Do `work` in several processes, this one included; the results in the order of the seats."""
    if size < 2 or not FORKS:
        return [work(Seat(0, 1, ()))]
    return _Team(work, size).results()


class _Team(Generic[R]):
    def __init__(self, work: Callable[[Seat], R], size: int) -> None:
        self._work = work
        self._size = size

    def results(self) -> list[R]:
        with self._started() as lines:
            first = self._work(Seat(0, self._size, lines))
            return [first, *(pickle.loads(_heard(line)) for line in lines)]

    @contextmanager
    def _started(self) -> Iterator[list[Connection]]:
        context = multiprocessing.get_context("fork")
        gc.freeze()  # what is there already stays shared
        members = []
        try:
            for number in range(1, self._size):
                here, there = context.Pipe()
                member = context.Process(target=self._member, args=(number, there), daemon=True)
                member.start()
                there.close()
                members.append((member, here))
            yield [line for _, line in members]
        finally:
            gc.unfreeze()
            for member, line in members:
                line.close()
                member.terminate()
                member.join()

    def _member(self, number: int, line: Connection) -> None:
        try:
            result = self._work(Seat(number, self._size, [line]))
            line.send((True, pickle.dumps(result)))
        except BaseException:
            line.send((False, traceback.format_exc().encode()))


def _heard(line: Connection) -> bytes:
    try:
        well, said = line.recv()
    except EOFError:
        raise TeamError("a process of the scan ended before its work was done") from None
    if not well:
        raise TeamError(said.decode())
    return said  # type: ignore[no-any-return]
