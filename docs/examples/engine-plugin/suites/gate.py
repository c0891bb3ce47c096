"""What do fewer harmonics cost, and what do they buy?"""

from voxgate import Suite

suite = Suite(
    target="hum",
    workload="sentences.toml",
    axes={"harmonics": [16, 4]},
    reference={"harmonics": 16},
)
