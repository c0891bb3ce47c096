"""
What does the watermark cost in time and sound, and is it still there after what happens to audio?
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    axes={"watermark": ["off", "perth"]},
    reference={"watermark": "off"},
    conditions=["telephone"],
)
