"""
What does each step buy a converted voice, from a slow pitch tracker in chunks one after the other
to all steps together, and is it still the voice that was asked for?
"""

from voxgate import Suite

PLAIN = {"f0_method": "harvest", "threads": 1, "chunk_seconds": 2.0}

suite = Suite(
    pipeline="conversion",
    workload="conversion",
    cells=[
        PLAIN,
        {**PLAIN, "f0_method": "dio"},
        {**PLAIN, "f0_method": "yin"},
        {**PLAIN, "f0_method": "yin", "batch": 4},
        {**PLAIN, "f0_method": "yin", "chunk_seconds": 0.0},
        {"f0_method": "yin", "threads": 1, "precision": "bf16"},
        {"f0_method": "yin", "threads": 1, "quantization_content": "int8-dynamic"},
        {"f0_method": "yin", "threads": 1, "vocal_tract_search": False},
        {
            "f0_method": "yin",
            "threads": 1,
            "runtime_content": "onnx",
            "runtime_model": "onnx",
            "runtime_vocoder": "onnx",
        },
        {"f0_method": "yin", "threads": 1, "precision": "bf16", "vocal_tract_search": False},
        {"f0_method": "yin", "threads": 1, "feature_cache": True},
    ],
    reference=PLAIN,
)
