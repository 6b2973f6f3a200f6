"""Receivers of unknown type: what can be told from the call alone, and what cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings, lines

GUILTY = {
    "a model's plain client": """
        class Model:
            def __init__(self, client):
                self.client = client
            async def ask(self, q):
                answer = self.client.chat.completions.create(messages=q)  # here
                return answer.choices
        """,
    "SQL without await": """
        async def f(db):
            cursor = db.cursor()
            cursor.execute("SELECT * FROM a")  # here
            return cursor.fetchall()
        """,
    "a query of SQLAlchemy's plain session": """
        async def f(db):
            return db.query(User).filter(User.id == 1).first()  # here
        """,
    "a retriever": """
        async def f(self, q):
            docs = self.retriever.get_relevant_documents(q)  # here
            return await self.llm.ainvoke(docs)
        """,
    "a method that is called like its class": """
        import time
        class ReportStore:
            def write_report(self):
                time.sleep(1)  # here
        async def f(self):
            self.store.write_report()
        """,
}

CLEAN = {
    "a model's client that is awaited, at once or later": """
        import asyncio
        class Model:
            def __init__(self, client):
                self.client = client
            async def ask(self, q):
                coming = self.client.chat.completions.create(messages=q)
                await asyncio.wait_for(self.client.chat.completions.create(messages=q), 3)
                return await coming
        """,
    "rows that were fetched before": """
        async def f(session, query):
            result = await session.execute(query)
            return result.fetchall()
        """,
    "a cursor that is entered": """
        async def f(db):
            async with db.execute("SELECT 1") as cursor:
                return await cursor.fetchall()
        """,
    "a method that files have as well": """
        import time
        class Report:
            def write_text(self, text):
                time.sleep(1)
        async def f(found):
            for each in found:
                each.write_text("x")
        """,
    "a method of a class that nothing else speaks for": """
        import time
        class Uploader:
            def upload_report(self):
                time.sleep(1)
        async def f(sdk):
            sdk.upload_report()
        """,
}


@pytest.mark.parametrize("text", GUILTY.values(), ids=GUILTY.keys())
def test_the_plain_one_is_meant(text: str, tmp_path: Path) -> None:
    [number] = [n for n, line in enumerate(text.splitlines(), 1) if line.endswith("# here")]
    found = findings(tmp_path, "blocking-call", app__main=text)
    assert number in lines(found)


@pytest.mark.parametrize("text", CLEAN.values(), ids=CLEAN.keys())
def test_nothing_is_told_by(text: str, tmp_path: Path) -> None:
    assert findings(tmp_path, "blocking-call", app__main=text) == []
