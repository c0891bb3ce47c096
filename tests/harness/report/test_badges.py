"""What a verdict's kind is, by which every page colours it."""

from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.badges import kind


def test_every_verdict_is_good_open_or_bad() -> None:
    assert {verdict: kind(verdict) for verdict in Verdict} == {
        Verdict.PASS: "good",
        Verdict.IMPROVED: "good",
        Verdict.REGRESSED: "bad",
        Verdict.FAILED: "bad",
        Verdict.UNRESOLVED: "open",
        Verdict.NO_BASELINE: "open",
        Verdict.INCOMPARABLE: "open",
    }
