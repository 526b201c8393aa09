"""Claims without deeds: an answer that says something was saved, in a turn that saved nothing.

Small models say so often. Only plain claims are taken for one, in the first person or as something
that "has been" done; verbs that also mean writing an answer ("I have written a poem") need the name
of a file beside them. English only.
"""

from __future__ import annotations

import re

BY_ITSELF = "saved|stored|indexed|remembered|trained|deleted|renamed|appended|memorized|memorised"
WITH_A_FILE = "written|wrote|added|created|updated|replaced|changed|removed|modified|edited"
_SAID = (
    r"\b(?:I(?:['’]ve| have)?|(?:has|have) been|(?:was|were|is|are) now)"
    r"(?: (?:now|also|just|already|successfully))*"
)
_CLAIM = re.compile(
    rf"(?:{_SAID}|\bsuccessfully) "
    rf"(?:({BY_ITSELF})\b|({WITH_A_FILE})\b[^.\n]{{0,60}}?\w\.\w{{1,5}}\b)",
    re.IGNORECASE,
)
_FILE_FIRST = re.compile(
    rf"\w\.\w{{1,5}}\b[`\"'*]*[^.\n]{{0,40}}?(?:{_SAID}|\bsuccessfully) ({WITH_A_FILE})\b",
    re.IGNORECASE,
)


def claimed(answer: str) -> str:
    """The verb of the first claim; "" when there is none."""
    for pattern in (_CLAIM, _FILE_FIRST):
        if found := pattern.search(answer):
            return next(verb for verb in found.groups() if verb).lower()
    return ""
