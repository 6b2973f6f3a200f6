"""What is known of code outside the project; the facts are in `knowledge/*.toml`.

A name is dotted as it is imported, with "()" for the result of a call that is not an instance:
"requests.Session.get", "boto3.client().*". Braces stand for several names, ".*" at the end for
everything reached from there.
"""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

# Effects that stop the thread, as against burning it.
WAITS = frozenset({"sleep", "net", "db", "disk", "process", "dns", "input", "lock"})
BURNS = frozenset({"cpu", "serialize"})


@dataclass(frozen=True, slots=True)
class Primitive:
    """A call known to block or to compute.

    Attributes:
        name: the dotted name it is known by.
        effect: one of `WAITS` or `BURNS`.
        weight: "heavy" hurts always, "light" only in volume (a `stat`, a small file), "middling"
            in between (a folder's listing, an import that is quick from the second time on).
        twin: what does the same on the loop without blocking it, or "".
    """

    name: str
    effect: str
    weight: str
    twin: str


class _Family(NamedTuple):
    """Methods that mean the same in every package, or class, whose name tells so.

    Attributes:
        packages: how the dotted name begins.
        classes: how a class's name ends; () for anything that has the method.
        methods: their names, or "*" for all of a class.
        but: what the name of a method that does not count matches.
    """

    packages: tuple[str, ...]
    classes: tuple[str, ...]
    methods: frozenset[str]
    but: re.Pattern[str]
    like: Primitive

    def has(self, dotted: str) -> bool:
        owner, _, name = dotted.rpartition(".")
        if not dotted.startswith(self.packages) or "async" in owner.lower():
            return False
        if "*" not in self.methods:
            return name in self.methods
        return bool(self.owner(owner)) and not name.startswith("_") and not self.but.match(name)

    def owner(self, dotted: str) -> str:
        """The class of which something is a part; not of what its methods give."""
        parts = dotted.split(".")
        if "aio" in parts or "(" in dotted or "[" in dotted:
            return ""
        for position, each in enumerate(parts):
            if each.endswith(self.classes):
                return ".".join(parts[: position + 1])
        return ""


