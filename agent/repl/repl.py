"""The conversation: a prompt at once, the model loading behind it, events drawn as they come."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import json
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import app
from agent.approval import Answer, Question, Remembered
from agent.cut import cut
from agent.errors import TinsmithError, UsageError
from agent.events import ToolFinished
from agent.memory.sessions import Session
from agent.repl import themes
from agent.repl.clean import visible
from agent.repl.commands import COMMANDS, Leave
from agent.repl.first_run import have_model, offer_skills, offer_trust
from agent.repl.interrupts import LEAVE_SECONDS, Pressed, interrupts
from agent.repl.loading import Loading, Say
from agent.repl.own import Own
from agent.repl.pictures import show_made
from agent.repl.plain import Line, Plain
from agent.repl.reading import Reading
from agent.repl.screen import Screen
from agent.repl.status import Status
from agent.repl.trainings import Trainings
from agent.settings import Settings, home
from tools.errors import ToolError
from tools.storage import write_atomically

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from agent.loop import Agent
    from agent.repl.terminal import Terminal
    from agent.repl.tour import Tour
    from tools.loader import Toolbox

GLANCE = 0.1
"""Seconds between two looks at what is waited for."""
LONGEST_PATTERN = 60
"""Characters of a pattern in the question; the whole call stands above it."""
LONGEST_NAME = 40
"""Characters of a command that there is not."""
LASTING = ("s", "a")
"""Answers that allow more than the call at hand."""
MENDING = ("e", "n", "r")
"""Answers where the arguments do not fit."""
CONSENT = {"o": "once", "s": "session", "a": "always", "n": "no", "r": "reason", "e": "edit"}


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
        # whoever started the program may have made it deaf to Ctrl-C, as shells do with `&`
        signal.signal(signal.SIGINT, signal.default_int_handler)
        offer_trust(app.project_tools())
        offer_trust(app.project_commands(), "commands", (".md", ".py"))
        offer_skills()
    repl = Repl(settings, session, args.tools, with_terminal)
    code = 1
    try:
        code = repl.run()
    except KeyboardInterrupt:  # the second one, while the first was being answered
        code = 0
    finally:
        repl.close(code)
    return code


class Repl:
    def __init__(
        self, settings: Settings, session: Session, tools: list[Path], typed: bool
    ) -> None:
        """`tools`: files and folders given besides the usual places. `typed`: by a user."""
        self.settings = settings
        self._session = session
        self._paths = tools
        self._typed = typed
        self._box: Toolbox | None = None
        draws = typed and _can_draw() and not settings.plain
        self.screen = Screen(draws, themes.of(settings.theme))
        self.status = Status()
        self._approve = Remembered(home() / "approvals.json", self._ask, self.screen.notice)
        self._before: Settings | None = None
        """Of the model that was talked with before this one, until this one is there."""
        self._told: BaseException | None = None
        """The last error that was shown."""
        self._interrupted = 0.0
        self._line = Line("", "")
        """What was sent last."""
        self._is_begun = True
        """Whether that is done, or is in the conversation: if not, it is given back at Ctrl-C."""
        self.typed = ""
        """What was typed behind the name of a command: only there an @ attaches."""
        self._given_up = Pressed()
        """Ctrl-C while a line waits for the model. Python would raise it wherever this thread is,
        and drop it in a callback, of which imports in two threads have some."""
        self._waits = False
        """Whether a question waits for the model."""
        self._loading = self._load(settings)
        self._aside = ""
        """The job for which the model was set aside."""
        self.own = Own(app.own_commands(), self.screen.notice)
        self._trainings = Trainings(home(), self.screen.notice, self._ended) if typed else None
        self.tour: Tour | None = None
        self._prompt: Terminal | Plain = self._terminal() if self.screen.draws else Plain(typed)

    def run(self) -> int:
        self._prompt.start()  # before the model, so that its imports do not delay the prompt
        if self._typed:
            self.screen.plain("Tinsmith. /help lists the commands; Ctrl-D leaves.")
            self.screen.recall(self._session.messages)
        self._loading.start()
        self.own.start()
        while True:
            try:
                self._count()
                self._line, self._given_up = self._prompt.next_line(), Pressed()
                line = self._line.text.strip()
                self._is_begun = not line or line.startswith("/")
                if line.startswith("/"):
                    self._show(line)
                    self._command(line)
                elif line:
                    with _leaving(lambda: None) as self._given_up:
                        self._show(line)
                        self.send(line, self._line.typed)
                        self._raise_if_given_up()
                    if self.tour is not None:
                        self.tour.after_turn()
            except (EOFError, Leave):
                failed = not self._typed and self.screen.ended not in ("", "answered")
                return 1 if failed else 0
            except KeyboardInterrupt:
                if not self._is_begun:
                    self._is_begun = True
                    with contextlib.suppress(UsageError):  # where no line can be begun
                        self._prompt.begin(self._line.text)
                if time.monotonic() - self._interrupted < LEAVE_SECONDS:
                    return 0
                self._interrupted = time.monotonic()
                if not self._prompt.is_over:
                    self.screen.dim("Ctrl-C again, or Ctrl-D, leaves.")
            except (Exception, SystemExit) as error:  # a tool's choices may end with that one
                self._tell(error)
                if not self._typed:
                    return error.exit_code if isinstance(error, TinsmithError | ToolError) else 1

    def _show(self, line: str) -> None:
        if self._typed:
            self.screen.sent(line)

    def close(self, code: int) -> None:
        """Free the model. One that is still loading cannot be broken off: the process ends."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal must be given back
        self._prompt.stop()
        self.screen.terminal = None
        line = "" if self._is_begun else self._line.text
        self._keep([*filter(None, [line]), *self._prompt.unsent])
        self._session.close()
        if not self._loading.is_idle:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        self._loading.close()

    def _keep(self, unsent: Sequence[str]) -> None:
        """What one has sent and no turn was begun with, when one leaves."""
        if not unsent:
            return
        file = home() / f"unsent-{self._session.id}.txt"
        try:
            before = file.read_text("utf-8") if file.exists() else ""
            write_atomically(file, before + "".join(f"{text}\n\n" for text in unsent))
        except (OSError, UnicodeError) as error:
            self.screen.notice(f"{file} cannot be written: {error}; not sent: {unsent}")
        else:
            self.screen.dim(f"what was not sent is in {file}")

    def _terminal(self) -> Terminal:
        from prompt_toolkit.enums import EditingMode

        from agent.repl import prompt
        from agent.repl.completion import Completions
        from agent.repl.history import Typed
        from agent.repl.terminal import Terminal

        self.screen.terminal = Terminal(
            Completions(self, self._tool_names),
            Typed(home() / "history", self.screen.notice),
            prompt.style,
            self.screen.live,
            self._status,
            self.screen.ansi,
            EditingMode(self.settings.editing_mode.upper()),
        )
        return self.screen.terminal

    def _load(self, settings: Settings) -> Loading:
        return Loading(app.called(settings), lambda say: self._build(settings, say), self._came)

    def _build(self, settings: Settings, say: Say) -> Agent:
        say("importing")
        if self._box is None:
            self._box = app.toolbox(self._paths, app.is_trusted(app.project_tools()))
            for problem in self._box.problems:
                self.screen.notice(str(problem))
        say("reading the weights", app.weights_size(settings))
        agent = app.build(settings, self._session, self._box, self._approve, self.screen.dim)
        self.status.meet(agent)
        return agent

    def _came(self) -> None:
        """In the loading thread: what the user should know without having asked."""
        if not self._typed or self._waits:
            return
        if self._loading.error is not None:
            self._tell(self._loading.error)

    def _status(self) -> str:
        """What stands below the line that is typed; any thread asks."""
        training = self._trainings.state if self._trainings else ""
        if self._aside or self._loading.error is not None:
            return training
        if not self._loading.is_loaded:
            return f"{self._loading.stage()} {self._loading.seconds():.0f} s"
        return self.status.line(training)

    def _count(self) -> None:
        """How full the window is by now."""
        if self.screen.draws and self.is_loaded and self._loading.is_idle:
            self.status.count(self.agent())

    def _tell(self, error: BaseException) -> None:
        self._told = error
        self.screen.notice(_told(error))
        if error is self._loading.error and self._typed and self._before is None:
            self.screen.notice("/model NAME talks with another one; Tab shows those that are here.")

    def agent(self) -> Agent:
        """The agent, waited for if need be. Raises what went wrong with loading."""
        if self._aside:
            training = self._trainings.state if self._trainings else ""
            raise UsageError(
                f"the model is set aside until {self._aside} has ended ({training}); "
                f"/model {app.called(self.settings)} brings it back now"
            )
        loading = self._loading
        loading.start()
        if not loading.is_loaded or not loading.is_idle:
            self._waits = True
            try:
                self._wait_for(loading)
            finally:
                self._waits = False
        if loading.error is not None and self._before is not None:
            return self._back(loading.error, self._before)
        self._before = None
        agent = loading.agent()
        agent.session = self._session
        return agent

    def _wait_for(self, loading: Loading) -> None:
        """Raises KeyboardInterrupt, and EOFError when nothing more will be typed."""
        with self.screen.waiting(loading.stage):
            while not loading.wait(GLANCE):
                self._raise_if_given_up()
                if self._prompt.is_over:
                    raise EOFError
            if loading.error is None:
                loading.agent()

    def _raise_if_given_up(self) -> None:
        if self._given_up.once:
            self._given_up.once = False
            raise KeyboardInterrupt

    def _back(self, error: Exception, before: Settings) -> Agent:
        if error is not self._told:
            self._tell(error)
        self.screen.dim(f"back to {app.called(before)}")
        self.settings, self._before = before, None
        self._loading = self._load(before)
        return self.agent()

    def send(
        self, text: str, typed: str, again: bool = False, first: Sequence[BaseMessage] = ()
    ) -> None:
        """`typed`: what of it attaches. `again`: for another answer than before. `first`: what the
        model is told before it."""
        from agent.attachments import attached

        self._is_begun = False
        sent = text.encode("utf-8", "replace").decode()
        agent = self.agent()
        found = attached(typed, agent.engine)
        for line in found.said:
            self.screen.dim(line)
        for line in found.problems:
            self.screen.notice(line)
        before = self.jobs()
        events = (agent.retry if again else agent.send)(sent, [*first, *found.messages])
        reading = Reading(agent.engine)
        with _leaving(agent.stop):
            self._raise_if_given_up()
            with self.screen.turn(reading):
                self._is_begun = True
                try:
                    for event in events:
                        self.screen.draw(event)
                        self.status.note(event)
                        if isinstance(event, ToolFinished):
                            show_made(self.screen, event)
                finally:
                    events.close()
            if self.screen.ended == "interrupted":
                raise KeyboardInterrupt
        if self._typed and app.is_local(self.settings):
            self.make_room(before)

    def jobs(self) -> set[str]:
        from tools.specialists.jobs import Jobs

        return {job.id for job in Jobs(home()).all()} if (home() / "jobs").is_dir() else set()

    def make_room(self, before: set[str]) -> None:
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
                "same, or [w]ait until there is room?",
                ("aside", "begin", "wait"),
            )
            if not job.reread().waits_for_memory:  # it has begun meanwhile
                return
            if answer == "begin":
                jobs.begin(job.id)
            elif answer == "aside":
                self._aside = job.id
                self._load_next(self.settings)
            else:
                self.screen.dim(f"/jobs begin {job.id} begins it all the same")

    def choose(self, question: str, answers: tuple[str, ...]) -> str:
        """One of `answers`, by its first letter; the last one at Ctrl-D, or where nobody types."""
        try:
            return self._prompt.ask(question, {answer[0]: answer for answer in answers})
        except EOFError:
            return answers[-1]

    def _ended(self, job: str) -> None:
        """In another thread."""
        if job == self._aside:
            self._aside = ""
            self._loading.start()

    def _ask(self, asked: Question) -> tuple[Answer, str]:
        """Consent to a call, and why not, or the arguments as the user wants them, in JSON."""
        if not self._typed:
            return "no", "nobody is here to ask"
        name, arguments, wanted = asked.tool, asked.arguments, asked.pattern
        keys = {key: answer for key, answer in CONSENT.items() if wanted or answer != "always"}
        always = f"[a]lways {cut(visible(wanted), LONGEST_PATTERN)}, " if wanted else ""
        question = (
            f"[o]nce, [n]o, no with a [r]eason, [e]dit the call? With Enter: {always}any {name} "
            "this [s]ession"
        )
        if asked.problem:
            keys = {key: CONSENT[key] for key in MENDING}
            question = "[e]dit the call again, [n]o, no with a [r]eason?"
        self.screen.proposal(name, arguments, asked.problem or asked.preview)
        try:
            answer = self._prompt.ask(question, keys, confirmed=LASTING)
            if answer == "reason":
                return "no", self._prompt.ask("Why not? The model is told.").strip()
            if answer == "edit":
                return "edit", self._edited(arguments)
        except EOFError:
            return "no", ""
        allowed: dict[str, Answer] = {"once": "once", "session": "session", "always": "always"}
        return allowed.get(answer, "no"), ""

    def _edited(self, arguments: Mapping[str, Any]) -> str:
        text, question = json.dumps(arguments, ensure_ascii=False), "The arguments, as JSON:"
        while True:
            text = self._prompt.ask(question, default=text)
            try:
                if isinstance(json.loads(text), dict):
                    return text
                problem = "it is an object, such as {}"
            except ValueError as error:
                problem = str(error)
            question = f"no JSON object: {problem}. The arguments, as JSON:"

    def _tool_names(self) -> Iterable[str]:
        return self._box.tools if self._box else ()

    def _command(self, line: str) -> None:
        name, *rest = _parted(line)
        if name not in COMMANDS:
            self.own.wait()
        command = COMMANDS.get(name)
        if command is None:
            name = cut(name, LONGEST_NAME)
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean /{near[0]}?" if near else "/help lists the commands"
            raise UsageError(f"no command /{name}; {hint}")
        self.typed = "".join(_parted(self._line.typed)[1:])
        command(self, "".join(rest))

    def load(self, wanted: Settings) -> None:
        """Talk with another model; with the one before again, should it not load."""
        before = None
        with contextlib.suppress(Exception):  # what could not be loaded need not be freed
            self.agent()
            before = self.settings if self._typed else None
        self.settings, self._aside, self._before = wanted, "", before
        self._load_next(wanted)
        self._loading.start()

    def _load_next(self, wanted: Settings) -> None:
        """At Ctrl-C, too, nothing is left that is closed."""
        last, self._loading = self._loading, self._load(wanted)
        last.close()

    @property
    def has_user(self) -> bool:
        """Whether somebody types, who can be asked."""
        return self._typed

    @property
    def is_loaded(self) -> bool:
        """Whether there is a model to talk with now."""
        return self._loading.is_loaded and self._loading.error is None and not self._aside

    @property
    def session(self) -> Session:
        return self._session

    def begin_line(self, text: str) -> None:
        """The line that is typed begins with `text`. Raises UsageError where there is none."""
        self._prompt.begin(text)

    def propose(self, text: str) -> None:
        """What Enter sends while nothing is typed."""
        self._prompt.propose(text)

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


@contextlib.contextmanager
def _leaving(stop: Callable[[], None]) -> Iterator[Pressed]:
    """`interrupts`, of which the second within two seconds leaves. Raises Leave."""
    with interrupts(stop) as pressed:
        try:
            yield pressed
        except KeyboardInterrupt:
            if pressed.twice:
                raise Leave from None
            raise


def _parted(line: str) -> list[str]:
    """The name of the command, and what stands behind it where something does."""
    return re.split(r"\s+", line.strip()[1:], maxsplit=1)


def _can_draw() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _told(error: BaseException) -> str:
    """One line for the user; a bug says where it is."""
    if isinstance(error, TinsmithError | ToolError):
        return str(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"a bug, please report it: {type(error).__name__}: {error} "
        f"({where.filename}:{where.lineno}); the conversation is kept"
    )
