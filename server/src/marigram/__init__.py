"""Marigram: an analytics engine for time-stamped rows, spoken to over gRPC."""
