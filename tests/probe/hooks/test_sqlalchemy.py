"""SQLAlchemy's hooks: spans with the app's own lines, and nothing else changed."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import ForeignKey, create_engine, event, exc, insert, pool, select, text
from sqlalchemy.engine import default
from sqlalchemy.ext import asyncio as asyncio_api
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    selectinload,
)

from slowpath.probe import core
from slowpath.probe.hooks.sqlalchemy import EngineHook
from slowpath.probe.hooks.sqlalchemy_orm import OrmHook
from slowpath.probe.hooks.sqlalchemy_pool import PoolHook
from tests.probe.recorder import Record, Seen, recording

ATTRS: Any = [asyncio_api.AsyncAttrs] if hasattr(asyncio_api, "AsyncAttrs") else []


class Base(*ATTRS, DeclarativeBase):  # type: ignore[misc]
    pass


class Shelf(Base):
    __tablename__ = "shelves"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list[Book]] = relationship()


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelves.id"))


BOOKS = "SELECT books.id, books.title, books.shelf_id FROM books"
BY_KEY = "FROM books WHERE books.id = ?"


def fill(connection: Any) -> None:
    Base.metadata.drop_all(connection)
    Base.metadata.create_all(connection)
    connection.execute(insert(Shelf), [{"id": i} for i in range(1, 4)])
    books = [{"id": i, "title": f"title {i}", "shelf_id": i % 3 + 1} for i in range(1, 301)]
    connection.execute(insert(Book), books)


def watching(**kwargs: Any) -> Any:
    return recording(PoolHook(), EngineHook(), OrmHook(), **kwargs)


def here(offset: int = 0) -> int:
    """The caller's line, `offset` lines on."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno + offset


def sql(seen: Seen) -> list[Record]:
    return [span for span in seen.spans("sql") if span.resource not in ("COMMIT", "ROLLBACK")]


def at(record: Record) -> tuple[str, int]:
    return record.site.path, record.site.line


@pytest.fixture
def file_url(tmp_path: Any) -> str:
    url = f"sqlite:///{tmp_path}/books.db"
    engine = create_engine(url)
    with engine.begin() as connection:
        fill(connection)
    engine.dispose()
    return url


@pytest.fixture(scope="module")
def async_url(database_url: str) -> str:
    url = database_url.replace("postgresql://", "postgresql+asyncpg://")

    async def prepare() -> None:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(fill)
        await engine.dispose()

    asyncio.run(prepare())
    return url


SYNC_DRIVERS = ["sqlite", "postgresql+psycopg", "postgresql+psycopg2"]
ASYNC_DRIVERS = ["sqlite+aiosqlite", "postgresql+asyncpg", "postgresql+psycopg"]


def url_for(driver: str, request: pytest.FixtureRequest) -> str:
    if driver.startswith("sqlite"):
        return str(request.getfixturevalue("file_url")).replace("sqlite", driver, 1)
    return str(request.getfixturevalue("async_url")).replace("postgresql+asyncpg", driver)


@pytest.mark.parametrize("driver", SYNC_DRIVERS)
def test_a_session_tells_connection_transaction_statement_and_objects(
    driver: str, request: pytest.FixtureRequest
) -> None:
    url = url_for(driver, request)
    with watching() as seen:
        engine = create_engine(url, poolclass=pool.QueuePool, pool_size=2, max_overflow=1)
        with Session(engine) as session, seen.line() as line:
            first = here(+1)
            books = session.scalars(select(Book)).all()
            second = here(+1)
            session.commit()
        engine.dispose()
    assert len(books) == 300

    [statement] = sql(seen)
    assert statement.resource == BOOKS
    assert at(statement) == (__file__, first)
    assert statement.site.function.endswith("statement_and_objects")
    assert statement.line == line.id
    assert statement.a == (-1 if driver == "sqlite" else 300)
    assert not statement.is_async
    assert not statement.failed

    [loaded] = seen.spans("hydrate")
    assert (loaded.resource, loaded.a, at(loaded)) == (BOOKS, 300, (__file__, first))
    assert loaded.start >= statement.end

    [connected] = seen.spans("connect")
    assert at(connected) == (__file__, first)
    [checkout] = seen.spans("checkout")
    [transaction] = seen.spans("transaction")
    assert at(checkout) == at(transaction) == (__file__, first)
    assert checkout.b == 3
    assert checkout.a == transaction.a == statement.b == connected.a > 0
    # The place in the pool is taken before the handshake, and free after the commit.
    assert checkout.start <= connected.start
    assert connected.end <= transaction.start <= statement.start
    assert loaded.end <= transaction.end <= checkout.end
    assert checkout.resource.startswith(f"{driver} ") or driver == "sqlite"
    assert "postgres:" not in checkout.resource
    for span in seen.spans("sql"):
        if span.resource == "COMMIT":
            assert at(span) == (__file__, second)
    assert seen.spans("pool_wait") == []


