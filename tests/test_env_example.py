"""`.env.example` is written from the settings: `python tests/test_env_example.py` writes it anew."""

from __future__ import annotations

import sys
import textwrap
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.settings import load, variables
from bot.variables import Variable

FILE = Path(__file__).parents[1] / ".env.example"

HEAD = """\
# Copy to .env, set NOVITA_API_KEY, and the tokens where Slack is wanted. The environment wins over this file.
# What stands here is the default; an empty value is an unset one.
"""


def rendered() -> str:
    groups = groupby(variables(), key=lambda variable: variable.group)
    return HEAD + "".join(
        f"\n# ---- {group} ----\n" + "".join(paragraph(variable) for variable in members)
        for group, members in groups
    )


def paragraph(variable: Variable) -> str:
    also = f" Also read as {', '.join(variable.also)}." if variable.also else ""
    comment = [*textwrap.wrap(variable.meaning + also, 108), f"Allowed: {variable.allowed}"]
    return "".join(f"\n# {line}" for line in comment) + f"\n{variable.name}={variable.default or ''}\n"


def test_the_example_has_every_variable_of_the_code_and_no_other() -> None:
    assert FILE.read_text(encoding="utf-8") == rendered()


def test_every_number_has_its_unit_beside_it() -> None:
    for variable in variables():
        if variable.default and variable.default.isdigit() and variable.name != "PORT":
            assert f"({variable.unit})" in paragraph(variable), variable.name
            assert variable.unit, variable.name


def test_the_example_is_a_working_env_file(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text(FILE.read_text() + "NOVITA_API_KEY=k\n")
    assert load({}, env) == load({"NOVITA_API_KEY": "k"})


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
