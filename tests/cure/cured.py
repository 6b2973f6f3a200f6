"""Small projects: scanned, cured, and scanned again."""

from __future__ import annotations

import textwrap
from pathlib import Path

from slowpath.causes.base import Finding
from slowpath.codemod import Project
from slowpath.codemod.change import check, spliced
from slowpath.cure import Offer, offer, site_of
from slowpath.scan import scan
from tests.scan.project import write


def found(folder: Path, cause: str) -> list[Finding]:
    """What is certain or likely of one cause."""
    return [
        each
        for each in scan(folder).findings
        if each.cause.slug == cause and each.confidence != "possible"
    ]


def offered(folder: Path, cause: str, **files: str) -> Offer:
    """What is offered for the first finding of a cause in some files."""
    write(folder, **files)
    findings = found(folder, cause)
    assert findings, f"the scan sees no {cause}"
    made = offer(cause, site_of(findings[0], Project(folder)))
    assert not made.defect, made.why
    return made


def applied(folder: Path, made: Offer) -> str:
    """Make the change, and return the file's text as it is then."""
    assert made.change is not None, made.why
    file = folder / made.change.path
    text = spliced(file.read_bytes().decode(), made.change.splices)
    check(text)
    file.write_bytes(text.encode())
    return text


def cured(folder: Path, cause: str, before: str) -> tuple[str, Offer]:
    """Cure a module's first finding of a cause, and see that the scan is silent of it then."""
    made = offered(folder, cause, app=before)
    text = applied(folder, made)
    assert not found(folder, cause)
    return text, made


def dedented(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")
