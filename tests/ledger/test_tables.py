"""The tables of a run: what stands in the recording and its ledger, in SQL."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from slowpath.ledger import build
from slowpath.ledger.tables import COLUMNS, build_tables
from slowpath.recording import Recording
from tests.ledger.builder import MS, Builder


@pytest.fixture
def made() -> Builder:
    """A request that waits for a connection, and the one that holds it."""
    made = Builder()
    holder = made.request(0, 30, handler=made.site("app.py", 10, "holder"), route="/hold")
    made.slice(holder, 0, 2, most=2 * MS, least=MS)
    made.sample(holder, 0, 1, made.site("app.py", 12, "holder"), cpu=1, process_cpu=2)
    made.span(holder, "checkout", 1, 29, made.site("app.py", 11, "holder"), "pool", a=1, b=1)
    made.span(holder, "http", 1.5, 29, made.site("app.py", 12, "holder"), "GET h/x", sync=False)
    made.slice(holder, 29, 30)
    victim = made.request(5, 40, handler=made.site("app.py", 1, "victim"), route="/v", sent=4)
    made.slice(victim, 5, 6)
    made.span(victim, "pool_wait", 5.5, 30, made.site("app.py", 2, "victim"), "pool", a=1, b=1)
    made.slice(victim, 30, 40)
    return made


def tables_of(recording: Recording, path: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection to the tables of a recording."""
    build_tables(recording, build(recording), path)
    return duckdb.connect(str(path), read_only=True)


def test_the_root_view_tells_who_is_to_blame(made: Builder, tmp_path: Path) -> None:
    with tables_of(made.recording(), tmp_path / "run.duckdb") as database:
        found = database.execute(
            """
            SELECT http_route, activity, culprit_activity, culprit_line_number, culprit_resource,
                   sum(end_ns - start_ns) / 1e6
            FROM charges_by_site WHERE view = 'root' AND activity = 'pool_wait' AND mode = 'wait'
            GROUP BY ALL
            """
        ).fetchall()
    assert found == [("/v", "pool_wait", "http", 12, "GET h/x", 23.0)]


def test_charges_of_a_request_sum_to_its_wall_time(made: Builder, tmp_path: Path) -> None:
    with tables_of(made.recording(), tmp_path / "run.duckdb") as database:
        found = database.execute(
            """
            SELECT r.end_ns - r.start_ns - sum(c.end_ns - c.start_ns)
            FROM charges AS c JOIN requests AS r USING (charged_id)
            WHERE view IN ('direct', 'root') GROUP BY view, r.charged_id, r.start_ns, r.end_ns
            """
        ).fetchall()
    assert found == [(0,)] * 4


def test_every_column_is_there_in_the_order_documented(made: Builder, tmp_path: Path) -> None:
    with tables_of(made.recording(), tmp_path / "run.duckdb") as database:
        found: dict[str, list[str]] = {}
        for table, column in database.execute(
            "SELECT table_name, column_name FROM duckdb_columns() "
            "JOIN duckdb_tables() USING (table_name) ORDER BY table_name, column_index"
        ).fetchall():
            found.setdefault(table, []).append(column)
        comment = database.execute(
            "SELECT comment FROM duckdb_columns() WHERE column_name = 'culprit_site_id'"
        ).fetchone()
    assert found == {table: list(columns) for table, columns in COLUMNS.items()}
    assert comment == ("the line to blame",)


def test_what_is_not_known_is_null(made: Builder, tmp_path: Path) -> None:
    made.run = {"window": {"start_ns": made.requests[1].start_ns}}
    with tables_of(made.recording(), tmp_path / "run.duckdb") as database:
        requests = database.execute("SELECT http_route, charged_id FROM requests").fetchall()
        slices = database.execute("SELECT cpu_most_ns FROM slices ORDER BY start_ns").fetchall()
        spans = database.execute("SELECT span_kind, suspended FROM spans ORDER BY 1").fetchall()
    assert requests == [("/hold", None), ("/v", 0)]
    assert slices == [(2 * MS,), (None,), (None,), (None,)]
    assert spans == [("pool_wait", True), ("checkout", True), ("http", True)]


def test_an_empty_recording_gives_empty_tables(tmp_path: Path) -> None:
    with tables_of(Recording(), tmp_path / "run.duckdb") as database:
        for table in COLUMNS:
            count = 1 if table in ("sites", "texts") else 0
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,)


def test_the_file_can_be_built_again(made: Builder, tmp_path: Path) -> None:
    tables_of(made.recording(), tmp_path / "run.duckdb").close()
    with tables_of(Recording(), tmp_path / "run.duckdb") as database:
        assert database.execute("SELECT count(*) FROM requests").fetchone() == (0,)


def test_a_name_that_is_no_valid_unicode_does_no_harm(made: Builder, tmp_path: Path) -> None:
    made.text("a\udcffb 'quoted' \x00")
    with tables_of(made.recording(), tmp_path / "run.duckdb") as database:
        found = database.execute("SELECT text FROM texts WHERE text LIKE 'a%'").fetchone()
    assert found is not None
    assert found[0].startswith("a?b 'quoted'")


def test_a_folder_that_cannot_be_written_is_an_os_error(made: Builder, tmp_path: Path) -> None:
    recording = made.recording()
    with pytest.raises(OSError, match=r"run\.duckdb cannot be written"):
        build_tables(recording, build(recording), tmp_path / "missing" / "run.duckdb")
