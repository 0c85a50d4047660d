"""Rules about the tests of an application."""
