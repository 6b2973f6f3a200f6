"""A scan after an edit: what the edit does not touch stands, the rest is worked on anew.

Every file is worked on by itself, and asks about others. After an edit it is told, in this order,
what differs; each step hangs on those before it alone:

- which files are concerned: they asked about an edited file, or about another one that is
  concerned, and the answer is another now; or they looked at what differs (`concerned`).
- what these add to the indexes that calls are resolved by, and who looked there in vain, or found
  something else.
- where the calls of all of these lead, and how the loop comes to functions.
- what files add to other indexes, who looked there, and what is concluded about functions.

Worked on anew are all these files; where calls lead elsewhere, files of whoever comes there, and
of whom the loop now comes to by another way; and those who took over a conclusion that is another
one now. All other findings stand, moved to where their lines are now.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from typing import Any

from slowpath.causes.base import Cause
from slowpath.program.answers import (
    hangs_on_calls,
    pack_conclusion,
    question,
    unpack_conclusion,
)
from slowpath.program.build import Tree
from slowpath.program.graph import Graph
from slowpath.program.index import RESOLVING
from slowpath.program.model import Function, Module
from slowpath.program.packing import Packed
from slowpath.program.reader import READER
from slowpath.program.resolve import Gone, Program
from slowpath.program.team import Seat, Turns, together
from slowpath.scan_units import ask
from slowpath.warm.concerned import concerned, who_hears_otherwise
from slowpath.warm.kept import Edits, Kept, digests
from slowpath.warm.known import Known, TooMuch, other_names
from slowpath.warm.led import Led, path_of
from slowpath.warm.lookups import Lookups
from slowpath.warm.moved import Shift, Unmapped, pack
from slowpath.warm.noted import (
    Page,
    merge_edges,
    merge_indexes,
    notes,
    pack_indexes,
)

# Beyond this part of the lines it is quicker to scan them all, by several processes.
_MOST = 0.4
# From so many lines on the causes are asked by two processes.
_LINES_FOR_TWO = 5_000
# Conclusions of a file are drawn anew so often at most; they settle long before.
_MOST_OFTEN = 20


def scan_again(
    program: Program, tree: Tree, kept: Kept, edits: Edits, causes: Mapping[str, Cause]
) -> bool:
    """Bring what is kept up to date, but for what is shown; False if too much is touched."""
    READER.forget()
    try:
        _Again(program, tree, kept, edits, causes).work()
    except (TooMuch, LookupError):
        return False  # or what is remembered does not fit what is there, and is done without
    finally:
        READER.forget()
    return True


class _Again:
    def __init__(
        self,
        program: Program,
        tree: Tree,
        kept: Kept,
        edits: Edits,
        causes: Mapping[str, Cause],
    ) -> None:
        self._program = program
        self._tree = tree
        self._kept = kept
        self._causes = causes
        self._edits = edits
        self._known = Known(program, kept, edits)
        self._noted_elsewhere: list[list[Any]] = []
        #: Files that are worked on.
        self._touched: set[str] = set()
        self._graph = Graph(program)

    def work(self) -> None:
        """All of it."""
        known, graph = self._known, self._graph
        names = other_names(self._program, self._edits, known)
        anew = concerned(graph, known, known.who_sought(names) if names else ())
        lookups = Lookups(graph, self._tree, known, self._kept.indexes, anew)
        self._touch(anew)
        found = lookups.look_up_again(anew, lookups.first)
        self._touch(found)
        # Whoever only resolved calls by what was found is worked on if they lead elsewhere now.
        anew |= known.still_there(path.removeprefix(RESOLVING) for path in found)
        led = self._led = Led(graph, known, self._kept, anew)
        lead_elsewhere, begin_elsewhere = led.elsewhere(), lookups.begin_elsewhere(anew)
        others = lead_elsewhere | begin_elsewhere
        if others or led.starts_elsewhere():
            others |= led.new_ways()
        else:
            led.same_ways()
        may_add_others = anew | {path_of(key) for key in others}
        beneath, unknown = led.beneath(lead_elsewhere)
        others |= beneath
        self._touch(path_of(key) for key in others)
        for key in others | unknown:
            path, _, qual = key.partition("\0")
            self._touch(known.page(path).followed.get(qual, ()))
        self._touch(lookups.look_up_again(may_add_others, lookups.later))
        self._conclude_again()
        self._ask()
        self._keep()

    def _touch(self, paths: Iterable[str]) -> set[str]:
        """Work on these files as well; those of them that were not to be worked on before."""
        new = self._known.still_there(paths) - self._touched
        self._touched |= new
        lines = sum(self._program.by_path[path].lines for path in self._touched)
        if lines > _MOST * sum(each.lines for each in self._program.files):
            raise TooMuch
        return new

    # -- working on files anew ---------------------------------------------------------------

    def _conclude_again(self) -> None:
        """Draw conclusions of files that are worked on anew; who took over others is as well."""
        self._graph.recall = self._recall
        known = self._known
        for path in self._touched:
            known.page(path).conclusions.clear()
        todo = deque(sorted(self._touched))
        often: dict[str, int] = defaultdict(int)
        while todo:
            path = todo.popleft()
            often[path] += 1
            if often[path] > _MOST_OFTEN:
                raise TooMuch
            concern = self._hear_conclusions(path) | known.page(path).circled - self._touched
            for each in known.still_there(concern):
                self._touch([each])
                known.page(each).conclusions.clear()
                _forget(self._program.by_path[each])
                if each not in todo:
                    todo.append(each)

    def _hear_conclusions(self, path: str) -> set[str]:
        """Paths of files that took over a conclusion of this one that is another one now."""
        found: set[str] = set()
        page = self._known.page(path)
        for asked in [each for each in page.answers if hangs_on_calls(each)]:
            found |= who_hears_otherwise(self._graph, self._known, path, asked)
            if asked in page.answers:
                place, what = asked
                packed = pack_conclusion(self._program.by_path[path].function(place[1:]), what)
                if packed is not None:
                    page.conclusions[asked] = packed
        return found

    def _recall(self, function: Function, asked: Any) -> None:
        """A conclusion stands, as findings do, if nothing that it hangs on is touched."""
        if asked not in function.memo:
            packed = self._known.page(function.path).conclusions.get(question(function, asked))
            if packed is not None:
                function.memo[asked] = unpack_conclusion(self._program, packed)

    def _ask(self) -> None:
        """Work on files that are touched, and with findings at lines that nobody can follow."""
        shift = Shift({**self._edits.moved, **self._led.moved})
        kept = self._kept.found
        for path in self._known.gone:
            kept.pop(path, None)
        for path, found in kept.items():
            if path not in self._touched:
                try:
                    kept[path] = {
                        slug: [shift.finding(each) for each in said] for slug, said in found.items()
                    }
                except Unmapped:
                    self._touch([path])
        files = [each for each in self._program.files if each.path in self._touched]
        for path, found in self._asked(files).items():
            kept[path] = found

    def _asked(self, files: list[Module]) -> dict[str, dict[str, list[Packed]]]:
        """Packed findings of files, of which two processes take turns if it is worth it."""
        words = set(self._program.indexes)
        size = 2 if sum(each.lines for each in files) >= _LINES_FOR_TWO else 1
        turns = self._turns(files) if size > 1 else [(each, self._causes) for each in files]
        numbers = Turns(len(turns))

        def work(seat: Seat) -> tuple[Any, ...]:
            found: dict[str, dict[str, list[Packed]]] = {}
            try:
                for number in numbers:
                    module, causes = turns[number]
                    for _, there in ask(self._graph, causes, [module]):
                        for slug, said in there.items():
                            found.setdefault(module.path, {})[slug] = [pack(e) for e in said]
            except Gone:
                return (None,)
            if not seat.number:
                return (found,)  # what was noted meanwhile is in this process already
            pages = {path: page.packed() for path, page in notes(self._graph).items()}
            return found, pages, self._led.resolved(), _without(pack_indexes(self._graph), words)

        merged: dict[str, dict[str, list[Packed]]] = {each.path: {} for each in files}
        for found, *noted in together(work, size):
            if found is None:
                raise TooMuch
            for path, each in found.items():
                merged[path].update(each)
            if noted:
                self._noted_elsewhere.append(noted)
        return merged

    def _turns(self, files: list[Module]) -> list[tuple[Module, Mapping[str, Cause]]]:
        """Large files first; one that is most of the work is done cause by cause."""
        half = sum(each.lines for each in files) / 2
        ordered = sorted(files, key=lambda each: -each.lines)
        return [
            (each, causes)
            for each in ordered
            for causes in (
                [{slug: cause} for slug, cause in self._causes.items()]
                if each.lines > half
                else [self._causes]
            )
        ]

    def _keep(self) -> None:
        kept, graph, known = self._kept, self._graph, self._known
        pages, edges, indexes = notes(graph), self._led.resolved(), [pack_indexes(graph)]
        for other_pages, other_edges, other_indexes in self._noted_elsewhere:
            for path, packed in other_pages.items():
                pages[path].add(Page(packed))
            merge_edges(edges, other_edges)
            indexes.append(other_indexes)
        changed = known.still_there(self._touched | self._led.anew)
        for path, page in pages.items():
            if not known.page(path).holds(page):
                known.page(path).add(page)
                changed.add(path)
        for path in changed:
            kept.pages.put(path, known.page(path).packed())
        self._led.keep(edges)
        for path in known.gone:
            kept.pages.drop(path)
            kept.edges.drop(path)
            for told, *_ in kept.indexes.values():
                told.pop(path, None)
        kept.indexes = merge_indexes([kept.indexes, *indexes])
        kept.digests = digests(self._tree)


def _forget(module: Module) -> None:
    """Forget what was found out about functions, but for calls that were added to bodies."""
    for function in (module.body, *module.functions.values()):
        for key in function.memo.keys() - {"implied", "at"}:
            del function.memo[key]


def _without(indexes: dict[str, Packed], words: set[str]) -> dict[str, Packed]:
    """Indexes without what files add to those that others have as well."""
    return {word: ({} if word in words else told, *rest) for word, (told, *rest) in indexes.items()}
