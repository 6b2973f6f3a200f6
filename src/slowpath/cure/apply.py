"""Several changes at once, and writing them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from slowpath.codemod import Project, Refused, Splice
from slowpath.codemod.change import check, spliced
from slowpath.codemod.source import Source
from slowpath.cure.diff import diff_of
from slowpath.cure.offer import Offer
from slowpath.errors import UserError


@dataclass
class Changed:
    """One file as it would be.

    Attributes:
        source: as it is.
        splices: what changes.
        offers: that are taken; those that ask for the same change count each.
    """

    source: Source
    splices: list[Splice] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)

    @property
    def text(self) -> str:
        return spliced(self.source.text, self.splices)

    def diff(self) -> list[str]:
        return diff_of(self.source, self.splices)


def put_together(offers: Iterable[Offer], project: Project) -> tuple[list[Changed], list[Offer]]:
    """Take as many changes as go together, by file.

    Of those that touch the same lines the smallest comes first: a call that was given an argument
    is still seen to block, but in a thread it is not seen to lack the argument.

    Returns:
        The files, and the offers that must wait: they touch the same lines as one before them.
    """
    files: dict[str, Changed] = {}
    waiting: list[Offer] = []
    for offer in sorted(offers, key=_size):
        change = offer.change
        if change is None:
            continue
        file = files.setdefault(change.path, Changed(project.source(change.path)))
        splices = sorted({*file.splices, *change.splices})
        try:
            # The whole file is compiled: two changes that are right alone may not be together.
            check(spliced(file.source.text, splices))
        except Refused:
            waiting.append(offer)
            continue
        file.splices = splices
        file.offers.append(offer)
    return [file for file in files.values() if file.offers], waiting


def _size(offer: Offer) -> int:
    splices = offer.change.splices if offer.change is not None else ()
    return sum(len(each.text) for each in splices)


def unsaved(files: Iterable[Changed], project: Project) -> list[str]:
    """The files with changes that git has not committed; none where there is no git."""
    paths = [str(project.file(file.source.path)) for file in files]
    if not paths:
        return []
    command = ["git", "-C", str(project.root), "status", "--porcelain", "-z", "--ignored"]
    command += ["--", *paths]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    if told.returncode:
        return []
    # A file that git does not know, or ignores, cannot be had back either.
    return [entry[3:] for entry in told.stdout.split("\0") if entry]


def write(file: Changed, project: Project) -> None:
    """Put a file in the place of the one that was read; both are whole at any time.

    Raises:
        UserError: it cannot be written, or is not what was read any more.
    """
    path = project.file(file.source.path)
    try:
        if path.read_bytes() != file.source.text.encode():
            raise UserError(f"{file.source.path} changed meanwhile; nothing was written to it.")
        mode = path.stat().st_mode
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(file.text.encode())
            os.chmod(name, mode)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise UserError(f"Cannot write {file.source.path}: {exc.strerror or exc}.") from exc
