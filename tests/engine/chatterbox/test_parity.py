"""
The same tokens, logits and vectors as chatterbox-tts 0.1.7, on its own random weights.

Runs where VOXGATE_CHATTERBOX_PYTHON names an interpreter that sees the package; how to make one
stands in docs/evidence/published-checkpoints.md.
"""

import os
from pathlib import Path

import pytest

from tests.studies.chatterbox_t3_parity import compare, prepare

PYTHON = os.environ.get("VOXGATE_CHATTERBOX_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="VOXGATE_CHATTERBOX_PYTHON names no interpreter"),
]


def test_the_text_half_computes_what_the_package_computes(tmp_path):
    prepare(tmp_path, Path(PYTHON), full=False)

    rows = compare(tmp_path, full=False)

    assert len(rows) >= 20
    assert [row for row in rows if not row.agrees] == []
