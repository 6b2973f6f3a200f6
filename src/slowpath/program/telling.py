"""Which names of methods tell what class a receiver of unknown type is of."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from slowpath.program.extract import Ref
from slowpath.program.model import Function

# Too common to tell a receiver by.
COMMON = frozenset(
    "get set add update pop items keys values append close open read write send run start stop "
    "copy clear remove insert join split format name id execute commit save delete create load "
    "dump call next count index search find match process handle connect register reset build "
    "parse render emit notify wait flush put push submit result done cancel apply filter exists "
    "setdefault extend encode decode strip lower upper replace is_set info debug error warning "
    "exception dict json model_dump model_validate validate to_dict from_dict __init__ __call__ "
    "__enter__ __exit__ __aenter__ __aexit__ list all first one refresh fetch query".split()
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


@cache
def of_standard_types() -> frozenset[str]:
    """Methods that some type of the standard library has as well, but for short and common ones.

    They are written down, so that what is found does not hang on the Python that slowpath runs
    on, and no scan has to import all these types.
    """
    table = resources.files("slowpath.program") / "knowledge" / "standard_methods.txt"
    return frozenset(table.read_text("utf-8").split())


def alike(receiver: Ref, target: Function) -> bool:
    """Whether the receiver of a call is named like the method's class: `repo`, `UserRepo`."""
    owner = ""
    if receiver.__class__ is str:
        owner = receiver.rpartition(".")[0].rpartition(".")[2]
    words = [each.lower() for each in _WORDS.findall(owner) if len(each) > 2]
    cls = (target.cls or "").rpartition(".")[2]
    return any(
        mine.startswith(word) or word.startswith(mine)
        for mine in (found.lower() for found in _WORDS.findall(cls) if len(found) > 2)
        for word in words
    )
