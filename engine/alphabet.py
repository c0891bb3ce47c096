"""
The symbol tables of the embedded voice: phones, speakers, sample rate.

Imports neither torch nor the text rules.
The phones are those of the CMU lexicon as flite prints them.
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
