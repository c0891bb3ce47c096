"""Makes findings and matrices for the tests of what is shown of them."""

from collections.abc import Mapping

from voxgate.harness.selftest.quality_result import (
    Compares,
    FaultResult,
    Matrix,
    MetricColumn,
    QualityTrust,
    Sight,
)
from voxgate.harness.selftest.specimens import EVERY, Kind

COLUMNS = (
    MetricColumn(metric="snr", family="parity", blocks=True, compares=Compares.PERFORMANCES),
    MetricColumn(metric="pesq", family="parity", blocks=False, compares=Compares.PERFORMANCES),
    MetricColumn(metric="clicks", family="faults", blocks=True),
)
SEEN, ADVISED, UNSEEN, UNPROVEN = (
    {"snr": Sight.SEEN},
    {"pesq": Sight.ADVISED},
    {},
    {"clicks": Sight.UNPROVEN},
)
HEARD = {"snr": Sight.SEEN, "clicks": Sight.SEEN}
"""Seen without parity too."""


def finding(
    fault: str,
    sights: Mapping[str, Sight],
    *,
    strength: str = "1",
    kind: Kind = Kind.FAULT,
    extent: str = EVERY,
) -> FaultResult:
    """What is not among the sights was not seen."""
    everything = {column.metric: Sight.UNSEEN for column in COLUMNS} | dict(sights)
    return FaultResult(fault=fault, strength=strength, kind=kind, extent=extent, sights=everything)


def matrix(
    *findings: FaultResult,
    left_out: Mapping[str, str] | None = None,
    audio: str = "engine nfe_steps=8",
) -> Matrix:
    return Matrix(audio=audio, utterances=8, findings=findings, left_out=left_out or {})


def trust(*matrices: Matrix, unseeable: Mapping[str, str] | None = None) -> QualityTrust:
    facts = {
        "suite": "s",
        "profile": "p",
        "machine": "m",
        "head": "h",
        "created": "2026-11-21T10:00:00Z",
    }
    return QualityTrust(
        **facts,
        columns=COLUMNS,
        valueless=("wer",),
        unjudged=("peak",),
        matrices=matrices,
        unseeable=unseeable or {},
    )
