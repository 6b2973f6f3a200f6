"""From a run's folder to its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slowpath.causes import Finding, diagnose
from slowpath.causes.base import edit_for
from slowpath.causes.join import Joined, join
from slowpath.errors import UserError
from slowpath.ledger import Ledger
from slowpath.ledger import build as keep_books
from slowpath.ledger.tables import build_tables
from slowpath.recording import load as read_recording
from slowpath.recording.folder import RunFolder, is_measured
from slowpath.report import Report, build, load, save
from slowpath.report.prices import measured_of, put_prices
from slowpath.run.progress import Progress
from slowpath.scan import scan
from slowpath.scan_options import read_config, without_excluded, without_ignored
from slowpath.simulate.price import price

CHARGING = "charging the time of each request to lines"
PRICING = "simulating what each cure would gain"
CACHE = Path(".slowpath/cache")


def analyse(folder: RunFolder, progress: Progress) -> Report:
    """Read what a run recorded, find what makes the app slow, and store the report.

    Raises:
        UserError: the report cannot be stored.
    """
    ledger = books_of(folder, progress)
    progress.phase("looking for causes")
    joined = with_code(ledger, diagnose(ledger), Path.cwd(), progress)
    report = build(ledger.recording, ledger, joined.findings, in_code=joined.in_code)
    price_findings(report, ledger, joined.findings, progress)
    save(report, folder.path)
    store_tables(ledger, folder, progress)
    return report


def store_tables(ledger: Ledger, folder: RunFolder, progress: Progress) -> None:
    """Write the run's tables, for questions in SQL; a run without them is still a run."""
    progress.phase("writing the tables")
    try:
        build_tables(ledger.recording, ledger, folder.tables)
    except OSError as exc:
        progress.note(str(exc))


def price_findings(
    report: Report, ledger: Ledger, findings: Sequence[Finding], progress: Progress
) -> None:
    """Simulate what each cure would gain, and put findings and plan into the order of that."""
    progress.phase(PRICING)
    edits = [edit_for(finding, ledger) for finding in findings]
    prices = price(ledger, edits, measured_of(report), lambda share: progress.share(PRICING, share))
    put_prices(report, prices)


def with_code(ledger: Ledger, found: list[Finding], root: Path, progress: Progress) -> Joined:
    """Join a run's findings with those of a scan of `root`, if the app that ran lies beneath it.

    The code is read as the project has set up for `slowpath scan`. Where it cannot be read, the
    report says so: what was measured stands without it.
    """
    root = root.absolute()
    executed = {
        site.path for site in ledger.recording.sites if Path(site.path).is_relative_to(root)
    }
    if not executed:
        return Joined(found, [])
    progress.phase("reading the code")
    try:
        config = read_config(root)
        seen = scan(root, select=config.select, ignore=config.ignore, cache=root / CACHE)
        scanned, _ = without_ignored(without_excluded(seen.findings, config), seen.ignores)
    except (UserError, OSError, RecursionError) as exc:
        progress.note(f"the code was not read: {exc}")
        return Joined(found, [])
    return join(found, scanned, root, executed)


def books_of(folder: RunFolder, progress: Progress) -> Ledger:
    """Read what a run recorded, and charge the time of its requests."""
    progress.phase("reading what was recorded")
    recording = read_recording(folder.path)
    progress.phase(CHARGING)
    return keep_books(recording, lambda share: progress.share(CHARGING, share))


def report_of(folder: RunFolder, progress: Progress) -> Report:
    """The report of a run as it was stored, or made now if slowpath did not come that far.

    Raises:
        UserError: it cannot be read, or there is nothing to make it from.
    """
    if folder.report_json.exists():
        return load(folder.path)
    if not is_measured(folder):
        raise UserError(
            f"The run {folder.name} ended before anything was measured; "
            f"what the app said is in {folder.app_log}."
        )
    return analyse(folder, progress)
