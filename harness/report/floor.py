"""
The line below the table that stands a word error rate on its floor: what the same judge makes of somebody known to speak well.

Knows which cell's rates it stands beside; whether it may, `harness/scoring/asr_floor.py` knows.
"""

from dataclasses import replace

from harness.analysis.aggregate import by_name
from harness.records.measurement import Missing
from harness.report.contents import Contents, cell_of
from harness.report.format import shown, shown_unit
from harness.report.texts import plain
from harness.scoring.asr_floor import beside

RATES = ("wer", "cer")


def floor_line(contents: Contents) -> str:
    """Give the floor under the reference cell's rates, or why there is none beside them; empty where nobody made one."""
    cell, floor = cell_of(contents.run, contents.run.reference), contents.floor
    if floor is None or cell is None:
        return ""
    named = by_name(contents.measurements.get(cell.slug, ()))
    texts = []
    for measured in (named[name] for name in RATES if name in named and not isinstance(named[name].summary, Missing)):
        found = beside(floor, cell.workload, measured, contents.run.judge)
        if isinstance(found, Missing):
            return plain(f"no floor beside {measured.metric}: {found.reason}")
        rate = replace(measured, summary=found.point, low=found.low, high=found.high)
        texts.append(f"{rate.metric} {shown(rate)} {shown_unit(rate.metric, rate.unit)}")
    many = len(cell.workload.requests)
    return plain(f"floor: {', '.join(texts)}: {floor.speaker} on the same {many} texts, by the same judge") if texts else ""
