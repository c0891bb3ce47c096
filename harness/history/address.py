"""
Where the history lies unless somebody says otherwise. Apart from the database, so that a command
that needs none loads none.
"""

import os

DEFAULT_URL = "sqlite:///runs/history.sqlite"
VARIABLE = "VOXGATE_HISTORY"
"""The environment variable that names another database."""


def default_url() -> str:
    """Give the URL that the environment names, or the file below runs/."""
    return os.environ.get(VARIABLE) or DEFAULT_URL
