"""`.env.example` is written from the settings: `python tests/test_env_example.py` writes it anew."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.settings import load, variables
from bot.variables import Variable

FILE = Path(__file__).parents[1] / ".env.example"

HEAD = """\
# Copy to .env, set NOVITA_API_KEY, and the Slack tokens where Slack is wanted. The environment wins over .env.
# A line with a # before its name shows the default; an empty value means the same. Times are in milliseconds (ms).
"""


def rendered() -> str:
    groups = groupby(variables(), key=lambda variable: variable.group)
    return HEAD + "".join(
        f"\n# ---- {group} ----\n" + "".join(paragraph(variable) for variable in members)
        for group, members in groups
    )


def paragraph(variable: Variable) -> str:
    also = f" Also read as {', '.join(variable.also)}." if variable.also else ""
    mark = "" if variable.required else "# "
    return f"\n# {variable.meaning}{also}\n# {variable.allowed}\n{mark}{variable.name}={variable.default or ''}\n"


def test_the_example_has_every_variable_of_the_code_and_no_other() -> None:
    assert FILE.read_text(encoding="utf-8") == rendered()


def test_every_number_has_its_unit_beside_it() -> None:
    for variable in variables():
        if variable.default and variable.default.isdigit() and variable.name != "PORT":
            assert f"({variable.unit})" in paragraph(variable), variable.name
            assert variable.unit, variable.name


def test_the_example_is_a_working_env_file(tmp_path: Path) -> None:
    bare = {"NOVITA_API_KEY": "k"}
    env = tmp_path / ".env"
    env.write_text(rendered().replace("\n# ", "\n").replace("NOVITA_API_KEY=", "NOVITA_API_KEY=k"))
    assert load({}, env) == load(bare)
    env.write_text(rendered().replace("NOVITA_API_KEY=", "NOVITA_API_KEY=k"))
    assert load({}, env) == load(bare)


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
