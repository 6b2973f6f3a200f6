"""From a run's folder to its page, and to the files of other viewers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from slowpath.errors import UserError
from slowpath.recording.folder import RunFolder
from slowpath.report import save
from slowpath.report.compare import Comparison, Side
from slowpath.report.export import perfetto, speedscope
from slowpath.report.html import page_of, render
from slowpath.report.measured import cures_in, put_measured, was_cured
from slowpath.report.stacks import stacks_of
from slowpath.run.analysis import books_of, report_of
from slowpath.run.progress import Progress


def write_page(folder: RunFolder, file: Path, progress: Progress) -> None:
    """Write the page of a run.

    Raises:
        UserError: there is nothing to show, or the file cannot be written.
    """
    report = report_of(folder, progress)
    ledger = books_of(folder, progress)
    progress.phase("drawing the page")
    write(file, render(page_of(ledger, report, stacks=stacks_of(folder))))
    progress.note(f"the page is in {file}")


def exported(folder: RunFolder, viewer: str, progress: Progress) -> Iterator[str]:
    """Write a run for another viewer, piece by piece.

    Args:
        viewer: "speedscope" or "perfetto".
    """
    ledger = books_of(folder, progress)
    root = Path.cwd()
    if viewer == "perfetto":
        yield from perfetto(ledger, root)
    else:
        yield speedscope(ledger, root, stacks_of(folder))


def side_of(folder: RunFolder, progress: Progress) -> Side:
    """Read a run to compare it with another.

    Raises:
        UserError: there is nothing to compare.
    """
    report, ledger = report_of(folder, progress), books_of(folder, progress)
    return Side(folder.name, report, ledger, stacks_of(folder))


def keep_measured(before: RunFolder, sides: Sequence[Side], found: Comparison) -> bool:
    """Store what the second run measured with the plan of the first; tell whether that is new.

    Only if it was made after cures, under the same conditions.

    Raises:
        UserError: the report of the first run cannot be written.
    """
    old, new = (side.report for side in sides)
    proof = found["proof"]
    if proof is None or found["notes"]:
        return False
    cured = [one for one in old["findings"] if one["number"] in proof["findings"]]
    known = cures_in(new["run"], found["before"], old) is not None
    if not known and not was_cured(old["run"], new["run"], cured, Path.cwd()):
        return False
    if not put_measured(old, proof, found["after"]):
        return False
    save(old, before.path)
    return True


def write(file: Path, text: str) -> None:
    """Write a file that the user named.

    Raises:
        UserError: it cannot be written.
    """
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UserError(f"Cannot write {file}: {exc.strerror or exc}.") from exc
