"""
The embedded voices, one folder each with its MODEL_CARD, and the strict loader that reads them.
"""
