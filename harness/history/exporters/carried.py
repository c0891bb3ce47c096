"""
JSON: everything, to be carried into another history by `voxgate history import`; `document.py` knows its form.
"""

import json
from collections.abc import Iterator
from typing import Any

from harness.history.database import History
from harness.history.document import SCHEMA, entry_to_dict, word_to_dict
from harness.history.exporters.tables import Choice


def json_text(history: History, choice: Choice) -> str:
    """Give the chosen runs, and all that people said, as JSON: one line per run."""
    runs = _lines(entry_to_dict(history.entry(run.id)) for run in choice.runs(history))
    words = _lines(map(word_to_dict, history.acknowledgements()))
    votes = _lines(map(word_to_dict, history.votes()))
    return f'{{"schema": "{SCHEMA}",\n"runs": [{runs}],\n"acknowledgements": [{words}],\n"votes": [{votes}]}}\n'


def _lines(rows: Iterator[dict[str, Any]]) -> str:
    return ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
