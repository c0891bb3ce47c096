"""Lists of texts in every form that people keep: recognised by shape, nothing lost in silence."""

import json
from pathlib import Path

import pytest

from voxgate.harness.corpora.texts import CorpusText, read_beside, read_list
from voxgate.harness.errors import HarnessError

NAMES = ("LJ001-0001", "LJ001-0002")
ONE, TWO = "Printing, in the only sense.", "It differs from most, if not from all."


@pytest.mark.parametrize(
    ("content", "form", "spoken"),
    [
        (
            f"{NAMES[0]}|{ONE}|printing only\n{NAMES[1]}|{TWO}|it differs",
            "id|text",
            "printing only",
        ),
        (f"wavs/{NAMES[0]}.wav|{ONE}|3\nwavs/{NAMES[1]}.wav|{TWO}|14", "id|text", ""),
        (f"wavs/{NAMES[0]}.wav|3|{ONE}\nwavs/{NAMES[1]}.wav|14|{TWO}", "id|text", ""),
        (f"{NAMES[0]}\t{ONE}\n{NAMES[1]}\t{TWO}", "TSV", ""),
        (f"client\tpath\tsentence\nx\t{NAMES[0]}.mp3\t{ONE}\nx\t{NAMES[1]}.mp3\t{TWO}", "TSV", ""),
        (f'file,text\n{NAMES[0]}.wav,"{ONE}"\n{NAMES[1]}.wav,"{TWO}"', "CSV", ""),
        (f'( {NAMES[0]} "{ONE}" )\n( {NAMES[1]} "{TWO}" )', "festival", ""),
        (f"; a comment\n{NAMES[0]}: {ONE}\n{NAMES[1]}: {TWO}", "id: text", ""),
        (f"{NAMES[0]} {ONE}\n{NAMES[1]} {TWO}", "Kaldi", ""),
        (f"﻿{NAMES[0]} {ONE}\r\n{NAMES[1]} {TWO}\r\n", "Kaldi", ""),
        (json.dumps({NAMES[0]: ONE, NAMES[1]: TWO}, indent=1), "JSON", ""),
        (
            "\n".join(
                json.dumps({"audio_filepath": f"/data/{name}.wav", "text": text, "duration": 1.5})
                for name, text in zip(NAMES, (ONE, TWO), strict=True)
            ),
            "JSON",
            "",
        ),
    ],
)
def test_a_list_is_recognised_by_its_shape(
    tmp_path: Path, content: str, form: str, spoken: str
) -> None:
    (tmp_path / "list").write_text(content)

    source = read_list(tmp_path / "list", NAMES)

    assert form in source.form
    assert [source.texts[name].text for name in NAMES] == [ONE, TWO]
    assert source.texts[NAMES[0]].spoken == spoken
    assert source.notes == ()


def test_a_workload_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text('[[request]]\nid = "r1"\ntext = "Uno."\nlanguage = "es"\n')

    source = read_list(tmp_path / "two.toml", ["r1"])

    assert source.texts == {"r1": CorpusText(text="Uno.", language="es")}


def test_what_is_not_understood_is_counted_and_named(tmp_path: Path) -> None:
    lines = [f"{NAMES[0]}|{ONE}", f"{NAMES[1]}|", f"{NAMES[0]}|Another text.", f"x|{'a' * 30_000}"]
    (tmp_path / "metadata.csv").write_text("\n".join(lines))

    source = read_list(tmp_path / "metadata.csv", NAMES)

    assert source.texts == {NAMES[0]: CorpusText(text=ONE)}
    (note,) = source.notes
    assert note.startswith("3 texts not understood: line 2 has no text; line 3 gives 'LJ001-0001'")


def test_a_recording_finds_its_text_by_path_by_name_and_as_a_take(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a/one|First.\nb/one|Second.\ntwo|Third.")

    source = read_list(tmp_path / "list", ["a/one"])

    names = ("a/one", "b/one", "slt/two", "two_1", "deep/two_mic2", "three", "one")
    assert [source.find(name) for name in names] == [
        *("a/one", "b/one", "two", "two", "two"),
        *(None, None),
    ]


def test_a_list_of_other_recordings_is_refused_with_both_names(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("u1|First.\nu2|Second.")

    with pytest.raises(HarnessError, match=r"names none .* 'u1', 'u2', and they are 'x'"):
        read_list(tmp_path / "list", ["x"])


def test_a_text_that_is_too_long_is_why_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("x|" + "word " * 5000)

    with pytest.raises(HarnessError, match=r"names nothing \(line 1 has 24999 characters\)"):
        read_list(tmp_path / "list", ["x"])


@pytest.mark.parametrize("content", [b"\xff\xfa\x80", b"", b"[" * 5000, b'{"a": 1}', b"\x00|\x00"])
def test_a_list_of_rubbish_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list").write_bytes(content)

    with pytest.raises(HarnessError, match=r"UTF-8|names none"):
        read_list(tmp_path / "list", ["x"])


def test_texts_beside_recordings_and_those_without_one(tmp_path: Path) -> None:
    held = {"a.txt": " First\ntext.", "b.lab": "0 100 pau\n100 200 ah", "c.txt": "No recording."}
    for name, text in {**held, "README.txt": "About this corpus."}.items():
        (tmp_path / name).write_text(text)
    recordings = {name: tmp_path / f"{name}.wav" for name in ("a", "a_2", "b")}

    source = read_beside(recordings, set(tmp_path.iterdir()), tmp_path)

    assert {name: text.text for name, text in source.texts.items()} == {
        "a": "First text.",
        "a_2": "First text.",
        "c": "No recording.",
    }
    assert source.notes == ("1 texts not read: b.lab holds no text",)
