"""What holds for every text and every command."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import UsageError
from bot.grammar.commands import Act, Create, Help, List, Mine, Offers, Ssh, Status, render
from bot.grammar.helptexts import command_table, help_text
from bot.grammar.usage import BY_WORD, CREATE_FLAGS, OFFER_FLAGS, TASKS, VERBS
from bot.slack import arguments
from bot.slack.arguments import parse
from bot.slack.creation import FLAGS as CREATE
from storage.cloud import BillingMode
from storage.records import Wish

FLAGS = {flag.name: flag for group in (*CREATE_FLAGS, *OFFER_FLAGS) for flag in group}
FRAGMENTS = (
    *(
        "all",
        "--",
        "-",
        "—",
        "=",
        '"',
        "'",
        "’",
        "“",
        ",",
        ":",
        "&lt;",
        "&amp;",
        "<",
        ">",
        "|",
        "$",
        "\\",
        "/gpu",
    ),
    *("4090", "h100:2", "my-train", "80", "0.5", "<https://example.com/a|b>", "\u00a0", "\u200b", "\ud800"),
)
PIECES = st.sampled_from([*BY_WORD, *(f"--{flag.name}" for flag in FLAGS.values()), *FRAGMENTS])
TYPED = st.lists(PIECES | st.text(max_size=6), max_size=14).flatmap(
    lambda pieces: st.sampled_from([" ".join(pieces), "".join(pieces)])
)
TEXTS = (
    st.text(max_size=200)
    | TYPED
    | TYPED.map(lambda text: f"create {text}")
    | TYPED.map(lambda text: f"offers {text}")
)

# Whatever is left when phone typing is straightened: no curly quotes, odd dashes, markup or odd spaces.
PLAIN = st.sampled_from("abcXYZ0189 .,_+%$#@!()[]{}?*~^;`'/\\=&äß中🙂")
LINES = st.text(PLAIN, min_size=1).map(lambda text: " ".join(text.split())).filter(bool)
GPUS = LINES.map(lambda text: text[:200].strip()) | st.sampled_from(["4090", "RTX 4090 24GB", "-4090"])
NAMES = st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True)
REFERENCES = st.from_regex(r"[A-Za-z0-9_-]{1,100}", fullmatch=True)
REGIONS = st.lists(
    st.from_regex(r"[A-Za-z0-9_.()/-]{1,20}( [A-Za-z0-9_.()/-]{1,20})?", fullmatch=True),
    max_size=10,
    unique_by=str.casefold,
)
PRICES = st.decimals("0.000001", 1000, places=6)
IMAGES = st.from_regex(r"[A-Za-z0-9._/:@+-]{1,500}", fullmatch=True)
TEMPLATES = (LINES | st.just("--x") | st.just("--")).map(lambda text: text[:255].strip())
WEBHOOKS = st.sampled_from(["https://example.com/a?b=1&c=%22", "http://h:8080", "HTTPS://example.com/-#x"])


@st.composite
def creates(draw):
    gpu = draw(st.none() | GPUS)
    by_image = draw(st.booleans())
    return Create(
        gpu=gpu,
        gpu_count=draw(st.none() | st.integers(1, 8)) if gpu else None,
        name=draw(st.none() | NAMES) if gpu else None,
        template=None if by_image else draw(st.none() | TEMPLATES),
        image=draw(st.none() | IMAGES) if by_image else None,
        billing_mode=draw(st.none() | st.sampled_from(BillingMode)),
        regions=tuple(draw(REGIONS)),
        disk_gb=draw(st.none() | st.integers(10, 6144)),
        max_usd_per_hour=draw(st.none() | PRICES),
        webhook_url=draw(st.none() | WEBHOOKS),
        yes=draw(st.booleans()),
    )


@st.composite
def offers(draw):
    gpu = draw(st.none() | GPUS.filter(lambda gpu: ":" not in gpu))
    return Offers(
        gpu=gpu,
        gpu_count=draw(st.none() | st.integers(1, 8)) if gpu else None,
        max_usd_per_hour=draw(st.none() | PRICES),
    )


ACTS = st.sampled_from([Wish.START, Wish.STOP, Wish.RESTART, Wish.DELETE])
COMMANDS = st.one_of(
    creates(),
    offers(),
    st.builds(List, everybody=st.booleans()),
    st.builds(Act, verb=ACTS, name=st.none() | REFERENCES),
    st.builds(Status, name=st.none() | REFERENCES),
    st.builds(Ssh, name=st.none() | REFERENCES),
    st.builds(Help, verb=st.none() | st.sampled_from([verb.name for verb in VERBS])),
    st.just(Mine()),
)


# Time is judged by its own test below; a busy machine must not fail the others.
unhurried = settings(deadline=None)


def read_or_fault(text):
    try:
        return parse(text)
    except UsageError as fault:
        return fault


@unhurried
@given(TEXTS)
def test_any_text_is_a_command_or_a_usage_error(text):
    read_or_fault(text)


@unhurried
@given(TEXTS)
def test_the_hint_of_a_fault_can_be_read(text):
    read = read_or_fault(text)
    if isinstance(read, UsageError):
        assert read.hint is not None
        parse(read.hint)
        assert len(str(read)) < 400


@unhurried
@given(TEXTS)
def test_what_was_read_is_read_again_from_its_rendering(text):
    read = read_or_fault(text)
    if not isinstance(read, UsageError):
        assert parse(render(read)) == read


@unhurried
@given(COMMANDS)
def test_every_command_survives_being_written_and_read(command):
    assert parse(render(command)) == command


@unhurried
@given(COMMANDS)
def test_a_command_survives_the_way_through_slack(command):
    sent = render(command).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert parse(sent.removeprefix("/gpu ")) == command


@pytest.mark.parametrize(
    "text",
    [
        "create " + "x" * 4000,
        "create " + "x " * 2000,
        "create " + "--disk 1 " * 440,
        "create " + "--region a, " * 330,
        "create " + "--q " * 1000,
        "create " + "a," * 2000,
        "<" * 4000,
        "<https://a|" * 360,
        "&amp;" * 800,
        "&" * 4000,
        '"' * 3999,
        "'" + '"' * 3999,
        "—" * 4000,
        "stop " + "a " * 2000,
        "- " * 2000,
        "zz" * 2000,
        "ä\u200b" * 2000,
        "create --max " + "1" * 3900,
        "create --webhook " + "a." * 1900,
    ],
    ids=lambda text: text[:14],
)
def test_four_thousand_characters_are_read_at_once(text):
    def spent() -> float:
        began = time.process_time()
        read_or_fault(text)
        return time.process_time() - began

    assert min(spent() for _ in range(3)) < 0.1


def test_every_verb_has_its_reader():
    assert set(arguments.READERS) == {verb.name for verb in VERBS}


@pytest.mark.parametrize("flags", [CREATE, arguments._OFFER_FLAGS])
def test_every_flag_is_read_and_only_those(flags):
    names = [flag.name for group in flags.groups for flag in group]
    assert set(flags.readers) == set(names)
    assert len(flags.by_key) == len(names)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_example_of_the_help_can_be_read(verb):
    assert verb.examples
    for example in verb.examples:
        read = parse(example)
        assert not isinstance(read, Help) or verb.name == "help"
        assert parse(render(read)) == read


@pytest.mark.parametrize("flag", [flag for flag in FLAGS.values() if flag.value], ids=lambda flag: flag.name)
def test_every_example_value_of_a_flag_can_be_read(flag):
    parse(f"create 4090 --{flag.name} {flag.example}")


def test_words_that_only_mean_a_verb_are_not_read_as_one():
    assert not {word for verb in VERBS for word in verb.meant_by} & set(BY_WORD)


def test_the_usage_of_create_is_the_documented_one():
    assert help_text("create").title == (
        "/gpu create [GPU[:N]] [NAME] [--template T | --image I] [--spot | --on-demand] [--region R[,R]]"
        " [--disk GB] [--max USD_PER_HOUR] [--webhook URL] [--yes]"
    )


def test_the_help_of_a_verb_names_its_aliases():
    assert help_text("rm").notes[-1] == "Also understood: rm, destroy, down."
    assert "Also understood" not in " ".join(help_text("stop").notes)
    assert "ls, ps for list" in help_text().notes[-1]


def test_the_command_table_has_a_row_for_every_verb():
    table = command_table()
    assert "| `/gpu list [all]` | my instances, or everybody's |\n" in table
    assert "[--spot \\| --on-demand]" in table
    assert table.count("\n") == len(VERBS) + 3


def test_the_help_has_every_verb_under_one_task_with_an_example():
    groups = help_text().groups
    assert [group.title for group in groups] == list(TASKS)
    usages = [entry.usage for group in groups for entry in group.entries]
    assert sorted(usages) == sorted(["/gpu", *(verb.usage for verb in VERBS)])
    assert all(BY_WORD[verb].task == task for task, verb in TASKS.items())
    assert [group.examples for group in groups] == [(BY_WORD[verb].examples[0],) for verb in TASKS.values()]


def test_a_price_of_many_digits_keeps_them():
    assert render(Create(gpu="4090", max_usd_per_hour=Decimal("1E+2"))) == "/gpu create 4090 --max 100"


def test_a_quotation_mark_in_what_came_by_rest_is_quoted():
    assert render(Create(gpu='24" panel')) == """/gpu create '24" panel'"""


def test_a_command_is_written_with_its_target_first():
    create = Create(gpu="RTX 4090", gpu_count=2, name="t", billing_mode=BillingMode.SPOT, regions=("a", "b"))
    assert render(create) == '/gpu create "RTX 4090:2" t --spot --region a,b'
