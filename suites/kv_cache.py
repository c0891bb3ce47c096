"""How much time does a KV cache save, the longer a text is, and are the speech tokens the same?"""

from voxgate import Suite

suite = Suite(
    pipeline="token",
    workload="everyday-short",
    axes={"kv_cache": ["off", "dynamic", "static"], "cfg_weight": [0.0, 0.5]},
    reference={"kv_cache": "off", "cfg_weight": 0.5},
    sampled=False,  # by one seed, the tokens must be the same
    repeats=2,
)
