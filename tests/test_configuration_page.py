"""The reference of settings is written from the settings: `python tests/test_configuration_page.py` writes it anew."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.settings import variables
from bot.variables import Variable

FILE = Path(__file__).parents[1] / "docs" / "configuration.md"

HEAD = """\
# Configuration

The service reads environment variables, and the file `.env` in the directory where it is started. The environment wins. An
empty value is an unset one. A variable that is not on this page is somebody else's and is ignored.

A bad or missing value ends the start with exit code 2 and one line for each fault: the variable, what was read (never a
secret), what is allowed. `gpu-bot check` reads the same settings, tries what they name, and changes nothing.

A *secret* is never logged, shown or sent to anybody but the service that it is for. An *older spelling* is read too; where both
are set in the same place, the one of the first column wins. A time in `ms` is a whole number of milliseconds.

This page is made from the code, like [`.env.example`](../.env.example): `python tests/test_configuration_page.py` writes it anew.
"""

COLUMNS = "| variable | unit | allowed | default | meaning |\n|---|---|---|---|---|\n"


def rendered() -> str:
    groups = groupby(variables(), key=lambda variable: variable.group)
    return HEAD + "".join(
        f"\n## {group}\n\n{COLUMNS}" + "".join(row(variable) for variable in members)
        for group, members in groups
    )


def row(variable: Variable) -> str:
    notes = [variable.meaning]
    if variable.also:
        notes.append(f"Older spelling: {', '.join(f'`{name}`' for name in variable.also)}.")
    if variable.secret:
        notes.append("*Secret.*")
    cells = (
        f"`{variable.name}`",
        variable.unit,
        variable.allowed.removesuffix(f" ({variable.unit})"),
        default(variable),
        " ".join(notes),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def default(variable: Variable) -> str:
    if variable.required:
        return "**required**"
    return f"`{variable.default}`" if variable.default else "unset"


def test_the_page_has_every_variable_of_the_code_and_no_other() -> None:
    assert FILE.read_text(encoding="utf-8") == rendered(), "run: python tests/test_configuration_page.py"


def test_a_row_says_what_there_is_to_say() -> None:
    rows = {variable.name: row(variable) for variable in variables()}
    assert "| **required** |" in rows["NOVITA_API_KEY"]
    assert rows["NOVITA_API_KEY"].endswith("*Secret.* |\n")
    assert rows["API_TIMEOUT"] == (
        "| `API_TIMEOUT` | ms | 5000 to 120000 | `30000` | Longest wait for one answer of Novita. "
        "Older spelling: `REQUEST_TIMEOUT`. |\n"
    )
    assert "| unset |" in rows["SLACK_CHANNEL"]


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
