"""`slowpath plan`: what-if without code, by simulation of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slowpath.cli_options import Format, FormatOption, RunsOption
from slowpath.errors import UserError

if TYPE_CHECKING:
    from slowpath.causes import Finding
    from slowpath.ledger import Ledger
    from slowpath.report import Report
    from slowpath.simulate.capacity import Answer, Fleet, Scaling
    from slowpath.simulate.edits import Edit
    from slowpath.simulate.price import Figures, Replay
    from slowpath.simulate.workload import Workload

#: A target that nobody set: so many times the p95 of the unchanged service, simulated.
LOOSE = 2.0
#: What PostgreSQL allows unless it is told otherwise.
MAX_CONNECTIONS = 100
RAMP = (1, 2, 4, 8, 16, 32, 64, 128, 256)
BAR = 40
WIDTH = 80


@dataclass(frozen=True)
class Wish:
    """What shall be different; None is as it was."""

    workers: int | None
    pool: int | None
    threads: int | None
    users: int | None
    rps: float | None
    replicas: int | None
    target: float | None
    cures: tuple[str, ...]
    max_connections: int

    def check(self) -> None:
        """Refuse what cannot be."""
        for name in ("workers", "pool", "threads", "users", "replicas", "max_connections"):
            value = getattr(self, name)
            if value is not None and value < 1:
                option = name.replace("_", "-")
                raise UserError(f"--{option} must be 1 or more, not {value}.")
        for name in ("rps", "target"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UserError(f"--{name} must be more than 0, not {value:g}.")
        if self.users is not None and self.rps is not None:
            raise UserError("--users and --rps are two kinds of load; give one of them.")


def plan(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Its folder, name or how that begins; else the last."),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes of the app.")] = None,
    pool: Annotated[int | None, typer.Option(help="Connections of each worker's pools.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of each worker.")] = None,
    users: Annotated[int | None, typer.Option(help="Users that ask again when answered.")] = None,
    rps: Annotated[float | None, typer.Option(help="Requests a second that come anyway.")] = None,
    replicas: Annotated[int | None, typer.Option(help="Machines behind a balancer.")] = None,
    cure: Annotated[
        list[str] | None,
        typer.Option(metavar="FINDING", help="Its number or cause; may be repeated; or all."),
    ] = None,
    target: Annotated[float | None, typer.Option(metavar="MS", help="p95 to stay under.")] = None,
    max_connections: Annotated[
        int, typer.Option(help="What the database allows.")
    ] = MAX_CONNECTIONS,
    format: FormatOption = Format.TEXT,
    runs: RunsOption = None,
) -> None:
    """Say what a run's service would do with other settings, another load, or findings cured."""
    from slowpath.recording.folder import resolve
    from slowpath.run import analysis, progress

    wish = Wish(
        *(workers, pool, threads, users, rps, replicas, target),
        cures=tuple(cure or ()),
        max_connections=max_connections,
    )
    wish.check()
    folder = resolve(run, runs)
    display = progress.for_this_terminal()
    try:
        report = analysis.report_of(folder, display)
        ledger = analysis.books_of(folder, display)
        display.phase("simulating")
        made = _Planner(report, ledger, wish).make()
    finally:
        display.close()
    if format is Format.JSON:
        print(json.dumps(_as_json(made), indent=2))
    else:
        print("\n".join(_lines(made)))


@dataclass(frozen=True)
class Made:
    """A plan, before it is told.

    Attributes:
        before, after: the recorded load on the recorded service; what was asked for.
        after: of one machine, if there are replicas.
        replicas: machines that were asked for.
        knee_rps: of the changed service; each replica counts.
        fleet: machines that bear the rate that was asked for; None: none was, or no number does.
        points: users and throughput of the ramp.
        warnings: sentences on what forbids or casts doubt on it.
    """

    replay: Replay
    before: Figures
    after: Answer
    replicas: int
    changes: tuple[str, ...]
    target_ms: float
    knee_rps: float
    pool: tuple[str, int] | None
    workers: int | None
    fleet: Fleet | None
    points: tuple[tuple[int, float], ...]
    scaling: Scaling
    warnings: tuple[str, ...]


