"""Recipes: refactorings of several files, one file for each."""
