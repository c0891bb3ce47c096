"""
The address of the history, and how a run is appended there. Apart from the database, so that a
command that needs none loads none.
"""

import os
from collections.abc import Callable

from voxgate.harness.history.records import HistoryEntry
from voxgate.harness.machine.clock import now_utc_iso

DEFAULT_URL = "sqlite:///runs/history.sqlite"
VARIABLE = "VOXGATE_HISTORY"
"""The environment variable that names another database."""


def default_url() -> str:
    """Return the URL that the environment names, or that of the file below runs/."""
    return os.environ.get(VARIABLE) or DEFAULT_URL


def append_entry(make: Callable[[], HistoryEntry], url: str | None = None) -> str:
    """
    Append an entry to the history at a URL, that of the environment unless given. Returns the
    reason where that fails; else "".

    Catches every exception, a mistake of voxgate's own included: the run is measured and judged,
    and that must not be lost.
    """
    try:
        # half a second that most commands do not need
        from voxgate.harness.history.database import open_history
        from voxgate.harness.history.dates import check_time

        entry = make()
        check_time(entry.created, now_utc_iso())
        with open_history(url or default_url()) as history:
            history.append(entry)
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        return f"this run is not in the history: {why}"
    return ""
