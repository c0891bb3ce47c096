"""Studies: programs that measure a question once and print an evidence page.

No part of the product, and no tests; each names its command at the top.
"""
