"""Stands where the terminal interface does."""
