"""Where runs are kept: `.slowpath/runs/<time>-<name>/`, one folder a run."""

from __future__ import annotations

import errno
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slowpath.errors import UserError

RUNS_VARIABLE = "SLOWPATH_RUNS"
DEFAULT_RUNS = Path(".slowpath") / "runs"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run on disk; knows the names of what is in it."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def given_name(self) -> str:
        """What the run is called without its time; `--name`."""
        return str(self.read().get("name", ""))

    @property
    def run_json(self) -> Path:
        return self.path / "run.json"

    @property
    def client_csv(self) -> Path:
        return self.path / "client.csv"

    @property
    def app_log(self) -> Path:
        return self.path / "app.log"

    @property
    def traffic_log(self) -> Path:
        return self.path / "traffic.log"

    @property
    def report_json(self) -> Path:
        return self.path / "report.json"

    @property
    def tables(self) -> Path:
        """The run as tables of DuckDB."""
        return self.path / "run.duckdb"

    @property
    def stacks_txt(self) -> Path:
        """Stacks that py-spy sampled."""
        return self.path / "stacks.txt"

    def read(self) -> dict[str, Any]:
        """What `run.json` holds.

        Raises:
            UserError: it is missing, unreadable or no JSON object.
        """
        try:
            content = json.loads(self.run_json.read_text(encoding="utf-8"))
        except OSError as exc:
            raise UserError(f"Cannot read {self.run_json}: {exc.strerror}.") from exc
        except ValueError as exc:
            raise UserError(f"{self.run_json} is not JSON: {exc}.") from exc
        if not isinstance(content, dict):
            raise UserError(f"{self.run_json} does not hold a JSON object.")
        return content

    def write(self, content: dict[str, Any]) -> None:
        """Replace `run.json` in one step, so that a reader never sees half of it."""
        self.write_file(self.run_json, json.dumps(content, indent=2) + "\n")

    def write_file(self, path: Path, text: str) -> None:
        """Replace a file of this folder in one step.

        Raises:
            UserError: the folder is read-only, gone or on a full disk.
        """
        draft = path.with_name(path.name + ".tmp")
        try:
            draft.write_text(text, encoding="utf-8")
            os.replace(draft, path)
        except OSError as exc:
            draft.unlink(missing_ok=True)
            raise cannot_write(self.path, exc) from exc


def cannot_write(where: Path, exc: OSError) -> UserError:
    """The sentence for a folder that cannot be written to."""
    if exc.errno == errno.ENOSPC:
        return UserError(f"The disk of {where} is full; the run could not be stored.")
    return UserError(
        f"Cannot write to {where}: {exc.strerror or exc}. "
        f"Choose another folder with --runs DIR or {RUNS_VARIABLE}."
    )


def runs_dir(chosen: Path | None = None) -> Path:
    """The folder of all runs: the one chosen, else $SLOWPATH_RUNS, else `.slowpath/runs`."""
    if chosen is not None:
        return chosen
    from_environment = os.environ.get(RUNS_VARIABLE)
    return Path(from_environment) if from_environment else DEFAULT_RUNS


def create(name: str, runs: Path | None = None, now: datetime | None = None) -> RunFolder:
    """Make a new folder for a run called `name`.

    Raises:
        UserError: it cannot be made or written to.
    """
    parent = runs_dir(runs)
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%d-%H%M%S")
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "run"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if parent == DEFAULT_RUNS:
            _keep_out_of_git(parent.parent)
        return RunFolder(_make_unused(parent, f"{stamp}-{slug}"))
    except OSError as exc:
        raise cannot_write(parent, exc) from exc


def _make_unused(parent: Path, name: str) -> Path:
    for number in range(1, 1000):
        path = parent / (name if number == 1 else f"{name}-{number}")
        try:
            # The log of an app may hold what only its owner should read.
            path.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return path
    raise UserError(f"{parent} holds a thousand runs named {name}; choose another --name.")


def _keep_out_of_git(folder: Path) -> None:
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def list_runs(runs: Path | None = None) -> list[RunFolder]:
    """All runs, oldest first; folders without a readable `run.json` are no runs."""
    parent = runs_dir(runs)
    dated: list[tuple[str, str, RunFolder]] = []
    for path in parent.iterdir() if parent.is_dir() else ():
        folder = RunFolder(path)
        if folder.run_json.is_file():
            try:
                started = str(folder.read().get("started", ""))
            except UserError:
                continue
            dated.append((started, path.name, folder))
    return [folder for *_, folder in sorted(dated, key=lambda entry: entry[:2])]


def is_measured(folder: RunFolder) -> bool:
    """Whether the run came as far as traffic, so that there is something to report."""
    return bool(folder.read().get("window"))


def latest(runs: Path | None = None) -> RunFolder:
    """The newest run that was measured.

    Raises:
        UserError: there is none.
    """
    for folder in reversed(list_runs(runs)):
        if is_measured(folder):
            return folder
    raise UserError(
        f"There is no finished run in {runs_dir(runs)}. Start one: slowpath run -- COMMAND."
    )


def newest(runs: Path | None = None) -> RunFolder:
    """The run that began last, whether or not it is done.

    Raises:
        UserError: there is none.
    """
    known = list_runs(runs)
    if not known:
        raise UserError(f"There is no run in {runs_dir(runs)}. Start one: slowpath run -- COMMAND.")
    return known[-1]


def resolve(run: str | None = None, runs: Path | None = None) -> RunFolder:
    """The run meant by a path, a name, the beginning of a name, or nothing (the latest).

    A name may leave out the time: `--name before` is found as `before`; of several, the newest.

    Raises:
        UserError: no such run, or several that begin so.
    """
    if run is None:
        return latest(runs)
    as_path = Path(run)
    if (as_path / "run.json").is_file():
        return RunFolder(as_path)
    known = list_runs(runs)
    for folder in reversed(known):
        if run in (folder.name, folder.given_name):
            return folder
    matching = [
        folder
        for folder in known
        if folder.name.startswith(run) or folder.given_name.startswith(run)
    ]
    if len(matching) == 1:
        return matching[0]
    if not matching:
        raise UserError(f"There is no run {run!r} in {runs_dir(runs)}.")
    names = "\n".join(folder.name for folder in matching[-10:])
    raise UserError(f"{len(matching)} runs begin with {run!r}; say which:", names)
