"""The policy file: the shipped one, an override, and every way to get it wrong."""

from pathlib import Path

import pytest

from tests.harness.fake_runs import NAMES
from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.policy import DEFAULT, load_policy
from voxgate.harness.metrics.registry import known_metrics

BASELINES = Path(__file__).parents[3] / "baselines"

GOOD = (
    "schema_version = 1\n[metrics]\nrtf = { relative = 0.1, blocking = false, against = "
    '"baseline", evidence = "processes" }\n'
)


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "policy.toml").write_text(text)
    return tmp_path


def test_the_default_holds_the_lines_that_were_asked_for(tmp_path: Path) -> None:
    policy = load_policy(tmp_path, NAMES)
    assert {policy[name].relative for name in ("latency_p50", "latency_p95", "rtf", "wer")} == {
        0.05
    }
    assert policy["snr"].absolute == policy["golden_snr"].absolute == 1.0
    assert policy["snr"].only_with == ("pesq", "mel_distance")
    assert policy["golden_snr"].only_with == ("golden_pesq", "golden_mel_distance")
    assert policy["duration"].relative == 0.02
    assert policy["wer"].evidence == "utterances"
    assert not policy["cold_start"].blocking


def test_one_line_per_metric() -> None:
    lines = [
        line for line in DEFAULT.read_text().splitlines() if line[:1].isalpha() and "{" in line
    ]
    assert len(lines) == len(load_policy(Path("nowhere"), NAMES))


@pytest.mark.parametrize("unit", ["MOS", "MOS-LQO", "1"])
def test_scales_with_ends_have_margins_that_are_steps_on_them(unit: str) -> None:
    """5 % of a poor score is less than of a good one; rates of errors are no such scale."""
    rates = ("wer", "wer_verbatim", "cer", "wer_macro", "cer_macro", "packet_repeats")
    policy = load_policy(Path("nowhere"), NAMES)
    scales = [each.name for each in known_metrics() if each.unit == unit and each.name in policy]
    assert scales
    assert [
        name for name in scales if policy[name].relative and name not in (*rates, "budget_share")
    ] == []


def test_an_override_replaces_single_lines(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path, GOOD), NAMES)
    assert (policy["rtf"].relative, policy["rtf"].blocking, policy["latency_p50"].relative) == (
        0.1,
        False,
        0.05,
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[metrics]", "[metrics"), "policy.toml cannot be read"),
        (("relative = 0.1", 'relative = 0.1, with = "snr"'), "metrics.rtf.with is 'snr'; name"),
        (("relative = 0.1", "relative = 0.1, with = []"), r"metrics.rtf.with is \[\]; name"),
        (
            ("relative = 0.1", 'relative = 0.1, with = ["snt"]'),
            "with is 'snt', which is none; name other",
        ),
        (
            ("relative = 0.1", 'relative = 0.1, with = ["snr", "snr"]'),
            r"with is \['snr', 'snr'\], which names one twice; name other",
        ),
        (
            ("relative = 0.1", 'relative = 0.1, with = ["rtf"]'),
            "with is 'rtf', which is none; name other",
        ),
        (
            ("relative = 0.1", "relative = 0.1, with = [[1]]"),
            r"with is \[1\], which is none; name other",
        ),
        (("schema_version = 1", "schema_version = 2"), "schema_version is 2"),
        (("[metrics]", "[metric]"), "expected one table"),
        (("rtf =", "rtt ="), "metrics.rtt: there is no such metric"),
        (
            ("relative = 0.1", "relative = -0.1"),
            r"metrics.rtf.relative is -0.1; it must be a positive number",
        ),
        (("relative = 0.1", "relative = nan"), "relative is nan"),
        (("relative = 0.1", f"relative = {10**400}"), "it must be a positive number"),
        (("relative = 0.1", f"relative = {'9' * 5000}"), "cannot be read: Exceeds the limit"),
        (("relative = 0.1", f"relative = {'[' * 5000}"), "nested too deep"),
        (("relative = 0.1", "relative = [0.1]"), r"relative is \[0.1\]"),
        (('"processes"', '["processes"]'), "choose one of"),
        (("rtf =", '"rtf\\u0000" ='), "there is no such metric"),
        (("relative = 0.1,", ""), "metrics.rtf has no margin"),
        (("relative = 0.1", "relativ = 0.1"), "metrics.rtf.relativ: there is no such key"),
        (("blocking = false", 'blocking = "no"'), "metrics.rtf.blocking is 'no'"),
        (('"processes"', '"tea leaves"'), "evidence is 'tea leaves'; choose one of"),
        (
            (
                '{ relative = 0.1, blocking = false, against = "baseline", evidence = "processes" '
                "}",
                "5",
            ),
            "metrics.rtf is 5",
        ),
    ],
)
def test_a_wrong_policy_is_refused_by_file_and_key(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    with pytest.raises(HarnessError, match=said) as error:
        load_policy(write(tmp_path, GOOD.replace(*change)), NAMES)
    assert "policy.toml" in str(error.value)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"\x00", b"[" * 100_000, b"a = " + b"{a = " * 2000]
)
def test_a_policy_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "policy.toml").write_bytes(content)
    with pytest.raises(HarnessError, match=r"the policy .*policy.toml cannot be read"):
        load_policy(tmp_path, NAMES)


