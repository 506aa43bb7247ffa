"""A query to take elsewhere: as ``marigram query`` and as Python."""

import shlex
from datetime import UTC, datetime

from marigram_tui.explore.calls import Call, written
from marigram_tui.explore.form import Query

_SECOND_NS = 1_000_000_000
Bound = int | str | None


def shell(query: Query, bounds: tuple[Bound, Bound]) -> str:
    """The query as a shell takes it, an option a line."""
    options: list[str] = []
    for call, text in zip(query.measures, query.typed, strict=True):
        options.append(_option("--formula" if call.function == "formula" else "--measure", text))
    options += [_option("--group-by", key) for key in query.keys_typed]
    for name, value in (
        ("--window", query.window_text),
        ("--filter", query.filter),
        ("--from", _instant(bounds[0])),
        ("--to", _instant(bounds[1])),
        ("--fill", "" if query.fill is None else f"{query.fill}"),
        ("--compare", query.compare or ""),
    ):
        options += [_option(name, value)] if value else []
    options += [_option("--order-by", key) for key in query.order]
    options += [_option("--top", str(query.top))] if query.top else []
    options += ["--other"] if query.other else []
    # What begins with a dash is no option behind `--`.
    stream = shlex.quote(query.stream) if not query.stream.startswith("-") else f"-- {shlex.quote(query.stream)}"
    if query.stream.startswith("-"):
        return " \\\n  ".join(["marigram query", *options, stream])
    return " \\\n  ".join([f"marigram query {stream}", *options])


def python(query: Query, bounds: tuple[Bound, Bound]) -> str:
    """The query as a program asks it, with the client's own functions."""
    orders = [
        Call("descending", (key[1:],)) if key.startswith("-") else Call("ascending", (key,)) for key in query.order
    ]
    made = [key for key in query.keys if isinstance(key, Call)]
    calls = [*query.measures, *([query.window] if query.window else []), *orders, *made]
    given = [f"measures=[{', '.join(call.source() for call in query.measures)}]"]
    if any(bound is not None for bound in bounds):
        ends = (written(_instant(bound)) if bound is not None else "None" for bound in bounds)
        given.append(f"range=({', '.join(ends)})")
    if query.filter:
        given.append(f"where={written(query.filter)}")
    if query.window is not None:
        given.append(f"window={query.window.source()}")
    if query.keys:
        keys = (key.source() if isinstance(key, Call) else written(key) for key in query.keys)
        given.append(f"group_by=[{', '.join(keys)}]")
    if query.fill is not None:
        given.append(f"fill={written(query.fill)}")
    if query.compare is not None:
        given.append(f"compare={written(query.compare)}")
    if orders:
        given.append(f"order_by=[{', '.join(order.source() for order in orders)}]")
    if query.top:
        given.append(f"top_groups={query.top}")
    if query.other:
        given.append("other=True")
    names = ", ".join(sorted({"Client", *(call.function for call in calls)}))
    body = "".join(f"        {part},\n" for part in given)
    head = f"from marigram_client import {names}\n\n"
    if any("timedelta(" in call.source() for call in calls):
        head = f"from datetime import timedelta\n\n{head}"
    stream = written(query.stream)
    call = f"    table = client.query(\n        {stream},\n{body}    )\n"
    return f"{head}with Client() as client:\n{call}print(table.to_pylist())"


def _option(name: str, value: str) -> str:
    """One option; a value that begins with a dash is joined to its name."""
    joint = "=" if value.startswith("-") else " "
    return f"{name}{joint}{shlex.quote(value)}"


def _instant(bound: Bound) -> str:
    if not isinstance(bound, int):
        return bound or ""
    whole = datetime.fromtimestamp(bound // _SECOND_NS, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    rest = bound % _SECOND_NS
    return f"{whole}.{rest:09}Z" if rest else f"{whole}Z"
