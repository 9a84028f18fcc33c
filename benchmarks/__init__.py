"""Benchmarks: each a pair of sides in one run. They print and write what they find, and assert nothing."""
