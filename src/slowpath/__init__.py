"""slowpath: every nanosecond of every request charged to one line of code."""

__version__ = "0.1.0"
