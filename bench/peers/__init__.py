"""Systems to measure against, each a ``Peer`` that runs in a process of its own (``bench.child``)."""
