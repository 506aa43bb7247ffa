"""What the metrics explorer asks: texts that people type, the query they mean, and its answer."""
