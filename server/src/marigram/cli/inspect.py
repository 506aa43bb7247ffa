"""``marigram inspect``: a copy of a data directory, read without the engine."""

from dataclasses import asdict
from pathlib import Path

from marigram.cli import figures, output
from marigram.cli.options import FileFormat, Format, Shape
from marigram.errors import InvalidArgument
from marigram.inspect.reader import DataDirectory, Figures, open_copy
from marigram.inspect.records import Stream

_FORMS = {FileFormat.CSV: Format.CSV, FileFormat.JSONL: Format.NDJSON, FileFormat.PARQUET: Format.PARQUET}


def show(directory: Path, namespace: str | None, shape: Shape, *, verify: bool, salvage: bool) -> bool:
    """All streams, or those of a namespace, and what they hold by their records. False if something is damaged."""
    with open_copy(directory, salvage=salvage) as data:
        if verify:
            data.verify()
        spaces = data.namespaces() if namespace is None else [namespace]
        streams = [(space, stream, data.figures(stream)) for space in spaces for stream in data.streams(space)]
        if shape is Shape.JSON:
            output.print_json([_plain(*found) for found in streams])
        else:
            names = ("namespace", "stream", "kind", "rows", "sealed rows", "parts", "size", "columns")
            output.print_grid(names, [_shown(*found) for found in streams], right=(3, 4, 5, 6))
        return _told(data)


def export(
    directory: Path, namespace: str | None, stream: str, form: FileFormat | None, file: Path | None, *, salvage: bool
) -> bool:
    """The rows of a stream in the order in which they are stored. False if something is damaged."""
    wanted = _form(form, file)
    with open_copy(directory, salvage=salvage) as data:
        found = data.stream(namespace or "default", stream)
        count = output.put_pieces(data.pieces(found), data.schema(found), wanted, file)
        whole = _told(data)
        output.talk().print(f"{figures.counted(count, 'row')} of {data.figures(found).rows:,}", markup=False)
        return whole


def _form(form: FileFormat | None, file: Path | None) -> Format:
    if form is not None:
        return output.format_for(file, _FORMS[form])
    found = Format.CSV if file is None else output.format_for(file, None)
    if found not in _FORMS.values():
        rule = f"rows are written as csv, jsonl or parquet: --format says which, as the name {file} does not"
        raise InvalidArgument(rule, reason="COMMAND_LINE", field="format")
    return found


def _plain(namespace: str, stream: Stream, held: Figures) -> dict[str, object]:
    return {
        "namespace": namespace,
        "stream": stream.name,
        "kind": stream.kind,
        **asdict(held),
        "columns": [{"name": column.name, "type": column.type.name.lower()} for column in stream.columns],
    }


def _shown(namespace: str, stream: Stream, held: Figures) -> tuple[object, ...]:
    columns = ", ".join(f"{column.name} {column.type.name.lower()}" for column in stream.columns)
    size = figures.size(held.size_bytes)
    return namespace, stream.name, stream.kind, held.rows, held.sealed_rows, held.parts, size, columns


def _told(data: DataDirectory) -> bool:
    """Name all damage on standard error."""
    talk = output.talk()
    for damage in data.damage:
        talk.print(output.printable(f"damaged: {damage}"), markup=False)
    if data.damage:
        rows = sum(damage.rows for damage in data.damage)
        said = f"{figures.counted(len(data.damage), 'place')} damaged, {rows:,} values or rows of them cannot be read"
        talk.print(said, markup=False)
    return not data.damage