@pytest.mark.parametrize("driver", ASYNC_DRIVERS)
def test_an_async_session_is_seen_through_its_greenlets(
    driver: str, request: pytest.FixtureRequest
) -> None:
    url = url_for(driver, request)
    lines: dict[str, int] = {}

    async def main() -> list[str]:
        engine = create_async_engine(
            url, poolclass=pool.AsyncAdaptedQueuePool, pool_size=2, max_overflow=1
        )
        maker = async_sessionmaker(engine)
        titles = []
        for _ in range(3):
            async with maker() as session:
                lines["get"] = here(+1)
                book = await session.get(Book, 7)
                assert book is not None
                titles.append(book.title)
                lines["list"] = here(+1)
                await session.scalars(select(Book))
                lines["commit"] = here(+1)
                await session.commit()
        await engine.dispose()
        return titles

    with watching() as seen:
        assert seen.run(main()) == ["title 7"] * 3

    statements = sql(seen)
    assert [at(span)[1] for span in statements] == [lines["get"], lines["list"]] * 3
    assert {span.site.path for span in statements} == {__file__}
    assert [BY_KEY in span.resource for span in statements] == [True, False] * 3
    assert [span.a for span in statements] == [1, 300] * 3
    assert all(span.is_async for span in statements)
    assert all(at(span) == (__file__, lines["get"]) for span in seen.spans("checkout"))
    assert all(at(span) == (__file__, lines["get"]) for span in seen.spans("transaction"))
    assert len(seen.spans("checkout")) == len(seen.spans("transaction")) == 3
    assert len(seen.spans("connect")) == 1
    commits = [span for span in seen.spans("sql") if span.resource == "COMMIT"]
    assert len(commits) == 3
    assert {at(span) for span in commits} == {(__file__, lines["commit"])}
    assert {span.a for span in seen.spans("hydrate") if at(span)[1] == lines["list"]} == {300}
    if driver == "sqlite+aiosqlite":
        return  # its cursors are made and closed in its thread: waits that no span tells
    # What is told by a span needs no explanation as an unknown wait.
    assert not {at(span)[1] for span in seen.spans("await")} & set(lines.values())


def test_waiting_for_a_connection_is_told_where_it_waits(async_url: str) -> None:
    lines: dict[str, int] = {}

    async def main() -> None:
        engine = create_async_engine(async_url, pool_size=1, max_overflow=0)
        held, waiting = asyncio.Event(), asyncio.Event()

        async def holder() -> None:
            lines["holder"] = here(+1)
            async with engine.connect() as connection:
                await connection.execute(text("select 1"))
                held.set()
                await waiting.wait()
                await connection.execute(text("select pg_sleep(0.01)"))

        async def waiter() -> None:
            await held.wait()
            waiting.set()
            lines["waiter"] = here(+1)
            async with engine.connect() as connection:
                await connection.execute(text("select 2"))

        await asyncio.gather(holder(), waiter())
        await engine.dispose()

    with watching() as seen:
        seen.run(main())

    [wait] = seen.spans("pool_wait")
    first, second = seen.spans("checkout")
    assert at(wait) == (__file__, lines["waiter"])
    assert wait.is_async
    assert wait.b == 1
    assert wait.a == first.a == second.a
    assert wait.resource == first.resource
    assert at(first) == (__file__, lines["holder"])
    assert at(second) == (__file__, lines["waiter"])
    # It waited while the other held, and held after.
    assert first.start < wait.start < wait.end <= second.start


