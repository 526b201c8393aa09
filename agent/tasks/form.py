"""The keys of a task file: the one place that says which there are.

`read.py` checks a file against these classes, and the JSON schema for editors is made from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from agent.settings import LONGEST
from agent.tasks import bounds

Seconds = Annotated[float, Field(gt=0, le=LONGEST)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""Can stand in a template."""
ALIASES = {"condition": "if", "negated": "not"}
"""Keys that Python keeps for itself."""
Type = Literal[
    "string", "integer", "number", "boolean", "file", "list", "object", "any", "functions", "checks"
]


class Keys:
    """Those that a class names, and no others. What stands under a key is read by `schema.py`: here
    it would cost every start a tenth of a second."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Input(Keys):
    """What a task is given."""

    type: Type = "string"
    """A file is given as its path, and stands in a template for its text. `any`: of a text, the
    JSON that it is, else the text. `functions`: JSON schemas of functions that the model is offered
    beside the tools; what it calls is looked at and not run, and ends the step. `checks`: more of
    them, as they stand in a task file; so a row brings its own."""
    description: str = ""
    default: Any = None
    """Without one, the input has to be given."""
    choices: tuple[Any, ...] = ()
    """The only legal values."""


@dataclass(frozen=True)
class Drawing(Keys):
    """How the next token is drawn. Without these keys it is always the likeliest."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0
    min_p: Annotated[float, Field(ge=0, le=1)] = 0.0
    repetition_penalty: Annotated[float, Field(ge=0.01, le=10)] = 1.0
    seed: int | None = None
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    """Of one reply."""
    stop: tuple[str, ...] = ()
    """A reply ends before the first of these strings."""


@dataclass(frozen=True)
class Bounds(Keys):
    """When one of them is reached, the task ends."""

    steps: Annotated[int, Field(ge=1, le=1000)] = 12
    """Replies of the model in one step of the task."""
    seconds: Seconds = 600.0
    """Of the whole task."""
    tokens: Annotated[int, Field(ge=1)] | None = None
    """That the model writes in the whole task."""
    tool_seconds: Seconds = 60.0
    """For a tool that does not say."""


@dataclass(frozen=True)
class Check(Keys):
    """One thing that must be true of the run. What it looks at is the answer, if nothing else is
    said. Exactly one of its keys says what is checked; `path` alone checks that something is
    there."""

    contains: str | None = None
    """This text, capitals and small letters being different."""
    matches: str | None = None
    """A regular expression (Python's) that is found somewhere."""
    equals: Any = None
    """A text, without the white space around it; or a JSON value."""
    same: Any = None
    """This, however it is written: texts without regard to case, white space and punctuation,
    numbers as far off as `within` says, lists in any order, JSON by value."""
    json: Literal["whole", "inside"] | None = None
    """The answer is JSON, or JSON stands in it somewhere."""
    schema: dict[str, Any] | None = None
    """A JSON schema that this JSON follows."""
    path: str | None = None
    """A JSON path, such as `$.items[0].price`: what is found there is checked, not the whole."""
    number: float | str | None = None
    """This number; a text is a template that gives one."""
    within: Annotated[float, Field(ge=0)] = 0.0
    """How far off a number may be."""
    called: str | None = None
    """A tool that was called."""
    arguments: dict[str, Any] | None = None
    """Of that call, these at least."""
    count: Annotated[int, Field(ge=0)] | None = None
    """So many such calls, no more and no less."""
    calls: tuple[str, ...] | None = None
    """Tools that were called in this order, others between them or not."""
    accepted: str | tuple[dict[str, dict[str, tuple[Any, ...]]], ...] | None = None
    """The calls that are right, as the Berkeley Function-Calling Leaderboard writes them:
    `{function: {argument: [values]}}` for each call, in any order, and no call but these. The value
    "" says that the argument may be left out. An empty list: nothing may be called."""
    no_calls: Literal[True] | None = None
    """No tool was called."""
    files: tuple[str, ...] | None = None
    """Files that were written, by a tool or as an output."""
    seconds_under: Annotated[float, Field(gt=0)] | None = None
    """The steps took less."""
    tokens_under: Annotated[int, Field(gt=0)] | None = None
    """The model wrote fewer."""
    judge: str | None = None
    """A question about the answer that the model itself answers with yes."""
    of: str | None = None
    """A template: what is looked at in the place of the answer."""
    negated: Annotated[bool, Field(alias="not")] = False
    """The contrary must be true."""
    name: str = ""
    """What the check is called in the results."""


