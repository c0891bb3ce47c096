"""
docs/metrics.md says what is so: its tables hold the panel and the policy, and the metric it adds
really is one.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.metrics.speech import PATH, TEXT
from tests.harness.metrics.test_invariance import HALF_LEVEL
from voxgate.harness.audio import (
    accent,
    activity,
    mel_cepstrum,
    periodicity,
    phone_alignment,
    pitch,
    telephone,
)
from voxgate.harness.audio.spanish_phones import Slot
from voxgate.harness.judging.policy import DEFAULT, read_policy, shown_metrics
from voxgate.harness.metrics import (
    alignment,
    clicks,
    conversion,
    dropouts,
    duration,
    intonation,
    levels,
    pitch_parity,
    predicted_mos,
    prompt_leakage,
    prosody,
    repetition,
    signal_parity,
    speaker_similarity,
    spectral_balance,
    spectral_parity,
    take_parity,
    voice_quality,
)
from voxgate.harness.metrics.registry import FAMILIES, SPEED, entries
from voxgate.harness.models import perth, word_times
from voxgate.harness.records.documents import parse_toml
from voxgate.harness.records.measurement import SNR_CEILING_DB

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "metrics.md").read_text()
ROW = re.compile(
    r"^\| `(?P<name>\w+)` \| (?P<unit>[^,|]+), (?P<better>\w+) \| ?(?P<blocks>\w*) ?\|",
    re.MULTILINE,
)
SPEEDS = {metric.name for metric in SPEED}
"""Measured, not scored: their rows look alike."""
ROWS = {row["name"]: row for row in ROW.finditer(GUIDE) if row["name"] not in SPEEDS}
PLAIN = [
    each
    for each in entries().values()
    if each.family in FAMILIES.values() and not each.golden and each.condition is None
]
SCORE = """
import json, sys
from pathlib import Path
from voxgate.harness.metrics.registry import entry, full_version
from voxgate.harness.scoring.scorer import score_quality
from voxgate.harness.scoring.tasks import AudioJob

