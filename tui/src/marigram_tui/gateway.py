"""The only importer of the client: what the screens ask of a server."""
