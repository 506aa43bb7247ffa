"""One room a screen."""
