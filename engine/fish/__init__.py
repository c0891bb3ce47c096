"""Fish-Speech 1.5 in its published layout: the dual decoder of speech codes, and their codec."""
