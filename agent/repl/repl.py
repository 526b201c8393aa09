"""The conversation: a prompt at once, the model loading behind it, events drawn as they come."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import app, catalog
from agent.approval import Answer, Remembered, pattern
from agent.errors import TinsmithError, UsageError
from agent.memory.sessions import Session
from agent.repl import prompt
from agent.repl.commands import COMMANDS, Leave
from agent.repl.first_run import have_model, offer_trust
from agent.repl.loading import Loading, Say
from agent.repl.screen import Screen
from agent.repl.trainings import Trainings
from agent.settings import Settings, home
from tools.errors import ToolError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

    from agent.loop import Agent
    from tools.loader import Toolbox

LEAVE_SECONDS = 2.0
"""A second Ctrl-C within this time leaves."""
GLANCE = 0.1
"""Seconds between two looks at what is waited for."""


def chat(args: argparse.Namespace) -> int:
    settings = app.settings_of(vars(args))
    with_terminal = sys.stdin.isatty()
    app.refuse_missing(args.tools)
    have_model(settings, with_terminal)
    path = home() / "sessions.db"
    if args.resume is None:
        session = Session.create(path)
    else:
        session = Session.open(path, args.resume or None)
    if with_terminal:
        offer_trust(app.project_tools())
    repl = Repl(settings, session, args.tools, with_terminal)
    code = 1
    try:
        code = repl.run()
    finally:
        repl.close(code)
    return code


class Repl:
    def __init__(
        self, settings: Settings, session: Session, tools: list[Path], terminal: bool
    ) -> None:
        """`tools`: files and folders given besides the usual places. `terminal`: a user types."""
        self.settings = settings
        self._session = session
        self._paths = tools
        self._box: Toolbox | None = None
        self.screen = Screen()
        self._approve = Remembered(home() / "approvals.json", self._ask, self.screen.notice)
        self._prompt: PromptSession[str] | None = None
        self._typed = ""
        """Text for the next prompt to begin with."""
        self._before: Settings | None = None
        """Of the model that was talked with before this one, until this one is there."""
        self._told: BaseException | None = None
        """The last error that was shown."""
        self._interrupted = 0.0
        self._waits = False
        """Whether a question waits for the model."""
        self._asks = False
        """Whether the user is asked for consent, into which no news may be printed."""
        self._unsaid: list[str] = []
        self._loading = self._load(settings)
        self._aside = ""
        """The job for which the model was set aside."""
        self._trainings = Trainings(home(), self._news, self._ended) if terminal else None
        if terminal:
            whats = {name: command.__doc__ or "" for name, command in COMMANDS.items()}
            self._prompt = prompt.session(prompt.Words(whats, self._arguments, self._tool_names))

    def run(self) -> int:
        if self._prompt is not None:
            print("Tinsmith. /help lists the commands; Ctrl-D leaves.")
            self.screen.recall(self._session.messages)
        if self._prompt is None or prompt.is_dumb_terminal():  # which never tells that it has drawn
            self._loading.start()
        else:
            self._prompt.app.after_render += self._shown
        while True:
            try:
                line = self._read()
                if line.startswith("/"):
                    self._command(line)
                elif line:
                    self.send(line)
            except (EOFError, Leave):
                failed = self._prompt is None and self.screen.ended not in ("", "answered")
                return 1 if failed else 0
            except KeyboardInterrupt:
                if time.monotonic() - self._interrupted < LEAVE_SECONDS:
                    return 0
                self._interrupted = time.monotonic()
                self.screen.dim("Ctrl-C again, or Ctrl-D, leaves.")
            except (Exception, SystemExit) as error:  # a tool's choices may end with that one
                self._tell(error)
                if self._prompt is None:
                    return error.exit_code if isinstance(error, TinsmithError | ToolError) else 1

    def close(self, code: int) -> None:
        """Free the model. One that is still loading cannot be broken off: the process ends."""
        self._session.close()
        if not self._loading.is_idle:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        self._loading.close()

    def _load(self, settings: Settings) -> Loading:
        return Loading(app.called(settings), lambda say: self._build(settings, say), self._came)

    def _build(self, settings: Settings, say: Say) -> Agent:
        say("importing")
        if self._box is None:
            self._box = app.toolbox(self._paths, app.is_trusted(app.project_tools()))
            for problem in self._box.problems:
                self.screen.notice(str(problem))
        say("starting" if settings.engine == "scripted" else "reading the weights")
        return app.build(settings, self._session, self._box, self._approve, self.screen.dim)

    def _shown(self, sender: object) -> None:
        """Only now, so that the imports do not delay the prompt."""
        assert self._prompt is not None
        self._prompt.app.after_render -= self._shown
        self._loading.start()

    def _came(self) -> None:
        """In the loading thread: what the user should know without having asked."""
        if self._prompt is None or self._waits:
            return
        if self._loading.error is not None:
            self._tell(self._loading.error)
        self._prompt.app.invalidate()

    def _tell(self, error: BaseException) -> None:
        self._told = error
        self.screen.notice(_told(error))
        if error is self._loading.error and self._prompt is not None and self._before is None:
            self.screen.notice("/model NAME talks with another one; Tab shows those that are here.")

    def agent(self) -> Agent:
        """The agent, waited for if need be. Raises what went wrong with loading."""
        if self._aside:
            raise UsageError(
                f"the model is set aside until {self._aside} has ended ({self._training}); "
                f"/model {app.called(self.settings)} brings it back now"
            )
        loading = self._loading
        loading.start()  # should the prompt not have been drawn
        if not loading.is_loaded or not loading.is_idle:
            with self._waiting(), prompt.quiet_keys(), self.screen.waiting(loading.stage):
                typed = b""
                while not loading.wait(GLANCE):
                    typed += prompt.typed()
                    if prompt.END_OF_INPUT in typed:
                        raise Leave
                self._typed = prompt.text_of(typed)
                if loading.error is None:
                    loading.agent()
        if loading.error is not None and self._before is not None:
            return self._back(loading.error, self._before)
        self._before = None
        agent = loading.agent()
        agent.session = self._session
        return agent

    def _back(self, error: Exception, before: Settings) -> Agent:
        if error is not self._told:
            self._tell(error)
        self.screen.dim(f"back to {app.called(before)}")
        self.settings, self._before = before, None
        self._loading = self._load(before)
        return self.agent()

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def _read(self) -> str:
        if self._prompt is None:
            line = sys.stdin.readline()
            if not line:
                raise EOFError
            return line.strip()
        from prompt_toolkit.patch_stdout import patch_stdout

        begun, self._typed = self._typed, ""
        sent = begun.endswith("\n")
        with patch_stdout(raw=True):
            return self._prompt.prompt(
                "> ",
                default=begun.rstrip("\n"),
                accept_default=sent,
                rprompt=self._state,
                refresh_interval=0.0 if self._loading.is_loaded and not self._training else 0.5,
            ).strip()

    def _state(self) -> str:
        """What stands at the right of the prompt, and not in what is left behind."""
        if self._prompt and self._prompt.app.is_done:
            return ""
        if self._loading.is_loaded or self._aside:
            return self._training
        return f"{self._loading.stage()} {self._loading.seconds():.0f} s"

    @property
    def _training(self) -> str:
        return self._trainings.state if self._trainings else ""

    def send(self, text: str, again: bool = False) -> None:
        """`again`: for another answer than before."""
        try:
            agent = self.agent()
        except KeyboardInterrupt:
            self._typed = text
            raise
        before = self._jobs()
        sent = text.encode("utf-8", "replace").decode()
        events = agent.retry(sent) if again else agent.send(sent)
        with prompt.interrupts(agent.stop), prompt.quiet_keys(), self.screen.turn():
            try:
                for event in events:
                    self.screen.draw(event)
            finally:
                events.close()
        if self.screen.ended == "interrupted":
            raise KeyboardInterrupt
        if self._prompt is not None and app.is_local(self.settings):
            self._make_room(before)

    def _jobs(self) -> set[str]:
        from tools.specialists.jobs import Jobs

        return {job.id for job in Jobs(home()).all()} if (home() / "jobs").is_dir() else set()

    def _make_room(self, before: set[str]) -> None:
        """Where a training that was begun in this turn waits for memory, offer that of the model.

        `before`: the jobs that were there before the turn.
        """
        from tools.specialists.jobs import Jobs

        jobs = Jobs(home())
        for job in jobs.all():
            if job.id in before or not job.waits_for_memory:
                continue
            answer = self.choose(
                f"{job.id} is {job.stage}. Set the model [a]side until it is done, [b]egin all the "
                "same, or [w]ait until there is room? ",
                ("aside", "begin", "wait"),
            )
            if not job.reread().waits_for_memory:  # it has begun meanwhile
                return
            if answer == "begin":
                jobs.begin(job.id)
            elif answer == "aside":
                self._aside = job.id
                self._loading.close()
                self._loading = self._load(self.settings)
            else:
                self.screen.dim(f"tinsmith jobs begin {job.id} begins it all the same")

    def choose(self, question: str, answers: tuple[str, ...]) -> str:
        """One of `answers`, given by its first letter or whole; the last one at Ctrl-D."""
        from prompt_toolkit import prompt as ask

        with self._undisturbed():
            self._typed += prompt.text_of(prompt.typed())
            while True:
                try:
                    said = ask(question).strip().lower()
                except EOFError:
                    return answers[-1]
                for answer in answers:
                    if said in (answer, answer[0]):
                        return answer
                self.screen.dim(f"one of: {', '.join(answers)}")

    def _ended(self, job: str) -> None:
        """In another thread."""
        if job == self._aside:
            self._aside = ""
            self._loading.start()

    def _ask(self, name: str, arguments: Mapping[str, Any], preview: str) -> tuple[Answer, str]:
        if self._prompt is None:
            return "no", "nobody is here to ask"
        from prompt_toolkit import prompt as ask

        answers: dict[str, Answer] = {"o": "once", "s": "session", "a": "always", "n": "no"}
        wanted = pattern(name, arguments)
        always = f"[a]lways {wanted}, " if wanted else ""
        if not wanted:
            del answers["a"]
        answers |= {answer: answer for answer in answers.values()}
        with self.screen.approval(name, arguments, preview), self._undisturbed():
            # typed before the question could be read, so no answer to it: the next prompt's
            self._typed += prompt.text_of(prompt.typed())
            while True:
                try:
                    text = ask(f"[o]nce, any this [s]ession, {always}[n]o (and why)? ")
                except EOFError:
                    return "no", ""
                word, _, reason = text.strip().partition(" ")
                said = answers.get(word.rstrip(",.:").lower())
                if said == "no" or (said and not reason):  # consent is one word, or it is none
                    return said, reason.strip()
                self.screen.dim(f"{', '.join(answers)}: one of these; only behind n more words")

    def _news(self, text: str) -> None:
        """In another thread."""
        if self._asks:
            self._unsaid.append(text)
        else:
            self.screen.notice(text)

    @contextlib.contextmanager
    def _undisturbed(self) -> Iterator[None]:
        self._asks = True
        try:
            yield
        finally:
            self._asks = False
            while self._unsaid:
                self.screen.notice(self._unsaid.pop(0))

    def _arguments(self, command: str) -> Iterable[str]:
        if command == "model":
            return catalog.talking()
        return ("reload",) if command == "tools" else ()

    def _tool_names(self) -> Iterable[str]:
        return self._box.tools if self._box else ()

    def _command(self, line: str) -> None:
        name, _, rest = line[1:].partition(" ")
        command = COMMANDS.get(name)
        if command is None:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean /{near[0]}?" if near else "/help lists the commands"
            raise UsageError(f"no command /{name}; {hint}")
        command(self, rest.strip())

    def load(self, wanted: Settings) -> None:
        """Talk with another model; with the one before again, should it not load."""
        with contextlib.suppress(Exception):  # what could not be loaded need not be freed
            self.agent()
            self._loading.close()
            self._before = self.settings if self._prompt is not None else None
        self.settings, self._aside = wanted, ""
        self._loading = self._load(wanted)
        self._loading.start()

    @property
    def session(self) -> Session:
        return self._session

    def begin_line(self, text: str) -> None:
        """The next prompt begins with `text`. Raises UsageError where nobody types."""
        if self._prompt is None:
            raise UsageError("there is no line to change here; it takes a terminal")
        self._typed = text.rstrip("\n")  # one at its end would send it

    def go_on_with(self, session: Session) -> Session:
        """Another conversation from now on; gives the one before, closed."""
        try:
            if not self._aside and not self._loading.is_loaded:
                self.agent()  # it was given the session that is to be closed
        except BaseException:
            session.close()
            raise
        before, self._session = self._session, session
        before.close()
        self._approve.forget_session()
        return before

    def toolbox(self) -> Toolbox:
        if not self._aside:
            self.agent()
        assert self._box is not None
        return self._box

    def tools_changed(self) -> None:
        """They were read again."""
        if not self._aside:
            self.agent().tools = self.toolbox().tools
            self._loading.warm()

    def warm(self) -> None:
        """Process again, while the user types, what every turn begins with."""
        if self._loading.is_loaded and self._loading.error is None:
            self._loading.warm()


def _told(error: BaseException) -> str:
    """One line for the user; a bug says where it is."""
    if isinstance(error, TinsmithError | ToolError):
        return str(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"a bug, please report it: {type(error).__name__}: {error} "
        f"({where.filename}:{where.lineno}); the conversation is kept"
    )
