"""Filters and tests that a Jinja template names and that are not there.

Jinja itself finds them only where it compiles, and where they stand behind an `if` when it gets
there.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment, nodes


def misnamed(
    tree: nodes.Template, environment: Environment, own: Collection[str] = ()
) -> Iterator[tuple[int, str]]:
    """Lines, and what is wrong there. `own`: filters that nobody is to be told of."""
    from jinja2 import nodes

    for node in tree.find_all((nodes.Filter, nodes.Test)):
        is_filter = isinstance(node, nodes.Filter)
        known = environment.filters if is_filter else environment.tests
        name = getattr(node, "name", None)
        if name is None or name in known:
            continue
        near = difflib.get_close_matches(name, [one for one in known if one not in own], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield node.lineno, f"no {'filter' if is_filter else 'test'} {name!r}{hint}"
