"""
What other tools write, made small: as asv 0.6 and the nightly script of a Jetson team write it.
"""

import json
from pathlib import Path
from typing import Any

COLUMNS = [
    "result",
    "params",
    "version",
    "started_at",
    "duration",
    "stats_ci_99_a",
    "stats_ci_99_b",
    "stats_q_25",
    "stats_q_75",
    "stats_number",
    "stats_repeat",
    "samples",
    "profile",
]
NAN = float("nan")


def asv_result(**changes: Any) -> dict[str, Any]:
    synth = [
        [0.41, 0.12, None, NAN],
        [["32", "8"], ["'fp32'", "'bf16'"]],
        "a1b2",
        1758630000000,
        12.5,
    ]
    spread = [
        [0.40, 0.11, None, None],
        [0.42, 0.13, None, None],
        [0.4, 0.1, None, None],
        [0.4, 0.1, None, None],
    ]
    return {
        "commit_hash": "3fa1c2e9d0b1a2c3d4e5f60718293a4b5c6d7e8f",
        "env_name": "virtualenv-py3.11-numpy",
        "date": 1758600000000,
        "params": {
            "machine": "orin",
            "cpu": "Cortex-A78AE",
            "num_cpu": "12",
            "ram": "64G",
            "python": "3.11",
        },
        "python": "3.11",
        "requirements": {"numpy": "2.1"},
        "env_vars": {},
        "result_columns": COLUMNS,
        "results": {
            "synth.Synth.time_say": [*synth, *spread, [1, 1, None, None], [10, 12, None, None]],
            "synth.peakmem_load": [[524288000], [], "c3d4", 1758630100000, 1.0],
            "synth.track_snr": [None, [], "e5f6", 1758630200000],
            "gone.time_old": [[0.5], [], "0000", 1758630300000],
        },
        "durations": {},
        "version": 2,
        **changes,
    }


def asv_folder(root: Path, *results: dict[str, Any]) -> Path:
    """Writes a results folder of one machine."""
    benchmarks = {
        "synth.Synth.time_say": {
            "type": "time",
            "unit": "seconds",
            "param_names": ["nfe", "precision"],
            "params": [],
        },
        "synth.peakmem_load": {
            "type": "peakmemory",
            "unit": "bytes",
            "param_names": [],
            "params": [],
        },
        "synth.track_snr": {"type": "track", "unit": "dB", "param_names": [], "params": []},
        "version": 2,
    }
    (root / "orin").mkdir(parents=True, exist_ok=True)
    (root / "benchmarks.json").write_text(json.dumps(benchmarks))
    (root / "orin" / "machine.json").write_text(json.dumps({"machine": "orin", "version": 1}))
    for number, result in enumerate(results or (asv_result(),)):
        (root / "orin" / f"{result['commit_hash'][:8]}-{number}.json").write_text(
            json.dumps(result)
        )
    return root


def nightly(day: int = 30, **changes: Any) -> dict[str, Any]:
    """One entry as the monitor of a Jetson appends it."""
    return {
        "timestamp": f"2025-09-{day:02}T12:22:00",
        "nfe": 8,
        "compile": "max-autotune",
        "device": "cuda",
        "hostname": "agx-orin",
        "stats": {
            "mean_rtf": 0.25,
            "min_rtf": 0.233,
            "mean_speedup": 4.0,
            "mean_synthesis_time": 2.097,
            "variance": 0.037,
        },
        "results": [
            {"text": "Hello world!", "rtf": 0.25},
            {"text": "The quick brown fox.", "rtf": 0.25},
        ],
        "regressions": [],
        **changes,
    }


def flat(**changes: Any) -> dict[str, Any]:
    """One report as its detector of regressions writes it."""
    return {
        "timestamp": "2025-09-30T10:52:00.123456",
        "baseline_rtf": 0.3,
        "max_allowed_rtf": 0.36,
        "mean_rtf": 0.352,
        "std_rtf": 0.05,
        "min_rtf": 0.283,
        "max_rtf": 0.394,
        "passed": False,
        "issues": ["Max RTF 0.394 exceeds threshold 0.36"],
        "device": "cuda",
        **changes,
    }
