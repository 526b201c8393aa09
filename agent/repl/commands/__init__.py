"""What may be typed behind a slash. Each is a function whose docstring is its help."""

from __future__ import annotations

from agent.repl.commands import general as general
from agent.repl.commands import knowledge as knowledge
from agent.repl.commands import models as models
from agent.repl.commands import own as own
from agent.repl.commands import pictures as pictures
from agent.repl.commands import talk as talk
from agent.repl.commands import tools as tools
from agent.repl.commands import tour as tour
from agent.repl.commands import trace as trace
from agent.repl.commands import training as training
from agent.repl.commands.command import COMMANDS as COMMANDS
from agent.repl.commands.command import Choice as Choice
from agent.repl.commands.command import Leave as Leave
from agent.repl.commands.command import command as command
