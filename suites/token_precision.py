"""Which of the token pipeline's three models gains by fewer bits, and which one loses words?"""

from voxgate import Suite

suite = Suite(
    pipeline="token",
    workload="everyday-short",
    cells=[
        {},
        *(
            {f"{option}_{model}": value}
            for model in ("tokens", "acoustic", "vocoder")
            for option, value in (("precision", "bf16"), ("quantization", "int8-dynamic"))
        ),
    ],
    reference={},
    takes=3,
    repeats=2,
)
