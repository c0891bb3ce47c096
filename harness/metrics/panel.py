"""
The list of metrics, as data: what each number is called, its unit, which way is better, which version computed it.

The single place that knows every metric's name; computes nothing and sets no limit. To add a metric: write its pure
function in a family's file, add one line here, and one where it is called (`score.py` for audio). Raise the version when
the same input would give another number: values of different versions are not comparable.
"""

import difflib
import importlib.metadata

from harness.errors import HarnessError
from harness.measurement import Metric

# Each parity metric is read twice: against the reference cell of the same run, and ("golden_") against accepted audio.
GOLDEN = "golden_"

PANEL: tuple[Metric, ...] = (
    Metric(name="latency_p50", unit="s", better="lower", version="1"),
    Metric(name="latency_p95", unit="s", better="lower", version="1"),
    Metric(name="latency_p99", unit="s", better="lower", version="1"),
    Metric(name="rtf", unit="s/s", better="lower", version="1"),
    Metric(name="rtf_median", unit="s/s", better="lower", version="1"),
    Metric(name="rtfx", unit="s/s", better="higher", version="1"),
    Metric(name="cold_start", unit="s", better="lower", version="1"),
    Metric(name="peak_rss", unit="bytes", better="lower", version="1"),
    Metric(name="peak_cuda_bytes", unit="bytes", better="lower", version="1"),
    Metric(name="energy_per_audio_s", unit="J", better="lower", version="1"),
    Metric(name="snr", unit="dB", better="higher", version="1"),
    Metric(name="si_sdr", unit="dB", better="higher", version="1"),
    Metric(name="pesq", unit="MOS-LQO", better="higher", version="1"),
    Metric(name="stoi", unit="1", better="higher", version="1"),
    Metric(name="golden_snr", unit="dB", better="higher", version="1"),
    Metric(name="golden_si_sdr", unit="dB", better="higher", version="1"),
    Metric(name="golden_pesq", unit="MOS-LQO", better="higher", version="1"),
    Metric(name="golden_stoi", unit="1", better="higher", version="1"),
    Metric(name="wer", unit="1", better="lower", version="1"),
    Metric(name="cer", unit="1", better="lower", version="1"),
    Metric(name="duration", unit="s", better="neither", version="1"),
    Metric(name="clicks", unit="1/s", better="lower", version="1"),
)

# The package that holds a metric's definition; its version belongs to the metric's (openai-whisper: the normaliser).
PACKAGES: dict[str, str] = {"pesq": "pesq", "stoi": "pystoi", "wer": "openai-whisper", "cer": "openai-whisper"}


def metric(name: str) -> Metric:
    """The metric of that name. Raises HarnessError that lists the known names and suggests the nearest."""
    for each in PANEL:
        if each.name == name:
            return each
    known = [each.name for each in PANEL]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise HarnessError(f"unknown metric {name!r}; {hint}known are {', '.join(known)}")


def full_version(name: str) -> str:
    """The metric's version with that of the package that computes it: "1; pesq 0.0.4"."""
    package = PACKAGES.get(name.removeprefix(GOLDEN))
    version = metric(name).version
    return f"{version}; {package} {_installed(package)}" if package else version


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
