"""How large the page of a large run is, and how soon a browser has it ready.

python -m tests.report.page.large [REQUESTS] [ENDPOINTS]

The run is a hand-made one, with latencies spread as real ones are. Ready is when the page's code
has run and the browser has nothing left to do: a click is answered at once from then on. Each view
is then opened by a click, which is timed to the second frame after it.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from slowpath.ledger import Ledger
from slowpath.report.html import page_of, render
from slowpath.report.html.grid import grids
from slowpath.report.stacks import heading, parse
from tests.report.page.busy import busy
from tests.report.page.conftest import FLAGS, chromium

ROUNDS = 5
READY = """() => new Promise((done) => requestIdleCallback(() => done(performance.now())))"""
CLICK = """(name) => new Promise((done) => {
  const start = performance.now();
  [...document.querySelectorAll('#nav a')].find((one) => one.textContent === name).click();
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
})"""


def stacks(ledger: Ledger, count: int, stretches: int) -> str:
    """Stacks of forty frames that part in the depth, `count` of them seen in each stretch."""
    frames = [";".join(f"f{i % (3 + d)}_{d} (/srv/app/m{d}.py:{i % 9})" for d in range(40))
              for i in range(count)]  # fmt: skip
    seen = "".join(f"process 8;{frame} {1 + i % 50}\n" for i, frame in enumerate(frames))
    _, grid = grids(ledger)
    ends = np.linspace(grid.start_ns, grid.end_ns, stretches + 1).astype(int).tolist()
    return "".join(heading(*between) + seen for between in itertools.pairwise(ends))


def main(requests: int = 200_000, endpoints: int = 100) -> None:
    """Make the page, open it, and print what was measured; the last line is JSON."""
    figures: dict[str, object] = {"requests": requests, "endpoints": endpoints}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        routes = tuple(f"/v1/things/{number}/{{thing_id}}" for number in range(endpoints))
        ledger, report = busy(requests, root, routes=routes, spread=1.0)
        sampled = parse(stacks(ledger, 3000, 100))
        start = time.perf_counter()
        text = render(page_of(ledger, report, stacks=sampled, root=root))
        figures["drawn_s"] = round(time.perf_counter() - start, 2)
        file = root / "page.html"
        file.write_text(text, encoding="utf-8")
        figures["file_mb"] = round(file.stat().st_size / 1e6, 2)
        figures |= opened(file)
    for name, value in figures.items():
        print(f"{name:>16}  {value}")
    print(json.dumps(figures))


def opened(file: Path) -> dict[str, object]:
    """Open the page a few times, each in a fresh profile; the slowest counts."""
    ready, views = [], {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for _ in range(ROUNDS):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            tab = context.new_page()
            tab.goto(file.as_uri())
            ready.append(tab.evaluate(READY))
            for name in tab.locator("#nav a").all_inner_texts():
                took = tab.evaluate(CLICK, name)
                views[name] = max(views.get(name, 0), round(took))
            context.close()
        browser.close()
    return {"ready_ms": round(max(ready)), "views_ms": views}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
