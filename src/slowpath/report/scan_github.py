"""A scan as workflow commands: GitHub shows each beside its line in a pull request.

Files that could not be read are told as warnings: nobody looked at them.
"""

from __future__ import annotations

from slowpath.report.scan_result import Result

_LEVELS = {"certain": "error", "likely": "warning", "possible": "notice"}


def render(result: Result) -> str:
    lines = []
    for found in result.findings:
        fields = {
            "file": result.shown_path(found.path),
            "line": str(found.line),
            "endLine": str(found.end_line or found.line),
            "title": f"slowpath: {found.cause.slug}",
        }
        told = ",".join(f"{key}={_escape(value, True)}" for key, value in fields.items())
        level = _LEVELS.get(found.confidence, "notice")
        lines.append(f"::{level} {told}::{_escape(found.message)}")
    for path, message in result.errors:
        shown = _escape(result.shown_path(path), True)
        lines.append(f"::warning file={shown},title=slowpath%3A not read::{_escape(message)}")
    return "\n".join(lines)


def _escape(text: str, field: bool = False) -> str:
    """As workflow commands want it."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if field else text
