"""
What eyes make of colours: contrast as WCAG 2 defines it, the delta E of CIEDE2000, and the three
kinds of colour blindness at full strength (Machado, Oliveira and Fernandes 2009).
"""

from collections.abc import Sequence
from math import atan2, cos, degrees, exp, hypot, radians, sin, sqrt

Triple = tuple[float, float, float]
Matrix = tuple[Triple, Triple, Triple]

EYES: dict[str, Matrix] = {
    "all cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "no red cones": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "no green cones": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "no blue cones": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
TO_XYZ: Matrix = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE: Triple = (0.95047, 1.0, 1.08883)


def linear(colour: str) -> Triple:
    """Return the light of a colour, #rgb or #rrggbb."""
    digits = colour.lstrip("#")
    digits = "".join(2 * each for each in digits) if len(digits) == 3 else digits
    red, green, blue = (_linear(int(digits[at : at + 2], 16) / 255) for at in (0, 2, 4))
    return red, green, blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours, 1 to 21."""
    lights = sorted(_times(TO_XYZ, linear(each))[1] for each in (first, second))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def least_difference(first: str, second: str) -> float:
    """Return the delta E of two colours for the eyes that tell them apart worst."""
    return min(
        delta_e(*(_lab(_times(eye, linear(each))) for each in (first, second)))
        for eye in EYES.values()
    )


def _times(matrix: Matrix, light: Triple) -> Triple:
    x, y, z = (sum(a * b for a, b in zip(row, light, strict=True)) for row in matrix)
    return x, y, z


def _lab(light: Triple) -> Triple:
    seen = _times(TO_XYZ, tuple(min(1.0, max(0.0, each)) for each in light))  # type: ignore[arg-type]
    x, y, z = (_bent(each / white) for each, white in zip(seen, WHITE, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _bent(share: float) -> float:
    return share ** (1 / 3) if share > 216 / 24389 else (24389 / 27 * share + 16) / 116


def delta_e(first: Triple, second: Triple) -> float:
    """Return the CIEDE2000 difference of two colours in L*a*b* (Sharma, Wu and Dalal 2005)."""
    (l1, c1, h1), (l2, c2, h2) = _polar(first, second)
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    mean_h = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    t = _sum_of_cosines(mean_h)
    of_l = (l2 - l1) / (1 + 0.015 * (mean_l - 50) ** 2 / sqrt(20 + (mean_l - 50) ** 2))
    of_c = (c2 - c1) / (1 + 0.045 * mean_c)
    of_h = 2 * sqrt(c1 * c2) * sin(radians(turn) / 2) / (1 + 0.015 * mean_c * t)
    bend = sin(radians(60 * exp(-(((mean_h - 275) / 25) ** 2))))
    rotation = -2 * sqrt(mean_c**7 / (mean_c**7 + 25**7)) * bend
    return sqrt(max(0.0, of_l**2 + of_c**2 + of_h**2 + rotation * of_c * of_h))


def _polar(first: Triple, second: Triple) -> Sequence[Triple]:
    mean = (hypot(*first[1:]) + hypot(*second[1:])) / 2
    stretch = 1 + 0.5 * (1 - sqrt(mean**7 / (mean**7 + 25**7)))
    return [
        (light, hypot(stretch * a, b), degrees(atan2(b, stretch * a)) % 360)
        for light, a, b in (first, second)
    ]


def _sum_of_cosines(hue: float) -> float:
    terms = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))
    return 1 + sum(size * cos(radians(times * hue + shift)) for size, times, shift in terms)
