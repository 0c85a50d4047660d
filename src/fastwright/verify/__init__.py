"""Is the application still the same? What a change did to it, at three levels."""
