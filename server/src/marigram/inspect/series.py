"""Series: the labels that the text of a metric stream's entity holds. FORMAT.md, "Records"."""

import re

_PART = r"(?:[^\\{stop}]|\\.)*"
_LABEL = re.compile(rf'({_PART.format(stop="=")})="({_PART.format(stop=chr(34))})"(?:,|$)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def labels(text: str) -> dict[str, str]:
    """Labels of a series, ``{host="a",name="cpu"}``; a text that is no series has none."""
    if text[:1] != "{" or text[-1:] != "}":
        return {}
    found: dict[str, str] = {}
    at, inner = 0, text[1:-1]
    while at < len(inner):
        label = _LABEL.match(inner, at)
        if label is None:
            return {}
        found[_plain(label[1])] = _plain(label[2])
        at = label.end()
    return found


def _plain(part: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], part)
