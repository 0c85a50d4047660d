"""Benchmarks of fastwright on real applications. Run by hand; see README.md."""
