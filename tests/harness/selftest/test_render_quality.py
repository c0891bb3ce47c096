"""The sensitivity matrix as text, Markdown and JSON."""

import json

import pytest

from tests.harness.selftest.finding import (
    ADVISED,
    HEARD,
    SEEN,
    UNPROVEN,
    UNSEEN,
    finding,
    matrix,
    trust,
)
from voxgate.harness.selftest import render_quality
from voxgate.harness.selftest.specimens import ONE, Kind

FOUND = trust(
    matrix(
        finding("click", UNSEEN, strength="0.1"),
        finding("click", SEEN | UNPROVEN, strength="1"),
        finding("click", ADVISED, strength="1", extent=ONE),
        finding("noise", UNSEEN, strength="20 dB"),
        finding("rounding", ADVISED, kind=Kind.HARMLESS),
        left_out={"other speaker": "no utterance can hold it"},
    )
)


def test_the_terminal_gets_a_letter_per_metric_grouped_by_family() -> None:
    lines = render_quality.text(FOUND).splitlines()
    start = lines.index("engine nfe_steps=8, 8 utterances")
    assert [line.split() for line in lines[start + 1 : start + 6]] == [
        ["fault", "strength", "any", "free", "one", "parity", "faults"],
        ["click", "0.1", ".", ".", "..", "."],
        ["click", "1", "#", "?", "+.", "#.", "?"],
        ["noise", "20", "dB", ".", ".", "..", "."],
        ["rounding", "1", "+", ".", ".+", "."],
    ]
    assert "parity: snr* pesq" in lines and "faults: clicks*" in lines


def test_the_last_line_is_the_verdict_and_what_went_wrong_stands_above() -> None:
    text = render_quality.text(FOUND)
    assert text.splitlines()[-1] == (
        "NOT TRUSTWORTHY for quality: 1 of 2 faults seen by a metric that blocks, 0 of 2 without "
        "parity (engine nfe_steps=8); 0 false alarms in 1 harmless changes; overlooked even at its "
        "greatest: noise, click"
    )
    assert "overlooked: engine nfe_steps=8: noise" in text
    assert "seen by parity alone: engine nfe_steps=8: click" in text
    assert "never judged, and so not shown: peak" in text
    assert "without a value for any of the audio, and so not shown: wer" in text
    assert "false advice: engine nfe_steps=8: rounding, 1: pesq" in text
    assert "not planted: engine nfe_steps=8: other speaker: no utterance can hold it" in text


def test_markdown_names_the_metrics_and_shows_the_picture() -> None:
    page = render_quality.markdown(FOUND, "voxgate selftest", "sensitivity.png")
    assert "(sensitivity.png)" in page and "```\nvoxgate selftest\n```" in page
    assert "| click | 1 | not proven | **snr** | (clicks?) | not seen |" in page
    assert "| noise | 20 dB | not seen |  |  |  |" in page
    assert "(sensitivity.png)" not in render_quality.markdown(FOUND, "voxgate selftest")


def test_markdown_says_for_each_metric_what_it_sees_from_which_strength_on() -> None:
    page = render_quality.markdown(FOUND, "voxgate selftest")
    assert "| parity | snr | yes | click 1 | noise |" in page
    assert "| parity | pesq |  |  | click; noise |" in page


def test_what_cannot_be_seen_stands_there_with_the_reason_and_what_saw_it_all_the_same() -> None:
    heard = finding("click", HEARD), finding("click", HEARD, extent=ONE)
    found = trust(
        matrix(*heard, finding("late", SEEN)), unseeable={"late": "silence", "click": "a", "x": "b"}
    )
    assert render_quality.unseeable(found) == [
        "late: silence",
        "click: a (here it was seen all the same)",
    ]
    page = render_quality.markdown(found, "voxgate selftest")
    assert "- late: silence" in page
    assert "| click | 1 | **seen** | **snr** | **clicks** | **clicks**; parity: **snr** |" in page
    assert "late: silence" in render_quality.text(found)


def test_the_document_is_json() -> None:
    document = json.loads(json.dumps(render_quality.to_json(FOUND), allow_nan=False))
    assert document["exit_code"] == 3
    assert document["matrices"][0]["findings"][1]["sights"] == {
        "snr": "seen",
        "pesq": "not seen",
        "clicks": "unproven",
    }
    assert document["matrices"][0]["findings"][1]["seen_by"] == ["snr"]
    assert document["matrices"][0]["findings"][1]["seen_without_parity_by"] == []
    assert document["columns"][0]["compares"] == "performances"


@pytest.mark.parametrize(
    ("found", "code", "line"),
    [
        ([matrix(finding("click", HEARD))], 0, "TRUSTWORTHY for quality: 1 of 1 faults seen"),
        ([matrix(finding("click", UNSEEN))], 3, "NOT TRUSTWORTHY for quality: 0 of 1"),
        ([], 3, "NOT TRUSTWORTHY for quality: 0 false alarms in 0 harmless changes"),
    ],
)
def test_the_exit_code_follows_the_conclusion(found, code, line) -> None:
    assert render_quality.exit_code(trust(*found)) == code
    assert render_quality.line(trust(*found)).startswith(line)
