"""The embedded voices, one folder each with a MODEL_CARD, and the strict loaders."""
