"""Parts of eager-load: rows that are loaded together."""
