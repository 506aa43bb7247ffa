"""The second reader of data directories, beside what was written and beside the engine's answers."""
