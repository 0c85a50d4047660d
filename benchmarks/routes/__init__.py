"""Route discovery against the route tables of running applications."""
