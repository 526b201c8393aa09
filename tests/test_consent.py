"""Consent, as one gives it in a terminal: by a key that nothing follows, and by nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent.repl.terminal import ALONE
from tests.emulator import Emulator
from tests.test_cli import scripted

WRITE: dict[str, object] = {"call": "write_file", "arguments": {"path": "x.txt", "text": "y"}}
ASKED = r"\[e\]dit the call"


def asked(tmp_path: Path, *then: dict[str, object], sent: str = "write it\r") -> Emulator:
    """A conversation that asks whether x.txt may be written, when the question can be read."""
    one = Emulator("chat", *scripted(tmp_path, WRITE, *then), cwd=tmp_path, columns=120)
    one.see("Ctrl-D leaves")
    one.send(sent)
    one.see(ASKED)
    return one


def test_a_key_alone_allows_the_call(tmp_path: Path) -> None:
    one = asked(tmp_path, {"say": "Written."})
    one.send("o")
    one.see("wrote 1 line to x.txt")
    one.see("Written\\.")
    assert one.leave() == 0


def test_what_is_sent_before_the_question_waits_and_does_not_answer_it(tmp_path: Path) -> None:
    one = asked(tmp_path, {"say": "Written."}, {"say": "A summary."}, sent="write it\rsum up\r")
    one.see("queued: sum up")
    assert not (tmp_path / "x.txt").exists()
    one.send("o")
    one.see("A summary\\.")
    assert one.leave() == 0


@pytest.mark.parametrize("typed", ["maybe", "/context", "can I", "a", "s", "A", "S", "only if"])
def test_a_word_is_no_consent_and_one_that_lasts_wants_enter(tmp_path: Path, typed: str) -> None:
    one = asked(tmp_path, {"say": "As you wish."})
    one.send(typed)
    one.see(f"> {typed}")
    if len(typed) > 1:
        one.see("clear the line to be asked")
    time.sleep(2 * ALONE)  # in which a key that counts alone would have counted
    one.send("\x15")
    one.see(ASKED)
    one.send("n")
    one.see("did not allow this call")
    one.see("As you wish\\.")
    assert not (tmp_path / "x.txt").exists()
    assert one.leave() == 0


def test_esc_takes_back_what_waits_at_a_question_too(tmp_path: Path) -> None:
    one = asked(tmp_path, {"say": "As you wish."})
    one.send("yes\r")
    one.see("queued: yes")
    one.send("\x1b")
    one.gone("queued")
    one.send("\x15n")
    one.see("As you wish\\.")
    assert one.leave() == 0


def test_no_with_a_reason_tells_the_model(tmp_path: Path) -> None:
    one = asked(tmp_path, {"say": "As you wish."})
    one.send("r")
    one.see("Why not")
    one.send("rather not\r")
    one.see("did not allow this call: rather not")
    one.see("As you wish\\.")
    assert one.leave() == 0


def test_a_call_can_be_changed_before_it_is_allowed(tmp_path: Path, state: Path) -> None:
    one = asked(tmp_path, {"say": "Written."})
    one.send("e")
    one.see("as JSON")
    one.send("\x15not JSON\r")
    one.see("no JSON object")
    one.send('\x15{"path": "y.txt", "txt": "z"}\r')
    one.see("these arguments do not fit")
    one.see(ASKED, after="do not fit")
    assert "[o]nce" not in one.text.rpartition("do not fit")[2]
    one.send("o")
    one.see("> o", after="do not fit")
    one.send("\x15")
    one.see(ASKED, after="do not fit")
    one.send("e")
    one.see("as JSON", after="do not fit")
    one.send('\x15{"path": "y.txt", "text": "z"}\r')
    one.see(r"\+z")
    one.see(ASKED, after="+z")
    one.send("o")
    one.see('✓ write_file\\(path="y.txt", text="z"\\)')
    assert one.leave() == 0
    assert not (tmp_path / "x.txt").exists()
    assert (tmp_path / "y.txt").read_text() == "z"
    assert "y.txt" not in (state / "history").read_text()


def test_consent_for_a_session_does_not_go_into_its_fork(tmp_path: Path) -> None:
    one = asked(tmp_path, {"say": "ok"}, WRITE)
    one.send("s\r")
    one.see("wrote 1 line")
    one.see("^ok|\\nok")
    one.send("/retry\r")
    one.see(ASKED, after="/retry")
    one.send("n")
    one.see("did not allow")
    assert one.leave() == 0


def test_what_cannot_be_seen_is_shown_as_what_it_is(tmp_path: Path) -> None:
    hidden: dict[str, object] = {"path": "run\u202etxt.hs", "text": "a\x7fb\x1b[8mc"}
    call: dict[str, object] = {"call": "write_file", "arguments": hidden}
    one = Emulator("chat", *scripted(tmp_path, call, {"say": "ok"}), cwd=tmp_path, columns=120)
    one.see("Ctrl-D leaves")
    one.send("write it\r")
    one.see(ASKED)
    one.see(r"run\\u202etxt.hs")
    one.see(r"\+a\\x7fb\\x1b\[8mc")
    assert "\u202e" not in one.raw
    assert "\x1b[8m" not in one.raw
    one.send("n")
    one.see("did not allow")
    assert one.leave() == 0


def test_the_keys_answer_in_vi_mode_too(tmp_path: Path, state: Path) -> None:
    state.mkdir()
    (state / "config.toml").write_text('editing_mode = "vi"\n')
    one = Emulator("chat", *scripted(tmp_path, WRITE, {"say": "Written."}), cwd=tmp_path)
    one.see("Ctrl-D leaves")
    one.send("write it\x1b")
    one.see("> write it")
    time.sleep(2 * ALONE)  # Esc with a key right behind it is another key
    one.send("\r")
    one.see(ASKED)
    one.send("o")
    one.see("Written\\.")
    assert one.leave() == 0
