"""Edits on source: what is to change, as plain data; checked for conflict, and applied."""
