"""`voxgate score` on folders as people have them; metrics without models, in this process."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness.report.parsing import Page
from voxgate.harness.audio.files import write_wav
from voxgate.harness.cli.main import invoke
from voxgate.harness.scoring import scorer
from voxgate.harness.scoring.process_pool import PoolBatch

RATE_HZ = 16_000
QUICK = "loudness,clicks,clipped_share,chars_per_s"
BAD_NAME = 'odd "name" <b>=x\nline'
FORMULA = "=HYPERLINK(1)"


def here(batches: Sequence[PoolBatch[Any]], workers: int) -> Iterator[tuple[Any, Any]]:
    """Work in this process."""
    for batch in batches:
        yield from zip(batch.pieces, batch.work(batch.pieces), strict=True)


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(scorer, "run_batches", here)


def tone(seconds: float = 1.0, level: float = 0.2, click: bool = False) -> np.ndarray:
    """Return something that loudness can be measured of; with a click on request."""
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    audio = level * np.sin(2 * np.pi * 220 * time_s) * np.sin(np.pi * time_s / seconds)
    if click:
        audio[len(audio) // 2 : len(audio) // 2 + 3] += 0.7
    return audio.astype(np.float32)


@pytest.fixture
def corpus(tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of folders: four recordings, and a list of three of them and of one more."""

    def make(name: str, level: float = 0.2) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for number in range(3):
            write_wav(folder / f"u{number}.wav", tone(level=level * (1 + number / 50)), RATE_HZ)
        write_wav(folder / f"{BAD_NAME}.wav", tone(click=True, level=level), RATE_HZ)
        texts = ["u0|The first text.", "u1|" + FORMULA, "u2|The third text.", "u9|Never read."]
        (folder / "metadata.csv").write_text("\n".join(texts))
        return folder

    return make


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = invoke(["score", *map(str, words)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_folder_gives_table_json_csv_and_page(
    corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = run(capsys, corpus("wavs"), "--metrics", QUICK, "--out", "report")

    assert code == 0
    assert "wavs: 4 of 4 recordings scored, 4 s of audio; texts: id|text, as of LJSpeech" in out
    assert '1 recording has no text: odd "name"' in out
    assert "1 text has no recording: u9" in out
    rate = next(line for line in out.splitlines() if line.startswith("chars_per_s"))
    assert "3 / 4" in rate and "1 without: no text was found for it" in rate
    assert "times real time" in out
    document = json.loads((tmp_path / "report" / "scores.json").read_text())
    (system,) = document["systems"]
    clicks = next(each for each in system["summary"] if each["metric"] == "clicks")
    assert (clicks["worst"], clicks["n"], clicks["total"]) == (BAD_NAME, 4, 4)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "report" / "scores.csv").read_text())))
    assert {row["recording"] for row in rows} == {"u0", "u1", "u2", BAD_NAME}
    assert f"'{FORMULA}" in [row["text"] for row in rows]


def test_the_page_shows_the_worst_first_and_runs_nothing(
    corpus: Callable[..., Path], tmp_path: Path
) -> None:
    assert invoke(["score", str(corpus("wavs")), "--metrics", QUICK, "--out", "report"]) == 0

    source = (tmp_path / "report" / "index.html").read_text()
    page = Page(source)
    assert "<b>=x" not in source and "<b>=x line" in page.text()
    assert page.addresses() == [] or all(a.startswith(("#", "data:")) for a in page.addresses())
    data = json.loads(source.split('id="data">')[1].split("</script>")[0])
    assert data["first"]["utterance"] == BAD_NAME  # it alone clicks
    assert data["utterances"][0]["id"] == BAD_NAME
    assert len(data["utterances"]) == 4


