"""Which version of a specialist is in use, `promoted.json`, and whether another may be."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from tools.errors import SpecialistError
from tools.specialists.manifest import Manifest
from tools.storage import write_atomically

FILE = "promoted.json"


@dataclass(frozen=True)
class Promotion:
    promoted: int
    history: tuple[int, ...] = ()
    """What was promoted before, oldest first."""


def raw(folder: Path) -> bytes | None:
    """None: nothing was ever promoted. Raises SpecialistError."""
    try:
        return (folder / FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SpecialistError(f"{folder / FILE} cannot be read: {error.strerror}") from error


def parsed(text: bytes | None, folder: Path) -> Promotion | None:
    """What `raw` gave. Raises SpecialistError, with the way out, for what makes no sense."""
    if text is None:
        return None
    try:
        match json.loads(text):
            case {"promoted": int(promoted), "history": list(history), **rest} if not rest:
                numbers = (promoted, *history)
            case _:
                numbers = ()
    except (ValueError, RecursionError):
        numbers = ()
    if not numbers or not all(type(number) is int and number >= 1 for number in numbers):
        raise SpecialistError(
            f'{folder / FILE} is damaged: it must read like {{"promoted": 3, "history": [1, 2]}}; '
            f"choose what is in use with: tinsmith specialists promote {folder.name}@VERSION"
        )
    return Promotion(numbers[0], numbers[1:])


def compared(fresh: Manifest, old: Manifest, insist: bool) -> str:
    """The end of a sentence that says that `fresh` takes the place of `old`.

    Raises SpecialistError when it would be for the worse, or nobody knows, unless `insist`.
    """
    better = old.better_than(fresh)
    mine, theirs = fresh.scores_beside(old) or (fresh.score, old.score)
    scores = f"{fresh.metric} {mine:.4g}; version {old.version} has {theirs:.4g} on the same rows"
    if better is None and not insist:
        raise SpecialistError(
            f"{fresh.name}@{fresh.version} and the promoted version {old.version} were not "
            "measured by the same metric on the same held-out rows; compare them with: tinsmith "
            f"specialists compare {_both(fresh, old)} --on FILE; or use it all the same: "
            f"{_insist(fresh)}"
        )
    if better and not insist:
        raise SpecialistError(
            f"{fresh.name}@{fresh.version} measures worse than what is promoted ({scores}); train "
            f"it further, or use it all the same: {_insist(fresh)}"
        )
    return ", on other held-out rows" if better is None else f" ({scores})"


def _both(fresh: Manifest, old: Manifest) -> str:
    return f"{fresh.name}@{fresh.version} {old.name}@{old.version}"


def _insist(fresh: Manifest) -> str:
    return f"tinsmith specialists promote {fresh.name}@{fresh.version} --insist"


def write(folder: Path, promotion: Promotion) -> None:
    write_atomically(folder / FILE, json.dumps(dataclasses.asdict(promotion)) + "\n")
