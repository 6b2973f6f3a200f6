"""The recording of a run: its data model, its folder, and reading what probes wrote."""

from slowpath.recording.model import (
    ClientCall,
    Line,
    Process,
    Recording,
    Request,
    Site,
    Slice,
    Span,
)
from slowpath.recording.read import load

__all__ = [
    "ClientCall",
    "Line",
    "Process",
    "Recording",
    "Request",
    "Site",
    "Slice",
    "Span",
    "load",
]
