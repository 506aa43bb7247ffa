"""Administration: namespaces, API keys, figures of the running server."""

from marigram.call.keys import KeyRing
from marigram.engine import Engine
from marigram.feature import Feature, Methods
from marigram.features.admin.keys import Keys
from marigram.features.admin.namespaces import Namespaces
from marigram.features.admin.places import Places
from marigram.features.admin.status import Figures
from marigram.features.admin.watch import Watch
from marigram.wire import PageTokens


def feature(
    engine: Engine, ring: KeyRing, pages: PageTokens, *, max_watchers: int, max_watchers_per_namespace: int
) -> Feature:
    """The room."""
    figures = Figures(engine)
    watch = Watch(figures.now, Places(max_watchers, max_watchers_per_namespace))
    parts = (Namespaces(engine, pages), Keys(engine, ring, pages), figures, watch)

    def register(methods: Methods) -> None:
        for part in parts:
            part.register(methods)

    return Feature("admin", register)
