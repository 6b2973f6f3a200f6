"""Pictures of a page for the documentation, at two widths in both themes.

python -m tests.report.page.screenshots PAGE.html docs/img overview "endpoint/0@Whole requests"

What follows an @ is the heading to scroll to.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.report.page.conftest import FLAGS, chromium

SIZES = ((1280, 1000), (390, 844))


def main(page: str, folder: str, *views: str) -> None:
    """Take a picture of each view, as large as a screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for width, height in SIZES:
            for theme in ("light", "dark"):
                context = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=theme
                )
                tab = context.new_page()
                tab.goto(Path(page).resolve().as_uri())
                for wanted in views:
                    view, _, heading = wanted.partition("@")
                    tab.evaluate("view => { location.hash = `#/${view}` }", view)
                    # Charts are drawn in the next frames.
                    tab.evaluate("new Promise((done) => setTimeout(done, 300))")
                    if heading:
                        tab.get_by_role("heading", name=heading).evaluate("e => e.scrollIntoView()")
                    name = re.sub(r"\W+", "-", heading.lower() or view)
                    tab.screenshot(path=Path(folder) / f"page-{name}-{width}-{theme}.png")
                context.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
