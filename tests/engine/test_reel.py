"""Reels: scripts, captions, joins, and `python -m voxgate.engine reel`. A tiny voice."""

import html
import json
import re

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from voxgate.engine.__main__ import main
from voxgate.engine.audio.captions import Caption, captions_text
from voxgate.engine.config.reels import reel_pipelines
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.infill import InfillPipeline
from voxgate.engine.pipelines.reel import join, speak_reel
from voxgate.engine.text.reel_script import ReelSegment, load_script

SCRIPT = """# an evening
slt: Good evening.

rms:   It is good   to be here: thank you.
slt: Shall we begin with the weather of the day, and what it may bring tomorrow?
"""
SEGMENTS = (
    ReelSegment(speaker="slt", text="Good evening."),
    ReelSegment(speaker="rms", text="It is good to be here: thank you."),
    ReelSegment(
        speaker="slt",
        text="Shall we begin with the weather of the day, and what it may bring tomorrow?",
    ),
)
TOLERANCE = 1e-3
"""Of full scale, as `synthesize_batch` promises in fp32."""
RATE_HZ = 16_000


def _as_json(segments):
    return json.dumps({"segments": [{"speaker": s.speaker, "text": s.text} for s in segments]})


def test_lines_and_json_hold_the_same_script(tmp_path):
    (tmp_path / "reel.txt").write_text(SCRIPT)
    (tmp_path / "reel.json").write_text(_as_json(SEGMENTS))

    assert load_script(tmp_path / "reel.txt") == SEGMENTS
    assert load_script(tmp_path / "reel.json") == SEGMENTS


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.txt", "slt: Hello.\nGood evening.", "line 2: 'Good evening.' has no speaker"),
        ("a.txt", "the man: Hello.", "'the man' is no speaker's name"),
        ("a.txt", "slt:  ", "line 1: speaker slt has nothing to say"),
        ("a.txt", "slt: Hello\u2028you.\nGood evening.", "line 2: 'Good evening.' has no"),
        (
            "a.json",
            '{"segments": [{"speaker": "slt", "text": "Hello \\ud800."}]}',
            r"segment 1: the text has '\ud800', half of a character",
        ),
        ("a.txt", "# nothing\n", "0 segments"),
        ("a.txt", "slt: a\n" * 1001, "1001 segments"),
        ("a.json", "{", "is not valid JSON"),
        ("a.json", "[]", "must hold"),
        ("a.json", '{"segments": [], "more": 1}', "must hold"),
        ("a.json", '{"segments": [{"speaker": "slt"}]}', "segment 1 must have the keys"),
        ("a.json", '{"segments": [{"speaker": "slt", "text": 5}]}', "text must be text, not '5'"),
        ("a.json", '{"segments": [{"speaker": "s", "text": "a", "x": 1}]}', "must have the keys"),
        ("a.json", '{"segments": 1, "segments": 2}', "'segments' stands twice"),
        ("a.json", '{"segments": [NaN]}', "NaN is no JSON"),
        ("a.json", "[" * 100_000, "is not valid JSON"),
    ],
)
def test_what_is_no_script_is_one_line_that_names_its_place(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)

    with pytest.raises(EngineError) as error:
        load_script(tmp_path / name)

    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_script_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "latin.txt").write_bytes("slt: café".encode("latin-1"))
    (tmp_path / "large.txt").write_bytes(b"a" * (2**20 + 1))
    for name, words in (
        ("none.txt", "cannot be read"),
        ("latin.txt", "is not UTF-8"),
        ("large.txt", "more than 1048576 bytes"),
    ):
        with pytest.raises(EngineError, match=words):
            load_script(tmp_path / name)


FORMATS = ("srt", "vtt", "json")
CAPTIONS = (
    Caption(start_s=0.0, end_s=1.2345, speaker="slt", text="Tom & <Jerry>\n\nmeet -->"),
    Caption(start_s=3661.0, end_s=3662.9996, speaker="rms", text="Yes."),
)


