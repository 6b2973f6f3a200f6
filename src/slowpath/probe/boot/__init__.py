"""Injection: the environment that makes any Python process start with the probe."""

import os
from pathlib import Path

#: The folder that is put on PYTHONPATH; it holds `sitecustomize.py` and nothing else.
PATH = Path(__file__).parent / "path"


def environment(run_dir: Path) -> dict:  # type: ignore[type-arg]
    """Return the variables to set for an app that shall be recorded into `run_dir`.

    An existing PYTHONPATH is kept, after ours.
    """
    existing = os.environ.get("PYTHONPATH", "")
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(PATH), existing])),
        "SLOWPATH_DIR": str(run_dir.absolute()),
    }
