"""The tour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import UsageError
from agent.repl.commands.command import Choice, command

if TYPE_CHECKING:
    from agent.repl.repl import Repl


CHOICES = (
    Choice("next", "go on without this step"),
    Choice("stop", "back to where you were"),
    Choice("remove", "delete all that it has made"),
)


@command(completes=lambda repl, typed: CHOICES)
def tour(repl: Repl, rest: str) -> None:
    """be led through all of it, in five minutes; /tour next, stop, remove"""
    from agent.repl import tour

    now = repl.tour
    if rest == "remove":
        tour.remove(repl)
    elif rest == "" and now is None:
        tour.begin(repl)
    elif rest not in ("", "next", "stop", "write"):
        raise UsageError(f"/tour {rest}: it is /tour, /tour next, /tour stop or /tour remove")
    elif now is None:
        raise UsageError("no tour is under way; /tour begins one, or goes on with it")
    elif rest == "next":
        now.go_on()
    elif rest == "stop":
        now.stop()
    elif rest == "write":
        now.write_tool()
    else:
        now.show()