def test_captions_are_written_by_their_suffix(tmp_path):
    assert captions_text(tmp_path / "a.srt", CAPTIONS) == (
        "1\n00:00:00,000 --> 00:00:01,234\nslt: Tom & <\u2060Jerry> meet -\u2060->\n\n"
        "2\n01:01:01,000 --> 01:01:03,000\nrms: Yes.\n"
    )
    assert captions_text(tmp_path / "a.VTT", CAPTIONS) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.234\n"
        "<v slt>Tom &amp; &lt;Jerry&gt; meet --&gt;</v>\n\n"
        "01:01:01.000 --> 01:01:03.000\n<v rms>Yes.</v>\n"
    )
    rows = json.loads(captions_text(tmp_path / "a.json", CAPTIONS))["captions"]
    assert rows[1] == {"start_s": 3661.0, "end_s": 3662.9996, "speaker": "rms", "text": "Yes."}
    with pytest.raises(EngineError, match=r"must end in \.srt or \.vtt or \.json"):
        captions_text(tmp_path / "a.txt", CAPTIONS)


HOSTILE = (
    "<b>bold</b> and {\\an8}up --> down",
    'the <font color="red">red</font> & the &lt; sign, 3 < 4 {y:i}',
    "<v bob>Not me.</v> <c.loud>STYLE</c> NOTE",
    "1\n00:00:09,000 --> 00:00:10,000\r\n\r\n2\u2028NOTE ---> <!-- x --> <00:00:01.000>",
    "{a} <",
)
TIME = r"\d\d:[0-5]\d:[0-5]\d{}\d{{3}}"


def _srt_shown(text):
    """Parse SubRip strictly; return what a player that knows tags shows of each caption."""
    shown = []
    for number, block in enumerate(text.removesuffix("\n").split("\n\n"), start=1):
        head, times, line = block.split("\n")
        stamp = TIME.format(",")
        assert head == str(number) and re.fullmatch(rf"{stamp} --> {stamp}", times)
        assert "-->" not in line
        line = re.sub(r"</?[A-Za-z!0-9][^>]*>|\{\\[^}]*\}|\{[A-Za-z]:[^}]*\}", "", line)
        shown.append(line.replace("\u2060", ""))
    return shown


def _vtt_shown(text):
    """Parse WebVTT strictly; return (voice, text) of each caption."""
    head, *blocks = text.removesuffix("\n").split("\n\n")
    assert head == "WEBVTT"
    shown = []
    for block in blocks:
        times, line = block.split("\n")
        stamp = TIME.format(r"\.")
        assert re.fullmatch(rf"{stamp} --> {stamp}", times) and "-->" not in line
        voice, words = re.fullmatch(r"<v ([^<>&]+)>([^<>]*)</v>", line).groups()
        assert not re.sub(r"&(amp|lt|gt);", "", words).count("&")
        shown.append((voice, html.unescape(words)))
    return shown


def test_no_text_is_markup_of_captions(tmp_path):
    captions = [
        Caption(start_s=at_s, end_s=at_s + 1.0, speaker="slt", text=text)
        for at_s, text in enumerate(HOSTILE)
    ]
    lines = [" ".join(text.split()) for text in HOSTILE]

    srt, vtt, rows = (captions_text(tmp_path / f"a.{kind}", captions) for kind in FORMATS)

    assert _srt_shown(srt) == [f"slt: {line}" for line in lines]
    assert _vtt_shown(vtt) == [("slt", line) for line in lines]
    assert [row["text"] for row in json.loads(rows)["captions"]] == list(HOSTILE)


def _loud(length):
    return np.full(length, 0.5, dtype=np.float32)


@pytest.mark.parametrize("pause_s", [0.0, 0.25])
def test_a_join_of_loud_ends_has_no_step(pause_s):
    reel = join(SEGMENTS, [_loud(9000), _loud(300), _loud(8000)], pause_s, RATE_HZ)

    assert np.abs(np.diff(reel.audio, prepend=0.0, append=0.0)).max() < 0.01
    assert np.abs(reel.audio).max() <= 0.5 + 1e-6


