"""
The symbol tables of the embedded voices: phones, speakers, sample rate.

Imports neither torch nor the text rules.
The English phones are those of the CMU lexicon as flite prints them.
In the Spanish ones a digit marks the stressed vowel; `j w` are the glides of diphthongs, `th` the
sound of "zapato" in Spain, `ll` that of "llave" where it differs from the `y` of "yo", `sh zh` both
where the River Plate speaks, `x` that of "jota", `ny` that of "año", `r rr` tap and trill.
Index 0 is the padding symbol of a batch.
"""

SAMPLE_RATE_HZ = 16_000
PHONES = (
    "_", "pau", "aa", "ae", "ah", "ao", "aw", "ax", "axr", "ay", "b", "ch", "d", "dh", "dx", "eh",
    "el", "em", "en", "er", "ey",
    "f", "g", "hh", "hv", "ih", "iy", "jh", "k", "l", "m", "n", "nx", "ng", "ow", "oy", "p", "r",
    "s", "sh", "t", "th",
    "uh", "uw", "v", "w", "y", "z", "zh", "ssil",
)  # fmt: skip
PHONE_IDS = {name: index for index, name in enumerate(PHONES)}
SILENCE = "pau"
SPEAKERS = ("slt", "rms", "awb")
SPANISH_PHONES = (
    "_", "pau", "a", "e", "i", "o", "u", "a1", "e1", "i1", "o1", "u1", "j", "w",
    "p", "b", "t", "d", "k", "g", "f", "th", "s", "x", "ch", "y", "ll", "sh", "zh",
    "m", "n", "ny", "l", "r", "rr",
)  # fmt: skip
SPANISH_PHONE_IDS = {name: index for index, name in enumerate(SPANISH_PHONES)}
SPANISH_SPEAKERS = ("lola", "hugo")
