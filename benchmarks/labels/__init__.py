"""Precision of findings, from labelled samples."""
