import re
import runpy
from pathlib import Path

import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.suite.workload import known_workloads, load_workload, reading_notices

MAKER = runpy.run_path(str(Path(__file__).parents[1] / "make_workloads.py"))


@pytest.mark.parametrize("name", MAKER["CHOICE"])
def test_a_shipped_workload_is_a_copy_of_the_held_out_sentences(name: str) -> None:
    text = (MAKER["FOLDER"] / f"{name}.toml").read_text(encoding="utf-8")
    assert text == MAKER["workload_text"](name), "run tests/harness/make_workloads.py"


@pytest.mark.parametrize(
    ("name", "count"),
    [("smoke", 8), ("everyday-short", 24), ("everyday-200", 200), ("questions", 32)],
)
def test_shipped_workloads_use_both_speakers_equally(name: str, count: int) -> None:
    requests = load_workload(name).requests
    assert len(requests) == count
    assert sum(request.options["speaker"] == "slt" for request in requests) == count // 2


def test_a_sentence_is_the_same_request_in_every_workload() -> None:
    everything = {request.id: request for request in load_workload("everyday-200").requests}
    for name in known_workloads():
        numbered = [
            request for request in load_workload(name).requests if re.fullmatch(r"u\d+", request.id)
        ]
        assert all(everything[request.id] == request for request in numbered)


def test_a_question_says_the_words_of_its_statement_with_the_same_voice() -> None:
    requests = {request.id: request for request in load_workload("questions").requests}
    asked = [request for request in requests.values() if request.statement is not None]
    assert len(asked) == len(requests) / 2
    for request in asked:
        told = requests[str(request.statement)]
        assert (request.text, request.options) == (f"{told.text.removesuffix('.')}?", told.options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[request]\n", "is not valid TOML: .*line 1"),
        ("", "must hold one or more"),
        ("[[requests]]\nid = 'a'\ntext = 'b'\n", "it holds requests"),
        ("[[request]]\nid = 'a/b'\ntext = 'b'\n", "request 1: id must be text of"),
        ("[[request]]\nid = 'a'\ntext = ' '\n", "request a: text must be text to speak"),
        (
            "[[request]]\nid = 'a'\ntext = 'b'\nspeaker = ['x']\n",
            "request a: speaker must be one word or number",
        ),
        ("[[request]]\nid = 'a'\ntext = 'b'\n" * 2, "more than once: a"),
    ],
)
def test_a_malformed_workload_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "w.toml"
    path.write_text(text)
    with pytest.raises(HarnessError, match=message):
        load_workload(str(path))


def test_what_is_said_about_a_text_is_no_option_and_voices_are_found_beside_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "slt.flac").write_bytes(b"x")
    path = tmp_path / "w.toml"
    path.write_text(
        "[voices]\nslt = 'slt.flac'\n"
        "[[request]]\nid = 'q'\ntext = 'You went HOME?'\nspeaker = 'slt'\nstatement = 's'\n"
        "emphasis = 'home'\n"
        "[[request]]\nid = 's'\ntext = 'Te fuiste.'\nlanguage = 'es-MX'\n"
    )
    workload = load_workload(str(path))
    question, statement = workload.requests
    assert (question.options, question.statement, question.emphasis, question.language) == (
        {"speaker": "slt"},
        "s",
        "home",
        "en",
    )
    assert (statement.options, statement.statement, statement.language) == ({}, None, "es-MX")
    assert workload.voices == {"slt": str(tmp_path / "slt.flac")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("statement = 'b'", "request a: statement is 'b', which is no other request"),
        ("statement = 'a'", "request a: statement is 'a', which is no other request"),
        ("emphasis = 'home'", "request a: emphasis is 'home', which is no word of its text"),
        ("emphasis = 'ent'", "request a: emphasis is 'ent', which is no word of its text"),
        (
            "language = 'Spanish'",
            "request a: language must be a code such as en, es or es-MX, not 'Spanish'",
        ),
        ("language = 1", "request a: language must be text, not 1"),
        ("spoken = ' '", "request a: spoken must be text, not ' '"),
        ("spoken = 7", "request a: spoken must be text, not 7"),
        ("spoken = '!!!'", "request a: spoken must hold the words to be heard"),
        (
            "[voices]\nslt = 'no.flac'",
            r"voices.slt: there is no .*no.flac; give a path relative to",
        ),
        ("[voices]\n'../x' = 'w.toml'", "voices.../x: the name of a speaker holds letters"),
        ("[voices]\nslt = 1", r"\[voices\] must map speakers to audio files"),
        ("[[voice]]\nslt = 'x'", "it holds request, voice"),
    ],
)
def test_what_cannot_be_said_about_a_text_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "w.toml"
    path.write_text(f"[[request]]\nid = 'a'\ntext = 'You went.'\n{text}\n")
    with pytest.raises(HarnessError, match=message):
        load_workload(str(path))


