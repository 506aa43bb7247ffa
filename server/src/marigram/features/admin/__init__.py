"""Administration: namespaces, API keys, figures of the running server, what is on its disk, whether it is sound, and
copies of it."""

from pathlib import Path

from marigram.call.keys import KeyRing
from marigram.engine import Engine
from marigram.feature import Feature, Methods
from marigram.features.admin.backups import Backups
from marigram.features.admin.keys import Keys
from marigram.features.admin.namespaces import Namespaces
from marigram.features.admin.places import Places
from marigram.features.admin.status import Figures
from marigram.features.admin.storage import StorageFigures
from marigram.features.admin.verification import Verification
from marigram.features.admin.watch import Watch
from marigram.wire import PageTokens


def feature(
    engine: Engine,
    ring: KeyRing,
    pages: PageTokens,
    *,
    max_watchers: int,
    max_watchers_per_namespace: int,
    storage_seconds: float,
    backup_dir: Path | None,
) -> Feature:
    """The room. ``storage_seconds`` is the longest time of a look at what streams take on the disk, ``backup_dir`` is
    where backups are made."""
    figures = Figures(engine)
    watch = Watch(figures.now, Places(max_watchers, max_watchers_per_namespace))
    storage = StorageFigures(engine, storage_seconds)
    parts = (
        Namespaces(engine, pages),
        Keys(engine, ring, pages),
        figures,
        watch,
        storage,
        Verification(engine),
        Backups(engine, pages, backup_dir),
    )

    def register(methods: Methods) -> None:
        for part in parts:
            part.register(methods)

    return Feature("admin", register)
