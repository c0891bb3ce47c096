"""
Discrete speech tokens: the tokeniser that makes them from audio, and the decoder that makes them
from text.
"""