audio, text, cache, *names = sys.argv[1:]
job = AudioJob(key="a", utterance="a", path=Path(audio), text=text)
values = score_quality([job], cache_dir=Path(cache), metrics=names)["a"].values
print(json.dumps({
    name: [value if isinstance(value, float) else value.reason, full_version(name), entry(name).family]
    for name, value in values.items()
}))
"""  # noqa: E501
FAULTS = {
    "raising": (
        "raise ValueError('no spectrum today')",
        "raising failed: ValueError: no spectrum today",
    ),
    "crashing": ("os.kill(os.getpid(), signal.SIGKILL)", "crashing crashed the process"),
    "nan": ("return float('nan')", "nan gave nan, which is no number"),
    "words": ("return 'bright'", "words gave 'bright', which is no number"),
}
"""Metric -> what its function does, and the reason why there is no value."""


PUBLISHED = (
    r"\w+(?: and \w+)?(?: et al\.)? (?:19|20)\d\d|P\.\d+(?:\.\d)?|BS\.1770-4"
    r"|correction of 2018|numpy 2|tiny\.en|SwiftF0|F0|log2|p\d+ / p\d+|100 are a semitone"
)
"""Names of what others defined."""
_VOICED = f"{prosody.LEAST_S:g} s voiced"
_PACE = f"below {duration.SHORTEST_RATIO:g} or above {duration.LONGEST_RATIO:g} of that"
_VOICE = f"{speaker_similarity.SHORTEST_S:g} s"
_SAME_TIMES = f"durations differ by more than {100 * conversion.DURATION_TOLERANCE:.0f} %"
_POLICY = read_policy(DEFAULT, shown_metrics())
_CYCLES = f"{periodicity.SHORTEST_S:g} s"
_MIDDLE, _UP_TO_7, _UP_TO_8 = (
    f"{low / 1000:g} to {high / 1000:g} kHz"
    for low, high in (spectral_balance.MIDDLE_HZ, spectral_balance.HIGH_HZ, spectral_balance.TOP_HZ)
)
_BAND_RATE = f"{spectral_balance.RATE_HZ / 1000:g} kHz"
PHRASES: dict[str, tuple[str, ...]] = {
    "lag": (f"within {alignment.FARTHEST_S:g} s",),
    "snr": (f"{SNR_CEILING_DB:.0f} dB stands for",),
    "pesq": (
        f"above {signal_parity.PESQ_RATES_HZ['wb'] / 2000:.0f} kHz",
        f"below {signal_parity.PESQ_SHORTEST_S:g} s",
        f"beyond {signal_parity.PESQ_LONGEST_S:.0f} s",
    ),
    "stoi": ("less than 0.4 s of speech",),
    "mcd": (
        f"within {spectral_parity.SLACK_S:g} s",
        f"{-spectral_parity.SILENT_DB:.0f} dB below the loudest",
        f"shorter than {mel_cepstrum.WIDTH} samples",
    ),
    "mel_distance": (
        f"{-spectral_parity.MEL_FLOOR_DB:.0f} dB below",
        f"{spectral_parity.MEL_BANDS} bands",
    ),
    "f0_rmse_hz": (
        f"less than {pitch_parity.FEWEST_VOICED * pitch.HOP_S:g} s voiced",
        f"every {1000 * pitch.HOP_S:.0f} ms",
    ),
    "dnsmos_ovrl": (f"below {predicted_mos.SHORTEST_S:g} s",),
    "speaker_similarity": (f"less than {_VOICE} of speech",),
    "question_rise": (_VOICED, f"last {1000 * prosody.END_S:.0f} ms"),
    "end_level": (_VOICED, f"last {1000 * prosody.END_S:.0f} ms"),
    "pitch_range": ("12 log2(p95 / p5)",),
    "pitch_median": (f"by {100 * (_POLICY['pitch_median'].relative or 0.0):.0f} %",),
    "mcd_dtw": (
        f"more than {take_parity.MOST_LONGER:g} times as long",
        f"below {take_parity.RATE_HZ / 1000:g} kHz",
        f"at {take_parity.RATE_HZ / 1000:g} kHz",
    ),
    "mcd_peak": (f"the worst {take_parity.LOCAL_S:g} s",),
    "f0_rmse_dtw": (f"fewer than {take_parity.LEAST_VOICED} frames", "12 log2(F0 / F0')"),
    "f0_peak": (f"the worst {take_parity.LOCAL_S:g} s",),
    "gross_pitch_error": (f"more than {100 * take_parity.GROSS:.0f} %",),
    "wow": (
        f"window of {take_parity.WAVER_S:g} s",
        f"less than {2 * take_parity.WAVER_S:g} s of speech",
    ),
    "jitter": (f"{_CYCLES} of voice", f"{voice_quality.LEAST_PERIODS} periods"),
    "hnr": (f"{_CYCLES} of voice",),
    "f0_modulation": ("{:g} to {:g} Hz".format(*voice_quality.MODULATION_HZ),),
    "band_4k": (f"{_UP_TO_7} beside {_MIDDLE}", f"below {_BAND_RATE}"),
    "band_7k": (f"{_UP_TO_8} beside {_MIDDLE}", f"above {spectral_balance.TOP_HZ[1] / 1000:g} kHz"),
    "steady_tone": (f"the softest {spectral_balance.STEADY_PERCENTILE:g} %",),
    "packet_repeats": (
        f"{1000 * spectral_balance.WINDOW_S:g} ms with",
        f"the {1000 * spectral_balance.LAGS_S[1]:g} ms before",
    ),
    "pause_count": (f"{1000 * activity.PAUSE_S:.0f} ms and more",),
    "pause_f1": (
        "F1",
        f"below {1000 * activity.PAUSE_S:.0f} ms",
        f"within {prosody.NEAR_S:g} s of speech",
    ),
    "emphasis_prominence": (f"p{prosody.PEAK_PERCENTILE:.0f}",),
    "emphasis_level": (f"p{prosody.PEAK_PERCENTILE:.0f}",),
    "end_rise": (
        f"last {1000 * intonation.LAST_S:.0f} ms of voice",
        f"last {1000 * intonation.END_S:.0f} ms",
        f"{intonation.END_S:g} s voiced",
    ),
    "intonation_fit": (f"rise by {intonation.RISING:g} semitones",),
    "declination": (
        f"last {1000 * intonation.END_S:.0f} ms",
        f"{intonation.LEAST_PHRASE_S:g} s of voice",
    ),
    "accent_fit": (
        f"above {accent.BAND_HZ / 1000:.0f} kHz",
        f"beyond {phone_alignment.LONGEST_S:.0f} s",
    ),
    "ll_centroid": (f"above {accent.CENTROID_HZ / 1000:g} kHz",),
    "seseo": (f"hiss of {accent.SIBILANT_DB[Slot.THETA]:g} dB",),
    "coda_s": (f"hiss of {accent.SIBILANT_DB[Slot.CODA_S]:g} dB",),
    "length_off": (_PACE,),
    "repeats": (f"{repetition.SHORTEST_S:g} to {repetition.LONGEST_S:g} s",),
    "held_sound": (f"more than {repetition.LONGEST_HELD_S:g} s",),
    "clicks": (f"below {1000 * clicks.SHORTEST_S:.0f} ms",),
    "join_clicks": (f"against {1000 * clicks.AROUND_S:.0f} ms around",),
    "dropouts": (f"{1000 * dropouts.SHORTEST_S:.0f} ms to {dropouts.LONGEST_S:g} s",),
    "cut_tail": (
        f"last {1000 * duration.TAIL * duration.STEP_S:.0f} ms",
        f"{duration.NATURAL_END_DB:.0f} dB of the speech",
        f"within {-duration.HIDDEN_DB:.0f} dB of the speech",
    ),
    "no_speech": (
        f"less than {levels.LEAST_FRAMES * activity.FRAME_S:g} s of sound",
        f"frames of {1000 * activity.FRAME_S:.0f} ms",
        "between 60 and 400 Hz",
        f"beyond {_POLICY['wer'].reject:g}",
    ),
    "loudness": (
        f"below {levels.BLOCK_S:g} s",
        f"above {levels.ABSOLUTE_GATE_LUFS:.0f} LUFS",
    ),
    "reference_snippet": (
        f"{prompt_leakage.SNIPPET_S:g} to {prompt_leakage.LONGEST_S:.0f} s",
        f"last {prompt_leakage.SEARCHED_S:.0f} s",
    ),
    "watermark_detected": (f"below {1000 * perth.N_FFT / perth.RATE_HZ:.0f} ms",),
    "watermark_resampled": ("22.05 kHz in 16 bits",),
    "watermark_compressed": ("24 kbit/s", "MP3"),
    "caption_drift": (f"beyond {word_times.LONGEST_S:.0f} s",),
    "speaker_confusion": (f"below {_VOICE}",),
    "similarity_margin": (f"below {_VOICE} of speech",),
    "source_leakage": (
        f"windows of {speaker_similarity.PARTIAL / 100:.1f} s",
        f"every {speaker_similarity.PARTIAL_STEP / 100:.2f} s",
    ),
    "source_f0_correlation": (
        _SAME_TIMES,
        f"{conversion.LEAST_VOICED_S:g} s voiced",
        f"every {1000 * pitch.HOP_S:.0f} ms",
        "12 log2",
    ),
    "source_f0_offset": ("12 log2",),
    "source_energy_correlation": (
        _SAME_TIMES,
        f"every {1000 * activity.FRAME_S:.0f} ms",
        f"floored {conversion.FLOOR_DB:.0f} dB below",
    ),
    "speaker_drift": ("1 - cosine",),
    "source_duration_error": ("T of the source - 1",),
}
"""
What the guide says of a metric in numbers, made of the code's constants. A row with a number that
is not here fails: name its constant.
"""
SENTENCES = (
    f"durations differ by more than {100 * alignment.DURATION_TOLERANCE:.0f} % there is no value",
    f"an active level of {activity.NETWORK_LEVEL_DB:.0f} dB of full scale",
    f"at an active level of {activity.NETWORK_LEVEL_DB:.0f} dB, and return",
    f"mu-law at {telephone.RATE_HZ // 1000} kHz",
    f"The margin is {_POLICY['dnsmos_ovrl'].absolute:g}.",
    f"A delay of up to {conversion.FARTHEST_S:g} s is found",
    f"by its hiss (above {accent.HISS_HZ / 1000:g} kHz)",
    f"its voice (below {accent.VOICE_HZ / 1000:g} kHz)",
)
"""Numbers outside the tables."""


def block(language: str, holding: str) -> str:
    """Return the one block of the guide in a language that holds some text."""
    (found,) = [
        text
        for text in re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
        if holding in text
    ]
    return str(found)


def install(folder: Path, name: str, code: str) -> Path:
    """
    What pip would leave of a package with one module, without pip: the module, and its entry point
    beside it.
    """
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / f"{name}.py").write_text(code)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[voxgate.metrics]\n{name} = {name}:METRICS\n")
    return folder


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(
        tmp_path_factory.mktemp("packages"), "brightness", block("python", "brightness.py")
    )


def told(folder: Path, cache: Path, *names: str) -> dict[str, list[object]]:
    """For each metric its value (or the reason), its version and its family."""
    done = python(folder, "-c", SCORE, str(PATH), TEXT, str(cache), *names)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


def test_every_metric_of_the_panel_stands_in_the_guide_with_its_unit_and_direction() -> None:
    known = {each.name: (each.metric.unit, each.metric.better) for each in PLAIN}

    assert {name: (row["unit"], row["better"]) for name, row in ROWS.items()} == known


def test_the_guide_says_which_metrics_block() -> None:
    policy = parse_toml(DEFAULT.read_text())["metrics"]
    said = {True: "yes", "worst": "worst", False: ""}

    assert {name: row["blocks"] for name, row in ROWS.items()} == {
        name: said[policy.get(name, {}).get("blocking", False)] for name in ROWS
    }


@pytest.mark.parametrize("name", sorted(ROWS))
def test_the_numbers_of_a_row_are_the_codes(name: str) -> None:
    (row,) = [line for line in GUIDE.splitlines() if line.startswith(f"| `{name}` |")]
    told = row.split("|", 4)[4]
    for phrase in PHRASES.get(name, ()):
        assert phrase in told, f"{name}: the code has {phrase!r}, docs/metrics.md has {told!r}"
        told = told.replace(phrase, "")
    rest = re.sub(PUBLISHED, "", re.sub(r"`[^`]*`|\([^)]*\.py\)", "", told))
    assert not re.search(r"\d", rest), f"no constant of the code is named for {rest!r}"


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_numbers_between_the_tables_are_the_codes(sentence: str) -> None:
    assert sentence in GUIDE


def test_the_guide_names_the_metrics_that_see_level() -> None:
    (named,) = re.findall(r"^(.*) see that the audio is half as loud", GUIDE, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", named)) == HALF_LEVEL


def test_the_metric_that_the_guide_adds_is_scored_like_one_of_ours(
    installed: Path, tmp_path: Path
) -> None:
    found = told(installed, tmp_path, "brightness", "phone_brightness")
    here, on_the_phone = found["brightness"], found["phone_brightness"]

    assert here[1:] == ["1; brightness 1.0", "plug-in brightness"]
    assert on_the_phone[1:] == ["1; brightness 1.0; telephone 2", "telephone"]
    # a line lacks what is below 300 Hz
    assert 100.0 < float(str(here[0])) < float(str(on_the_phone[0])) < 1000.0


def test_the_package_of_the_guide_has_that_entry_point() -> None:
    project = parse_toml(block("toml", "entry-points"))["project"]

    assert project["entry-points"] == {"voxgate.metrics": {"brightness": "brightness:METRICS"}}
    assert (project["name"], project["version"]) == ("brightness", "1.0")


def test_metrics_that_fail_cost_their_own_values_and_say_why(tmp_path: Path) -> None:
    lines = [
        "import os, signal",
        "from voxgate.harness.records.measurement import Metric",
        "from voxgate.harness.metrics.metric import AudioMetric",
    ]
    lines += [f"def {name}(subject):\n    {code}" for name, (code, _) in FAULTS.items()]
    made = [
        f'AudioMetric(metric=Metric(name="{name}", unit="1", better="lower", version="1"), '
        f"score={name})"
        for name in FAULTS
    ]
    folder = install(
        tmp_path / "package", "faulty", "\n".join([*lines, f"METRICS = ({', '.join(made)},)", ""])
    )
    found = told(folder, tmp_path / "cache", "duration", *FAULTS)

    assert {name: found[name][0] for name in FAULTS} == {
        name: reason for name, (_, reason) in FAULTS.items()
    }
    assert found["duration"][0] == pytest.approx(2.94, abs=0.01)


def test_a_name_that_nobody_knows_is_an_error_with_suggestions_and_where_all_stand(
    installed: Path,
) -> None:
    (installed / "suites").mkdir(exist_ok=True)
    suite = (
        'Suite(target="scripted", pipeline="flow", workload="smoke", cells=[{}], reference={}, '
        'metrics=["brightnes"])'
    )
    (installed / "suites" / "bright.py").write_text(
        f'"""How bright is it?"""\n\nfrom voxgate import Suite\n\nsuite = {suite}\n'
    )
    done = python(installed, "-m", "voxgate", "run", "bright", "--out", "out")

    assert done.returncode == 2
    assert "unknown metric 'brightnes'; did you mean 'brightness'" in done.stderr
    assert "docs/reference/metrics.md" in done.stderr
    assert not (installed / "out").exists()


def test_the_policy_line_of_the_guide_is_accepted(installed: Path) -> None:
    (installed / "policy.toml").write_text(
        "schema_version = 1\n\n" + block("toml", "blocking = false")
    )
    code = (
        "from pathlib import Path; from voxgate.harness.metrics.registry import entries; from "
        "voxgate.harness.judging.policy import load_policy\n"
        "print(load_policy(Path(), entries())['brightness'].relative)"
    )
    done = python(installed, "-c", code)

    assert done.stdout == "0.05\n", done.stderr[-2000:]
