"""`python -m voxgate.engine text-speed`: the text front-end's time, per 100 characters."""

from itertools import count

import pytest
from click.testing import CliRunner

from voxgate.engine.__main__ import main
from voxgate.engine.commands.text_speed import FOLDER, LIMIT_MS, TEXTS, measure
from voxgate.engine.text.frontend import FRONT_ENDS


def test_rates_are_of_all_characters_and_the_first_call_stands_alone():
    ticks = count()
    found = measure(["x" * 50, "y" * 150], "en", 2, lambda: next(ticks) * 0.001)

    assert found.characters == 200 and found.cold_ms == pytest.approx(1.0)
    assert found.first == pytest.approx(1.0) and found.passes == pytest.approx((1.0, 1.0))
    assert found.each == pytest.approx((2.0, 2.0 / 3) * 2)


@pytest.mark.parametrize("language", sorted(FRONT_ENDS))
def test_each_language_keeps_the_limit_with_room_to_spare(language):
    texts = (FOLDER / TEXTS[language]).read_text(encoding="utf-8").splitlines()
    found = measure(texts, language, 1)

    assert len(texts) == 200 and 0.0 < found.p50 <= LIMIT_MS


def test_the_command_prints_a_row_for_each_language(tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("One 2.\n\nNo [1].\n", encoding="utf-8")
    done = CliRunner().invoke(main, ["text-speed", "--texts", str(texts), "--passes", "1"])

    head, *rows, last = done.stdout.splitlines()
    assert done.exit_code == 0 and head.split()[:3] == ["language", "texts", "characters"]
    assert [row.split()[:3] for row in rows] == [["en", "2", "13"], ["es", "2", "13"]]
    assert last.startswith("ms per 100 characters; kept: 5 ms")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), (b"\n \n", "hold no text"), (b"[slow] Go.", "holds the tag")],
)
def test_texts_that_cannot_be_read_are_one_line_and_code_2(tmp_path, content, words):
    texts = tmp_path / "texts.txt"
    if content is not None:
        texts.write_bytes(content)
    done = CliRunner().invoke(main, ["text-speed", "--texts", str(texts)])

    assert done.exit_code == 2 and words in done.stderr and len(done.stderr.splitlines()) == 1