@dataclass(frozen=True)
class Step(Keys):
    """Something that is asked of the model, or a call of a tool."""

    id: Name
    """Later steps find the result as `steps.ID.answer`."""
    prompt: str | None = None
    """A template: what the model is asked, in a conversation of its own."""
    tool: str | None = None
    """A tool that is called directly, without the model."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Of that call. Texts are templates."""
    condition: Annotated[str | bool | None, Field(alias="if")] = None
    """An expression; the step is left out when it is false."""
    each: str | tuple[Any, ...] | None = None
    """A list, or an expression that gives one: the step is done for each `item` of it."""
    retry: Annotated[int, Field(ge=0, le=bounds.RETRIES)] = 0
    """How often the step is tried again when it fails."""
    schema: dict[str, Any] | None = None
    """A JSON schema: the answer is decoded under it, so it always parses."""
    tools: tuple[str, ...] | None = None
    """Those of the task's `tools` that the model may call in this step. Without this key all, with
    `[]` none."""


@dataclass(frozen=True)
class Labels(Keys):
    """What `tinsmith eval` runs the task over, and which column says what is right."""

    rows: str = ""
    """A file of rows, as its path from the folder of the task."""
    label: str | dict[str, str] = ""
    """A column. It says what the answer must be; where the answer's schema has a property of this
    name, or only one property, what that must be; of several it has to be said which. Or, for each
    of several columns, a JSON path in the answer. They are compared as the check `same` does."""
    within: Annotated[float, Field(ge=0)] = 0.0
    """How far off a number may be."""


@dataclass(frozen=True)
class Form(Keys):
    """A task for Tinsmith."""

    name: str = ""
    """Without it, the file's name."""
    description: str = ""
    inputs: dict[Name, Input] = field(default_factory=dict)
    """What the task is given. Templates use them by their names."""
    model: str = ""
    """A name from `tinsmith models`, or a path. Without it, the user's own."""
    engine: Literal["auto", "llamacpp", "transformers", "openai", "scripted"] | None = None
    bits: Literal[4, 8, 16, 32] | None = None
    """Of the weights, in the transformers engine."""
    context: Annotated[int, Field(ge=256)] | None = None
    """The window, in tokens."""
    sampling: Drawing = Drawing()
    tools: tuple[str, ...] = ()
    """Those that the model may call. Without this key: none. One that only a step with `tool` calls
    need not stand here."""
    skills: tuple[str, ...] = ()
    """Those whose instructions the model is given."""
    approve: tuple[str, ...] = ()
    """Tools that may write without asking; nobody is there to be asked."""
    limits: Bounds = Bounds()
    prompt: str | None = None
    """A template: what the model is asked."""
    schema: dict[str, Any] | None = None
    """A JSON schema for the answer to `prompt`, which is decoded under it and always parses."""
    steps: tuple[Step, ...] = ()
    """In the place of `prompt`, one after the other. The answer of the last is the task's."""
    outputs: dict[str, str] = field(default_factory=dict)
    """Files, in the working folder, and the template of what is written into each. Both may hold
    templates. They are written when every check has passed."""
    checks: tuple[Check, ...] = ()
    """What must be true of the run, all of it."""
    eval: Labels = Labels()
    """For `tinsmith eval`; a run does not look at it."""
