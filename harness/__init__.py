"""voxgate's harness: did this change make a voice engine slower or worse, and how sure are we?"""

from importlib import import_module
from typing import TYPE_CHECKING

from harness import compat

if TYPE_CHECKING:
    from harness.errors import HarnessError
    from harness.metrics.metric import AudioMetric, MetricInput, Need
    from harness.records.measurement import Metric, Missing
    from harness.records.run import OptionCheck
    from harness.suite.suite import Suite
    from harness.targets.protocol import Target

__all__ = [
    "AudioMetric",
    "HarnessError",
    "Metric",
    "MetricInput",
    "Missing",
    "Need",
    "OptionCheck",
    "Suite",
    "Target",
]

_PUBLIC = {
    "AudioMetric": "harness.metrics.metric",
    "HarnessError": "harness.errors",
    "Metric": "harness.records.measurement",
    "MetricInput": "harness.metrics.metric",
    "Missing": "harness.records.measurement",
    "Need": "harness.metrics.metric",
    "OptionCheck": "harness.records.run",
    "Suite": "harness.suite.suite",
    "Target": "harness.targets.protocol",
}
"""
Public name -> the module that defines it, imported at first use: `import harness` stays quick and
free of numpy.
"""

compat.install()


def __getattr__(name: str) -> object:
    """Import a public name at its first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
