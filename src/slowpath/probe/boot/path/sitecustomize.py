"""Start the probe in this process, then run the `sitecustomize` that this one hides."""

import os
import sys


def _probe() -> None:
    """Import `slowpath.probe` from where this file lies, and install it.

    Only the package itself becomes importable: nothing else of slowpath's own environment.
    """
    import importlib.util

    package = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
    if "slowpath" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "slowpath",
            os.path.join(package, "__init__.py"),
            submodule_search_locations=[package],
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["slowpath"] = module
        spec.loader.exec_module(module)
    import slowpath.probe

    slowpath.probe.install()


def _hidden() -> None:
    """Run the next `sitecustomize` on the path, as if this one were not there."""
    import importlib.machinery
    import importlib.util

    here = os.path.realpath(os.path.dirname(__file__))
    path = [entry for entry in sys.path if os.path.realpath(entry or os.curdir) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


if os.environ.get("SLOWPATH_DIR") and sys.version_info >= (3, 10):
    try:
        _probe()
    except Exception as exc:  # the app comes first, always
        if os.environ.get("SLOWPATH_STRICT") == "1":
            raise
        try:
            name = os.path.join(os.environ["SLOWPATH_DIR"], f"probe-{os.getpid()}.error")
            with open(name, "w") as file:
                file.write(f"{type(exc).__name__}: {exc}")
        except OSError:
            pass
_hidden()
