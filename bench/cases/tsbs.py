"""``tsbs``: the kinds of TSBS that read all hosts and are not in a group of their own.

``groupby-orderby-limit``: greatest usage_user of the last five minutes before a random one. ``high-cpu-all``: TSBS asks
for the rows above 90; our API answers with aggregates, so everybody is asked how many they are and how far they go, by
host.
"""

from collections.abc import Mapping

from bench.cases import shaped
from bench.cases.lastpoint import DATA
from bench.harness import Size

COUNT: Mapping[Size, int] = {"small": 3, "full": 20}
TARGET = {"groupby-orderby-limit": 10.0, "high-cpu-all": 3.0}

CASES = tuple(shaped.case(f"tsbs/{name}", name, DATA, COUNT, target=target) for name, target in TARGET.items())
