"""
One pure function per metric: audio, text or seconds in, a value or a reason out; no thresholds, no
comparing.
"""
