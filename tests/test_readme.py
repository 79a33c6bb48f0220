"""The README says what the code does."""

import re
from pathlib import Path

import pytest

from bot.grammar.usage import VERBS
from bot.settings import variables

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_command_is_in_the_table_as_it_is_read(verb):
    (row,) = (line for line in README.splitlines() if line.startswith(f"| `/gpu {verb.name}"))
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    also = ", ".join(f"`{alias}`" for alias in verb.aliases)
    assert cells == [f"`{verb.usage}`".replace("|", "\\|"), verb.purpose, also]


def test_every_setting_that_it_names_exists():
    named = set(re.findall(r"`([A-Z][A-Z_]{3,})`", README)) - {"UNCONFIRMED"}
    assert named
    assert named <= {variable.name for variable in variables()}


def test_the_two_commands_are_targets_of_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE)) | {"test", "check"} <= targets


def test_every_link_into_the_tree_leads_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
