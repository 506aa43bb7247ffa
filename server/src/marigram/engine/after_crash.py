"""A program of its own, ``python -I -S after_crash.py CORE DIRECTORY NETWORK``: reads what opening a store would read,
so that bytes that end whoever maps them end this process and not a server. It loads the core from its file and nothing
else of Marigram, to begin within a few milliseconds. ``after_stop`` runs it.
"""

import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader

DAMAGED, REFUSED = 3, 4


def main(core: str, directory: str, network: str) -> int:
    """The exit code; what is wrong is told on standard output, message and detail, a zero between."""
    loader = ExtensionFileLoader("_core", core)
    spec = spec_from_loader("_core", loader)
    if spec is None:
        return 1
    module = module_from_spec(spec)
    loader.exec_module(module)
    found = module.check_after_crash(directory, network == "yes")
    if found is None:
        return 0
    is_damage, message, detail = found
    sys.stdout.write(f"{message}\0{detail}")
    return DAMAGED if is_damage else REFUSED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
