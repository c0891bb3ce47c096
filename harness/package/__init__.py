"""voxgate: did this change make a voice engine slower or worse, and how sure are we?"""

from importlib import import_module
from typing import TYPE_CHECKING

from voxgate.harness import compat

if TYPE_CHECKING:
    from voxgate.harness.errors import HarnessError
    from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
    from voxgate.harness.records.measurement import Metric, Missing
    from voxgate.harness.records.run import OptionCheck
    from voxgate.harness.suite.suite import Suite
    from voxgate.harness.targets.protocol import LiveInput, Target

__all__ = [
    "AudioMetric",
    "HarnessError",
    "LiveInput",
    "Metric",
    "MetricInput",
    "Missing",
    "Need",
    "OptionCheck",
    "Suite",
    "Target",
]

_PUBLIC = {
    "AudioMetric": "voxgate.harness.metrics.metric",
    "HarnessError": "voxgate.harness.errors",
    "LiveInput": "voxgate.harness.targets.protocol",
    "Metric": "voxgate.harness.records.measurement",
    "MetricInput": "voxgate.harness.metrics.metric",
    "Missing": "voxgate.harness.records.measurement",
    "Need": "voxgate.harness.metrics.metric",
    "OptionCheck": "voxgate.harness.records.run",
    "Suite": "voxgate.harness.suite.suite",
    "Target": "voxgate.harness.targets.protocol",
}
"""
Public name -> the module that defines it, imported at first use: `import voxgate` stays quick and
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
