from __future__ import annotations

from agent import rival
from agent.engines.scripted import ScriptedEngine, call, say
from tools.specialists.data import Example


def test_a_chat_model_chooses_among_the_labels_and_its_right_rows_are_counted() -> None:
    engine = ScriptedEngine(
        call("choose_label", label="ham"), call("choose_label", label="spam"), say("no idea")
    )
    rows = [Example(f"f:{n}", f"text {n}", ("ham",)) for n in range(3)]
    far: list[tuple[int, int]] = []
    found = rival.ask(engine, ["ham", "spam"], rows, lambda *one: far.append(one))
    assert (found.right, found.rows) == (1, 3)
    assert far == [(1, 3), (2, 3), (3, 3)]
    tool = engine.seen[0].tools[0]
    assert tool.parameters["properties"]["label"]["enum"] == ["ham", "spam"]
    assert engine.seen[0].choice.mode == "call"
    assert "text 0" in str(engine.seen[0].messages[-1].content)
