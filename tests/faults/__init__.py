"""Storage and processes, broken on purpose; docs/reliability.md says what and how."""