def test_a_policy_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").mkdir()
    with pytest.raises(HarnessError, match="Is a directory"):
        load_policy(tmp_path, NAMES)


def test_a_floor_may_fail_and_only_a_floor(tmp_path: Path) -> None:
    line = GOOD.replace("blocking = false", "blocking = false, floor = 1.0, floor_fails = true")
    assert load_policy(write(tmp_path, line), NAMES)["rtf"].floor_fails
    assert not load_policy(write(tmp_path, GOOD), NAMES)["rtf"].floor_fails
    for broken in ("floor_fails = true", "floor = 1.0, floor_fails = 1"):
        text = GOOD.replace("blocking = false", f"blocking = false, {broken}")
        with pytest.raises(HarnessError, match=r"metrics\.rtf\.floor_fails is"):
            load_policy(write(tmp_path, text), NAMES)


def test_a_missed_budget_is_shown_and_fails_nothing_by_default(tmp_path: Path) -> None:
    limit = load_policy(tmp_path, NAMES)["budget_share"]
    assert (limit.min_acceptable, limit.blocking, limit.floor_fails) == (1.0, False, False)


CLICKS = (
    "schema_version = 1\n[metrics]\nclicks = { absolute = 0.01, blocking = true, against = "
    '"intrinsic", evidence = "none", worst = 0.3, count = 2 }\n'
)


def test_a_limit_of_one_utterance_and_how_many_may_exceed_it(tmp_path: Path) -> None:
    limit = load_policy(write(tmp_path, CLICKS), NAMES)["clicks"]
    assert (limit.worst, limit.count, limit.worst_blocks) == (0.3, 2, False)
    alone = CLICKS.replace(", count = 2", "").replace("blocking = true", 'blocking = "worst"')
    limit = load_policy(write(tmp_path, alone), NAMES)["clicks"]
    assert (limit.worst, limit.count, limit.blocking, limit.worst_blocks) == (0.3, 0, False, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("worst = 0.3", "worst = 0"), r"clicks\.worst is 0; it must be a positive number"),
        (("worst = 0.3", "worst = -1.0"), r"clicks\.worst is -1\.0; it must be a positive number"),
        (("worst = 0.3, ", ""), r"clicks\.count stands without worst"),
        (("count = 2", "count = 1.5"), r"clicks\.count is 1\.5; it must be a whole number"),
        (("count = 2", "count = -1"), r"clicks\.count is -1; it must be a whole number"),
        (("count = 2", "count = true"), r"clicks\.count is True; it must be a whole number"),
        (("= true, against", '= "worse", against'), r"clicks\.blocking is 'worse'; write true or"),
        (("clicks = ", "rtf = "), r"rtf\.worst: utterances are only held against a baseline"),
        (('"intrinsic"', '"limit"'), r"clicks\.worst: utterances are only held against a baseline"),
    ],
)
def test_a_wrong_limit_of_one_utterance_is_refused_in_one_line(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    with pytest.raises(HarnessError, match=said) as error:
        load_policy(write(tmp_path, CLICKS.replace(*change)), NAMES)
    assert "\n" not in str(error.value)


def test_every_quality_that_blocks_has_a_limit_for_one_utterance(tmp_path: Path) -> None:
    """But the ratios that see what nobody hears; docs/evidence/one-in-n.md has the reason."""
    blocking = {name for name, limit in load_policy(tmp_path, NAMES).items() if limit.blocking}
    policy = load_policy(tmp_path, NAMES)
    without = {name for name in blocking if not is_speed(name) and policy[name].worst is None}
    assert without == {"snr", "golden_snr"}


def test_the_gates_of_the_spanish_suite_are_five_per_cent_and_one_decibel():
    limits = load_policy(BASELINES, NAMES, "spanish")

    assert {limits[name].relative for name in ("latency_p50", "latency_p95", "rtf")} == {0.05}
    assert (limits["snr"].absolute, limits["snr"].blocking, limits["snr"].only_with) == (
        1.0,
        True,
        (),
    )