class _Planner:
    def __init__(self, report: Report, ledger: Ledger, wish: Wish) -> None:
        self.report = report
        self.ledger = ledger
        self.wish = wish

    def make(self) -> Made:
        from slowpath.report.prices import measured_of
        from slowpath.simulate import capacity
        from slowpath.simulate.edits import Rate, apply
        from slowpath.simulate.observe import observe
        from slowpath.simulate.price import Replay, mean, too_little
        from slowpath.simulate.replay import simulations

        if refused := too_little(self.ledger):
            raise UserError(f"No plan can be made of this run: {refused}.")
        workload = observe(self.ledger)
        replay = Replay(measured_of(self.report), mean(simulations(workload, range(2))))
        settings, said = self._settings(workload)
        changed = apply(workload, settings)
        loaded = apply(changed, self._load(changed))
        after = capacity.ask(loaded)
        target = self.wish.target or LOOSE * replay.simulated.p95_ms
        per_replica = apply(changed, self._share())
        knee = capacity.highest_rate(per_replica, target) * (self.wish.replicas or 1)
        rate = loaded.load.rate or after.rps
        asked = Rate(rate).apply(per_replica)
        think = workload.load.think_ns
        points = capacity.ramp(changed, RAMP, think)
        fleet = None
        if self.wish.rps is not None and self.wish.replicas is None:
            fleet = capacity.least_fleet(changed, self.wish.rps, target)
        return Made(
            replay=replay,
            before=replay.measured,
            after=after,
            replicas=self.wish.replicas or 1,
            changes=said,
            target_ms=target,
            knee_rps=knee,
            pool=capacity.least_pool(asked, target),
            workers=capacity.least_workers(asked, target),
            fleet=fleet,
            points=tuple(zip(RAMP, points, strict=True)),
            scaling=capacity.fit_scaling(RAMP, points),
            warnings=tuple(self._warnings(changed, replay, fleet)),
        )

    def _settings(self, workload: Workload) -> tuple[list[Edit], tuple[str, ...]]:
        from slowpath.simulate.edits import Resized, Workers

        wish = self.wish
        edits: list[Edit] = []
        said = []
        for finding in self._cured():
            edit = self._edit(finding)
            edits.append(edit)
            said.append(f"{finding.cause.slug} at {Path(finding.path).name}:{finding.line} cured")
        for kind, size in (("connections", wish.pool), ("threads", wish.threads)):
            named = [found for found in workload.pools if found.kind == kind]
            if size is None:
                continue
            if not named:
                raise UserError(f"This run used no pool of {kind}, so its size changes nothing.")
            edits += [Resized(found.name, size) for found in named]
            said.append(f"{size} {kind} a worker")
        if wish.workers is not None:
            edits.append(Workers(wish.workers))
            said.append(f"{wish.workers} workers")
        return edits, tuple(said)

    def _cured(self) -> list[Finding]:
        """Return the findings that are named, by number, cause, or as all."""
        from slowpath.causes import diagnose

        if not self.wish.cures:
            return []
        known = diagnose(self.ledger)
        listed = self.report["findings"]
        found = []
        for name in self.wish.cures:
            chosen = [
                told for told in listed if name in (str(told["number"]), told["cause"], "all")
            ]
            if not chosen:
                numbers = ", ".join(f"{told['number']} ({told['cause']})" for told in listed)
                raise UserError(
                    f"This run has no finding {name!r}. "
                    + (f"It has {numbers}." if listed else "It has none.")
                )
            for told in chosen:
                found += [
                    finding
                    for finding in known
                    if (finding.cause.slug, finding.line) == (told["cause"], told["line"])
                    and finding.path.endswith(told["path"])
                    and finding not in found
                ]
        return found

    def _edit(self, finding: Finding) -> Edit:
        from slowpath.causes.base import edit_for

        edit = edit_for(finding, self.ledger)
        if edit is None:
            raise UserError(
                f"What curing {finding.cause.slug} would do to this run is not known, "
                "so it cannot be planned with."
            )
        return edit

    def _load(self, workload: Workload) -> list[Edit]:
        from slowpath.simulate.edits import Rate, Users

        wish = self.wish
        edits: list[Edit] = []
        if wish.rps is not None:
            edits.append(Rate(wish.rps))
        elif wish.users is not None:
            if not workload.load.users:
                raise UserError(
                    "This run had no users that wait for answers, so nobody knows how long they "
                    "think; plan with --rps."
                )
            edits.append(Users(wish.users))
        return [*edits, *self._share()]

    def _share(self) -> list[Edit]:
        from slowpath.simulate.edits import Replicas

        return [Replicas(self.wish.replicas)] if self.wish.replicas else []

    def _warnings(self, workload: Workload, replay: Replay, fleet: Fleet | None) -> list[str]:
        from slowpath.simulate.price import missing

        found = []
        if not replay.trusted:
            why = "; ".join(missing(self.ledger, workload))
            found.append(f"These figures are not to be trusted: {why}.")
        pools = [pool for pool in workload.pools if pool.kind == "connections"]
        connections = sum(pool.size for pool in pools) * workload.workers
        machines = self.wish.replicas or (fleet.replicas if fleet is not None else 1)
        connections *= machines
        if connections > self.wish.max_connections:
            found.append(
                f"{connections:,} connections are more than the database allows "
                f"({self.wish.max_connections}; see --max-connections)."
            )
        if workload.workers > workload.cores:
            found.append(
                f"{workload.workers} workers share {workload.cores} cores: those beyond gain "
                "nothing that computes."
            )
        return found


