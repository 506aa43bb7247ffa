"""The gRPC server: assembly, interceptors, status."""
