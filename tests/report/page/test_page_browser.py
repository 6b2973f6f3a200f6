"""The page in a real browser: every view, and what a reader does with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slowpath.causes.base import Entry
from slowpath.ledger import Ledger
from slowpath.report import Report
from slowpath.report.compare import Side, compare
from slowpath.report.findings import in_code_of
from slowpath.report.html import compare_page, page_of, render
from slowpath.report.html.grid import grids
from slowpath.report.model import Measured
from slowpath.report.stacks import Stacks, heading, parse
from tests.report.page.busy import ROUTES, TOOK_MS, busy
from tests.report.page.test_page_file import HOSTILE, HOSTILE_SQL
from tests.report.runs import BLOCKING, BLOCKING_CALL, finding

VIEWS = [
    *("Overview", "Endpoints", "Who blocked whom", "Over time", "Flame graph", "In the code"),
    "The run",
]
PLACES = ["#/endpoint/0", "#/finding/1", "#/finding/2", "#/code/1", "#/cause/blocking-call"]
EARLY = "process 8;main (/srv/app/main.py:3);burn (/srv/app/work.py:7) 30\n"
LATE = "process 8;main (/srv/app/main.py:3);rest (/srv/app/work.py:9) 10\n"


def stacks(ledger: Ledger, timed: bool) -> Stacks:
    """What py-spy sampled: one stack in the first half of the run, another in the second."""
    _, grid = grids(ledger)
    start, end = grid.start_ns, grid.end_ns
    half = (start + end) // 2
    headings = (heading(start, half), heading(half, end)) if timed else ("", "")
    return parse(headings[0] + EARLY + headings[1] + LATE)


class Watched:
    """A page of the browser that notes errors and requests."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.troubles: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", self._asked)
        page.on("dialog", lambda dialog: self.troubles.append(dialog.message))

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:")):
            self.troubles.append(f"asked for {request.url}")

    def go(self, place: str) -> None:
        self.page.evaluate("place => { location.hash = place }", place)
        self.page.wait_for_function("place => location.hash === place", arg=place)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {}
    kinds = {"plain": {}, "before": {}, "hostile": {"routes": HOSTILE, "sql": HOSTILE_SQL}}
    for name, more in kinds.items():
        (folder / f"{name}-app").mkdir()
        root = folder / f"{name}-app"
        made[name] = folder / f"{name}.html"
        ledger, report = busy(600, root, **more)
        with_plan(report, root)
        sampled = stacks(ledger, timed=name != "before")
        page = page_of(ledger, report, stacks=sampled, root=root)
        made[name].write_text(render(page))
    return made


def with_plan(report: Report, root: Path) -> None:
    """Add a plan of two cures, what runs measured since, and two places only a scan saw."""
    report["simulation"] = {
        "replay_error": 0.04,
        "trusted": True,
        "plan": [
            {
                "finding": 1,
                "p95_ms": 60.0,
                "rps": 900.0,
                "measured_p95_ms": 64.0,
                "measured_rps": 800.0,
            },
            {"finding": 2, "p95_ms": 20.0, "rps": 950.0},
        ],
        "measured": [measured("run-b", 1, 1), measured("run-c", 2, 0)],
    }
    seen = finding(BLOCKING_CALL, BLOCKING, busy(1, _folder(root))[0], message="requests.get waits")
    places = [replace(seen, path="app/partners.py"), replace(seen, path="gone.py", line=7)]
    entry = Entry("route", "app/users.py", 9, "list_users")
    report["in_code"] = [
        in_code_of(replace(one, confidence="likely", entry=entry), root) for one in places
    ]


def measured(run: str, finding: int, steps: int) -> Measured:
    figures = {"p95_ms": 64.0, "rps": 800.0, "predicted_p95_ms": 70.0, "predicted_rps": 700.0}
    return {"run": run, "findings": [finding], "steps": steps, **figures}


def _folder(root: Path) -> Path:
    folder = root / "elsewhere"
    folder.mkdir()
    return folder


@pytest.fixture
def opened(browser, files, request) -> Iterator[Watched]:
    """The plain page at 1280 pixels, or what a parameter says."""
    options = {"file": "plain", "width": 1280, "scheme": "light"} | getattr(request, "param", {})
    context = browser.new_context(
        viewport={"width": options["width"], "height": 900}, color_scheme=options["scheme"]
    )
    watched = Watched(context.new_page())
    watched.page.set_default_timeout(20_000)
    watched.page.goto(files[options["file"]].as_uri())
    yield watched
    context.close()
    assert watched.troubles == []


