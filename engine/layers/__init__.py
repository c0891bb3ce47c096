"""Tensors in, tensors out: the building blocks that know no configuration class."""
