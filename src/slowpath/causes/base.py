"""What a cause is, and what it finds.

A cause is a package with a `CAUSE` in its `__init__`, and any of the parts `scan.py` (function
`scan(program)`), `detect.py` (function `detect(ledger)`), `edit.py` (function
`edit(finding, ledger)`), `cure.py` (function `cure(site)`) and `cause.md`; a small one may be a
single module. Parts are loaded when used.

`scan` is asked of each file by itself, in one of several processes: it goes through the project
by `Graph.functions`, `files`, `on_loop`, `reached` and their like, and looks up what it wants to
know of all files in an index (`Graph.anywhere`, `Program.index`). What depends on the findings of
other files is decided afterwards, by a function `settle(findings)` beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module, resources
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from slowpath.ledger import Blame, Ledger
    from slowpath.simulate.edits import Edit

#: One boolean for each row of `Ledger.root`.
Mask: TypeAlias = "npt.NDArray[np.bool_]"


class Safety(StrEnum):
    """How far a cure may be trusted, as linters use the words."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    NONE = "none"


@dataclass(frozen=True)
class Cause:
    """A kind of defect.

    Attributes:
        slug: the pattern, never the remedy.
        title: a sentence without a full stop.
        why: one line on why it is slow.
        advice: what to do, one or two sentences for a report.
        cure: how far its changes of code may be trusted in general; `cure.py` tells for one
            finding. `NONE` if there is no `cure.py`.
        package: the package that holds its parts (`__name__`).
        links: pages worth reading.
        specificity: who explains a charge when several causes claim it: the larger. A general
            pattern (the loop was held) is 0; one that tells more about the same line is above it.
        anytime: it is wrong whenever it runs, not only while others are served.
        everywhere: it is wrong wherever it runs, in a command line as well.
    """

    slug: str
    title: str
    why: str
    advice: str
    package: str
    cure: Safety = Safety.NONE
    links: tuple[str, ...] = ()
    specificity: int = 0
    anytime: bool = False
    everywhere: bool = False

    def part(self, name: str) -> ModuleType | None:
        """Return one of its modules (`detect`, `scan`, …), or None if it has none."""
        full = f"{self.package}.{name}"
        try:
            return import_module(full)
        except ModuleNotFoundError as exc:
            if exc.name not in (full, self.package):
                raise
            return None

    @property
    def page(self) -> str:
        """The text of its `cause.md`; empty if it has none."""
        page = resources.files(self.package) / "cause.md"
        return page.read_text(encoding="utf-8") if page.is_file() else ""


@dataclass(frozen=True)
class Hop:
    """One step of the chain by which the loop reaches a finding."""

    path: str
    line: int
    function: str


@dataclass(frozen=True)
class Entry:
    """The function of the framework's that a chain starts from; kinds as in the design."""

    kind: str
    path: str
    line: int
    function: str


@dataclass(frozen=True)
class Finding:
    """One cause at one site, in one run or scan.

    Attributes:
        path, line, function: the site to change; `path` as recorded or scanned.
        message: one sentence with the facts of this case.
        blame: what the ledger charges to it (run); None for a scan's finding.
        evidence: numbers and words that prove it; keys end in their unit.
        entry, chain, culprit, confidence, end_line: what a scan knows.
        seen_by: "run", "scan" or both.
        claims: the rows of `Ledger.root` that it explains, as a mask; see `causes.settle`.
        pattern: it stands although little was charged to it in this run: the pattern itself
            limits what the service can bear.
        rank: of several ways to one line those of the lowest rank are shown (scan).
        twin: the async method that does the same, where that is what is wrong (scan).
    """

    cause: Cause
    path: str
    line: int
    function: str
    message: str
    blame: Blame | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    end_line: int = 0
    culprit: str = ""
    confidence: str = ""
    entry: Entry | None = None
    chain: tuple[Hop, ...] = ()
    seen_by: tuple[str, ...] = ("run",)
    claims: Mask | None = field(default=None, repr=False, compare=False)
    pattern: bool = False
    rank: int = 0
    twin: str = ""


def detect(cause: Cause, ledger: Ledger) -> Iterable[Finding]:
    """Run a cause's run-time detection; nothing if it has none."""
    part = cause.part("detect")
    return part.detect(ledger) if part is not None else ()


def edit_for(finding: Finding, ledger: Ledger) -> Edit | None:
    """Return what curing a finding would do to the recording; None if nobody can say."""
    part = finding.cause.part("edit")
    edit: Edit | None = part.edit(finding, ledger) if part is not None else None
    return edit
