"""Voice conversion: a recording in, the same words by another voice out."""
