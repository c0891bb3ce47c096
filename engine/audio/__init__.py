"""
Audio outside the model: the reference recording going in, trimming, level and joins coming out.
numpy only.
"""
