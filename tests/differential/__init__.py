"""Random questions, asked of the engine and of DuckDB about the same rows."""
