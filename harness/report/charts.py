"""
The charts of the pages: speed against quality, drawn by matplotlib as SVG bytes and described in
words and as a table.

Uses Figure objects and no pyplot, so nothing global changes. Text stays text, and the same input
gives the same bytes. Drawing one chart takes a fifth of a second, so it is done apart from
describing it.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from voxgate.harness.judging.tradeoff import Point, Tradeoff
from voxgate.harness.report.badges import Badge, kind, of_verdict
from voxgate.harness.report.format import shown_scale, shown_unit, shown_value
from voxgate.harness.report.html import data_uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """
    Colours of a picture: text, faint lines, and one colour for each kind of verdict (as the page
    has them).
    """

    ink: str
    faint: str
    good: str
    open: str
    bad: str


LIGHT = Theme(ink="#1c2430", faint="#c9d1db", good="#1a7f4b", open="#9a6200", bad="#c02b2b")
DARK = Theme(ink="#e4e9f0", faint="#3d4756", good="#4cc38a", open="#e5a53b", bad="#ff7b72")

TITLES: Mapping[str, str] = MappingProxyType(
    {"pesq": "PESQ", "wer": "word error rate", "snr": "SNR", "stoi": "STOI"}
)
SPEEDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "rtf": ("speed", "real-time factor"),
        "live_latency_p50": ("latency", "latency of live conversion"),
    }
)
"""Speed metric -> what it is about, and its name in full."""
MARKERS: Mapping[str, str] = MappingProxyType({"good": "o", "open": "D", "bad": "X"})
"""Shape tells what colour tells: nobody needs to see red and green."""
HEIGHTS = (6, -13, 19, -26, 32, -39)
"""
Of a name over its mark, in points, the nearest first; with more names than that in one spot the
last ones overlap.
"""


def tradeoff_chart(data: Tradeoff, theme: Theme) -> bytes:
    """Draw speed against quality, the best trade-offs joined by a line, as an SVG file."""
    # only when something is drawn: it takes longer to load than all the rest
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "voxgate",
            "font.family": "sans-serif",
            "font.size": 11,
        }
    ):
        figure = Figure(figsize=(6.2, 4.0), layout="constrained")
        FigureCanvasSVG(figure)
        axes: Any = figure.add_subplot()
        scale = 100.0 if shown_unit(data.metric, data.unit) == "%" else 1.0
        speed_scale = shown_scale(data.speed, data.speed_unit)
        front = [point for point in data.points if point.on_front]
        axes.plot(
            [p.speed * speed_scale for p in front],
            [p.quality * scale for p in front],
            color=theme.ink,
            lw=1.2,
            ls="--",
            zorder=1,
        )
        scales = (speed_scale, scale)
        for point in data.points:
            _mark(axes, point, theme, scales)
        _dress(axes, data, theme)
        # where a name will stand is known only when all else has its place
        figure.draw_without_rendering()
        _name(axes, data.points, theme, scales)
        return _svg(figure)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPoint:
    """One cell in a chart, as text."""

    label: str
    speed: str
    quality: str
    mark: Badge
    on_front: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartImage:
    """The addresses of a chart in both themes, with its text alternative."""

    title: str
    speed: str
    """What the cells are ordered by, with its unit."""
    light: str
    dark: str
    alt: str
    caption: str
    points: tuple[ChartPoint, ...]


def both_themes(data: Tradeoff) -> Iterator[tuple[str, bytes]]:
    """Draw a chart once, and return it as (theme, SVG) in both themes."""
    light = tradeoff_chart(data, LIGHT)
    yield "light", light
    yield "dark", in_the_dark(light)


def chart_image(data: Tradeoff, address: Callable[[str], str]) -> ChartImage:
    """Describe a chart; `address` returns where the picture of a theme is found."""
    alt, caption = tradeoff_words(data)
    return ChartImage(
        title=TITLES.get(data.metric, data.metric),
        speed=_with_unit(data),
        light=address("light"),
        dark=address("dark"),
        alt=alt,
        caption=caption,
        points=tuple(
            ChartPoint(
                label=point.label,
                speed=_speed(data, point),
                quality=shown_value(data.metric, data.unit, point.quality),
                mark=of_verdict(point.verdict),
                on_front=point.on_front,
            )
            for point in data.points
        ),
    )


def inlined_chart(data: Tradeoff) -> ChartImage:
    """Describe a chart that lies within its page."""
    pictures = {theme: data_uri("image/svg+xml", svg) for theme, svg in both_themes(data)}
    return chart_image(data, pictures.__getitem__)


def in_the_dark(light: bytes) -> bytes:
    """Change the colours of a picture, which costs nothing."""
    for each in fields(LIGHT):
        light = light.replace(getattr(LIGHT, each.name).encode(), getattr(DARK, each.name).encode())
    return light


def tradeoff_words(data: Tradeoff) -> tuple[str, str]:
    """Return the alternative text of the chart, and its caption: the cells that no other beats."""
    title = TITLES.get(data.metric, data.metric)
    spots = "; ".join(
        f"{p.label}: {_with_unit(data)} {_speed(data, p)}, "
        f"{shown_value(data.metric, data.unit, p.quality)}"
        for p in data.points
    )
    best = ", ".join(point.label for point in data.points if point.on_front)
    short, long = SPEEDS.get(data.speed, (data.speed, data.speed))
    caption = (
        f"{short.capitalize()} against {title}. On the line, beaten by nobody at both: {best}."
    )
    return f"{long.capitalize()} against {title}. {spots}.", caption


def _with_unit(data: Tradeoff) -> str:
    return f"{data.speed} {shown_unit(data.speed, data.speed_unit)}".strip()


def _speed(data: Tradeoff, point: Point) -> str:
    return f"{point.speed * shown_scale(data.speed, data.speed_unit):.3g}"


def _mark(axes: Any, point: Point, theme: Theme, scales: tuple[float, float]) -> None:
    sort = kind(point.verdict)
    axes.scatter(
        [point.speed * scales[0]],
        [point.quality * scales[1]],
        s=55,
        marker=MARKERS[sort],
        color=getattr(theme, sort),
        zorder=2,
    )


def _name(axes: Any, points: Sequence[Point], theme: Theme, scales: tuple[float, float]) -> None:
    """
    Write each cell's name beside its mark, at the nearest height where it covers no other name.
    """
    taken: list[Any] = []
    for point in points:
        label = point.label.replace("$", r"\$")
        spot = (point.speed * scales[0], point.quality * scales[1])
        text = axes.annotate(
            label, spot, xytext=(6, 6), textcoords="offset points", color=theme.ink, fontsize=9
        )
        for height in HEIGHTS:
            text.xyann = (6, height)
            box = text.get_window_extent()
            if not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)


def _dress(axes: Any, data: Tradeoff, theme: Theme) -> None:
    """
    Name the axes with their good direction, and set the colours that matplotlib chooses by itself.
    """
    unit = shown_unit(data.metric, data.unit)
    better = {"lower": "lower is better", "higher": "higher is better", "neither": ""}[data.better]
    title = TITLES.get(data.metric, data.metric)
    long = SPEEDS.get(data.speed, (data.speed, data.speed))[1]
    axes.set_xlabel(f"{long} ({_short_unit(data)}), lower is faster", color=theme.ink)
    axes.set_ylabel(f"{title}{f' ({unit})' if unit else ''}, {better}", color=theme.ink)
    axes.margins(x=0.22, y=0.18)
    axes.grid(color=theme.faint, lw=0.6)
    axes.tick_params(colors=theme.ink)
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_color(theme.faint)


def _short_unit(data: Tradeoff) -> str:
    return shown_unit(data.speed, data.speed_unit) or data.speed


def _svg(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return out.getvalue()
