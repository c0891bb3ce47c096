"""What does the voice lose, or gain, with less guidance and a lower temperature?"""

from voxgate import Suite

suite = Suite(
    target="chatterbox_target:ChatterboxTarget",
    environment=".venv",
    workload="sentences.toml",
    # The folder of t3_cfg.safetensors, s3gen.safetensors, ve.safetensors, tokenizer.json, conds.pt
    fixed={"weights": "weights"},
    cells=[{}, {"cfg_weight": 0.3}, {"temperature": 0.4}],
)