def test_captions_are_cumulative_and_end_with_the_audio():
    paused = join(SEGMENTS, [_loud(16000), _loud(8000), _loud(4000)], 0.25, RATE_HZ)
    crossed = join(SEGMENTS, [_loud(16000), _loud(8000), _loud(4000)], 0.0, RATE_HZ)

    assert [(c.start_s, c.end_s) for c in paused.captions] == [(0, 1), (1.25, 1.75), (2.0, 2.25)]
    assert paused.audio.size == 2.25 * RATE_HZ
    # 50 ms are shared, and captions meet in their middle
    assert [(c.start_s, c.end_s) for c in crossed.captions] == [
        (0.0, 0.975),
        (0.975, 1.425),
        (1.425, 1.65),
    ]
    assert crossed.audio.size == round(1.65 * RATE_HZ)
    assert [c.speaker for c in paused.captions] == ["slt", "rms", "slt"]


@pytest.mark.parametrize(
    "options",
    [
        {"batch": 3},
        {"batch": 2, "batch_by": "order"},
        {"batch": 0},
        {"workers": 2, "threads": 2},
        {"workers": 2, "threads": 2, "batch": 2},
    ],
)
def test_neither_batch_nor_workers_change_a_reel(make_pipeline, options):
    alone = speak_reel(make_pipeline(), SEGMENTS)

    other = speak_reel(make_pipeline(**options), SEGMENTS)

    assert other.captions == alone.captions
    assert np.abs(other.audio - alone.audio).max() <= TOLERANCE


def test_a_segment_sounds_as_its_text_alone_does(make_pipeline):
    pipeline = make_pipeline(batch=2)
    reel = speak_reel(pipeline, SEGMENTS, {"seed": 3})
    second = reel.captions[1]

    alone = pipeline.synthesize(second.text, {"seed": 3, "speaker": "rms"})

    start, end = (round(at_s * RATE_HZ) for at_s in (second.start_s, second.end_s))
    inner = slice(100, -100)  # the fades
    assert np.abs(reel.audio[start:end][inner] - alone[inner]).max() <= TOLERANCE


@pytest.mark.parametrize(
    ("batch", "by", "passes"),
    [(1, "length", 3), (2, "length", 2), (2, "order", 2), (3, "order", 1)],
)
def test_batch_is_what_shares_a_pass(make_pipeline, batch, by, passes):
    pipeline = make_pipeline(batch=batch, batch_by=by)
    vocoder, rows = pipeline.vocoder, []

    def counted(mel, *more):
        rows.append(mel.shape[0])
        return vocoder(mel, *more)

    pipeline.replace_callable("vocoder", counted)
    speak_reel(pipeline, SEGMENTS)

    assert len(rows) == passes and sum(rows) == 3


def test_similar_lengths_pad_less_than_neighbours(make_pipeline):
    segments = [SEGMENTS[index] for index in (0, 2, 0, 2)]

    def padded(by):
        pipeline, computed = make_pipeline(batch=2, batch_by=by), []
        vocoder = pipeline.vocoder

        def counted(mel, *more):
            computed.append(mel.shape[0] * mel.shape[1])
            return vocoder(mel, *more)

        pipeline.replace_callable("vocoder", counted)
        speak_reel(pipeline, segments)
        return sum(computed)

    assert padded("length") < padded("order")


def test_what_cannot_speak_reels_is_refused(make_pipeline):
    assert "infill" not in reel_pipelines() and "flow" in reel_pipelines()
    pipeline = make_pipeline()
    with pytest.raises(EngineError, match="pipeline infill has no option speaker"):
        speak_reel(InfillPipeline.__new__(InfillPipeline), SEGMENTS)
    with pytest.raises(EngineError, match="at least one segment"):
        speak_reel(pipeline, [])
    with pytest.raises(EngineError, match="speaker cannot be 'bob'"):
        speak_reel(pipeline, [ReelSegment(speaker="bob", text="Hello.")])
    for bad in (
        ReelSegment(speaker="bob", text="Hello."),
        ReelSegment(speaker="slt", text="..."),
    ):
        with pytest.raises(EngineError, match=r"^segment 4: "):
            speak_reel(pipeline, [*SEGMENTS, bad])
    with pytest.raises(EngineError, match="pause must be 0 to 10"):
        speak_reel(pipeline, SEGMENTS, pause_s=float("nan"))


