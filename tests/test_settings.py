from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import settings
from agent.errors import SettingsError
from agent.settings import Settings, describe, home, load, save


def write(text: str) -> Path:
    file = home() / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def test_without_a_file_the_defaults_hold() -> None:
    assert load() == Settings()


def test_the_command_line_wins_over_the_file_and_the_file_over_the_default() -> None:
    write("temperature = 0.5\nseed = 7\n")
    now = load({"seed": 9, "model": None})
    assert (now.temperature, now.seed, now.model) == (0.5, 9, "")


def test_an_unknown_key_is_refused_with_the_nearest_one_and_the_file() -> None:
    file = write("temprature = 0.5\n")
    with pytest.raises(SettingsError, match="did you mean 'temperature'") as error:
        load()
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("top_p = 2.0", "top_p = 2.0; it is from 0 to 1"),
        ("top_p = nan", "top_p = nan; it is from 0 to 1"),
        ('seed = "one"', "seed = 'one'; it is a whole number"),
        ("seed = true", "seed = True; it is a whole number"),
        ('engine = "vllm"', "engine = 'vllm'; it is one of auto"),
        ("engine = []", "it is one of auto"),
        ("seed = ", "is not TOML"),
    ],
)
def test_a_bad_value_is_refused_with_the_value_and_what_is_right(line: str, complaint: str) -> None:
    write(line)
    with pytest.raises(SettingsError) as error:
        load()
    assert complaint in str(error.value)
    assert error.value.exit_code == 2


def test_a_whole_number_is_right_where_a_fraction_may_stand() -> None:
    write("temperature = 1\n")
    assert load().temperature == 1


def test_saving_keeps_comments_and_other_settings() -> None:
    file = write("# mine\nseed = 7  # lucky\n")
    save("temperature", "0.25")
    text = file.read_text("utf-8")
    assert "# mine" in text
    assert "# lucky" in text
    assert load() == Settings(seed=7, temperature=0.25)


def test_saving_keeps_a_file_that_holds_only_comments() -> None:
    file = write("# nothing set yet\n")
    save("seed", "8")
    assert file.read_text("utf-8") == "# nothing set yet\nseed = 8\n"


def test_a_bad_value_is_not_saved() -> None:
    file = write("seed = 7\n")
    with pytest.raises(SettingsError, match="top_k = 'many'"):
        save("top_k", "many")
    assert file.read_text("utf-8") == "seed = 7\n"


def test_an_unknown_key_in_the_file_can_be_taken_out() -> None:
    file = write("temprature = 0.5\nseed = 7\n")
    save("temprature", None)
    assert file.read_text("utf-8") == "seed = 7\n"


def test_taking_out_a_key_that_is_no_setting_is_refused() -> None:
    with pytest.raises(SettingsError, match="did you mean 'seed'"):
        save("seeed", None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_that_cannot_be_written_is_a_clear_error() -> None:
    folder = write("seed = 7\n").parent
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(SettingsError, match="cannot be written"):
        save("seed", "8")


def test_a_folder_in_place_of_the_file_is_a_clear_error() -> None:
    (home() / "config.toml").mkdir(parents=True)
    with pytest.raises(SettingsError, match="cannot be read"):
        load()


def test_every_setting_is_described_with_its_origin_and_its_text() -> None:
    write("max_steps = 3\n")
    described = {one.key: one for one in describe()}
    assert list(described) == list(Settings.__dataclass_fields__)
    one = described["max_steps"]
    assert (one.type, one.value, one.default) == ("int", 3, 12)
    assert one.text == "Replies in one turn."
    assert one.origin == "config.toml"
    assert described["seed"].origin == "default"
    assert described["engine"].type.startswith("auto | ")


@given(st.text().filter(lambda text: text not in settings.Settings.__dataclass_fields__))
def test_no_other_word_is_taken_for_a_setting(word: str) -> None:
    with pytest.raises(SettingsError):
        load({word: 1})
