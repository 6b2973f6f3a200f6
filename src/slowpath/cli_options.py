"""What several commands have in common: options, and how they end."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

#: The exit code of a command that found something.
EXIT_FINDINGS = 1


class Format(StrEnum):
    """How a report is printed."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option(help="For people or for machines.")]
RunsOption = Annotated[
    Path | None, typer.Option("--runs", help="Where runs are kept (else $SLOWPATH_RUNS).")
]
