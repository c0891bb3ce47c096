"""How much faster than plain (no cache, two passes, fp32) is the token pipeline at its best?"""

from voxgate import Suite

plain = {"kv_cache": "off", "cfg_passes": 2}
suite = Suite(
    pipeline="token",
    workload="everyday-short",
    cells=[
        plain,
        {"kv_cache": "off"},
        {"cfg_passes": 2},
        {},
        {"kv_cache": "static"},
        {"quantization_tokens": "int8-dynamic"},
        {"cfg_weight": 0.0},
        {"cfg_weight": 0.0, "nfe_steps": 4},
    ],
    reference=plain,
    sampled=False,  # the question is the time; most cells draw the same tokens
    repeats=2,
)
