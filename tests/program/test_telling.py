"""The table of methods that types of the standard library have holds those of this Python."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from slowpath.program.telling import COMMON, of_standard_types

TYPES = (
    "argparse.ArgumentParser array.array asyncio.AbstractEventLoop asyncio.Condition "
    "asyncio.DatagramTransport asyncio.Queue asyncio.StreamReader asyncio.StreamWriter "
    "asyncio.Task asyncio.Transport builtins.bytes builtins.dict builtins.int builtins.list "
    "builtins.set builtins.str collections.Counter collections.OrderedDict collections.deque "
    "concurrent.futures.Executor concurrent.futures.Future configparser.ConfigParser "
    "contextlib.AsyncExitStack contextlib.ExitStack datetime.datetime decimal.Decimal "
    "email.message.EmailMessage http.client.HTTPConnection io.BytesIO io.TextIOWrapper "
    "logging.Handler logging.Logger multiprocessing.process.BaseProcess pathlib.Path queue.Queue "
    "re.Match re.Pattern selectors.BaseSelector socket.socket sqlite3.Connection sqlite3.Cursor "
    "ssl.SSLContext subprocess.Popen tarfile.TarFile threading.Condition threading.Thread "
    "urllib.request.Request uuid.UUID xml.etree.ElementTree.Element zipfile.ZipFile"
).split()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the table is of Python 3.11 to 3.13")
@pytest.mark.parametrize("dotted", TYPES)
def test_methods_of_standard_types_are_in_the_table(dotted: str) -> None:
    module, _, name = dotted.rpartition(".")
    telling = {each for each in dir(getattr(import_module(module), name)) if len(each) >= 6}
    assert telling - COMMON <= of_standard_types()


def test_other_names_are_not() -> None:
    assert not {"charge_customer", "render_invoice"} & of_standard_types()
