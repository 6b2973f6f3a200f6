"""The report on disk: `report.json` in the run's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from slowpath.errors import UserError
from slowpath.recording.folder import RunFolder
from slowpath.report.model import VERSION, Report


def save(report: Report, run_dir: Path) -> None:
    """Write the report into a run's folder.

    Raises:
        UserError: the folder is read-only, gone or on a full disk.
    """
    folder = RunFolder(run_dir)
    folder.write_file(folder.report_json, json.dumps(report, indent=2) + "\n")


def load(run_dir: Path) -> Report:
    """Read the report of a run's folder.

    Raises:
        UserError: there is none, or it is not a report that this version can read.
    """
    path = RunFolder(run_dir).report_json
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"The run {run_dir.name} has no report yet ({path.name}).") from None
    except OSError as exc:
        raise UserError(f"Cannot read {path}: {exc.strerror or exc}.") from exc
    except ValueError as exc:
        raise UserError(f"{path} is not JSON: {exc}.") from exc
    if isinstance(report, dict):
        report.setdefault("in_code", [])  # reports of before slowpath read the code too
    if not isinstance(report, dict) or not Report.__required_keys__ <= report.keys():
        raise UserError(f"{path} is not a report of slowpath.")
    if report["version"] != VERSION:
        raise UserError(
            f"{path} is a report of version {report['version']}; this slowpath reads {VERSION}."
        )
    return cast(Report, report)