def _as_json(made: Made) -> dict[str, Any]:
    content = asdict(made)
    content["replay"] |= {"error": made.replay.error, "trusted": made.replay.trusted}
    peak = made.scaling.peak_users
    content["scaling"]["peak_users"] = peak if peak != float("inf") else None
    return {"version": 1, **content}


def _lines(made: Made) -> list[str]:
    from slowpath.report.words import ms, number, percent

    after = made.after
    what = ", ".join(made.changes) or "nothing changed"
    lines = [
        f"measured    p95 {ms(made.before.p95_ms)} ms, {number(made.before.rps)} requests/s",
        f"replayed    {percent(made.replay.error)} off",
        *_wrapped(f"changed     {what}"),
    ]
    if after.unbounded:
        lines.append("then        more comes than is answered: the queue grows without bound")
    else:
        lines.append(
            f"then        p95 {ms(after.p95_ms)} ms ({ms(after.low_ms)} to {ms(after.high_ms)}), "
            f"{number(after.rps * made.replicas)} requests/s"
            + (f" from {made.replicas:,} machines" if made.replicas > 1 else "")
        )
        if after.errors:
            lines.append(f"            {percent(after.errors)} give up waiting")
    lines += ["", f"For p95 under {ms(made.target_ms)} ms:"]
    lines.append(
        f"  highest rate      {number(made.knee_rps)} requests/s"
        if made.knee_rps
        else "  highest rate      none: even alone, requests take longer"
    )
    if made.pool is not None:
        lines.append(f"  smallest pool     {made.pool[1]} connections a worker")
    lines.append(
        f"  fewest workers    {made.workers}"
        if made.workers is not None
        else "  fewest workers    no number of workers reaches it at this load"
    )
    if made.fleet is not None:
        fleet = made.fleet
        lines.append(f"  fewest machines   {fleet.replicas:,} ({fleet.low:,} to {fleet.high:,})")
    lines += ["", *_drawn(made.points, made.scaling)]
    for warning in made.warnings:
        lines += ["", *_wrapped(f"! {warning}")]
    return lines


def _drawn(points: Sequence[tuple[int, float]], scaling: Scaling) -> list[str]:
    from slowpath.report.words import number, percent

    most = max((rate for _, rate in points), default=0.0) or 1.0
    lines = ["users  requests/s"]
    for users, rate in points:
        bar = "#" * max(1, round(BAR * rate / most))
        lines.append(f"{users:>5}  {number(rate):>10}  {bar}")
    peak = scaling.peak_users
    end = f", most at {number(peak)} users" if peak != float("inf") else ""
    lines.append(
        f"Universal Scalability Law: {number(scaling.rate)}/s a user, "
        f"{percent(scaling.contention)} contention{end}"
    )
    return lines


def _wrapped(text: str) -> list[str]:
    import textwrap

    indent = " " * (12 if not text.startswith("!") else 2)
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
