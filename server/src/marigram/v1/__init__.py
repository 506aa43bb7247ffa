"""Messages and services of the contract, written by ``make proto``."""
