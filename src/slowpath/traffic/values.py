"""What the app's own answers tell about the ids it knows.

`GET /users` answered `[{"id": 7, …}, …]`, so `/users/{user_id}` can be asked for 7. Each item is
kept with the path parameters it was obtained under: order 17 of user 3 belongs to user 3.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ITEMS_PER_ANSWER = 50

_IDENTIFIERS = ("id", "uuid", "guid", "pk", "key", "slug", "code", "name", "_id")
_WRAPPERS = ("items", "data", "results", "result", "records", "rows", "content", "values")

Bindings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing the app told about.

    Attributes:
        bindings: the path parameters of the request that told of it.
        fields: its scalar fields; a bare value of a list is the field `""`.
    """

    bindings: Bindings
    fields: Mapping[str, Any]


class KnownValues:
    """All items seen so far, and the values they offer for a parameter."""

    def __init__(self) -> None:
        self._of_collection: defaultdict[str, list[Item]] = defaultdict(list)
        self._of_noun: defaultdict[str, list[Item]] = defaultdict(list)
        self._of_field: defaultdict[str, dict[Any, None]] = defaultdict(dict)

    def learn(self, template: str, bindings: Bindings, answer: Any) -> bool:
        """Remember the items of a JSON answer to `template`; False if there were none."""
        items = list(_walk(answer, depth=0))
        for key, fields in items:
            own = key is None or key.lower() in _WRAPPERS
            item = Item(dict(bindings), fields)
            self._of_noun[noun_before(template) if own else singular(key or "")].append(item)
            if own:
                self._of_collection[template.rstrip("/")].append(item)
            for name, value in fields.items():
                self._of_field[name][value] = None
        return bool(items)

    def offer(self, parameter: str, prefix: str, bindings: Bindings) -> list[Any] | None:
        """Values for a parameter, from the likeliest source that has any; None without one.

        An empty list says that the app has none under these parents.

        Args:
            prefix: the route template before the parameter; `""` for one in the query.
            bindings: the path parameters that are filled already.
        """
        # The list that the parameter picks from, under the same parents; those of other parents
        # would be wrong here.
        if listed := self._of_collection.get(prefix.rstrip("/")):
            return _distinct(
                _identify(item, parameter)
                for item in listed
                if item.bindings.items() <= bindings.items()
            )
        for noun in filter(None, (_stem(parameter), noun_before(prefix))):
            items = self._of_noun.get(noun, ())
            if values := _distinct(_identify(item, parameter) for item in items):
                return values
        # Something refers to it: the `user_id` of an order.
        return list(self._of_field.get(parameter, ())) or None


def singular(word: str) -> str:
    """`Categories` → `category`; good enough to see that two words mean one thing."""
    word = re.sub(r"[^a-z0-9]", "", word.lower())
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def noun_before(template: str) -> str:
    """The last fixed segment of a template in the singular: `/a/users/{id}` → `user`."""
    fixed = [part for part in template.split("/") if part and "{" not in part]
    return singular(fixed[-1]) if fixed else ""


def _stem(parameter: str) -> str:
    """The noun in a parameter's name: `user_id`, `userId` and `user` → `user`; `id` → ``."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", parameter).lower()
    parts = re.split(r"[^a-z0-9]+", snake)
    if parts[-1] in _IDENTIFIERS:
        parts.pop()
    return singular("".join(parts))


def _identify(item: Item, parameter: str) -> Any:
    """The field of an item that the parameter asks for."""
    suffix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", parameter).lower().rpartition("_")[2]
    for name in (parameter, suffix, *_IDENTIFIERS, ""):
        if item.fields.get(name) is not None:
            return item.fields[name]
    return None


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(value for value in values if value is not None))


def _walk(answer: Any, depth: int, key: str | None = None) -> Iterator[tuple[str | None, Any]]:
    """Items of an answer, each with the key it was under; inner ones down to two levels."""
    if isinstance(answer, list):
        for element in answer[:ITEMS_PER_ANSWER]:
            if isinstance(element, dict):
                yield from _walk(element, depth, key)
            elif _is_scalar(element):
                yield key, {"": element}
    elif isinstance(answer, dict):
        if fields := {name: value for name, value in answer.items() if _is_scalar(value)}:
            yield key, fields
        if depth < 2:
            for name, value in answer.items():
                if isinstance(value, (list, dict)):
                    yield from _walk(value, depth + 1, name)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""