class Knowledge:
    """Look-ups over the tables; all take canonical or as-imported dotted names."""

    def __init__(self, tables: Iterable[dict[str, Any]]) -> None:
        self._exact: dict[str, Primitive] = {}
        self._under: dict[str, Primitive] = {}
        self._except: set[str] = set()
        self._families: list[_Family] = []
        self._alias: dict[str, str] = {}
        self._any: dict[str, str] = {}
        self._returns: dict[str, str] = {}
        self._offload: dict[str, tuple[int, str]] = {}
        self._offload_methods: dict[str, tuple[int, str]] = {}
        self.awaitable: dict[str, str] = {}
        self.sets: dict[str, frozenset[str]] = {}
        self._member: dict[tuple[str, str], bool] = {}
        self._primitives: dict[str, Primitive | None] = {}
        for table in tables:
            self._add(table)

    def _add(self, table: dict[str, Any]) -> None:
        twins = {name: twin for twin, names in table.get("twins", {}).items() for name in names}
        for row in table.get("families", ()):
            like = Primitive("", row["effect"], row.get("weight", "heavy"), row.get("twin", ""))
            methods = frozenset(expand(row["methods"]))
            except_for = [fnmatch.translate(each) for each in row.get("except", ())]
            self._families.append(
                _Family(
                    tuple(row["packages"]),
                    tuple(row.get("classes", ())),
                    methods,
                    re.compile("|".join(except_for) or "(?!)"),
                    like,
                )
            )
        for row in table.get("blocking", ()):
            for name in expand(row["calls"]):
                twin = _twin(name, twins) or row.get("twin", "")
                primitive = Primitive(name, row["effect"], row.get("weight", "heavy"), twin)
                if name.endswith(".*"):
                    self._under[name[:-2]] = primitive
                else:
                    self._exact[name] = primitive
            self._except.update(expand(row.get("except", ())))
        for target, names in table.get("alias", {}).items():
            for name in expand(names):
                if name.endswith(".?"):
                    self._any[name[:-2]] = target
                else:
                    self._alias[name] = target
        for target, names in table.get("returns", {}).items():
            self._returns.update(dict.fromkeys(expand(names), target))
        for position, names in table.get("offload", {}).items():
            for name in expand(names):
                if name.startswith("*."):
                    self._offload_methods[name[2:]] = (int(position), name)
                else:
                    self._offload[name] = (int(position), name)
        for name, names in table.get("sets", {}).items():
            known = self.sets.get(name, frozenset())
            self.sets[name] = known | frozenset(expand(names))

    @property
    def packages(self) -> frozenset[str]:
        """Packages that the tables speak of; their source need not be read."""
        return frozenset(
            name.partition(".")[0] for name in (*self._exact, *self._under, *self._returns)
        )

    def primitives(self) -> Iterator[Primitive]:
        """Those that the tables spell out; for one with ".*" what it says of all of them."""
        yield from self._exact.values()
        yield from self._under.values()

    def alias(self, dotted: str) -> str:
        """The name that the tables use for `dotted`."""
        return self._alias.get(dotted, dotted)

    def attribute(self, owner: str, name: str) -> str:
        """The name of `owner.name`; a class may give the same for any attribute it does not have.

        A table says so with "?": `client.anything` is a database of that name.
        """
        dotted = f"{owner}.{name}"
        found = self._alias.get(dotted)
        if found is not None:
            return found
        return self._any.get(owner, dotted) if not self._has(dotted) else dotted

    def _has(self, dotted: str) -> bool:
        return dotted in self._exact or dotted in self._except or dotted in self._returns

    def returns(self, dotted: str) -> str | None:
        """What calling `dotted` gives, when it is not named after the call."""
        return self._returns.get(dotted)

    def offload(self, dotted: str) -> tuple[int, str] | None:
        """(position of the callable, name) if `dotted` runs a callable off the loop."""
        return self._offload.get(dotted)

    def offload_method(self, name: str) -> tuple[int, str] | None:
        """The same for a method whose receiver is not known, such as `loop.run_in_executor`."""
        return self._offload_methods.get(name)

    def primitive(self, dotted: str, *, exact: bool = False) -> Primitive | None:
        """The blocking or computing primitive that `dotted` names, if it is one.

        Args:
            exact: only if a table names it itself, not by a ".*" above it.
        """
        if exact:
            return self._exact.get(dotted) or self._exact.get(shorten(dotted))
        if dotted not in self._primitives:
            self._primitives[dotted] = self._primitive(dotted)
        return self._primitives[dotted]

    def _primitive(self, dotted: str) -> Primitive | None:
        found = self._exact.get(dotted)
        if found is not None:
            return found
        short = shorten(dotted)
        if short != dotted:
            found = self._exact.get(short)
            if found is not None:
                return found
        if dotted in self._except or short in self._except or _ERRORS.search(dotted):
            return None
        for name in (dotted, short) if short != dotted else (dotted,):
            prefix = name
            while True:
                prefix = prefix.rpartition(".")[0]
                if not prefix:
                    break
                found = self._under.get(prefix)
                if found is not None:
                    rest = name[len(prefix) + 1 :]
                    if f"{prefix}.{rest.partition('.')[0]}" in self._except:
                        break
                    if _is_data(found, rest) or _is_harmless(rest) or _is_class(prefix, rest):
                        break
                    if _is_put_together(prefix, rest.rpartition(".")[2]):
                        break
                    return Primitive(dotted, found.effect, found.weight, found.twin)
        return self._of_family(dotted)

    def _of_family(self, dotted: str) -> Primitive | None:
        """A method that means the same in many packages, which their prefix tells: LangChain's."""
        for family in self._families:
            if family.has(dotted):
                cls = family.owner(dotted) if family.classes else ""
                if cls and (cls in self._under or shorten(cls) in self._under):
                    continue  # the tables know that one better
                like = family.like
                return Primitive(dotted, like.effect, like.weight, like.twin)
        return None

    def in_set(self, name: str, dotted: str) -> bool:
        """Whether `dotted` belongs to a named set, itself or by a ".*" above it."""
        key = (name, dotted)
        known = self._member.get(key)
        if known is None:
            known = self._member[key] = self._in_set(name, dotted)
        return known

    def _in_set(self, name: str, dotted: str) -> bool:
        members = self.sets.get(name, frozenset())
        if dotted in members:
            return True
        short = shorten(dotted)
        if short in members:
            return True
        while "." in dotted:
            dotted = dotted.rpartition(".")[0]
            if dotted + ".*" in members:
                return True
        return False


