"""
Speed against quality on the site: the chart of the single run's page as a file, with its values as
a table.

Drawing one chart takes a fifth of a second, so it is done apart from describing it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from voxgate.harness.judging.tradeoff import Tradeoff, fastest_passing
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.verdict import RunVerdict
from voxgate.harness.report.charts import DARK, LIGHT, TITLES, tradeoff_chart, tradeoff_words
from voxgate.harness.report.contents import tradeoffs_of
from voxgate.harness.report.format import shown_value
from voxgate.harness.report.site.marks import Badge, of_verdict

Measured = Mapping[str, Sequence[Measurement]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One cell in a picture, as text."""

    label: str
    rtf: str
    quality: str
    mark: Badge
    on_front: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartImage:
    """The addresses of a chart in both themes, with its text alternative."""

    title: str
    light: str
    dark: str
    alt: str
    caption: str
    points: tuple[Spot, ...]


def pictures(judged: RunVerdict, measured: Measured, name: str) -> tuple[ChartImage, ...]:
    """Return the descriptions of a run's charts, whose files are called after `name`."""
    return tuple(_picture(data, name) for data in tradeoffs_of(judged, measured))


def drawings(judged: RunVerdict, measured: Measured, name: str) -> Iterator[tuple[str, bytes]]:
    """Draw the charts; yield the address and content of each file."""
    for data in tradeoffs_of(judged, measured):
        light = tradeoff_chart(data, LIGHT)
        yield _address(name, data, "light"), light
        yield _address(name, data, "dark"), _in_the_dark(light)


def fastest_line(judged: RunVerdict, measured: Measured) -> str:
    """
    Return the fastest cell that still passes, in one sentence; empty where no cell has a speed.
    """
    if not any(
        measurement.metric == "rtf"
        for measurements in measured.values()
        for measurement in measurements
    ):
        return ""
    best = fastest_passing(judged, measured, None)
    if best is None:
        return "No cell of the latest run is fit to ship."
    return (
        f"Fastest cell that still passes, and sounds good enough: {best.label}, rtf {best.rtf:.3g}."
    )


def _picture(data: Tradeoff, name: str) -> ChartImage:
    alt, caption = tradeoff_words(data)
    return ChartImage(
        title=TITLES.get(data.metric, data.metric),
        light=_address(name, data, "light"),
        dark=_address(name, data, "dark"),
        alt=alt,
        caption=caption,
        points=tuple(
            Spot(
                label=point.label,
                rtf=f"{point.rtf:.3g}",
                quality=shown_value(data.metric, data.unit, point.quality),
                mark=of_verdict(point.verdict),
                on_front=point.on_front,
            )
            for point in data.points
        ),
    )


def _address(name: str, data: Tradeoff, theme: str) -> str:
    return f"pictures/{name}~{data.metric}-{theme}.svg"


def _in_the_dark(light: bytes) -> bytes:
    """Change the colours of a picture, which costs nothing."""
    for field in fields(LIGHT):
        light = light.replace(
            getattr(LIGHT, field.name).encode(), getattr(DARK, field.name).encode()
        )
    return light
