"""`slowpath plan` as a person meets it: what it tells, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slowpath.errors import UserError
from slowpath.ledger import build
from slowpath.plan_cli import Wish, plan
from slowpath.report import Report
from slowpath.report import build as build_report
from slowpath.run import analysis
from tests.simulate.test_price import recorded

WISH = dict.fromkeys(("workers", "pool", "threads", "users", "rps", "replicas", "target"))


def wish(**changes: object) -> Wish:
    return Wish(**{**WISH, "cures": (), "max_connections": 100, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"workers": 0}, "--workers must be 1 or more, not 0"),
        ({"pool": -3}, "--pool must be 1 or more"),
        ({"replicas": 0}, "--replicas must be 1 or more"),
        ({"max_connections": 0}, "--max-connections must be 1 or more"),
        ({"rps": -1.0}, "--rps must be more than 0, not -1"),
        ({"rps": float("nan")}, "--rps must be more than 0"),
        ({"target": 0.0}, "--target must be more than 0"),
        ({"users": 5, "rps": 5.0}, "two kinds of load"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        wish(**changes).check()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A run whose books are those of a recording made by hand."""
    ledger, _ = recorded()
    report: Report = build_report(ledger.recording, ledger, [], tmp_path)
    monkeypatch.setattr(analysis, "books_of", lambda folder, progress: ledger)
    monkeypatch.setattr(analysis, "report_of", lambda folder, progress: report)
    folder = tmp_path / "20260101-000000-made"
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    return folder


def planned(run: Path, **options: object) -> str:
    import typer

    app = typer.Typer()
    app.command()(plan)
    words = [str(run)]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    result = CliRunner().invoke(app, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_larger_pool_is_told_with_its_figures(run: Path) -> None:
    made = json.loads(planned(run, pool=8, format="json"))
    assert made["after"]["p95_ms"] == pytest.approx(50, rel=0.1)
    assert made["changes"] == ["8 connections a worker"]
    assert made["replay"]["trusted"]
    assert not made["after"]["unbounded"]


def test_it_fits_80_columns(run: Path) -> None:
    assert all(len(line) <= 80 for line in planned(run, pool=8).splitlines())


def test_a_rate_beyond_what_it_bears_has_no_figures(run: Path) -> None:
    text = planned(run, rps=200)
    assert "grows without bound" in text


def test_connections_beyond_the_database_are_forbidden(run: Path) -> None:
    text = " ".join(planned(run, pool=30, workers=4).split())
    assert "120 connections are more than the database allows (100;" in text
    assert "4 workers share 2 cores" in text


def test_a_finding_that_is_not_there_is_refused(run: Path) -> None:
    with pytest.raises(UserError, match="no finding 'n-plus-one'"):
        planned(run, cure="n-plus-one")


def test_threads_of_a_run_without_threads_are_refused(run: Path) -> None:
    with pytest.raises(UserError, match="no pool of threads"):
        planned(run, threads=10)


def test_a_run_that_is_too_short_is_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short, _ = recorded(rounds=2)
    monkeypatch.setattr(analysis, "books_of", lambda folder, progress: build(short.recording))
    with pytest.raises(UserError, match="too few to predict"):
        planned(run, pool=8)
