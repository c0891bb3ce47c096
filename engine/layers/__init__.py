"""Building blocks of the models: tensors in, tensors out, no configuration class."""
