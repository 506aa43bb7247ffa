"""What the compiled core offers."""

VERSION: str
