"""
voxgate.engine.text.checks: which texts no pipeline speaks, and which brackets are tags. One table
for both languages.
"""

import re
from pathlib import Path

import pytest

from voxgate.engine.errors import EngineError
from voxgate.engine.text import character_ids
from voxgate.engine.text.checks import TextError, TextFault, check_text, find_tag
from voxgate.engine.text.frontend import phonemise
from voxgate.engine.text.spoken import dropped_line
from voxgate.harness.suite.workload import known_workloads, load_workload

HELDOUT = Path(__file__).parents[3] / "engine" / "training"
TAGS = (
    *("[slow] Hello.", "[happy]", "[SLOW]", "[ slow ]", "[slow]hello[/slow]", "[/slow]"),
    *("[very happy] Hello.", "[in a whisper]", "[whispers softly]", "[short pause]", "[laughs]"),
    *("[pause 1s]", "{pause 500ms}", "[rate 200]", "[speed: 0.8] Hello.", "[emotion=sad]"),
    *("[clears throat]", "[laughs harder]", "[British accent]", "[narrator] Hi. [/narrator]"),
    *("\u3010happy\u3011", "\uff3bslow\uff3d", "a [[slnc 500]] b"),
    *(
        "[r\u00e1pido] Hola.",
        "[muy feliz]",
        "[con voz triste]",
        "[pausa 2 s]",
        "[acento argentino]",
    ),
    *("<emphasis>now</emphasis>", "<EMPHASIS level='strong'>", "<break time='1s'/>", "<break/>"),
    *("<prosody rate=slow>", "<speak>", "<s>Hi.</s>", "</voice>", "<br>", "<laugh>", "<|laugh|>"),
    *("<!-- quickly -->", "<?xml version='1.0'?>", "\uff1cemphasis\uff1e", "<mstts:silence/>"),
)
ORDINARY = (
    *("As in [1] and [12, 13].", "He said [sic].", "[he] said", "[s]he", "a[0]", "[x]", "[...]"),
    *("[citation needed]", "[The president] spoke.", "[see page 5]", "[he was happy]", "[10%]"),
    *("[speed]", "[voice] mail", "[very]", "[2 s]", "[Music by John]", "{name}", "{{user}}"),
    *("(laughs)", "(happy)", "I <3 you", "x < y", "x<y and z>w", "if a<b>c", "5 <= 6 => x"),
    *(
        "your <token> here",
        "<audio>",
        "<speed>",
        "<voice>",
        "<name>",
        "<john@example.com>",
        "<https://a.b/c>",
        "vector<int>",
        "<< hi >>",
        "-> <-",
    ),
    *("a < b / c > d", "[Editor's note: happy]", "\u00bfQu\u00e9 [1] dijo?", "[sin fecha]"),
)


@pytest.mark.parametrize("text", TAGS)
def test_a_tag_is_refused_and_named_for_every_pipeline(text: str) -> None:
    for check in (phonemise, check_text, character_ids.check_text):
        with pytest.raises(TextError, match="follows no markup and no prosody tags") as caught:
            check(text)
        assert caught.value.kind is TextFault.TAGGED and str(caught.value).isascii()
    assert find_tag(text) in text


def test_an_ordinary_bracket_is_no_tag() -> None:
    assert [text for text in ORDINARY if find_tag(text)] == []


def test_no_text_that_is_measured_or_held_out_holds_a_tag() -> None:
    texts = [request.text for name in known_workloads() for request in load_workload(name).requests]
    for path in HELDOUT.glob("heldout*.txt"):
        texts += path.read_text(encoding="utf-8").splitlines()
    assert len(texts) > 500 and [text for text in texts if find_tag(text)] == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (" \n", TextFault.EMPTY),
        ("x" * 5001, TextFault.TOO_LONG),
        ("\U0001f600 ...", TextFault.UNSPEAKABLE),
        ("?!", TextFault.UNSPEAKABLE),
    ],
)
def test_what_one_pipeline_refuses_all_do_with_the_same_kind(text: str, kind: TextFault) -> None:
    for check in (phonemise, character_ids.check_text):
        with pytest.raises(EngineError) as caught:
            check(text)
        assert isinstance(caught.value, TextError) and caught.value.kind is kind


@pytest.mark.parametrize("start", ["<a ", "[", "<a b=c ", "[slow ", "<a:", "{a:", "<a b='", "<a  "])
def test_a_hostile_text_is_looked_through_in_no_time(start: str) -> None:
    text = (start * 5000)[:5000]
    pieces = re.split(r"(?<=[<\[{])", text)
    assert len(pieces) > 1 and find_tag(text) == ""


def test_what_is_left_out_is_told_once_each_and_in_bounds() -> None:
    assert dropped_line("\u65e5") == "left out what cannot be said: '\u65e5' (1 character)"
    many = dropped_line("".join(chr(0x4E00 + number) for number in range(2000)) * 2)
    assert "and more (4000 characters)" in many and len(many) < 120
