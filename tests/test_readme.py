"""The README says what the code does."""

import re
from pathlib import Path

from bot.grammar.helptexts import command_table
from bot.grammar.usage import VERBS
from bot.settings import variables

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_command_table_is_made_from_what_the_parser_reads():
    assert command_table().strip() in README


def test_every_alias_is_named():
    (line,) = (line for line in README.splitlines() if line.startswith("Also read:"))
    assert {alias for verb in VERBS for alias in verb.aliases} <= set(re.findall(r"`([a-z]+)`", line))


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
