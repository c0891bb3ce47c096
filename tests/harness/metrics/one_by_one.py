"""
What a script of one's own would do: each file in turn, each metric by its own package, in one
process.

    VENV/bin/python one_by_one.py GIVEN.json OUT.json

Runs in the environment of throwaway.py. Models are loaded and functions compiled on a file that is
not counted; the time of that is written down apart. Each file is another one, so that nothing that
others.py remembers is used twice for a metric that would not remember it itself.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import others

CHOSEN = (
    ("snr", "torchmetrics"),
    ("si_sdr", "torchmetrics"),
    ("pesq", "pesq"),
    ("stoi", "pystoi"),
    ("estoi", "pystoi"),
    ("mcd", "pysptk"),
    ("mel_distance", "librosa"),
    ("f0_rmse_hz", "praat-parselmouth"),
    ("f0_rmse_cents", "praat-parselmouth"),
    ("f0_correlation", "praat-parselmouth"),
    ("vuv_error", "praat-parselmouth"),
    ("pitch_median", "praat-parselmouth"),
    ("pitch_range", "praat-parselmouth"),
    ("end_level", "praat-parselmouth"),
    ("pause_count", "praat-parselmouth"),
    ("longest_pause", "praat-parselmouth"),
    ("pause_share", "praat-parselmouth"),
    ("leading_silence", "praat-parselmouth"),
    ("trailing_silence", "praat-parselmouth"),
    ("duration", "praat-parselmouth"),
    ("peak", "praat-parselmouth"),
    ("dc_offset", "praat-parselmouth"),
    ("loudness", "pyloudnorm"),
    ("wer", "openai-whisper"),
    ("cer", "openai-whisper"),
    ("dnsmos_ovrl", "speechmos"),
    ("dnsmos_sig", "speechmos"),
    ("dnsmos_bak", "speechmos"),
    ("dnsmos_p808", "speechmos"),
    ("speaker_similarity", "Resemblyzer"),
)
"""
(metric, package): nothing here for clicks, dropouts, repeats and the like, which no package
computes.
"""


def main(given: Path, out: Path) -> None:
    """Score the first pair uncounted, all others counted."""
    warnings.simplefilter("ignore")
    first, *pairs = [others.Pair(**each) for each in json.loads(given.read_text())]
    # of several, the first
    known = {(each.metric, each.package): each for each in reversed(others.OTHERS)}
    chosen = [known[name] for name in CHOSEN]
    begun = time.perf_counter()
    for each in chosen:
        others._value(each, first)
    loaded = time.perf_counter()
    values = [{each.metric: others._value(each, pair) for each in chosen} for pair in pairs]
    done = time.perf_counter()
    out.write_text(
        json.dumps(
            {"loading_s": loaded - begun, "scoring_s": done - loaded, "values": values}, indent=1
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
