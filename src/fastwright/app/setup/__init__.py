"""Set-up code, evaluated symbolically: which applications there are and which routes they serve."""
