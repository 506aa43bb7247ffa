"""The Python client of Marigram."""
