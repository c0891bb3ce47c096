"""
How late is a voice that is converted live, does it ever run dry, and what do short blocks and a
short look ahead cost against the whole recording?
"""

from voxgate import Suite

suite = Suite(
    pipeline="conversion",
    workload="conversion",
    axes={"stream_block_ms": [80, 160, 320, 640], "stream_lookahead_ms": [64, 256, 0]},
    cells=[{}],
    reference={},
    metrics=[
        "wer",
        "cer",
        "similarity_margin",
        "mel_distance",
        "source_energy_correlation",
        "join_clicks",
    ],
)
