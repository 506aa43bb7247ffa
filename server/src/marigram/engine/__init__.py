"""The engine as Python sees it; the compiled part is ``_core``."""
