"""
How early does a listener hear a long text, does the voice then go on without a stall, and what do
short chunks cost?
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="paragraphs",
    axes={"chunk_characters": [200, 120, 90, 80], "first_chunk_characters": [0, 25]},
    fixed={"nfe_steps": 4},
    reference={"chunk_characters": 90, "first_chunk_characters": 0},
    metrics=["join_clicks", "clicks", "dropouts"],
)
