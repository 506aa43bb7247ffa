"""The visits that the cases of events are about: twenty a user at both sizes."""

from collections.abc import Mapping

from bench.harness import Size
from bench.tables import DataSet, visits_set

DATA: Mapping[Size, DataSet] = {"small": visits_set(50_000, 2_500), "full": visits_set(20_000_000, 1_000_000)}
COUNT: Mapping[Size, int] = {"small": 3, "full": 5}