def test_cached_scores_are_said_to_be(
    corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = corpus("wavs")
    run(capsys, folder, "--metrics", QUICK)

    assert "scores were cached" in run(capsys, folder, "--metrics", QUICK)[1]


def test_two_folders_and_their_saved_scores_compare_alike(
    corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    loud, soft = corpus("loud", 0.4), corpus("soft", 0.1)
    code, out, _ = run(capsys, loud, soft, "--metrics", QUICK, "--json")
    whole = json.loads(out)
    for folder in (loud, soft):
        (tmp_path / f"{folder.name}.json").write_text(
            run(capsys, folder, "--metrics", QUICK, "--json")[1]
        )

    again, saved, _ = run(capsys, "loud.json", "soft.json", "--metrics", QUICK, "--json")

    assert again == code
    assert json.loads(saved)["comparisons"] == whole["comparisons"]
    (compared,) = whole["comparisons"]
    assert (compared["texts"], compared["first"], compared["second"]) == (4, "loud", "soft")
    loudness = next(each for each in compared["metrics"] if each["metric"] == "loudness")
    assert loudness["shift"] == pytest.approx(-12.04, abs=0.1)
    assert loudness["winner"] == "different"


def test_a_folder_without_texts_takes_those_of_the_first(
    corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    first, second = corpus("first"), corpus("second", 0.1)
    (second / "metadata.csv").unlink()

    _, out, _ = run(capsys, first, second, "--metrics", QUICK, "--json", "--out", "report")

    whole = json.loads(out)
    assert whole["comparisons"][0]["texts"] == 4
    (tmp_path / "saved.json").write_text(run(capsys, first, "--metrics", QUICK, "--json")[1])
    _, lent, _ = run(capsys, "saved.json", second, "--metrics", QUICK, "--json")
    assert json.loads(lent)["comparisons"][0]["metrics"] == whole["comparisons"][0]["metrics"]
    page = (tmp_path / "report" / "index.html").read_text()
    assert "second against first" in Page(page).text()
    assert "abx.html" in Page(page).addresses()  # two folders have a blind test
    test = (tmp_path / "report" / "abx.html").read_text()
    (pair,) = json.loads(test.split('id="data">')[1].split("</script>")[0])["pairs"]
    assert [pair[side]["label"] for side in ("a", "b")] == ["first", "second"]
    assert len(pair["questions"]) == 3  # the texts that both have, however they scored


def test_metrics_that_cannot_decide_are_said_to(
    corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = corpus("first"), corpus("second")

    code, out, _ = run(capsys, first, second, "--metrics", "loudness")

    assert code == 3 and "none of these metrics can decide" in out.splitlines()[-1]
    assert "duration" not in out, "it was not asked for"


def test_a_reference_is_found_by_name(
    corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    mine, theirs = corpus("mine"), corpus("theirs")
    (theirs / "u0.wav").unlink()

    _, out, _ = run(capsys, mine, "--reference", theirs, "--metrics", "snr", "--json")

    (snr,) = (each for each in json.loads(out)["systems"][0]["summary"] if each["metric"] == "snr")
    assert (snr["n"], snr["total"]) == (3, 4)
    assert "references " in snr["version"]


def test_broken_recordings_are_named_and_fail(
    corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = corpus("wavs")
    (folder / "cut.wav").write_bytes((folder / "u0.wav").read_bytes()[:500])
    write_wav(folder / "nan.wav", np.array([0.1, np.nan], np.float32), RATE_HZ)
    write_wav(folder / "none.wav", np.zeros(0, np.float32), RATE_HZ)
    (folder / "text.flac").write_text("no audio")
    (tmp_path / "outside.wav").write_bytes((folder / "u0.wav").read_bytes())
    (folder / "link.wav").symlink_to(tmp_path / "outside.wav")
    os.mkfifo(folder / "pipe.wav")

    code, out, _ = run(capsys, folder, "--metrics", QUICK)

    assert code == 1
    assert "4 recordings cannot be scored: cut" in out
    assert "NaN or infinity" in out and "the audio is empty" in out
    assert "2 files are not read: link.wav (a link that leads out of the folder)" in out


def test_a_name_that_is_not_in_utf8_is_left_out_and_named(
    corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = corpus("wavs")
    (folder / os.fsdecode(b"b\xff.wav")).write_bytes((folder / "u0.wav").read_bytes())

    code, out, _ = run(capsys, folder, "--metrics", QUICK)

    assert code == 0
    assert "(a name that is not in UTF-8)" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name a folder"),
        (("nowhere",), "nowhere is no folder"),
        (("empty",), "holds no recording"),
        (("rubbish",), "none of the 1 recordings of rubbish can be scored"),
        (("wavs", "--metrics", "loudnes"), "unknown metric 'loudnes'"),
        (("wavs", "--metrics", "rtf"), "'rtf' is of speed"),
        (("wavs", "--metrics", "snr"), "give --reference FOLDER"),
        (("wavs", "--metrics", "voice_similarity"), "give --voice FILE"),
        (("wavs", "--metrics", "caption_drift"), "only a run of a suite has"),
        (("wavs", "--metrics", ","), "names none"),
        (("wavs", "--metrics", "mos_utmos"), "give --model utmos=FILE"),
        (("wavs", "--model", "utmos"), "is no NAME=FILE"),
        (("wavs", "--model", "utmos=absent.onnx"), "absent.onnx"),
        (("wavs", "--language", "English!"), "is no code"),
        (("wavs", "--language", "xx"), "no recogniser knows the language 'xx'"),
        (("wavs", "--voice", "other.json"), "is no recording that can be read"),
        (("wavs", "--texts", "absent.csv"), "cannot read texts absent.csv"),
        (("absent.json",), "there is no absent.json"),
        (("other.json",), "holds no scores"),
        (("--votes", "other.json"), "holds no votes"),
    ],
)
def test_wrong_use_is_one_clear_line(
    corpus: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: tuple[str, ...],
    told: str,
) -> None:
    corpus("wavs")
    (tmp_path / "empty").mkdir()
    (tmp_path / "rubbish").mkdir()
    (tmp_path / "rubbish" / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "other.json").write_text("{}")

    code, out, err = run(capsys, *words)

    assert (code, out) == (2, "")
    assert told in err.splitlines()[-1]