def cells_of(page: Any, column: int) -> list[str]:
    return page.locator(f"#main tbody tr td:nth-child({column})").all_inner_texts()


def told(page: Any) -> int:
    """Return how many requests the part of the run has that is looked at."""
    text = page.locator("#window .told").inner_text()
    return int(re.search(r"([\d,]+) request", text)[1].replace(",", ""))


@pytest.mark.parametrize(
    "opened",
    [
        {"width": width, "scheme": scheme, "file": file}
        for width, scheme, file in [
            (1280, "light", "plain"),
            (390, "dark", "plain"),
            (390, "light", "hostile"),
            (1280, "dark", "hostile"),
        ]
    ],
    indirect=True,
    ids=lambda options: f"{options['width']}-{options['scheme']}-{options['file']}",
)
def test_every_view_opens_within_the_width(opened):
    page = opened.page
    for name in VIEWS:
        page.get_by_role("link", name=name, exact=True).first.click()
        here = page.locator("#nav a[aria-current]", has_text=name)
        here.wait_for()
        box = here.bounding_box()
        assert 0 <= box["x"] <= box["x"] + box["width"] <= page.viewport_size["width"]
        assert page.locator("#main h1").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    for place in PLACES:
        opened.go(place)
        assert page.locator("#main h1").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize("opened", [{"file": "hostile"}], indirect=True)
def test_hostile_names_are_shown_as_text(opened):
    page = opened.page
    page.get_by_role("link", name="Endpoints", exact=True).click()
    names = cells_of(page, 1)
    assert "GET /</script><script>window.pwned=1</script>" in names
    assert any("\\u202egnp.\\u2066live" in name for name in names)
    assert not any("\u202e" in name for name in names)
    opened.go("#/endpoint/0")
    assert (
        "'<!--<script>' -- ``` \\u202e ${alert(1)} {{ 7 * 7 }}"
        in page.locator("#main").inner_text()
    )


def test_the_verdict_comes_first(opened):
    heading = opened.page.locator("#main h1").inner_text()
    assert heading.startswith("A synchronous call blocks the event loop: app/partners.py:4")


def test_endpoints_sort_by_any_column(opened):
    page = opened.page
    opened.go("#/endpoints")
    header = page.get_by_role("button", name="p95", exact=False).first
    header.click()
    down = [float(text.replace(",", "")) for text in cells_of(page, 5)]
    assert down == sorted(down, reverse=True)
    assert len(set(down)) > 1
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("p95")
    page.keyboard.press("Enter")  # the head keeps the focus
    assert [float(text.replace(",", "")) for text in cells_of(page, 5)] == down[::-1]


@pytest.mark.parametrize("opened", [{"width": 390}], indirect=True)
def test_on_a_narrow_screen_all_of_an_endpoint_is_in_sight(opened):
    page = opened.page
    opened.go("#/endpoints")
    for cell in page.locator("#main tbody tr").first.locator("td").all():
        box = cell.bounding_box()
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 390
    title = "cell => getComputedStyle(cell, '::before').content"
    p95 = page.locator("#main tbody td.right").nth(3)
    assert p95.evaluate(title).replace('"', "").split() == ["p95"]


def test_endpoints_filter_by_name_and_by_kind(opened):
    page = opened.page
    opened.go("#/endpoints")
    page.get_by_label("Filter endpoints").fill("enriched")
    assert cells_of(page, 1) == ["GET /users/{user_id}/enriched"]
    page.get_by_label("Filter endpoints").fill("get pool wait")
    assert len(cells_of(page, 1)) == 3
    page.get_by_label("Filter endpoints").fill("no such thing")
    assert cells_of(page, 1) == []


def drag(page: Any, locator: Any, start: float, end: float) -> None:
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (start + end) / 2, middle, steps=3)
    page.mouse.move(box["x"] + box["width"] * end, middle, steps=3)
    page.mouse.up()


