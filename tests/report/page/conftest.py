"""A browser for the page's tests: Debian's Chromium through Playwright."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from collections.abc import Iterator

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def chromium() -> str | None:
    """Return where Chromium is; it is installed if this machine lets us."""
    known = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    if known or not shutil.which("apt-get") or os.geteuid() != 0:
        return known
    subprocess.run(
        "apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium",
        shell=True,
        capture_output=True,
        timeout=240,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        check=False,
    )
    return shutil.which("chromium")


# Not for the session: Playwright's loop runs in this thread for as long as the browser is open,
# and no test of another module could run one of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """A browser, or a loud skip."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _skip("Playwright is not installed: pip install -e '.[dev]'")
    path = chromium()
    if path is None:
        _skip("there is no Chromium: apt-get install chromium, or set CHROMIUM")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


def _skip(why: str) -> None:
    reason = f"THE PAGE IS NOT TESTED IN A BROWSER: {why}"
    warnings.warn(reason, stacklevel=2)
    pytest.skip(reason)