def test_a_thread_waits_for_a_connection_too(file_url: str) -> None:
    with watching() as seen:
        engine = create_engine(file_url, poolclass=pool.QueuePool, pool_size=1, max_overflow=0)
        holder = engine.connect()
        asked = threading.Event()
        idle = engine.pool._pool.get  # type: ignore[attr-defined]

        def get(*args: Any) -> Any:
            asked.set()
            return idle(*args)

        engine.pool._pool.get = get  # type: ignore[attr-defined]

        def release() -> None:
            asked.wait()
            asked.clear()
            while not engine.pool._pool.not_empty._waiters:  # type: ignore[attr-defined]
                pass
            holder.close()

        thread = threading.Thread(target=release)
        with seen.line():
            thread.start()
            waited = here(+1)
            with engine.connect():
                pass
        thread.join()
        engine.dispose()
    [wait] = seen.spans("pool_wait")
    assert at(wait) == (__file__, waited)
    assert not wait.is_async


def test_a_wait_that_ends_in_a_timeout_has_failed(file_url: str) -> None:
    with watching() as seen:
        engine = create_engine(
            file_url, poolclass=pool.QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.001
        )
        with seen.line(), engine.connect(), pytest.raises(exc.TimeoutError):
            engine.connect()
        engine.dispose()
    [wait] = seen.spans("pool_wait")
    assert wait.failed


def test_a_lazy_load_is_told_where_the_attribute_was_touched(file_url: str) -> None:
    with watching() as seen:
        engine = create_engine(file_url)
        with Session(engine) as session, seen.line():
            for shelf in session.scalars(select(Shelf)).all():
                touched = here(+1)
                assert len(shelf.books) == 100
        engine.dispose()
    lazy = [span for span in sql(seen) if "WHERE ? = books.shelf_id" in span.resource]
    assert len(lazy) == 3
    assert {at(span) for span in lazy} == {(__file__, touched)}
    assert {span.resource for span in lazy} == {lazy[0].resource}


@pytest.mark.skipif(not hasattr(asyncio_api, "AsyncAttrs"), reason="SQLAlchemy before 2.0.13")
def test_an_awaited_attribute_is_told_where_it_was_awaited(async_url: str) -> None:
    lines: dict[str, int] = {}

    async def main() -> None:
        engine = create_async_engine(async_url)
        async with AsyncSession(engine) as session:
            for shelf in (await session.scalars(select(Shelf))).all():
                lines["touched"] = here(+1)
                await shelf.awaitable_attrs.books
        await engine.dispose()

    with watching() as seen:
        seen.run(main())
    lazy = [span for span in sql(seen) if "= books.shelf_id" in span.resource]
    assert [at(span) for span in lazy] == [(__file__, lines["touched"])] * 3


def test_own_code_inside_a_greenlet_is_found(async_url: str) -> None:
    lines: dict[str, list[int]] = {"body": [], "listener": []}

    def body(session: Session) -> None:
        lines["body"].append(here(+1))
        session.execute(text("select 'body'"))

    async def main() -> None:
        engine = create_async_engine(async_url)
        maker = async_sessionmaker(engine)

        @event.listens_for(maker.kw.get("sync_session_class", Session), "before_commit")
        def audit(session: Session) -> None:
            lines["listener"].append(here(+1))
            session.execute(text("select 'listener', 'audit'"))

        try:
            for _ in range(3):
                async with maker() as session:
                    await session.run_sync(body)
                    await session.commit()
        finally:
            event.remove(Session, "before_commit", audit)
        await engine.dispose()

    with watching() as seen:
        seen.run(main())
    assert [at(span)[1] for span in sql(seen) if span.resource == "select ?"] == lines["body"]
    told = [at(span)[1] for span in sql(seen) if span.resource == "select ?, ?"]
    assert told == lines["listener"]


