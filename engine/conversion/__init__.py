"""Voice conversion: a recording in, the same words in another voice out."""
