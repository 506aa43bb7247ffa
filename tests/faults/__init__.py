"""Storage and processes, broken on purpose; docs/faults.md says what and how."""
