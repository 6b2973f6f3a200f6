"""Changes of source that keep its form: what a cause's `cure.py` is written with.

`ast` reads a file, LibCST changes one function of it, and a change is a few splices of the text: so
nothing outside of them can differ.
"""

from slowpath.codemod.change import Change, Refused, Splice
from slowpath.codemod.site import Place, Project, Site
from slowpath.codemod.spot import Spot

__all__ = ["Change", "Place", "Project", "Refused", "Site", "Splice", "Spot"]
