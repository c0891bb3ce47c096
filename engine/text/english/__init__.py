"""English: text to spoken tokens, and words to phones. Two tables of its own, no other files."""