def _twin(name: str, twins: Mapping[str, str]) -> str:
    """What a library has itself for its own call, as its table says of the call or what it is in.

    A row speaks of many libraries; its own twin is for those that have none of their own.
    """
    while name and name not in twins:
        name = name.rpartition(".")[0]
    return twins.get(name, "")


def shorten(dotted: str) -> str:
    """Leave out the modules between a package and a class: libraries re-export their classes.

    "requests.sessions.Session.get" becomes "requests.Session.get". Parts that tell an async twin
    from a sync class stay.
    """
    parts = dotted.split(".")
    for position in range(1, len(parts)):
        if parts[position][:1].isupper():
            between = [p for p in parts[1:position] if p in _KEPT]
            return ".".join([parts[0], *between, *parts[position:]])
    return dotted


# What dicts, lists and texts can do.
_OF_DATA = frozenset(
    name
    for kind in (dict, list, str, bytes)
    for name in dir(kind)
    # What else is called so, a remote part may do as well.
    if not name.startswith("_") and name not in ("count", "insert", "remove", "clear")
) | {"isoformat", "model_dump", "model_dump_json", "to_dict"}


_ERRORS = re.compile(r"(^|\.)(exceptions?|errors?)\.|(Error|Exception)$")
_SETTINGS = re.compile(r"(kwargs|config|settings|metadata|headers|params|options)$")
_ADDS_TO_QUERY = frozenset(
    "filter filter_by join outerjoin options order_by limit offset group_by having distinct where "
    "select_from subquery with_for_update with_entities add_columns correlate union".split()
)
_ONLY_DATA = frozenset(
    "copy items keys values strip split startswith endswith lower upper append extend".split()
)


def _is_harmless(rest: str) -> bool:
    """Whether `rest`, behind a client, ends its use, is of the protocols of async code, or is
    something that only data can do, such as what an attribute of the client holds."""
    owner, _, last = rest.rpartition(".")
    return (
        last in ("close", "is_closed", "aio")
        or "__a" in rest
        or last.startswith("with_")  # a query that is being put together
        or (bool(owner) and last in _ONLY_DATA)
        or (last in _OF_DATA and bool(_SETTINGS.search(owner)))
    )


def _is_put_together(prefix: str, last: str) -> bool:
    """Whether a method only adds to a query, which waits when somebody takes its rows."""
    return prefix.endswith("query()") and last in _ADDS_TO_QUERY


def _is_class(prefix: str, rest: str) -> bool:
    """Whether it is a class of a module: to make an object of it asks nobody, as a rule.

    Where it does, a table names the class.
    """
    modules, _, last = rest.rpartition(".")
    return (
        last[:1].isupper()
        and not last.isupper()
        and prefix.rpartition(".")[2].islower()
        and (not modules or (modules.islower() and "(" not in modules))
    )


def _is_data(primitive: Primitive, rest: str) -> bool:
    """Whether `rest`, behind a client, goes into what a call gave back, which is data by now."""
    given, dot, last = rest.rpartition(".")
    if not dot or "()" not in given:
        return False
    return last in _OF_DATA or (primitive.effect == "db" and "()[]" in given)


_KEPT = frozenset({"asyncio", "aio", "async_api", "asynchronous", "ext", "aiohttp", "future"})


def expand(names: str | Iterable[str]) -> Iterator[str]:
    """Spell out braces: "os.{stat,listdir}" gives two names."""
    for name in [names] if isinstance(names, str) else names:
        head, brace, rest = name.partition("{")
        if not brace:
            yield name
            continue
        inner, _, tail = rest.partition("}")
        for each in inner.split(","):
            yield from expand(head + each.strip() + tail)


@cache
def load() -> Knowledge:
    """The tables that come with slowpath."""
    folder = resources.files("slowpath.program") / "knowledge"
    tables = [
        tomllib.loads(each.read_text("utf-8"))
        for each in sorted(folder.iterdir(), key=lambda each: each.name)
        if each.name.endswith(".toml")
    ]
    return Knowledge(tables)
