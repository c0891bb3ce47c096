"""Words for metrics that could not be judged, because a value is missing on one of both sides."""

from collections.abc import Sequence

from voxgate.harness.judging.phrases import joined
from voxgate.harness.records.measurement import Missing, MissingKind
from voxgate.harness.records.verdict import MetricVerdict

NAMES_SHOWN = 8
UNSCORED = (
    "not judged: the run was scored before the golden audio was accepted, and has no audio left; "
    "score it where its audio is"
)


def lacking(metrics: Sequence[MetricVerdict]) -> str:
    """
    Name the metrics that were not judged: there is no baseline, it is older than the metrics, or
    the run was scored before it and has lost its audio.
    """
    unscored = [metric for metric in metrics if _is_unscored(metric)]
    others = [metric for metric in metrics if not _is_unscored(metric)]
    return joined(
        f"{_names(unscored)} {UNSCORED}" if unscored else "", _without(others) if others else ""
    )


def _is_unscored(metric: MetricVerdict) -> bool:
    """Whether the baseline has a value, and the run was scored without its golden audio."""
    compared = metric.comparison
    return (
        compared is not None
        and not isinstance(compared.baseline, Missing)
        and isinstance(compared.current, Missing)
        and compared.current.kind is MissingKind.NO_GOLDEN
    )


def _names(metrics: Sequence[MetricVerdict]) -> str:
    names = [metric.metric for metric in metrics]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{', '.join(names[:NAMES_SHOWN])}{more}"


def _without(metrics: Sequence[MetricVerdict]) -> str:
    young = all(
        metric.comparison is not None
        and isinstance(metric.comparison.baseline, Missing)
        and metric.comparison.baseline.kind is MissingKind.OLDER_BASELINE
        for metric in metrics
    )
    return f"{'the baseline is older than' if young else 'no baseline for'} {_names(metrics)}"
