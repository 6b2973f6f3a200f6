"""What the command line may say, and what must not be stored of it."""

from __future__ import annotations

import pytest

from slowpath.errors import UserError
from slowpath.run.options import Options, parse_headers, parse_seconds
from slowpath.run.record import name_of
from slowpath.run.redact import redact, redact_command


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("30", 30), ("1.5m", 90), ("500ms", 0.5), ("2 min", 120), ("1h", 3600)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_seconds("--duration", text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-3s", "3 days", "1e3", "s"])
def test_a_bad_duration_is_named(text: str) -> None:
    with pytest.raises(UserError, match="--duration does not understand"):
        parse_seconds("--duration", text)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"command": ()}, "Give the command"),
        ({"command": (" ",)}, "Give the command"),
        ({"users": 0}, "--users must be at least 1"),
        ({"duration_s": 0.0}, "--duration must be more than 0"),
        ({"rate": -1.0}, "--rate must be more than 0"),
        ({"rate": 5.0, "traffic": "locust:x.py"}, "--rate goes with"),
        ({"port": 70000}, "--port must lie between"),
    ],
)
def test_what_makes_no_sense_is_refused(bad: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Options(**{"command": ("app",), **bad})  # type: ignore[arg-type]


def test_headers_are_read_and_a_bad_one_is_not_repeated() -> None:
    assert parse_headers(["Authorization: Bearer a:b", "X-A:1"]) == {
        "Authorization": "Bearer a:b",
        "X-A": "1",
    }
    with pytest.raises(UserError) as caught:
        parse_headers(["A: 1", "hunter2"])
    assert "number 2" in caught.value.message
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("uvicorn", "main:app"), "uvicorn"),
        (("python", "-m", "uvicorn", "main:app"), "uvicorn"),
        (("/usr/bin/python3.12", "main.py"), "main"),
        (("python",), "python"),
    ],
)
def test_a_run_is_called_after_its_command(command: tuple[str, ...], name: str) -> None:
    assert name_of(command) == name


@pytest.mark.parametrize(
    "argument",
    [
        "--api-key=hunter2",
        "DB_PASSWORD=hunter2",
        "--dsn=hunter2",
        "postgresql+asyncpg://shop:hunter2@db/shop",
        "https://x.example/?a=1&access_token=hunter2&b=2",
        "SECRET_KEY=hunter2 uvicorn main:app --token hunter2 --port 1",
        "Authorization: Bearer hunter2hunter2",
        "ghp_hunter2hunter2hunter2hunter2",
        "sk-proj-hunter2hunter2hunter2",
    ],
)
def test_secrets_are_hidden(argument: str) -> None:
    assert "hunter2" not in redact(argument)
    assert "hunter2" not in " ".join(redact_command(["app", argument]))


def test_the_value_after_a_secret_option_is_hidden() -> None:
    command = ["app", "--auth-token", "hunter2", "--password", "--port", "80"]
    assert redact_command(command) == ["app", "--auth-token", "***", "--password", "--port", "80"]


@pytest.mark.parametrize(
    "argument",
    ["main:app", "--port=8000", "postgresql://db/shop", "http://127.0.0.1:8000/a?limit=5", "-k",
     "--tokenizers-dir", "author=me"],
)  # fmt: skip
def test_what_is_no_secret_stays(argument: str) -> None:
    assert redact_command(["app", argument, "next"]) == ["app", argument, "next"]
