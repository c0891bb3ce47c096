"""Fish-Speech 1.5 in its published layout: the dual autoregressive decoder of speech codes."""
