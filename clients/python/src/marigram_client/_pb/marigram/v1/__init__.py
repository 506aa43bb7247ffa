"""The client's own copy of the contract's messages, written by ``make proto``."""
