"""Which of the two models gains by int8 weights, and which one loses by them?"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    cells=[
        {"quantization": "none"},
        *(
            {"quantization": "int8-dynamic", "quantized_stages": stages}
            for stages in ("both", "acoustic", "vocoder")
        ),
        *(
            {"quantization": "int8-weight-only", "quantized_stages": stages}
            for stages in ("acoustic", "vocoder")
        ),
    ],
    fixed={"nfe_steps": 8},
    reference={"quantization": "none"},
    repeats=2,
)
