"""The page of languages shows readings that the front-end gives."""

import re
from pathlib import Path

import pytest

from voxgate.engine.text.frontend import phonemise

PAGE = Path(__file__).parents[4] / "docs" / "languages.md"
KINDS = "numbers|ordinals|dates|times|money|units|Roman numerals|signs"
ROW = re.compile(rf"^\| ({KINDS}) \| (.*?) \| (.*?) \|$", re.MULTILINE)
SPANISH = "## What Spanish text reads as"
ROWS = ROW.findall(PAGE.read_text(encoding="utf-8").partition(SPANISH)[2])


@pytest.mark.parametrize(("kind", "written", "read"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_reads_as_the_page_says(kind: str, written: str, read: str) -> None:
    texts = re.findall("`(.*?)`", written)
    said = [phonemise(text, language="es")[0].text.rstrip(".") for text in texts]
    assert ", ".join(said) == read


def test_the_page_has_its_rows() -> None:
    assert len(ROWS) >= len(KINDS.split("|"))
