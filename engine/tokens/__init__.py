"""Autoregressive models of speech tokens: what they share."""
