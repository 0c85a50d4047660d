"""Notes that users keep, share by link, and are reminded of."""
