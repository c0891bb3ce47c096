"""What does a slower piper cost?"""

from voxgate import Suite

suite = Suite(
    target="piper_target:PiperTarget",
    environment=".venv",
    workload="sentences.toml",
    # Piper has no seed. Without its two noises, the same text is the same audio.
    fixed={"noise_scale": 0.0, "noise_w_scale": 0.0},
    axes={"length_scale": [1.0, 1.3]},
)
