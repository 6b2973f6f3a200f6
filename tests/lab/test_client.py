"""The bench's caller: what a server does to kept connections is not the app's failure."""

from __future__ import annotations

import asyncio

import pytest

from bench.client import Connection

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def asked_twice(second: bytes) -> tuple[list[tuple[int, int]], int]:
    """Ask twice on one connection, whose second call is answered so, and closed.

    Returns:
        The answers, and how many connections were made.
    """
    made = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal made
        made += 1
        for said in (ANSWER, second if made == 1 else ANSWER):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
            await writer.drain()
            if made > 1:
                break
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        connection = Connection(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        answers = [await connection.get("/", b"", 5) for _ in range(2)]
        connection.close()
    return answers, made


def test_it_asks_once_more_on_a_kept_connection_that_is_closed() -> None:
    assert asyncio.run(asked_twice(b"")) == ([(200, 2), (200, 2)], 2)


def test_an_answer_that_is_cut_short_is_a_failure() -> None:
    with pytest.raises(ConnectionError):
        asyncio.run(asked_twice(ANSWER[:-1]))