def test_a_relationship_loaded_beside_is_within_the_loading(file_url: str) -> None:
    with watching() as seen:
        engine = create_engine(file_url)
        with Session(engine) as session, seen.line():
            session.scalars(select(Shelf).options(selectinload(Shelf.books))).all()
        engine.dispose()
    inner, outer = seen.spans("hydrate")
    _, beside = sql(seen)
    assert beside.resource.endswith("IN (?)")
    assert outer.start <= beside.start <= beside.end <= inner.start <= inner.end <= outer.end
    assert (inner.a, outer.a) == (300, 3)


def test_rows_that_come_in_parts_are_told_in_parts(database_url: str, async_url: str) -> None:
    with watching() as seen:
        engine = create_engine(async_url.replace("asyncpg", "psycopg"))
        with Session(engine) as session, seen.line():
            result = session.execute(select(Book).execution_options(yield_per=100))
            partitions = [len(part) for part in result.partitions()]
        engine.dispose()
    assert partitions == [100, 100, 100]
    assert [span.a for span in seen.spans("hydrate") if span.a] == [100, 100, 100]
    fetched = [span for span in seen.spans("fetch") if span.a > 0]
    assert sum(span.a for span in fetched) == 300
    assert {span.resource for span in fetched} == {BOOKS}


def test_a_statement_that_fails_is_told_and_its_error_is_the_same(async_url: str) -> None:
    async def main(engine: AsyncEngine) -> tuple[str, str]:
        async with engine.connect() as connection:
            with pytest.raises(exc.ProgrammingError) as caught:
                await connection.execute(text("select * from nowhere where a = 'x'"))
        await engine.dispose()
        return str(caught.value), repr(caught.value.orig)

    bare = asyncio.run(main(create_async_engine(async_url)))
    with watching() as seen:
        assert seen.run(main(create_async_engine(async_url))) == bare
    [failed] = [span for span in seen.spans("sql") if "nowhere" in span.resource]
    assert failed.failed
    assert failed.resource == "select * from nowhere where a = ?"
    [transaction] = seen.spans("transaction")
    assert transaction.end >= failed.end


def test_a_cancelled_statement_is_told_as_such(async_url: str) -> None:
    async def main() -> None:
        engine = create_async_engine(async_url)
        started = asyncio.Event()

        async def slow() -> None:
            async with engine.connect() as connection:
                await connection.execute(text("select 1"))
                started.set()
                await connection.execute(text("select pg_sleep(60)"))

        task = asyncio.ensure_future(slow())
        await started.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await engine.dispose()

    with watching() as seen:
        seen.run(main())
    [cancelled] = [span for span in seen.spans("sql") if "pg_sleep" in span.resource]
    assert cancelled.cancelled
    assert len(seen.spans("checkout")) == 1


def test_an_engine_made_in_a_request_is_a_connect_span(file_url: str) -> None:
    with watching() as seen:
        with seen.line() as line:
            line.request = object()
            made = here(+1)
            engine = create_engine(file_url)
        engine.dispose()
    [span] = seen.spans("connect")
    assert span.resource.startswith("sqlalchemy.create_engine sqlite ")
    assert at(span) == (__file__, made)


def test_an_engine_made_at_start_tells_where_its_pool_is_set(file_url: str) -> None:
    with watching() as seen:
        made = here(+1)
        engine = create_engine(file_url)
        engine.dispose()
        seen.decode()
    [span] = [record for record in seen.records if not record.line]
    assert span.kind == "connect"
    assert span.resource.startswith("sqlalchemy.create_engine sqlite ")
    assert at(span) == (__file__, made)


