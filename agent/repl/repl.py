"""The conversation: a prompt at once, the model loading behind it, events drawn as they come."""

from __future__ import annotations

import argparse
import difflib
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from agent import app, catalog
from agent.approval import Answer, Approvals, suggest
from agent.commands.models import progress
from agent.errors import ModelError, TinsmithError, UsageError
from agent.memory.sessions import Session
from agent.repl.screen import Screen
from agent.settings import Settings, home

if TYPE_CHECKING:
    from agent.loop import Agent

LEAVE_SECONDS = 2.0
"""A second Ctrl-C within this time leaves."""


class Leave(Exception):
    """The user wants to go."""


def chat(args: argparse.Namespace) -> int:
    settings = app.settings_of(vars(args))
    screen = Screen()
    with_terminal = sys.stdin.isatty()
    _have_model(settings, with_terminal, screen)
    path = home() / "sessions.db"
    if args.resume is None:
        session = Session.create(path)
    else:
        session = Session.open(path, args.resume or None)
    folder = app.project_tools()
    if with_terminal and app.asks_for_trust(folder):
        answer = input(f"Use the tools in {folder}? They run as you. [y/N] ")
        if answer.strip().lower() in ("y", "yes"):
            app.trust(folder)
    box = app.toolbox(args.tools, app.is_trusted(folder))
    for problem in box.problems:
        screen.notice(str(problem))
    repl = Repl(settings, session, box, screen, with_terminal)
    try:
        return repl.run()
    finally:
        repl.close()