def test_brushing_the_strip_narrows_every_view(opened):
    page = opened.page
    opened.go("#/endpoints")
    assert told(page) == 600
    drag(page, page.locator("#window .strip"), 0.25, 0.5)
    part = told(page)
    assert 140 <= part <= 160
    assert sum(int(text) for text in cells_of(page, 2)) == part
    for place in ("#/blame", "#/flame", "#/endpoint/1", "#/time"):
        opened.go(place)
        assert told(page) == part
    page.get_by_role("button", name="The whole run").click()
    assert told(page) == 600


def test_a_part_of_the_run_is_chosen_with_the_keyboard(opened):
    page = opened.page
    page.get_by_label("to, seconds").fill("0.3")
    page.keyboard.press("Tab")
    assert 290 <= told(page) <= 310


def test_brushing_a_chart_narrows_the_page(opened):
    page = opened.page
    opened.go("#/time")
    drag(page, page.locator(".uplot .u-over").first, 0.5, 0.75)
    assert 130 <= told(page) <= 170


def test_what_is_of_the_whole_run_says_so(opened):
    page = opened.page
    assert page.get_by_text("are of the whole run, whatever").count() == 0
    drag(page, page.locator("#window .strip"), 0.25, 0.5)
    for place in ("#/", "#/finding/1"):
        opened.go(place)
        assert page.get_by_text("are of the whole run, whatever").count() == 1


def test_the_part_looked_at_is_marked_in_the_charts(opened):
    page = opened.page
    opened.go("#/time")
    row = """() => {
      const canvas = document.querySelector('.uplot canvas');
      const box = canvas.getBoundingClientRect();
      const over = document.querySelector('.uplot .u-over').getBoundingClientRect();
      const scale = canvas.width / box.width;
      const [left, top] = [over.left - box.left, over.top - box.top].map((at) => at * scale);
      const {data} = canvas.getContext('2d').getImageData(left, top + 3, over.width * scale, 1);
      const pixel = (share) => Math.floor((share * data.length) / 4) * 4;
      return [0.37, 0.87].map((share) => [...data.slice(pixel(share), pixel(share) + 4)]);
    }"""
    before = page.evaluate(row)
    drag(page, page.locator("#window .strip"), 0.25, 0.5)
    after = page.evaluate(row)
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_percentiles_of_a_part_come_close_to_the_truth(opened):
    page = opened.page
    opened.go("#/endpoints")
    drag(page, page.locator("#window .strip"), 0.25, 0.5)
    shown = dict(zip(cells_of(page, 1), map(float, cells_of(page, 4)), strict=True))
    for route, took_ms in zip(ROUTES, TOOK_MS, strict=True):
        assert shown[f"GET {route}"] == pytest.approx(took_ms, rel=0.03)


def test_a_waterfall_shows_who_held_what_and_zooms(opened):
    page = opened.page
    opened.go("#/endpoint/0")
    assert page.locator("#main svg.drawn .arrow").count() >= 1
    assert "held by GET" in page.locator("#main svg.drawn").text_content()
    axis = page.locator("#main svg.drawn .axis").first
    before = page.locator("#main svg.drawn text.axis").all_inner_texts()
    drag(page, page.locator("#main svg.drawn"), 0.1, 0.3)
    assert page.locator("#main svg.drawn text.axis").all_text_contents() != before
    page.get_by_role("button", name="All", exact=True).click()
    assert axis.text_content() == "0 ms"
    box = page.get_by_role("group", name=re.compile("^Waterfall"))
    box.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#main svg.drawn .chosen").count() == 1
    page.keyboard.press("+")
    assert axis.text_content() != "0 ms"
    page.get_by_role("button", name=re.compile("^median|typical")).first.click()
    assert page.locator("button[aria-pressed=true]").inner_text().startswith(("median", "typical"))


def test_the_flame_graph_searches_zooms_and_turns(opened):
    page = opened.page
    opened.go("#/flame")
    labels = page.locator("#main svg.drawn").first.locator(".bar-text")
    names = [text.split(",")[0] for text in labels.all_text_contents()]
    assert sorted(names) == ["Stock._get", "all", "list_users", "list_users"]
    page.get_by_label("Search functions and files").first.fill("partners")
    assert page.locator("#main svg.drawn .matching").count() == 1
    assert "match" in page.locator("#main .tools").first.inner_text()
    page.locator("#main svg.drawn rect.matching").click()
    assert page.locator("#main svg.drawn .dimmed").count() == 2
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Reversed").first.click()
    assert page.locator("#main svg.drawn .dimmed").count() == 0
    group = page.get_by_role("group", name=re.compile("^Stalls"))
    group.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#main svg.drawn .dimmed").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("#main svg.drawn .dimmed").count() == 0


