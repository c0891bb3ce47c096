"""What do fewer harmonics buy? One process that stays alive and is sent text by text."""

from voxgate import Suite

suite = Suite(
    target="command",
    command=["python3", "hum.py"],
    protocol="lines",
    workload="sentences.toml",
    axes={"harmonics": [16, 4]},
    reference={"harmonics": 16},
)