def test_each_checkout_is_asked_whether_it_lives(async_url: str) -> None:
    async def main() -> None:
        engine = create_async_engine(async_url, pool_pre_ping=True)
        for _ in range(2):
            async with engine.connect():
                pass
        await engine.dispose()

    with watching() as seen:
        seen.run(main())
    # A connection just made is not asked.
    assert [span.resource for span in seen.spans("sql")] == ["pool_pre_ping"]


def test_autocommit_is_no_transaction(async_url: str) -> None:
    async def main() -> None:
        engine = create_async_engine(async_url, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text("select 1"))
        await engine.dispose()

    with watching() as seen:
        seen.run(main())
    assert seen.spans("transaction") == []
    assert len(seen.spans("checkout")) == 1


def test_a_detached_connection_holds_no_place(file_url: str) -> None:
    with watching() as seen:
        engine = create_engine(file_url)
        with seen.line():
            raw = engine.raw_connection()
            raw.detach()
            middle = core.now()
            raw.close()
        engine.dispose()
    [checkout] = seen.spans("checkout")
    assert checkout.end < middle


def test_a_pool_is_named_without_its_secrets(async_url: str) -> None:
    async def main() -> None:
        for _ in range(2):
            engine = create_async_engine(async_url.replace("?", "?application_name=secret&"))
            async with engine.connect():
                pass
            await engine.dispose()
            async with engine.connect():  # another pool, of the same engine
                pass
            await engine.dispose()

    with watching() as seen:
        seen.run(main())
    names = [span.resource for span in seen.spans("checkout")]
    assert names[0] == names[1] == "postgresql+asyncpg 127.0.0.1/postgres"
    assert names[2] == names[3] == "postgresql+asyncpg 127.0.0.1/postgres #2"


def run_everything(file_url: str) -> list[Any]:
    engine = create_engine(file_url)
    with Session(engine) as session:
        found = [book.title for book in session.scalars(select(Book).order_by(Book.id))]
        session.rollback()
    with engine.begin() as connection:
        found.append(connection.execute(text("select count(*) from books")).scalar())
    engine.dispose()
    return found


@pytest.mark.parametrize("make", [PoolHook, EngineHook, OrmHook])
def test_a_broken_hook_never_reaches_the_app(make: Callable[[], Any], file_url: str) -> None:
    bare = run_everything(file_url)
    with recording(make(), broken=True) as seen, seen.line():
        assert run_everything(file_url) == bare


def test_without_a_line_only_the_making_of_the_engine_is_recorded(file_url: str) -> None:
    with watching() as seen:
        run_everything(file_url)
        seen.decode()
    assert [(record.kind, record.line) for record in seen.records] == [("connect", 0)]


@pytest.mark.parametrize("version", [(1, 4, 50), (2, 2, 0)])
def test_an_unknown_version_is_left_alone(
    version: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = EngineHook()
    monkeypatch.setattr(hook, "_version", lambda: version)
    hook.try_install(default)
    assert not hook.enabled
    assert "is not known" in hook.state


def test_the_hooks_are_on_however_the_library_is_imported(tmp_path: Any) -> None:
    program = (
        "import slowpath.probe as probe\n"
        f"probe.install({str(tmp_path)!r})\n"
        "from sqlalchemy.ext.asyncio import create_async_engine\n"
        "from sqlalchemy.orm import Session\n"
        "states = {h.name: h.state for h in probe.installed().hooks if 'sqlalchemy' in h.name}\n"
        "assert set(states.values()) == {'on'} and len(states) == 3, states\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_argument_of_create_engine_is_still_taken() -> None:
    # SQLAlchemy reads from the code of `Engine.__init__` and its like which arguments these take.
    with watching():
        engine = create_engine("sqlite://", echo=False, hide_parameters=True, logging_name="shop")
        pooled = create_engine("sqlite:///x.db", pool_size=3, pool_recycle=60, echo_pool=False)
    assert engine.logging_name == "shop"
    assert engine.hide_parameters
    assert pooled.pool.size() == 3
