"""What slowpath would change to cure one finding, or why it would not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slowpath.causes import Finding, Safety, catalogue
from slowpath.codemod import Change, Place, Project, Refused, Site

UNKNOWN = "There is no cure of {} that a tool could write; `slowpath explain {}` says what to do."
FAILED = "A defect of slowpath itself ({}) kept this cure from being made."


@dataclass(frozen=True)
class Offer:
    """What can be done about one finding.

    Attributes:
        cause, path, line: of the finding.
        safety: of the change; `NONE` if there is none, and `why` then says so.
        change: what would be done.
        defect: slowpath failed, rather than refused.
    """

    cause: str
    path: str
    line: int
    safety: Safety
    change: Change | None = None
    why: str = ""
    defect: bool = False


def offer(cause: str, site: Site) -> Offer:
    """Ask a cause for its cure of one finding. Never raises: what fails is no offer."""
    known = catalogue().get(cause)
    part = known.part("cure") if known is not None else None
    why, defect = UNKNOWN.format(cause, cause), False
    if part is not None:
        try:
            change: Change = part.cure(site)
            safety = Safety.SAFE if change.safe else Safety.UNSAFE
            return Offer(cause, site.path, site.line, safety, change)
        except Refused as exc:
            why = str(exc)
        except Exception as exc:
            why, defect = FAILED.format(f"{type(exc).__name__}: {exc}"), True
    return Offer(cause, site.path, site.line, Safety.NONE, None, why, defect)


def site_of(finding: Finding, project: Project) -> Site:
    """A finding as a cure looks at it."""
    return Site(
        project=project,
        path=finding.path,
        line=finding.line,
        function=finding.function,
        end_line=finding.end_line or finding.line,
        culprit=finding.culprit,
        message=finding.message,
        evidence=finding.evidence,
        chain=tuple(Place(hop.path, hop.line, hop.function) for hop in finding.chain),
    )


def offer_of_report(finding: Mapping[str, Any], project: Project) -> Offer:
    """The same for a finding of a report, whose file may have changed since."""
    path, line = finding["path"], finding["line"]
    try:
        _require_unchanged(finding, project)
    except Refused as exc:
        return Offer(finding["cause"], path, line, Safety.NONE, None, str(exc))
    site = Site(
        project=project,
        path=path,
        line=line,
        function=finding["function"],
        end_line=finding.get("end_line") or line,
        culprit=finding.get("culprit") or "",
        message=finding["message"],
        evidence=finding.get("evidence") or {},
        chain=tuple(
            Place(hop["path"], hop["line"], hop["function"]) for hop in finding.get("chain") or ()
        ),
    )
    return offer(finding["cause"], site)


def _require_unchanged(finding: Mapping[str, Any], project: Project) -> None:
    """See that the lines around the finding are those that the report shows."""
    shown = finding.get("source")
    if not shown:
        return
    lines = project.source(finding["path"]).lines
    for number, text in enumerate(shown["lines"], shown["first_line"]):
        now = lines[number - 1] if number <= len(lines) else ""
        # Written down with tabs as spaces, and cut where very long.
        if not now.rstrip("\r\n").expandtabs(4).startswith(text):
            raise Refused(
                f"{finding['path']} was changed after the run; run it again, or scan the code."
            )
