"""Clients of our server that need a process of their own (``bench.child``), each a ``Peer``."""
