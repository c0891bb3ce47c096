"""What does a higher voice cost?"""

from voxgate import Suite

suite = Suite(
    target="beeps.bench:BeepsTarget",
    environment=".venv",
    workload="sentences.toml",
    axes={"pitch_hz": [220, 440]},
    reference={"pitch_hz": 220},
)
