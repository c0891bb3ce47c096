"""Knob: temperature. Every thermal zone against the first of its trip points that slows the machine down."""

from harness.machine.checks.check import Answer, Facts, Knob, fit, table, unfit, unknown
from harness.machine.checks.tree import Tree

ZONES = "sys/class/thermal/thermal_zone[0-9]*"
NEAR_C = 5.0
"""This near to a trip point a run of some minutes gets there."""
OFF_C = -100.0
"""Below this a zone is switched off: a Jetson's says -256."""


class Temperature(Knob):
    """How far every zone is from being slowed down."""

    expects = f"every zone more than {NEAR_C:g} degrees below its first slowing trip point"
    advice = "let it cool, or turn the fan up (Jetson: sudo jetson_clocks --fan)"

    def read(self, tree: Tree) -> Facts:
        """Read the zones that are on, in degrees Celsius, and their lowest trip point that is no fan's."""
        now: dict[str, float] = {}
        trips: dict[str, float] = {}
        for zone in tree.paths(ZONES):
            milli = tree.number(f"{zone}/temp")
            if milli is None or milli / 1000 < OFF_C:
                continue
            name = tree.text(f"{zone}/type") or zone.rpartition("/")[2]
            name = name if name not in now else f"{name} {zone.rpartition('zone')[2]}"
            now[name] = milli / 1000
            trips |= {name: trip} if (trip := _trip_c(tree, zone)) is not None else {}
        return {"temperatures_c": now, "trips_c": trips} if now else {}

    def expect(self, before: Facts, after: Facts) -> Answer:
        """Judge the later reading; zones without a trip point have nothing to be held against."""
        now, trips = table(after, "temperatures_c"), table(after, "trips_c")
        known = [(float(str(trips[name])) - float(str(now[name])), name) for name in now if name in trips]
        if not known:
            return unknown("no thermal zone with a trip point")
        room_c, name = min(known)
        shown = f"{name} {float(str(now[name])):.0f} °C, slowed down at {float(str(trips[name])):.0f} °C"
        return unfit(shown) if room_c <= NEAR_C else fit(shown)


def _trip_c(tree: Tree, zone: str) -> float | None:
    """Give the lowest trip point that slows down or stops; `active` ones only start fans, and 0 or less is none."""
    found = []
    for path in tree.paths(f"{zone}/trip_point_[0-9]*_type"):
        milli = tree.number(path.removesuffix("type") + "temp")
        if tree.text(path) != "active" and milli is not None and milli > 0:
            found.append(milli / 1000)
    return min(found, default=None)
