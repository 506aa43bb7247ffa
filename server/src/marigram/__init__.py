"""Marigram: an analytics engine for time-stamped rows, spoken to over gRPC."""

import os

# gRPC reads this when it is imported, so it stands here, before anything of ours does so. By default each message that
# a server takes passes three threads of gRPC's own before the one that waits for it; with the older listener that one
# reads the socket itself. Who starts us may say otherwise, and a later gRPC without the experiment passes it over.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener")