def test_brushing_narrows_the_samples_of_all_threads(opened):
    page = opened.page
    opened.go("#/flame")
    sampled = page.locator("#main svg.drawn").nth(1)
    assert sampled.text_content() == "all, 400 msmainburnrest"
    drag(page, page.locator("#window .strip"), 0.25, 0.5)
    page.get_by_role("button", name="The whole run").wait_for()
    # Half of the time of the first stretch, nothing of the second.
    assert sampled.text_content() == "all, 150 msmainburn"
    drag(page, page.locator("#window .strip"), 0.5, 1.0)
    assert sampled.text_content() == "all, 100 msmainrest"
    assert page.get_by_text("carry no time").count() == 0


@pytest.mark.parametrize("opened", [{"file": "before"}], indirect=True)
def test_samples_of_before_they_had_a_time_are_of_the_whole_run(opened):
    page = opened.page
    opened.go("#/flame")
    both = page.locator("#main svg.drawn")
    stalls, sampled = (one.text_content() for one in both.all())
    assert sampled == "all, 400 msmainburnrest"
    drag(page, page.locator("#window .strip"), 0.25, 0.5)
    page.get_by_text("These samples carry no time").wait_for()
    assert both.first.text_content() != stalls
    assert both.nth(1).text_content() == sampled


def test_what_was_searched_and_turned_outlives_brushing(opened):
    page = opened.page
    opened.go("#/flame")
    search = page.get_by_label("Search functions and files").first
    search.fill("partners")
    page.get_by_role("button", name="Reversed").first.click()
    drag(page, page.locator("#window .strip"), 0.25, 0.5)
    assert search.input_value() == "partners"
    reverse = page.get_by_role("button", name="Reversed")
    pressed = [one.get_attribute("aria-pressed") for one in reverse.all()]
    assert pressed == ["true", "false"]
    assert page.locator("#main svg.drawn .matching").count() >= 1


def test_the_plan_shows_what_was_measured_since(opened):
    stairs = opened.page.locator("#main ol.stairs").first
    words = stairs.locator(".words").all_inner_texts()
    assert words[1:] == [
        "p95 60 ms, 900/s, measured 64 ms, 800/s",
        "p95 20 ms, 950/s",
        "measured p95 64 ms, 800/s (predicted 70 ms)",
    ]
    assert stairs.locator(".measured").count() == 1
    # Only the second was cured for that: no step of the plan.
    apart = stairs.locator("li").last
    assert "run-c" in apart.inner_text()
    assert apart.locator("a").get_attribute("href") == "#/finding/2"
    opened.go("#/finding/2")
    facts = opened.page.locator("#main dl.facts").first
    assert "p95 64 ms; 800 requests/s, in a run with this cured: run-c" in facts.inner_text()


def test_what_only_the_scan_saw_is_listed_and_opens(opened):
    page = opened.page
    page.get_by_role("link", name="In the code", exact=True).click()
    assert len(cells_of(page, 1)) == 2
    page.get_by_label("Filter places").fill("partners requests")
    assert cells_of(page, 1) == ["blocking-call"]
    page.locator("#main tbody a").click()
    page.get_by_role("heading", name="How it is reached").wait_for()
    assert "requests.get(self.url + path)" in page.locator(".source .guilty").first.inner_text()
    page.get_by_role("button", name="Copy as prompt for an AI assistant").click()
    prompt = page.get_by_label("What was copied").input_value()
    assert "A scan of the code found it; no run has shown what it costs." in prompt
    assert "# A synchronous call blocks the event loop" in prompt


def test_the_cure_is_shown_as_an_example_beside_the_line(opened):
    page = opened.page
    opened.go("#/finding/1")
    yours, example = page.locator(".beside figure").all()
    assert "app/partners.py:4" in yours.inner_text()
    assert "not your code" in example.locator("figcaption").inner_text()
    gone, come = (example.locator(f".{name}").all_inner_texts() for name in ("removed", "added"))
    assert any("requests.get(url" in line for line in gone)
    assert any("run_in_threadpool(requests.get" in line for line in come)
    assert "culprit" not in example.inner_text()
    opened.go("#/code/2")
    assert page.locator(".beside figure").count() == 1


