"""
The harness of voxgate: measures, judges and shows. Its public names are in `voxgate`.
"""
