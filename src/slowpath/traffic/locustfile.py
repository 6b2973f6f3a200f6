"""Traffic by the user's own locustfile."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from slowpath.errors import UserError
from slowpath.traffic.plan import Plan
from slowpath.traffic.spec import known_routes


class LocustFile:
    """Its users, weights, waits and shape decide; its `host` is replaced by the app's address."""

    kind = "locust"

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def check(self) -> None:
        """See `Source.check`; the file is compiled, not run."""
        try:
            compile(self._path.read_bytes(), str(self._path), "exec", dont_inherit=True)
        except OSError as exc:
            raise UserError(f"Cannot read the locustfile {self._path}: {exc.strerror}.") from exc
        except SyntaxError as exc:
            raise UserError(
                f"The locustfile {self._path} has a syntax error in line {exc.lineno}: {exc.msg}."
            ) from exc
        except ValueError as exc:
            raise UserError(f"The locustfile {self._path} is not Python: {exc}.") from exc

    def plan(self, base_url: str, headers: Mapping[str, str]) -> Plan:
        """See `Source.plan`."""
        return Plan(
            kind=self.kind,
            locustfile=str(self._path.resolve()),
            routes=known_routes(base_url, headers),
        )
