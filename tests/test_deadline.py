"""The time that a turn has."""

from __future__ import annotations

import threading

import pytest

from agent.deadline import Deadline


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def fails_after(self, seconds: float) -> None:
        self.now += seconds
        raise EOFError


def test_what_is_waited_for_the_user_does_not_count() -> None:
    clock = Clock()
    deadline = Deadline(10, print, clock)
    clock.now += 9
    with deadline.paused():
        clock.now += 500
        assert not deadline.is_past
    assert not deadline.is_past
    clock.now += 2
    assert deadline.is_past


def test_an_answer_that_comes_as_an_error_starts_it_again() -> None:
    clock = Clock()
    deadline = Deadline(10, print, clock)
    with pytest.raises(EOFError), deadline.paused():
        clock.fails_after(500)
    clock.now += 11
    assert deadline.is_past


def test_nobody_is_told_of_the_end_while_it_stands_still_and_somebody_is_afterwards() -> None:
    told = threading.Event()
    deadline = Deadline(1, told.set)
    with deadline.paused():
        assert not told.wait(1.5)
    assert told.wait(60)
    assert deadline.is_past


def test_nobody_is_told_of_the_end_of_what_was_cancelled() -> None:
    told = threading.Event()
    Deadline(0.5, told.set).cancel()
    assert not told.wait(1)