class Repl:
    def __init__(
        self, settings: Settings, session: Session, box: Any, screen: Screen, terminal: bool
    ) -> None:
        self._settings = settings
        self._session = session
        self._box = box
        self._screen = screen
        self._worker = ThreadPoolExecutor(1)
        self._approve = Approvals(self._ask)
        self._terminal = terminal
        self._prompt: PromptSession[str] | None = _prompt() if terminal else None
        self._agent: Future[Agent] = self._worker.submit(self._build)
        self._interrupted = 0.0

    def run(self) -> int:
        if self._terminal:
            self._screen.dim("Tinsmith. /help lists the commands; Ctrl-D leaves.")
        while True:
            try:
                line = self._read()
                if line.startswith("/"):
                    self._command(line)
                elif line:
                    self._send(line)
            except (EOFError, Leave):
                return 0
            except KeyboardInterrupt:
                if time.monotonic() - self._interrupted < LEAVE_SECONDS:
                    return 0
                self._interrupted = time.monotonic()
                self._screen.dim("Ctrl-C again, or Ctrl-D, leaves.")
            except TinsmithError as error:
                self._screen.notice(str(error))
                if not self._terminal:
                    return error.exit_code

    def close(self) -> None:
        """Free the model. A load that is under way is waited for: it cannot be broken off."""
        if not self._agent.cancel() and self._agent.exception() is None:
            agent = self._agent.result()
            agent.engine.stop()
            self._worker.shutdown()
            agent.engine.close()
        self._session.close()

    def _build(self) -> Agent:
        agent = app.build(self._settings, self._session, self._box, self._approve)
        self._worker.submit(agent.warm)
        return agent

    def _loaded(self) -> Agent:
        if not self._agent.done():
            self._screen.dim("loading the model …")
        agent = self._agent.result()
        # `warm` runs on the same worker: the engine belongs to one thread at a time
        agent.engine.stop()
        self._worker.submit(lambda: None).result()
        return agent

    def _read(self) -> str:
        if self._prompt is None:
            line = sys.stdin.readline()
            if not line:
                raise EOFError
            return line.strip()
        return self._prompt.prompt("> ").strip()

    def _send(self, text: str) -> None:
        agent = self._loaded()
        events = agent.send(text)
        try:
            for event in events:
                self._screen.draw(event)
        except KeyboardInterrupt:
            agent.stop()
            events.close()
            raise
        finally:
            self._screen.end()
        if self._screen.ended == "interrupted":
            raise KeyboardInterrupt

    def _ask(self, name: str, arguments: Mapping[str, Any], preview: str) -> Answer:
        if self._prompt is None:
            return Answer("no", reason="nobody is here to ask")
        self._screen.approval(name, arguments, preview)
        pattern = suggest(name, arguments)
        answers = {
            "o": Answer("once"), "s": Answer("session"), "a": Answer("always", pattern)
        }  # fmt: skip
        while True:
            text = self._prompt.prompt("[o]nce, this [s]ession, [a]lways, [n]o (n and a reason)? ")
            key, _, reason = text.strip().partition(" ")
            if key.lower() == "n":
                return Answer("no", reason=reason)
            if key.lower() in answers:
                return answers[key.lower()]

    def _command(self, line: str) -> None:
        name, _, rest = line[1:].partition(" ")
        command = COMMANDS.get(name)
        if command is None:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean /{near[0]}?" if near else "/help lists the commands"
            raise UsageError(f"no command /{name}; {hint}")
        command(self, rest.strip())

    def help(self, rest: str) -> None:
        """show the commands"""
        for name, command in COMMANDS.items():
            self._screen.plain(f"/{name:8}{command.__doc__}")
        self._screen.dim("Alt-Enter or a \\ at the end breaks the line. Ctrl-C stops an answer.")

    def tools(self, rest: str) -> None:
        """list the tools; /tools reload reads the files again"""
        if rest == "reload":
            self._box.reload()
            self._loaded().tools = self._box.tools
            for problem in self._box.problems:
                self._screen.notice(str(problem))
        for name, tool in self._box.tools.items():
            self._screen.plain(f"{name:16}{tool.description.splitlines()[0]}")

    def model(self, rest: str) -> None:
        """show the model; /model NAME talks with another one, the conversation stays"""
        from dataclasses import replace

        if not rest:
            agent = self._loaded()
            here = [e.name for e in catalog.entries().values() if e.memory and catalog.is_here(e)]
            self._screen.plain(f"{agent.engine.name}, window {agent.engine.context} tokens")
            self._screen.plain(f"on this machine: {', '.join(here)}")
            return
        catalog.resolve(rest)
        self._loaded().engine.close()
        self._settings = replace(self._settings, model=rest)
        self._agent = self._worker.submit(self._build)

    def new(self, rest: str) -> None:
        """begin a new conversation"""
        agent = self._loaded()
        self._session.close()
        self._session = agent.session = Session.create(home() / "sessions.db")

    def quit(self, rest: str) -> None:
        """leave; the conversation is kept (tinsmith chat --resume)"""
        raise Leave


COMMANDS: dict[str, Callable[[Repl, str], None]] = {
    "help": Repl.help,
    "tools": Repl.tools,
    "model": Repl.model,
    "new": Repl.new,
    "quit": Repl.quit,
}


def _have_model(settings: Settings, terminal: bool, screen: Screen) -> None:
    """On the first run, offer the model that suits this machine."""
    if settings.engine == "scripted":
        return
    name = settings.model or app.default_model()
    if name not in catalog.entries():
        catalog.resolve(name)
        return
    missing = [
        one
        for one in (catalog.entry(name), catalog.entry(catalog.EMBEDDER))
        if not catalog.is_here(one)
    ]
    if not missing:
        return
    size = sum(one.bytes for one in missing) / 1e9
    if not terminal:
        raise ModelError(f"{name} is not on this machine; get it with: tinsmith models pull {name}")
    screen.plain(f"{missing[0].title}: {size:.2f} GB to fetch, kept in {home() / 'models'}.")
    answer = input("Fetch it now? [Y/n] ").strip().lower()
    if answer not in ("", "y", "yes"):
        raise ModelError("no model; `tinsmith models` lists others, --model PATH takes a GGUF file")
    for one in missing:
        catalog.pull(one.name, progress())
    print(file=sys.stderr)


def _prompt() -> PromptSession[str]:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    home().mkdir(parents=True, exist_ok=True)
    return PromptSession(
        history=FileHistory(str(home() / "history")), key_bindings=keys, multiline=True
    )
