"""The errors that finescale raises on its own account.

Wrong arguments raise TypeError or ValueError.

Every message is one line that names the value and the rule it breaks, so that the
command line can print it as it is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FinescaleError(Exception):
    """Base of all errors that finescale raises on its own account."""


class UnknownNameError(FinescaleError, ValueError):
    """A name of a format, recipe or variant that does not exist; the message lists near ones."""


class NotAvailableError(FinescaleError, ValueError):
    """A well-formed request that this version cannot carry out; nothing was computed."""


class FileFormatError(FinescaleError, ValueError):
    """A file that is truncated, corrupt or not of the expected kind."""


class ToolError(FinescaleError, RuntimeError):
    """An external tool that is missing or that failed."""


class MismatchError(FinescaleError):
    """Two things that have to be identical to the bit are not."""


def near(name: str, known: Iterable[str], count: int = 3) -> str:
    """Return ``"; did you mean a, b?"`` for the known names nearest to ``name``, or ``""``."""
    found = difflib.get_close_matches(name, list(known), n=count, cutoff=0.5)
    return f"; did you mean {', '.join(found)}?" if found else ""
