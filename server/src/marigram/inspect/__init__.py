"""A second reader of data directories, written from ``engine_core/FORMAT.md`` alone.

It shares no line with the engine, so that each proves the other right; it reads copies, with an LMDB of its own, and
never runs inside a server. ``reader.open_copy`` is the way in.
"""
