"""What a typed line refers to: `@file`, `#collection`, `$specialist`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Literal

Kind = Literal["@", "#", "$"]
END = ".,;:!?)]}>'\""
"""Signs behind a name that belong to the sentence, unless the name is known with them."""
MOST = 5000
"""References that are looked at: a paste may hold any number of @."""
LONGEST = 4096
"""Characters of one that is being typed: each key asks, also behind a paste of 5 MB."""
SIGNS = 8
"""That are tried with a name, at its end."""
_BEFORE = r"(?<![^\s(\[{,;:])"
"""What goes before: nothing, a blank, or an opening sign; so there is none in an e-mail address."""
_REFERENCE = re.compile(
    _BEFORE
    + r'(?:@"(?P<quoted>[^"\n]+)(?:"|$)|@(?P<file>(?:(?!,@)[^\s"])+)'
    + r"|\#(?P<collection>[a-z0-9][\w-]*)|\$(?P<specialist>[a-z0-9][\w-]*))",
    re.MULTILINE,
)
_BEGUN = re.compile(
    _BEFORE + r'(?:@"(?P<quoted>[^"\n]*)|@(?P<file>[^\s"]*)|\#(?P<collection>[\w-]*)'
    r"|\$(?P<specialist>[\w-]*))\Z"
)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_KINDS: dict[str, Kind] = {"quoted": "@", "file": "@", "collection": "#", "specialist": "$"}


@dataclass(frozen=True)
class Reference:
    kind: Kind
    name: str
    """As it is written, without quotes."""
    quoted: bool = False

    def spellings(self) -> list[str]:
        """What may be the name: as it is, then without the signs at its end, one by one."""
        if self.quoted:
            return [self.name]
        least = max(1, len(self.name.rstrip(END)))
        longest = min(len(self.name), least + SIGNS)
        return [self.name[:length] for length in range(longest, least - 1, -1)]


def references(text: str) -> list[Reference]:
    """Each once, in order. In code between backticks there are none: a decorator is no file."""
    prose = _CODE.sub(" ", text)
    return list(dict.fromkeys(map(_made, islice(_REFERENCE.finditer(prose), MOST))))


def begun(text: str) -> Reference | None:
    """The one that `text` ends in the middle of."""
    found = _BEGUN.search(text, max(text.rfind("\n") + 1, len(text) - LONGEST))
    return _made(found) if found else None


def written(path: str) -> str:
    """A reference to a file."""
    return f'@"{path}"' if re.search(r'[\s"]|,@', path) or path[-1:] in END else f"@{path}"


def _made(found: re.Match[str]) -> Reference:
    group = found.lastgroup or ""
    return Reference(_KINDS[group], found[group], group == "quoted")
