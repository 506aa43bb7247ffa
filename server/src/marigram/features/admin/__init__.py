"""Administration: namespaces, API keys, figures of the running server."""

from marigram.call.keys import KeyRing
from marigram.engine import Engine
from marigram.feature import Feature, Methods
from marigram.features.admin.keys import Keys
from marigram.features.admin.namespaces import Namespaces
from marigram.features.admin.status import Figures
from marigram.wire import PageTokens


def feature(engine: Engine, ring: KeyRing, pages: PageTokens) -> Feature:
    """The room."""
    parts = (Namespaces(engine, pages), Keys(engine, ring, pages), Figures(engine))

    def register(methods: Methods) -> None:
        for part in parts:
            part.register(methods)

    return Feature("admin", register)
