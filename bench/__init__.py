"""Marigram beside its peers: the same rows, the same questions, the same answers."""
