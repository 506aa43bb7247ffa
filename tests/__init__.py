"""Python tests of the whole of Marigram."""
