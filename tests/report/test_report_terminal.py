"""What a person reads, compared with golden files; UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import io
import os
import unicodedata
from pathlib import Path

import pytest
from rich.ansi import AnsiDecoder
from rich.cells import cell_len
from rich.console import Console

from slowpath.report import Report, build
from slowpath.report.terminal import render
from tests.report.runs import (
    BLOCKING,
    BLOCKING_CALL,
    RUN,
    finding,
    ledger,
    placed,
    process,
    recording,
    request,
)
from tests.report.samples import SAMPLES, sick

GOLDEN = Path(__file__).parent / "golden"


def written(report: Report, width: int = 80, full: bool = False, encoding: str = "utf-8") -> str:
    """Render into a pipe of the given width and encoding."""
    raw = io.BytesIO()
    pipe = io.TextIOWrapper(raw, encoding=encoding)
    render(report, Console(file=pipe, width=width, force_terminal=False), full=full)
    pipe.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_report_reads_as_before(name, tmp_path):
    text = written(SAMPLES[name](tmp_path))
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("width", [64, 80, 117, 300])
def test_no_line_is_wider_than_the_console(name, width, tmp_path):
    report = SAMPLES[name](tmp_path)
    for full in (False, True):
        text = written(report, width, full)
        assert max(map(cell_len, text.splitlines())) <= width


@pytest.mark.parametrize("name", SAMPLES)
def test_a_terminal_without_unicode_gets_ascii(name, tmp_path):
    text = written(SAMPLES[name](tmp_path), encoding="ascii")
    assert text.isascii()
    assert "Where the time goes" in text or "What may be wrong" in text


def test_colour_adds_nothing_to_the_words(tmp_path):
    report = sick(tmp_path)
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        render(report, console)
    coloured = capture.get()
    assert "\x1b[" in coloured
    plain = io.StringIO()
    decoded = Console(file=plain, width=80, force_terminal=False)
    for line in AnsiDecoder().decode(coloured):
        decoded.print(line, soft_wrap=True)
    assert plain.getvalue().rstrip() == written(report).rstrip()


HOSTILE = {
    "markup": "/[bold red]x[/]/[link=http://evil]y",
    "an escape sequence": "/\x1b[2J\x1b]0;owned\x07",
    "a new line and a return": "/a\nb\r\nc\u2028d",
    "letters written backwards": "/\u202egnp.exe\u2066",
    "wide letters": "/" + "漢字" * 40,
    "a lone surrogate": "/\udcff",
    "ten thousand characters": "/" + "x" * 10_000,
    "nothing at all": "",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("full", [False, True])
def test_names_of_the_app_cannot_write_on_the_terminal(name, full, tmp_path):
    run = recording(
        [request(i, name) for i in range(1, 4)],
        sites=placed(tmp_path),
        run=RUN | {"command": ["uvicorn", name], "notes": [name], "name": name},
        processes=[process(hooks={name: f"off: {name}"}, trouble=name)],
        troubles=[name],
    )
    book = ledger(run, {name: [("loop", BLOCKING, 1.0)]})
    bad = finding(
        BLOCKING_CALL,
        BLOCKING,
        book,
        message=name,
        evidence={"sql": name, "by_endpoint_ms": {name: 1.0}},
        culprit=name,
    )
    report = build(run, book, [bad], tmp_path)
    assert report["endpoints"][0]["route"] == name
    text = written(report, full=full)
    assert all(
        char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        for char in text
    )
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "blocking-call" in text
    if not full:
        assert len(text) < 12_000


def test_markup_in_a_route_is_shown_as_it_is(tmp_path):
    run = recording([request(1, "/[red]x[/red]")])
    assert "GET /[red]x[/red]" in written(build(run, ledger(run), [], tmp_path))


def test_a_long_list_is_cut_and_says_how_to_see_it_all(tmp_path):
    run = recording(request(i, f"/route/{i}") for i in range(1, 41))
    report = build(run, ledger(run), [], tmp_path)
    short, full = written(report), written(report, full=True)
    assert "25 more endpoints" in short
    assert "slowpath show --all" in short
    assert "GET /route/40" in full
    assert "--all" not in full


def test_a_file_changed_after_the_run_is_told(tmp_path):
    run = recording([request(1)], sites=placed(tmp_path))
    os.utime(tmp_path / "app" / "partners.py")
    book = ledger(run, {"/users": [("loop", BLOCKING, 1.0)]})
    report = build(run, book, [finding(BLOCKING_CALL, BLOCKING, book)], tmp_path)
    assert "changed after the run" in written(report)


def test_a_report_of_a_newer_version_with_more_keys_can_be_shown(tmp_path):
    report = sick(tmp_path)
    report["endpoints"][0]["segments"]["teleport"] = 400.0
    report["endpoints"][0]["surprise"] = 1
    assert "other 400" in written(report)


def test_what_was_measured_since_stands_beside_what_was_predicted(tmp_path):
    report = sick(tmp_path)
    report["simulation"] = {
        "replay_error": 0.04,
        "trusted": True,
        "plan": [
            {
                "finding": 1,
                "p95_ms": 60.0,
                "rps": 9.0,
                "measured_p95_ms": 64.0,
                "measured_rps": 8.0,
            },
            {"finding": 2, "p95_ms": 20.0, "rps": 9.5},
        ],
    }
    plan = written(report).partition("The plan")[2]
    first, second = (line for line in plan.splitlines() if "requests/s" in line)
    assert "p95 60 ms, 9 requests/s (measured: p95 64 ms, 8 requests/s)" in first
    assert "measured" not in second
