"""`run --live`: the page follows the run, and ends with it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")

pytestmark = pytest.mark.slow

APP = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""


def test_the_page_follows_the_run_and_ends_with_it() -> None:
    Path("app.py").write_text(APP)
    command = [
        *(sys.executable, "-m", "slowpath.cli", "run", "--live", "--traffic", "url:/a"),
        *("--users", "2", "--duration", "6s", "--warmup", "0.5s", "--"),
        *(sys.executable, "-m", "uvicorn", "app:app", "--port", "0", "--log-level", "warning"),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        told = next(line for line in process.stderr if "watch it at" in line)
        url = re.search(r"http://\S+", told)
        assert url is not None
        data = url[0].replace("/?", "/data?")
        counts = []
        deadline = time.monotonic() + 60
        while len(set(counts)) < 3 and time.monotonic() < deadline:
            with urllib.request.urlopen(data, timeout=30) as answer:
                page = json.load(answer)
            counts.append(page["report"]["load"]["requests"])
            if process.poll() is not None:
                break
        process.stderr.read()
    assert process.returncode == 0
    # It grew while the run went on.
    assert counts == sorted(counts)
    assert len(set(counts)) >= 3
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(data, timeout=5)
