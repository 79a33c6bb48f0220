from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.grammar.usage import VERBS
from bot.sandbox.novita.deeds import OfCloud, OfInstance, OfNextCreate, OfStock
from bot.sandbox.terminal import deeds
from bot.sandbox.terminal.deeds import Unknown, read_deed
from bot.sandbox.terminal.words import HELP, MAIN_JOB


@pytest.mark.parametrize(
    ("line", "deed"),
    [
        ("/gpu create 4090", deeds.Command(line="/gpu create 4090")),
        ("  /gpu  ", deeds.Command(line="/gpu")),
        ("press stop", deeds.Press(button="stop", name=None)),
        ('press "Rent a GPU"', deeds.Press(button="Rent a GPU", name=None)),
        ("press Delete my-train", deeds.Press(button="Delete", name="my-train")),
        ('fill gpu="RTX 4090" Name=a', deeds.Fill(values=(("gpu", "RTX 4090"), ("name", "a")))),
        ("fill image=a=b disk=", deeds.Fill(values=(("image", "a=b"), ("disk", "")))),
        ("fill", deeds.Fill(values=())),
        ("cancel", deeds.CloseForm()),
        ("home", deeds.OpenHome()),
        ('choose GPU="RTX 4090"', deeds.Choose(field="gpu", value="RTX 4090")),
        ("choose template=", deeds.Choose(field="template", value="")),
        ("say what's @gpu-ops up to?", deeds.Say(text="what's @gpu-ops up to?")),
        ('Reply @gpu-ops "status', deeds.Reply(text='@gpu-ops "status')),
        ('shortcut "Rent a GPU"', deeds.UseShortcut(name="Rent a GPU", of=None)),
        ("shortcut Rent a GPU", deeds.UseShortcut(name="Rent a GPU", of=None)),
        ("shortcut Show status ON my-train", deeds.UseShortcut(name="Show status", of="my-train")),
        ("as @Ben", deeds.Become(name="ben")),
        ("in #Random", deeds.Go(channel="random")),
        ("in dm", deeds.Go(channel="dm")),
        ("cloud reclaim my-train", OfInstance(act="reclaim", name="my-train")),
        ("cloud notice my-train", OfInstance(act="reclaim", name="my-train")),
        ("cloud take my-train", OfInstance(act="take", name="my-train")),
        ("cloud finish my-train", OfInstance(act="finish", name="my-train")),
        ("cloud hold my-train", OfInstance(act="hold", name="my-train")),
        ("cloud release my-train", OfInstance(act="release", name="my-train")),
        ("CLOUD Stop My-Train", OfInstance(act="stop", name="My-Train")),
        ("cloud delete my-train", OfInstance(act="delete", name="my-train")),
        ("cloud down", OfCloud(act="down")),
        ("cloud up", OfCloud(act="up")),
        ("cloud errors on", OfCloud(act="errors on")),
        ("cloud errors off", OfCloud(act="errors off")),
        ("cloud balance empty", OfCloud(act="balance empty")),
        ("cloud balance filled", OfCloud(act="balance filled")),
        ("cloud full", OfStock(act="full")),
        ("cloud free", OfStock(act="free")),
        ("cloud full US-CA-06", OfStock(act="full", what="US-CA-06")),
        ('cloud free "RTX 4090"', OfStock(act="free", what="RTX 4090")),
        ("cloud fail-next", OfNextCreate(meets="capacity")),
        ("cloud fail-next Balance", OfNextCreate(meets="balance")),
        ("cloud fail-next unclear", OfNextCreate(meets="unclear")),
        ("cloud fail-next nothing", OfNextCreate(meets="nothing")),
        ("wait", deeds.Wait()),
        ("help", deeds.Help()),
        ("?", deeds.Help()),
        ("quit", deeds.Quit()),
        ("exit", deeds.Quit()),
        ("# Ada needs a GPU.", deeds.Caption(text="Ada needs a GPU.")),
        ("", None),
        (" \t ", None),
    ],
)
def test_a_line_is_read(line: str, deed: deeds.Deed | None) -> None:
    assert read_deed(line) == deed


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("hello", "`help` lists the others"),
        ("create 4090", "Try: /gpu create 4090"),
        ("Stop my-train", "Try: /gpu Stop my-train"),
        ("press", "press stop"),
        ("press stop my-train now", "press stop"),
        ("fill gpu 4090", "field=value"),
        ("fill =4090", "field=value"),
        ("choose gpu", "field=value"),
        ("choose", "field=value"),
        ("choose gpu=1 name=a", "field=value"),
        ("say", "Say what: say"),
        ("reply  ", "Say what: reply"),
        ("shortcut", "Say which: shortcut"),
        ("home now", "no further words"),
        ("as", "as ada"),
        ("in", "in #gpu"),
        ("cloud", "cloud reclaim NAME"),
        ("cloud reclaim", "cloud reclaim NAME"),
        ("cloud down now", "cloud reclaim NAME"),
        ("cloud errors", "cloud errors on | off"),
        ("cloud fail-next often", "cloud fail-next capacity"),
        ("wait a minute", "no further words"),
        ('fill name="a', "quotation mark"),
    ],
)
def test_a_line_that_is_none_gets_a_hint(line: str, hint: str) -> None:
    deed = read_deed(line)
    assert isinstance(deed, Unknown)
    assert hint in deed.hint


@pytest.mark.parametrize("verb", [name for verb in VERBS for name in (verb.name, *verb.aliases)])
def test_who_forgets_the_slash_command_is_told_so(verb: str) -> None:
    """`help` alone is a line of the demo, and both answer."""
    deed = read_deed(f"{verb} my-train")
    assert isinstance(deed, Unknown)
    if verb != "help":
        assert f"/gpu {verb} my-train" in deed.hint


@given(st.text())
def test_any_line_can_be_read(line: str) -> None:
    read_deed(line)


def test_every_line_of_the_help_begins_with_one_that_can_be_read() -> None:
    firsts = {line.split()[0] for line in HELP.splitlines()}
    slack = {"/gpu", "press", "fill", "choose", "cancel", "home", "say", "reply", "shortcut", "as", "in"}
    assert firsts == slack | {"cloud", "wait", "quit"}
    for word in firsts - {"/gpu"}:
        examples = (word, f"{word} x", f"{word} x=y", f"{word} down")
        assert any(not isinstance(read_deed(example), Unknown) for example in examples), word


def test_the_help_fits_into_a_narrow_terminal() -> None:
    assert max(map(len, HELP.splitlines())) <= 80


def test_the_demo_can_read_its_own_script() -> None:
    read = [read_deed(line) for line in MAIN_JOB.splitlines()]
    assert not [deed for deed in read if deed is None or isinstance(deed, Unknown)]
