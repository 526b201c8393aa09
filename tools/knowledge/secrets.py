"""What must not be written down: keys, passwords, tokens."""

from __future__ import annotations

import math
import re
import threading
from collections import Counter

FORMATS = (
    "ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector",
    "CloudantDetector", "DiscordBotTokenDetector", "GitHubTokenDetector", "GitLabTokenDetector",
    "JwtTokenDetector", "KeywordDetector", "MailchimpDetector", "NpmDetector", "OpenAIDetector",
    "PrivateKeyDetector", "PypiTokenDetector", "SendGridDetector", "SlackDetector",
    "SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector", "TwilioKeyDetector",
)  # fmt: skip
"""Of detect-secrets: those that know a key by its form. The ones that go by entropy alone find one
in every sentence."""
RANDOM = 3.8
"""Bits for each character of a long word, from which it is drawn at random rather than a name."""


def secret_in(text: str) -> str:
    """What kind of secret stands in `text`, such as "AWS Access Key"; "" for none."""
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import transient_settings

    # the settings are those of the process, and the history asks in another thread than a tool
    with _alone, transient_settings({"plugins_used": [{"name": name} for name in FORMATS]}):
        found = next(
            iter(sorted(one.type for line in text.split("\n") for one in scan_line(line))), ""
        )
    if found:
        return found
    if told := _TOLD.search(text):
        return told[1].lower()
    return "key" if any(map(_is_random, _LONG.findall(text))) else ""


def _is_random(word: str) -> bool:
    """Capitals, small letters and digits, in no order."""
    kinds = (str.isupper, str.islower, str.isdigit)
    if not all(any(map(kind, word)) for kind in kinds):
        return False
    shares = [count / len(word) for count in Counter(word).values()]
    return -sum(share * math.log2(share) for share in shares) >= RANDOM


_TOLD = re.compile(
    r"\b(passwords?|passwd|pwd|passwort|kennwort|passphrase|passcode|pin(?: code)?|"
    r"(?:door|access) code|api[ -]?key|(?:secret|access|private) key|token|mot de passe|"
    r"contraseña)\b"
    r"(?: (?:for|of|to|on|at) [\w' .-]{1,40}?)?"
    r"\s*(?:\b(?:is|are|was|will be|should be|ist|lautet|est|es)\b|:|=)\s*"
    r"(?!(?:not|no|the|a|an|in|at|on|to|for|kept|stored|saved|written|too|very|required|needed|never|"
    r"always|changed|due|missing|wrong|expired|being|by|with)(?![\w-]))\S",
    re.IGNORECASE,
)
"""A password that is told in words: "the password of the router is hunter2"."""
_alone = threading.Lock()
_LONG = re.compile(r"[A-Za-z0-9_+=-]{20,}")