def _reel(*args):
    return CliRunner().invoke(main, ["reel", *map(str, args)])


def test_the_command_writes_audio_and_captions(voice_folder, tmp_path):
    (tmp_path / "reel.txt").write_text(SCRIPT)
    out = [tmp_path / name for name in ("reel.wav", "reel.srt", "reel.vtt", "reel.json")]
    engine = ["--voice", voice_folder, "--nfe-steps", 2, "--threads", 1, "--batch", 2]

    done = _reel(
        tmp_path / "reel.txt", "-o", out[0], *(f"--captions={path}" for path in out[1:]), *engine
    )

    assert done.exit_code == 0, done.output
    assert "wrote 3 segments" in done.output and "rtf" in done.output
    captions = json.loads(out[3].read_text())["captions"]
    assert captions[-1]["end_s"] == pytest.approx(soundfile.info(out[0]).duration, abs=1e-3)
    assert out[1].read_text().count("-->") == out[2].read_text().count("-->") == 3


def test_what_is_left_out_of_a_segment_is_told_with_its_number(voice_folder, tmp_path):
    script = tmp_path / "reel.txt"
    script.write_text("slt: Yes.\nrms: No \u65e5.\n", encoding="utf-8")
    quick = ["--voice", voice_folder, "--nfe-steps", 1, "--threads", 1]
    done = _reel(script, "-o", tmp_path / "reel.wav", *quick)

    assert done.exit_code == 0, done.output
    assert done.stderr == (
        "engine: segment 2: left out what cannot be said: '\u65e5' (1 character)\n"
    )


def test_mistakes_end_with_one_line_and_code_2(voice_folder, tmp_path):
    script = tmp_path / "reel.txt"
    script.write_text(SCRIPT)
    (tmp_path / "bob.txt").write_text("bob: Hello.")
    (tmp_path / "dots.txt").write_text("slt: Hello.\nslt: ...")
    (tmp_path / "tag.txt").write_text("slt: [laughs] Hello.")
    twin, srt = tmp_path / "twin.json", tmp_path / "a.srt"
    twin.write_text(_as_json(SEGMENTS))
    good = ["-o", tmp_path / "x.wav", "--voice", voice_folder]
    for args, words in (
        ([tmp_path / "none.txt", *good], "cannot be read"),
        ([script, *good, "--captions", tmp_path / "a.ass"], "must end in .srt or .vtt or .json"),
        ([script, *good, "--captions", tmp_path / "none" / "a.srt"], "does not exist"),
        ([script, *good, "--pause", "-1"], "pause must be"),
        ([script, *good, "--batch", "-1"], "batch must be"),
        ([tmp_path / "bob.txt", *good], "segment 1: option speaker cannot be 'bob'"),
        ([tmp_path / "dots.txt", *good], "dots.txt, segment 2: nothing in '...' can be spoken"),
        ([tmp_path / "tag.txt", *good], "tag.txt, segment 1: the text holds the tag '[laughs]'"),
        ([twin, *good, "--captions", tmp_path / "." / "twin.json"], "twin.json is named twice"),
        ([script, *good, "--captions", srt, "--captions", srt], "a.srt is named twice"),
    ):
        done = _reel(*args)
        assert done.exit_code == 2, (args, done.output)
        assert words in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_script_is_checked_before_a_voice_is_loaded(tmp_path):
    empty = ["-o", tmp_path / "x.wav", "--voice", tmp_path]  # no voice: loading would fail
    for pipeline in reel_pipelines():
        for line, words in (("bob: Hello.", "'bob'"), ("slt: ...", "can be spoken")):
            (tmp_path / "reel.txt").write_text(f"slt: Hello.\n{line}")
            done = _reel(tmp_path / "reel.txt", *empty, "--pipeline", pipeline)
            assert done.exit_code == 2 and "reel.txt, segment 2: " in done.stderr
            assert words in done.stderr
