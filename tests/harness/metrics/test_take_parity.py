"""Two takes of one text: what differs between them by construction is the value."""

import numpy as np
import pytest
import soxr

from tests.harness.metrics.speech import RATE_HZ, held_against, speech
from tests.harness.metrics.voices import contour, sung
from voxgate.harness.metrics.metric import Need
from voxgate.harness.metrics.registry import entry
from voxgate.harness.metrics.take_parity import (
    METRICS,
    f0_rmse_dtw,
    gross_pitch_error,
    mcd_dtw,
    mcd_peak,
    rate_error,
    voicing_error,
)
from voxgate.harness.records.measurement import Missing, MissingKind, Value, lacks_package
from voxgate.harness.selftest import resynthesis
from voxgate.harness.selftest.fault_effects import SpokenUtterance


def number(found: Value) -> float:
    if lacks_package(found):
        pytest.skip(str(found))
    assert isinstance(found, float), found
    return found
