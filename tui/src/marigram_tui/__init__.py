"""The terminal interface of Marigram."""
