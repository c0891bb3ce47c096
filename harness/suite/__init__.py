"""Suites and workloads: a suite file becomes cells, a workload becomes requests."""
