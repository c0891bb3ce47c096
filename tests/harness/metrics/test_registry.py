"""The panel as data, with and without other people's metrics."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, RESPELLED, SEGMENTS, TEXT, speech
from voxgate.harness.audio.recording import Recording
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics import accent, registry
from voxgate.harness.metrics.metric import COMPARED, AudioMetric, MetricInput, Need
from voxgate.harness.metrics.registry import (
    CONDITIONS,
    FAMILIES,
    GOLDEN,
    check_selection,
    digest_of,
    entries,
    entry,
    family_of,
    full_version,
    is_synthesis_time,
    known_metrics,
    metric,
    needs_asr,
    select_metrics,
    version_of,
)
from voxgate.harness.records.measurement import MetricVersion, lacks_package

SOURCES = {
    line.name: line.source
    for line in entries().values()
    if line.source is not None and line.condition is None
}
METADATA = "Metadata-Version: 2.1\nName: acme-metrics\nVersion: 1.2\n"
WARMTH = """
from voxgate.harness.records.measurement import Metric
from voxgate.harness.metrics.metric import AudioMetric, Need

def warmth(subject):
    return float(subject.reference is not None)

OURS = Metric(name="warmth", unit="1", better="higher", version="1")
METRICS = (AudioMetric(metric=OURS, score=warmth, need=Need.REFERENCE),)
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Installs a package that offers metrics, made of the text of its module."""

    def install(text: str) -> None:
        (tmp_path / "acme_metrics.py").write_text(text)
        facts = tmp_path / "acme_metrics-1.2.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(METADATA)
        (facts / "entry_points.txt").write_text("[voxgate.metrics]\nacme = acme_metrics:METRICS\n")
        monkeypatch.syspath_prepend(tmp_path)
        entries.cache_clear()
        registry.installed.cache_clear()

    yield install
    sys.modules.pop("acme_metrics", None)
    entries.cache_clear()
    registry.installed.cache_clear()


def test_an_unknown_metric_is_refused_with_suggestions_and_where_all_stand():
    with pytest.raises(
        HarnessError, match="unknown metric 'golden_pesk'; did you mean 'golden_pesq'"
    ) as caught:
        metric("golden_pesk")
    assert "docs/reference/metrics.md" in str(caught.value)
    assert "latency_p50" not in str(caught.value)


@pytest.mark.parametrize(
    "name", [name for name, source in SOURCES.items() if source.need in COMPARED]
)
def test_every_metric_that_needs_a_reference_is_read_against_the_golden_audio_too(name: str):
    golden, own = metric(GOLDEN + name.removeprefix(GOLDEN)), metric(name)
    assert (golden.unit, golden.better, golden.version) == (own.unit, own.better, own.version)
    assert full_version(golden.name) == full_version(own.name)


def test_a_condition_reads_every_metric_of_audio_and_of_words_once_more():
    plain = {
        line.name
        for line in entries().values()
        if line.condition is None and not line.golden and line.family != "speed"
    }
    phone = {
        line.name: line for line in entries().values() if line.condition is CONDITIONS["telephone"]
    }
    assert set(phone) == {f"phone_{name}" for name in plain}
    assert full_version("phone_snr") == f"{full_version('snr')}; telephone 2"
    assert family_of("phone_snr") == "telephone"


def test_rtf_is_better_lower_and_rtfx_higher():
    assert (metric("rtf").better, metric("rtfx").better) == ("lower", "higher")


def test_the_full_version_names_the_package():
    assert full_version("pesq").startswith(f"{metric('pesq').version}; pesq ")
    assert full_version("snr") == metric("snr").version


def test_what_a_recogniser_heard_is_known_as_such():
    assert [
        name
        for name in ("wer", "phone_cer", "wer_macro", "snr", "rtf", "nothing")
        if needs_asr(name)
    ] == [
        "wer",
        "phone_cer",
        "wer_macro",
    ]


def test_a_suite_gets_the_metrics_that_it_names_in_every_reading_and_all_speeds():
    speeds = {line.name for line in entries().values() if line.family == "speed"}
    named = {each.name for each in select_metrics(("snr", "wer"), ())}
    assert named - speeds == {"snr", "golden_snr", "wer", "duration"}
    assert {each.name for each in select_metrics(("snr",), ("telephone",))} - named == {"phone_snr"}
    assert {each.name for each in select_metrics(("golden_snr",), ())} - speeds == {
        "golden_snr",
        "duration",
    }
    assert {each.name for each in select_metrics(None, ())} == {
        line.name for line in entries().values() if line.condition is None
    }
    assert select_metrics(None, ("telephone",)) == known_metrics()


@pytest.mark.parametrize(
    ("names", "conditions", "said"),
    [
        (("snrr",), (), "unknown metric 'snrr'; did you mean 'snr'"),
        (None, ("telefone",), "unknown condition 'telefone'; known are telephone"),
        (("phone_snr",), (), r"add conditions=\['telephone'\]"),
    ],
)
def test_what_a_suite_cannot_mean_is_refused(
    names: tuple[str, ...] | None, conditions: tuple[str, ...], said: str
):
    with pytest.raises(HarnessError, match=said):
        check_selection(names, conditions)


def test_every_family_is_in_the_panel_and_has_metrics():
    folder = Path(registry.__file__).parent
    offering = {
        path.stem for path in folder.glob("*.py") if "\nMETRICS" in path.read_text(encoding="utf-8")
    }
    assert offering == set(FAMILIES)


@pytest.mark.parametrize(
    "name", sorted({line.base for line in entries().values() if line.source is not None})
)
def test_a_metric_declares_all_that_it_looks_at(name: str):
    """
    A subject that holds only what is declared is enough; whatever else a metric read would not be
    in the cache's key.
    """
    source = SOURCES[name]
    given = {
        "text": TEXT if source.reads_text else "",
        "joins_s": (0.5,) if source.need is Need.JOINS else None,
    }
    others = {
        Need.REFERENCE: "reference",
        Need.TAKE: "reference",
        Need.VOICE: "voice",
        Need.STATEMENT: "statement",
        Need.MARKED: "marked",
        Need.UNMARKED: "marked",
        Need.SOURCE: "source",
    }
    if source.need in others:
        given[others[source.need]] = Recording(speech() * 0.5, RATE_HZ)
    if source.need is Need.EMPHASIS:
        given |= {"text": TEXT, "emphasis": "brother"}
    if source.need is Need.CONVERSION:
        given |= {each: Recording(speech() * 0.5, RATE_HZ) for each in ("source", "voice")}
    if source.need is Need.SEGMENTS:
        given |= {"segments": SEGMENTS, "joins_s": (0.5, 1.0)}
        given |= {"voices": {name: Recording(speech() * 0.5, RATE_HZ) for name in ("slt", "rms")}}
    if source.need is Need.ACCENT:
        given |= {"region": "mexico"}
    if name in {"emphasis_length", *(each.metric.name for each in accent.METRICS)}:
        given |= {"text": RESPELLED, "language": "es"}
    value = source.score(MetricInput(audio=Recording(speech(), RATE_HZ), **given))
    if lacks_package(value):
        pytest.skip(value.reason)
    assert type(value) is float, value


def test_the_digest_of_a_choice_tells_other_metrics_and_versions():
    one = select_metrics(("snr",), ())
    assert (
        digest_of(one)
        == digest_of(select_metrics(("snr",), ()))
        != digest_of(select_metrics(("stoi",), ()))
    )


def test_importing_the_panel_loads_no_family():
    code = (
        "import sys, voxgate.harness.metrics.registry; sys.exit(any(name in sys.modules for "
        "name in ('scipy', 'voxgate.harness.metrics.signal_parity')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_other_peoples_metrics_stand_in_the_panel_like_ours(plugin: Callable[[str], None]):
    plugin(WARMTH)
    line = entry("warmth")
    assert (line.family, line.base, full_version("golden_warmth")) == (
        "plug-in acme",
        "warmth",
        "1; acme-metrics 1.2",
    )
    assert entry("phone_warmth").condition is CONDITIONS["telephone"]
    assert isinstance(line.source, AudioMetric)
    assert line.source.score(MetricInput(audio=Recording(np.zeros(1), 8_000))) == 0.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            WARMTH.replace('"warmth"', '"snr"'),
            r"two metrics are called 'snr' \(parity; plug-in acme\)",
        ),
        (
            WARMTH.replace('"warmth"', '"golden_snr"'),
            r"two metrics are called 'golden_snr' \(plug-in acme; against the golden audio\)",
        ),
        (WARMTH.replace('"warmth"', '"Wärme"'), "plug-in 'acme' .*a metric's name is made of"),
        (
            "METRICS = 1 / 0",
            "metric plug-in 'acme' .*cannot be loaded: ZeroDivisionError: division by zero",
        ),
        (
            "METRICS = ['snr']",
            r"metric plug-in 'acme' .*must be a tuple of AudioMetric, not \['snr'\]",
        ),
        ("", "metric plug-in 'acme' .*cannot be loaded: AttributeError"),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_named(
    plugin: Callable[[str], None], text: str, said: str
):
    plugin(text)
    with pytest.raises(HarnessError, match=said):
        known_metrics()


def test_only_latencies_and_rates_of_the_synthesis_are_synthesis_times():
    times = [name for name in entries() if is_synthesis_time(name)]

    assert times == ["latency_p50", "latency_p95", "latency_p99", "rtf", "rtf_median", "rtfx"]
    assert not is_synthesis_time("latency_of_a_plug_in")


def test_a_version_is_a_record_and_its_text():
    version = version_of("phone_pesq")

    assert version.computation == metric("pesq").version
    assert version.dependencies[-1] == "telephone 2"
    assert MetricVersion.parse(full_version("phone_pesq")) == version
