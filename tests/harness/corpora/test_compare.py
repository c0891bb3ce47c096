"""Systems held against each other: clusters, coverage, versions, and the policy's margins."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from voxgate.harness.corpora.compare import Winner, compare_systems
from voxgate.harness.corpora.scores import (
    CorpusScores,
    ScoredUtterance,
    scores_from_dict,
    scores_to_dict,
    summaries,
)
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.policy import DEFAULT, read_policy, shown_metrics
from voxgate.harness.metrics.registry import metric
from voxgate.harness.records.measurement import Measurement, Missing, UtteranceValue, Value
from voxgate.harness.records.verdict import Verdict

POLICY = read_policy(DEFAULT, shown_metrics())
TEXTS = [f"This is text number {number}." for number in range(12)]


def system(
    name: str,
    values: Mapping[str, Sequence[Value]],
    texts: Sequence[str] = TEXTS,
    weights: Sequence[float] = (),
) -> CorpusScores:
    """Return the scores of one recording per text."""
    names = [f"u{number}" for number in range(len(texts))]
    measured = [_measured(known, names, held) for known, held in values.items()]
    if weights:
        words = replace(measured[0], metric="wer_words", unit="words", better="neither")
        words = replace(words, values=tuple(map(_value, names, weights)))
        measured.append(words)
    return CorpusScores(
        name=name,
        texts="made up",
        utterances=tuple(
            ScoredUtterance(name=each, text=text, audio_s=1.0)
            for each, text in zip(names, texts, strict=True)
        ),
        measurements=tuple(measured),
    )


def _measured(name: str, names: Sequence[str], values: Sequence[Value]) -> Measurement:
    known = metric(name)
    return Measurement(
        metric=name,
        unit=known.unit,
        better=known.better,
        version=known.version,
        values=tuple(map(_value, names, values)),
        summary=Missing("not yet"),
    )


def _value(name: str, value: Value) -> UtteranceValue:
    return UtteranceValue(id=name, value=value)


def test_takes_of_one_text_are_one_cluster() -> None:
    apart = system("many", {"dnsmos_ovrl": [3.0, 3.2, 3.4, 3.6]}, ["A.", "B.", "C.", "D."])
    takes = system("takes", {"dnsmos_ovrl": [3.0, 3.2, 3.4, 3.6]}, ["A.", "A.", "B.", "B."])

    (wide,), (one,) = summaries(takes), summaries(apart)

    assert wide.measurement.summary == pytest.approx(3.3)
    assert wide.measurement.low is not None and one.measurement.low is not None
    assert wide.measurement.low < one.measurement.low  # two texts tell less than four
    assert wide.spread is not None
    assert (wide.n, wide.total, wide.spread.worst) == (4, 4, "u0")
    assert wide.spread.p5 == pytest.approx(3.03)


def test_a_rate_is_errors_over_words() -> None:
    scores = system("one", {"wer": [1.0, 0.0]}, ["A.", "B."], weights=[1.0, 9.0])

    assert summaries(scores)[0].measurement.summary == pytest.approx(0.1)


def test_missing_values_are_counted_and_not_averaged() -> None:
    broken = Missing("the audio is empty")
    (summary,) = summaries(system("one", {"dnsmos_ovrl": [3.0, broken, 3.2]}, TEXTS[:3]))

    assert summary.measurement.summary == pytest.approx(3.1)
    assert (summary.n, summary.total) == (2, 3)


def test_a_better_system_wins_by_margin_and_interval() -> None:
    low = [3.0 + 0.01 * number for number in range(12)]
    first = system("a", {"dnsmos_ovrl": low, "duration": [2.0] * 12})
    second = system("b", {"dnsmos_ovrl": [v + 0.3 for v in low], "duration": [3.0] * 12})

    there, back = (compare_systems(*pair, POLICY) for pair in ((first, second), (second, first)))

    assert [each.winner for each in there.metrics] == [Winner.SECOND, Winner.DIFFERENT]
    assert [each.winner for each in back.metrics] == [Winner.FIRST, Winner.DIFFERENT]
    assert (there.verdict, there.exit_code) == (Verdict.IMPROVED, 0)  # duration has no good side
    assert (back.verdict, back.exit_code) == (Verdict.REGRESSED, 1)


def test_a_difference_of_two_performances_needs_proof_in_every_metric() -> None:
    # clicks need none between two renderings of one engine
    first = system("a", {"clicks": [0.0] * 12})
    second = system("b", {"clicks": [0.0] * 11 + [2.0]})

    compared = compare_systems(first, second, POLICY)

    assert compared.metrics[0].winner is Winner.UNDECIDED
    assert compared.exit_code == 3


def test_only_common_texts_count_and_both_coverages_are_told() -> None:
    lacking = [Missing("no pitch"), *([3.0] * 9)]
    first = system("a", {"dnsmos_ovrl": [3.0] * 12})
    second = system("b", {"dnsmos_ovrl": lacking}, [*TEXTS[:9], "Of its own."])

    compared = compare_systems(first, second, POLICY)

    assert (compared.texts, len(compared.only_first)) == (9, 3)
    assert compared.only_second == ("Of its own.",)
    (row,) = compared.metrics
    assert (row.n, row.total, row.lost) == (8, 9, (TEXTS[0],))


def test_other_versions_are_refused_by_name() -> None:
    first = system("a", {"dnsmos_ovrl": [3.0] * 12, "clicks": [0.0] * 12})
    old = replace(first.measurements[0], version="0; speechmos 0.0.1")
    second = replace(first, name="b", measurements=(old, first.measurements[1]))

    with pytest.raises(HarnessError, match=r"other versions of dnsmos_ovrl \(.*speechmos 0.0.1"):
        compare_systems(first, second, POLICY)
    assert len(compare_systems(first, second, POLICY, ["clicks"]).metrics) == 1


def test_systems_without_a_common_text_are_refused() -> None:
    first, second = (
        system(name, {"clicks": [0.0]}, [text]) for name, text in (("a", "One."), ("b", "Two."))
    )

    with pytest.raises(HarnessError, match="no text in common"):
        compare_systems(first, second, POLICY)


def test_scores_are_read_as_they_were_written() -> None:
    scores = system("a", {"wer": [0.5, Missing("no words")]}, ["A.", "B."], weights=[2.0, 3.0])
    data = json.loads(json.dumps(scores_to_dict([(scores, summaries(scores))])))

    assert scores_from_dict(data, "a.json") == (scores,)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data.update(schema="voxgate-score/0"), "no scores of schema"),
        (lambda data: data["systems"][0].pop("scores"), "systems"),
        (lambda data: data["systems"][0]["scores"].update(name=""), "name"),
        (lambda data: data["systems"][0]["scores"].update(name="\x1b[2J"), "no name of a system"),
        (lambda data: data["systems"][0]["scores"]["utterances"].pop(), "of no recording"),
        (
            lambda data: data["systems"][0]["scores"]["measurements"].append(
                data["systems"][0]["scores"]["measurements"][0]
            ),
            "two values",
        ),
    ],
)
def test_damaged_scores_are_one_clear_error(change, told: str) -> None:
    held = system("a", {"clicks": [0.0, 1.0]}, TEXTS[:2])
    data = json.loads(json.dumps(scores_to_dict([(held, summaries(held))])))
    change(data)

    with pytest.raises(HarnessError, match=told):
        scores_from_dict(data, "a.json")
