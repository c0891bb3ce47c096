"""
The networks that score: recognisers, DNSMOS, and their weights.

The only part of scoring that may import torch.
"""
