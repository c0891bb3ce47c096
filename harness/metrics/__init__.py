"""
One pure function per metric: audio, text or seconds in, a value or a reason out.

Knows no thresholds and compares nothing.
"""
