"""What the contract's bytes mean, to each of its readers."""