UNREAD = """
[[request]]
id = "a"
text = "Call 1407 (room two)."

[[request]]
id = "b"
text = "Dr. Smith pays 5 % at no. 3 St. John St."

[[request]]
id = "c"
text = "[laughs] I did not know."
spoken = "I did not know."

[[request]]
id = "d"
text = "Is it so? No. I said etc. and so on, e.g. here."

[[request]]
id = "e"
text = "Nothing is unclear here, is it? No."
"""


def test_what_can_be_read_in_different_ways_is_told_once_per_kind(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(UNREAD)
    workload = load_workload(str(path))
    assert [request.words for request in workload.requests][2] == "I did not know."
    notices = reading_notices(workload)
    assert [notice.split(", which")[0] for notice in notices] == [
        "workload mine: digits in a, b",
        "workload mine: brackets in a",
        "workload mine: abbreviations in b, d",
        "workload mine: symbols in b",
    ]
    assert all('spoken = "the words to be heard"' in notice for notice in notices)


def test_a_notice_names_five_requests_at_most(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text("".join(f"[[request]]\nid = 'r{n}'\ntext = 'No 7.'\n" for n in range(8)))
    (notice,) = reading_notices(load_workload(str(path)))
    assert "digits in r0, r1, r2, r3, r4 and 3 more, which" in notice


def test_a_reading_that_is_unclear_itself_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text("[[request]]\nid = 'a'\ntext = 'Call 7.'\nspoken = 'call 7'\n")
    (notice,) = reading_notices(load_workload(str(path)))
    assert "digits in spoken of a" in notice and notice.endswith("write them as words there")


def test_a_reading_of_any_length_is_no_reading(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text(f"[[request]]\nid = 'a'\ntext = 'Hi.'\nspoken = '{'word ' * 5000}'\n")
    with pytest.raises(HarnessError, match=r"at most 20000 characters"):
        load_workload(str(path))


def test_the_words_to_be_heard_are_part_of_the_digest(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text("[[request]]\nid = 'a'\ntext = 'Call 7.'\n")
    before = load_workload(str(path))
    path.write_text("[[request]]\nid = 'a'\ntext = 'Call 7.'\nspoken = 'call seven'\n")
    after = load_workload(str(path))
    assert before.requests[0].words == "Call 7." and after.requests[0].words == "call seven"
    assert after.requests[0].options == {} and before.digest() != after.digest()


REEL = """
[[request]]
id = "talk"
language = "en"

[[request.segment]]
speaker = "slt"
text = "Good evening."

[[request.segment]]
speaker = "rms"
text = "Yes."
"""


def test_a_reel_has_segments_and_their_texts_together(tmp_path: Path) -> None:
    path = tmp_path / "talk.toml"
    path.write_text(REEL)
    workload = load_workload(str(path))
    (request,) = workload.requests
    assert [(each.speaker, each.text) for each in request.segments] == [
        ("slt", "Good evening."),
        ("rms", "Yes."),
    ]
    assert (request.text, dict(request.options)) == ("Good evening. Yes.", {})

    path.write_text(REEL.replace("rms", "awb"))
    assert load_workload(str(path)).digest() != workload.digest()


def test_the_shipped_reel_has_fifteen_segments_of_two_speakers_who_take_turns() -> None:
    workload = load_workload("reel")
    (request,) = workload.requests
    speakers = [segment.speaker for segment in request.segments]
    assert speakers == ["slt", "rms"] * 7 + ["slt"]
    assert set(workload.voices) == {"slt", "rms"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('language = "en"', 'text = "Hello."', "is a reel: it holds one or more"),
        ('language = "en"', 'speaker = "slt"', "neither text, speaker nor emphasis"),
        ('speaker = "rms"', 'voice = "rms"', "segment 2 must hold speaker and text"),
        ('speaker = "rms"', 'speaker = "rms"\nspeed = 2', "segment 2 must hold speaker and text"),
        ('speaker = "rms"', 'speaker = "../rms"', "segment 2: the name of a speaker"),
        ('text = "Yes."', 'text = " "', "segment 2: text must be text to speak"),
        ('text = "Yes."', "text = 5", "segment 2: text must be text to speak"),
    ],
)
def test_a_reel_that_cannot_be_meant_is_refused(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    path = tmp_path / "talk.toml"
    path.write_text(REEL.replace(old, new))
    with pytest.raises(HarnessError) as error:
        load_workload(str(path))
    assert words in str(error.value) and "request talk" in str(error.value)


def test_a_segment_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "talk.toml"
    for value in ('["a"]', '"a"', "[]"):
        path.write_text(f'[[request]]\nid = "talk"\nsegment = {value}\n')
        with pytest.raises(HarnessError, match="request talk"):
            load_workload(str(path))
