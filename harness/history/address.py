"""
The default address of the history. Apart from the database, so that a command that needs none loads
none.
"""

import os

DEFAULT_URL = "sqlite:///runs/history.sqlite"
VARIABLE = "VOXGATE_HISTORY"
"""The environment variable that names another database."""


def default_url() -> str:
    """Return the URL that the environment names, or that of the file below runs/."""
    return os.environ.get(VARIABLE) or DEFAULT_URL
