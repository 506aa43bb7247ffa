"""Of the benchmark harness itself."""
