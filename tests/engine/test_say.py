"""`python -m voxgate.engine say` for a person."""

import pytest
import soundfile
from click.testing import CliRunner

from voxgate.engine.__main__ import main

RISES = "ends     a question answered by yes or no, the voice rises"


def _say(*args):
    return CliRunner().invoke(main, ["say", *args])


def test_it_writes_audio_and_prints_what_it_cost(voice_folder, tmp_path):
    out = tmp_path / "out.wav"
    done = _say(
        "Hello there.",
        "-o",
        str(out),
        "--voice",
        str(voice_folder),
        "--nfe-steps",
        "2",
        "--threads",
        "1",
    )

    assert done.exit_code == 0, done.output
    assert soundfile.info(out).frames > 1000
    for word in (
        "text",
        "content",
        "acoustic",
        "vocoder",
        "post",
        "rtf",
        "rtfx",
        "eager",
        f"wrote {out}",
    ):
        assert word in done.output


def test_mistakes_end_with_one_line_and_code_2(voice_folder, tmp_path):
    voice = ["--voice", str(voice_folder)]
    good = ["-o", str(tmp_path / "x.wav"), *voice]
    for args, words in (
        (["", *good], "the text is empty"),
        (["😀", *good], "can be spoken"),
        (["Hello [slow] there.", *good], "the text holds the tag '[slow]'"),
        (["Hello [slow] there.", "--show-text"], "the text holds the tag '[slow]'"),
        (["Hello", *good, "--speaker", "bob"], "speaker cannot be 'bob'"),
        (["Hello", *good, "--nfe-steps", "0"], "nfe_steps must be"),
        (["Hello", "-o", str(tmp_path / "none" / "x.wav"), *voice], "does not exist"),
        (["Hello", "-o", str(tmp_path / "x.mp3"), *voice], "must end in .wav or .flac"),
        (["Hello", "-o", str(tmp_path / "x.wav"), "--voice", str(tmp_path)], "do not exist"),
    ):
        done = _say(*args)
        assert done.exit_code == 2, (args, done.output)
        assert (
            words in done.stderr
            and done.stderr.startswith("engine: ")
            and len(done.stderr.splitlines()) == 1
        )


def test_what_is_left_out_is_told_on_standard_error(voice_folder, tmp_path):
    out, quick = str(tmp_path / "x.wav"), ["--nfe-steps", "1", "--threads", "1"]
    done = _say("Hello \U0001f600\u65e5.", "-o", out, "--voice", str(voice_folder), *quick)

    assert done.exit_code == 0, done.output
    assert done.stderr == (
        "engine: left out what cannot be said: '\U0001f600\u65e5' (2 characters)\n"
    )


@pytest.mark.parametrize(
    ("args", "lines", "told"),
    [
        (["--show-text"], ["text 1   call fourteen oh seven.", "text 2   now?", RISES], True),
        (
            ["--show-phones"],
            [
                "text 1   call fourteen oh seven.",
                "phones   pau k ao l f ao r t iy n ow s eh v ax n pau",
                "text 2   now?",
                RISES,
                "phones   pau n aw pau",
            ],
            True,
        ),
        (
            ["--show-text", "--pipeline", "infill"],
            [
                "text 1   Call 1407. \U0001f600 Now?",
                "note     pipeline infill reads characters and splits a long text by its recording "
                "and its limits",
            ],
            False,
        ),
    ],
)
def test_the_reading_is_shown_without_a_voice_and_without_audio(
    tmp_path, monkeypatch, args, lines, told
):
    monkeypatch.chdir(tmp_path)
    done = _say("Call 1407. \U0001f600 Now?", *args)

    assert (done.exit_code, done.stdout.splitlines()) == (0, lines)
    assert done.stderr == (
        "engine: left out what cannot be said: '\U0001f600' (1 character)\n" if told else ""
    )
    assert not list(tmp_path.iterdir())


def test_a_spanish_question_word_falls_and_the_reading_says_so():
    done = _say("\u00bfQu\u00e9 hora es? \u00bfVienes?", "--show-text", "--language", "es")

    assert done.stdout.splitlines() == [
        "text 1   qu\u00e9 hora es?",
        "ends     a question with a question word, the voice falls",
        "text 2   vienes?",
        RISES,
    ]


def test_a_refused_text_leaves_no_file(voice_folder, tmp_path):
    _say("😀", "-o", str(tmp_path / "x.wav"), "--voice", str(voice_folder))

    assert not (tmp_path / "x.wav").exists()
