"""What `slowpath fix` would change, beside each finding of a report."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import islice

from slowpath.codemod import Project
from slowpath.cure import offer_of_report
from slowpath.cure.told import told
from slowpath.report.model import FindingReport, Fix, InCode

#: Of the findings of a report; a change takes some 30 ms to make.
MOST_FIXES = 100
#: In words, by safety.
WORDS = {"safe": "safe", "unsafe": "look at it first"}


def put_fixes(findings: Sequence[FindingReport | InCode], project: Project) -> None:
    """Put into each finding what would be done about it, and how safe that is."""
    for finding in islice(findings, MOST_FIXES):
        offer = offer_of_report(finding, project)
        fix: Fix = told(offer, project)  # type: ignore[assignment]
        finding["cure"] = fix["cure"]
        finding["fix"] = fix


def command(finding: FindingReport | InCode, *, write: bool = False) -> str:
    """The command that shows the change of a finding, or makes it; empty where there is none."""
    fix = finding.get("fix")
    if not fix or fix["cure"] == "none":
        return ""
    place = shlex.quote(f"{finding['path']}:{finding['line']}")
    if not write:
        return f"slowpath fix {place}"
    return f"slowpath fix {place} --write" + (" --unsafe" if fix["cure"] == "unsafe" else "")
