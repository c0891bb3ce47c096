"""
Loudness by ITU-R BS.1770-4: gated, one channel, in LUFS.

The standard defines its two filters at 48 kHz only and asks for the same response at other rates.
So a recording is resampled to 48 kHz first: filters designed for 8 or 16 kHz by a bilinear
transform, as is often done, read a tone of 997 Hz 0.20 and 0.05 LU too low.
"""

import math

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.records.measurement import Missing, Value

RATE_HZ = 48_000
# BS.1770-4, tables 1 and 2: the shelf that stands for the head, and the high pass; b0 b1 b2 a0 a1
# a2.
K_WEIGHTING = (
    (
        1.53512485958697,
        -2.69169618940638,
        1.19839281085285,
        1.0,
        -1.69065929318241,
        0.73248077421585,
    ),
    (1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621),
)
OFFSET_LU = -0.691  # takes off the filters' gain at 997 Hz
BLOCK_S, STEP_S = 0.4, 0.1
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0


def integrated_lufs(recording: Recording) -> Value:
    """
    Return the mean loudness in LUFS of the blocks of 0.4 s that pass both gates.

    Missing below 0.4 s and where no block is above -70 LUFS.
    """
    fault = check_valid(recording)
    if fault is not None:
        return fault
    power = _block_powers(recording.at(RATE_HZ))
    if not power.size:
        return Missing(
            f"{recording.duration_s:.2f} s is too short for loudness, which needs {BLOCK_S} s"
        )
    power = power[power > 10 ** ((ABSOLUTE_GATE_LUFS - OFFSET_LU) / 10)]
    if not power.size:
        return Missing(f"nothing is louder than {ABSOLUTE_GATE_LUFS:.0f} LUFS")
    power = power[power > power.mean() * 10 ** (RELATIVE_GATE_LU / 10)]
    return OFFSET_LU + 10.0 * math.log10(power.mean())


def _block_powers(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean square of each whole block of the weighted samples, shape [blocks]."""
    from scipy.signal import sosfilt

    total = np.concatenate([[0.0], np.cumsum(sosfilt(np.array(K_WEIGHTING), samples) ** 2)])
    width, step = round(BLOCK_S * RATE_HZ), round(STEP_S * RATE_HZ)
    starts = np.arange(0, len(samples) - width + 1, step)
    return np.asarray((total[starts + width] - total[starts]) / width, dtype=np.float64)
