"""Checks: over-current, power rails and fan of a Jetson, from its hwmon devices."""

import re

from voxgate.harness.machine.checks.check import (
    Check,
    CheckResult,
    Facts,
    SystemRoot,
    fit,
    number,
    table,
    unfit,
    unknown,
)

HWMON = "sys/class/hwmon/hwmon[0-9]*"
MONITORS = ("ina3221", "ina238")
NOT_RAILS = ("", "NC", "sum of shunt voltages")
"""Labels of channels that measure no rail."""


class OverCurrent(Check):
    """
    Whether the board was slowed down for drawing too much: oc1 under-voltage, oc2 average, oc3
    momentary current.
    """

    expects = "no over-current event"
    advice = "use a stronger supply, or a smaller mode: sudo nvpmodel -q"

    def read(self, tree: SystemRoot) -> Facts:
        """Read the counters since the start; tools that show utilisation do not show them."""
        facts = {}
        for folder in devices(tree, ("soctherm_oc",)):
            for path in tree.paths(f"{folder}/oc[0-9]*_event_cnt"):
                if (count := tree.number(path)) is not None:
                    facts[path.rpartition("/")[2].partition("_")[0]] = count
        return {"over_current_events": facts} if facts else {}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge what was added in between."""
        old, new = table(before, "over_current_events"), table(after, "over_current_events")
        if not old or not new:
            return unknown("no over-current counters")
        grown = {name: int(str(new[name])) - int(str(old.get(name, 0))) for name in new}
        events = [f"{name} {count}" for name, count in grown.items() if count]
        return (
            unfit(f"events in between: {', '.join(events)}") if events else fit("none in between")
        )


class Rails(Check):
    """Whether the power rails can be read and none of them raises its alarm."""

    expects = "readable power rails without an alarm"
    advice = "sudo dmesg | grep -i ina    # the monitor's driver must be loaded"

    def read(self, tree: SystemRoot) -> Facts:
        """Read the power of every labelled channel in W, and the alarms."""
        folders = devices(tree, MONITORS)
        rails = {
            label: power_w for folder in folders for label, power_w in rails_w(tree, folder).items()
        }
        alarms = [
            path
            for folder in folders
            for path in tree.paths(f"{folder}/curr[0-9]*_*alarm")
            if tree.number(path)
        ]
        return {"rails_w": rails, "rail_alarms": len(alarms)} if rails else {}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the alarms, and show the power."""
        rails, alarms = table(after, "rails_w"), number(after, "rail_alarms")
        if not rails:
            return unknown("no power monitor (INA3221, INA238)")
        figures = ", ".join(f"{name} {float(str(power)):.1f} W" for name, power in rails.items())
        return unfit(f"{alarms:.0f} alarms: {figures}") if alarms else fit(figures)


class Fan(Check):
    """Whether the fan turns."""

    expects = "a fan that turns"
    advice = "sudo jetson_clocks --fan"

    def read(self, tree: SystemRoot) -> Facts:
        """Read the duty cycle of the fan, 0..255."""
        duties = [tree.number(f"{folder}/pwm1") for folder in devices(tree, ("pwmfan",))]
        present = [duty for duty in duties if duty is not None]
        return {"fan_duty": max(present) / 255} if present else {}

    def expect(self, before: Facts, after: Facts) -> CheckResult:
        """Judge the later reading."""
        duty = number(after, "fan_duty")
        if duty is None:
            return unknown("no fan that tells its speed")
        return fit(f"{duty:.0%}") if duty > 0 else unfit("stands still")


def devices(tree: SystemRoot, names: tuple[str, ...]) -> tuple[str, ...]:
    """Name the folders of the hwmon devices that have one of these names."""
    return tuple(folder for folder in tree.paths(HWMON) if tree.text(f"{folder}/name") in names)


def rails_w(tree: SystemRoot, folder: str) -> dict[str, float]:
    """Read one monitor: volts times amperes of each labelled channel, or its own product."""
    rails: dict[str, float] = {}
    power = tree.number(f"{folder}/power1_input")  # INA238: microwatts
    if power is not None:
        return {tree.text(f"{folder}/label") or "VIN": power / 1e6}
    for path in tree.paths(f"{folder}/in[0-9]*_label"):
        label, channel = tree.text(path) or "", re.sub(r"\D", "", path.rpartition("/")[2])
        milli_v, milli_a = (
            tree.number(f"{folder}/in{channel}_input"),
            tree.number(f"{folder}/curr{channel}_input"),
        )
        if label not in NOT_RAILS and milli_v is not None and milli_a is not None:
            rails[label] = milli_v * milli_a / 1e6
    return rails
