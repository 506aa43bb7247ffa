"""What rooms share of the query language."""