def test_a_finding_gives_texts_to_take_along(opened):
    page = opened.page
    opened.go("#/finding/1")
    assert "requests.get(self.url + path)" in page.locator(".source .guilty").first.inner_text()
    for name, words in (
        ("Copy command", "slowpath explain blocking-call"),
        ("Copy as issue", "## A synchronous call blocks the event loop: `app/partners.py:4`"),
        ("Copy as prompt for an AI assistant", "Cure one performance defect"),
    ):
        page.get_by_role("button", name=name).click()
        assert page.get_by_label("What was copied").input_value().startswith(words)


def test_the_theme_turns(opened):
    page = opened.page
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.get_by_role("button", name="Theme").click()
    assert page.evaluate(ground) != before


@pytest.mark.parametrize("opened", [{"width": 703}], indirect=True)
def test_all_fits_on_paper_without_buttons(opened):
    # A4 at 96 dots an inch, with 12 mm on either side.
    page = opened.page
    page.emulate_media(media="print")
    for place in ["#/", "#/endpoints", "#/blame", "#/time", "#/flame", "#/code", *PLACES]:
        opened.go(place)
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("#main h1").is_visible()
        assert (
            page.locator("button:not(th button):visible, input:visible, nav:visible").count() == 0
        )
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        for table in page.locator(".table").all():
            assert table.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
        page.evaluate("dispatchEvent(new Event('afterprint'))")


def test_paper_says_which_part_of_the_run_it_shows(opened):
    page = opened.page
    drag(page, page.locator("#window .strip"), 0.25, 0.5)
    page.emulate_media(media="print")
    assert page.locator("#window .told").is_visible()
    assert not page.locator("#window .strip").is_visible()


@pytest.mark.parametrize("opened", [{"scheme": "dark"}], indirect=True)
def test_drawings_are_made_anew_for_paper_and_the_screen_stays_as_it_was(opened):
    page = opened.page
    opened.go("#/endpoint/0")
    drawing = page.locator("#main svg.drawn")
    drag(page, drawing, 0.1, 0.3)
    ground = "getComputedStyle(document.body).backgroundColor"
    axis = "[...document.querySelectorAll('#main svg.drawn .axis')].map((e) => e.textContent)"
    before = (page.evaluate(ground), page.evaluate(axis), drawing.get_attribute("width"))
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert drawing.get_attribute("width") == "700"
    assert page.evaluate(ground) == "rgb(255, 255, 255)" != before[0]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    after = (page.evaluate(ground), page.evaluate(axis), drawing.get_attribute("width"))
    assert after == before


def test_the_content_is_reached_by_keyboard(opened):
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    names = []
    for _ in range(len(VIEWS) + 3):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent"))
    assert set(VIEWS) <= set(names)


def test_a_comparison_opens_with_its_flame_graph(browser, tmp_path):
    sides = []
    for name, spread in (("before", 0.0), ("after", 0.4)):
        (tmp_path / name).mkdir()
        ledger, report = busy(300, tmp_path / name, spread=spread)
        if name == "before":
            report["findings"][0]["predicted"] = {"p95_ms": 60.0, "rps": 9.0, "low": 50, "high": 70}
        else:
            del report["findings"][0]
        sides.append(Side(name, report, ledger))
    file = tmp_path / "compare.html"
    file.write_text(render(compare_page(*sides, compare(*sides))))
    context = browser.new_context(viewport={"width": 390, "height": 900})
    watched = Watched(context.new_page())
    watched.page.goto(file.as_uri())
    assert watched.page.locator("#main h1").inner_text().startswith("p95 ")
    assert watched.page.locator("#main svg.drawn rect").count() >= 3
    assert watched.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert watched.page.get_by_role("heading", name="Predicted and measured").count() == 1
    assert watched.page.locator("ol.stairs .after").count() == 1
    for name in VIEWS:
        if name == "In the code":  # these runs have none
            continue
        watched.page.get_by_role("link", name=name, exact=True).first.click()
        watched.page.locator("#nav a[aria-current]", has_text=name).wait_for()
    context.close()
    assert watched.troubles == []
