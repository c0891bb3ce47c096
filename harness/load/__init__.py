"""
Load test: many concurrent requests to a server; its latency, throughput, duration and memory.
`voxgate load`.
"""
