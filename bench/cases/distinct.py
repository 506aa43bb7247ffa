"""``distinct``: users of each of thirty days, exact."""

from bench.cases import shaped, visited

CASES = (shaped.case("distinct/users-a-day", "users-a-day", visited.DATA, visited.COUNT, target=10.0),)
