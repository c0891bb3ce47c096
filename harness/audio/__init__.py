"""
Sound as data: files, recordings, and the features that several metrics share.

Knows no metric and no verdict.
"""
