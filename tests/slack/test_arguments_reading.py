"""What people type behind `/gpu`, one example per rule."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot.grammar.commands import Act, Create, Help, List, Mine, Offers, Ssh, Status
from bot.slack.arguments import parse
from storage.cloud import BillingMode
from storage.records import Wish

SPOT, ON_DEMAND = BillingMode.SPOT, BillingMode.ON_DEMAND


@pytest.mark.parametrize("text", ["", "   ", "\t\n", "\u00a0", "\u200b", '""', "/gpu"])
def test_nothing_typed_asks_for_my_instances(text):
    assert parse(text) == Mine()


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("list", List()),
        ("ls", List()),
        ("ps ALL", List(everybody=True)),
        ("list everybody", List(everybody=True)),
        ("status", Status()),
        ("show My_Train-2", Status(name="My_Train-2")),
        ("status a1b2c3d4e5f60718", Status(name="a1b2c3d4e5f60718")),
        ("start train", Act(verb=Wish.START, name="train")),
        ("STOP train", Act(verb=Wish.STOP, name="train")),
        ("restart", Act(verb=Wish.RESTART)),
        ("delete train", Act(verb=Wish.DELETE, name="train")),
        ("rm train", Act(verb=Wish.DELETE, name="train")),
        ("destroy train", Act(verb=Wish.DELETE, name="train")),
        ("down train", Act(verb=Wish.DELETE, name="train")),
        ("ssh train", Ssh(name="train")),
        ("stop -- -train", Act(verb=Wish.STOP, name="-train")),
        (f"stop {'x' * 100}", Act(verb=Wish.STOP, name="x" * 100)),
        ("help", Help()),
        ("?", Help()),
        ("--help", Help()),
        ("help create", Help(verb="create")),
        ("help launch", Help(verb="create")),
        ("stop --help", Help(verb="stop")),
        ("create 4090 -h", Help(verb="create")),
        ("stop help", Act(verb=Wish.STOP, name="help")),
    ],
)
def test_each_verb_and_alias_is_read(text, command):
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("offers", Offers()),
        ("OFFERS 4090", Offers(gpu="4090")),
        ("offers RTX 4090 24GB", Offers(gpu="RTX 4090 24GB")),
        ('offers "RTX 4090 24GB"', Offers(gpu="RTX 4090 24GB")),
        ("offers h100:2", Offers(gpu="h100", gpu_count=2)),
        ("offers --max $0.50/h 4090", Offers(gpu="4090", max_usd_per_hour=Decimal("0.50"))),
        ("offers 4090 —MAX=.5", Offers(gpu="4090", max_usd_per_hour=Decimal("0.5"))),
        ("offers --max 1 -- -4090", Offers(gpu="-4090", max_usd_per_hour=Decimal(1))),
        ("offers --help", Help(verb="offers")),
    ],
)
def test_offers_take_one_gpu_and_a_price(text, command):
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("create", Create()),
        ("launch 4090", Create(gpu="4090")),
        ("create h100:2", Create(gpu="h100", gpu_count=2)),
        ('create "RTX 4090 24GB"', Create(gpu="RTX 4090 24GB")),
        ('create "RTX 4090 24GB":8', Create(gpu="RTX 4090 24GB", gpu_count=8)),
        ('create "RTX  4090 24GB:8"', Create(gpu="RTX 4090 24GB", gpu_count=8)),
        ("create RTX 4090", Create(gpu="RTX", name="4090")),
        ("create 4090 My-Train", Create(gpu="4090", name="my-train")),
        ("create 4090 -- -x", Create(gpu="4090", name="-x")),
        ("create --spot 4090 t --yes", Create(gpu="4090", name="t", billing_mode=SPOT, yes=True)),
        ("create 4090 --On-Demand", Create(gpu="4090", billing_mode=ON_DEMAND)),
        ("create 4090 --ondemand", Create(gpu="4090", billing_mode=ON_DEMAND)),
        ("create 4090 -spot", Create(gpu="4090", billing_mode=SPOT)),
        ("create --template pytorch", Create(template="pytorch")),
        ("create --TEMPLATE=PyTorch", Create(template="PyTorch")),
        ("create --template 'my own'", Create(template="my own")),
        ("create --image ghcr.io/a/b:c@sha256:1f", Create(image="ghcr.io/a/b:c@sha256:1f")),
        ("create --region US-CA-06,EU-DE-01", Create(regions=("US-CA-06", "EU-DE-01"))),
        ("create --region b,a,B,,", Create(regions=("b", "a"))),
        ('create --region "US-CA-06 (California)"', Create(regions=("US-CA-06 (California)",))),
        ("create --disk 80", Create(disk_gb=80)),
        ("create --disk 80GB", Create(disk_gb=80)),
        ("create --disk 10", Create(disk_gb=10)),
        ("create --disk 6144", Create(disk_gb=6144)),
        ("create --max .5", Create(max_usd_per_hour=Decimal("0.5"))),
        ("create --max $1.25/h", Create(max_usd_per_hour=Decimal("1.25"))),
        ("create --max 1000", Create(max_usd_per_hour=Decimal(1000))),
        ("create --webhook http://example.com:81/a?b=c", Create(webhook_url="http://example.com:81/a?b=c")),
        ("create --webhook https://[2001:db8::1]/", Create(webhook_url="https://[2001:db8::1]/")),
        ("/gpu create 4090", Create(gpu="4090")),
    ],
)
def test_create_takes_flags_in_any_order_and_case(text, command):
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("create 4090 —spot", Create(gpu="4090", billing_mode=SPOT)),
        ("create 4090 –spot", Create(gpu="4090", billing_mode=SPOT)),
        ("create 4090 ―max 2", Create(gpu="4090", max_usd_per_hour=Decimal(2))),
        ("create 4090 on—off", Create(gpu="4090", name="on--off")),
        ("create “RTX 4090 24GB”:2", Create(gpu="RTX 4090 24GB", gpu_count=2)),
        ("create «RTX 4090»", Create(gpu="RTX 4090")),
        ("create ‘RTX 4090’", Create(gpu="RTX 4090")),
        ("create\u00a04090\u202ftrain\u3000--spot", Create(gpu="4090", name="train", billing_mode=SPOT)),
        ("cre\u200bate\ufeff 4090", Create(gpu="4090")),
        ("create 4090\ud83d", Create(gpu="4090")),
        ("create 4090\x00 train\n--spot", Create(gpu="4090", name="train", billing_mode=SPOT)),
        (
            "create --region US-CA-06, EU-DE-01, a 4090",
            Create(gpu="4090", regions=("US-CA-06", "EU-DE-01", "a")),
        ),
        ("create --region=a, b", Create(regions=("a", "b"))),
    ],
)
def test_phone_typing_is_read_as_meant(text, command):
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("create --template R&amp;D", Create(template="R&D")),
        ("create --template R&amp;amp;D", Create(template="R&D")),
        ("create --template a\\b", Create(template="a\\b")),
        (
            "create --webhook <https://example.com/a?b=1&amp;c=2|example.com>",
            Create(webhook_url="https://example.com/a?b=1&c=2"),
        ),
        ("create --webhook <https://example.com/a>", Create(webhook_url="https://example.com/a")),
        ("create --webhook=<https://example.com/it's>", Create(webhook_url="https://example.com/it%27s")),
        ("create --image <http://ghcr.io/a:b|ghcr.io/a:b>", Create(image="ghcr.io/a:b")),
        ("create --image <mailto:me@host|me@host>", Create(image="me@host")),
        ("create --template <@U12AB|ann>", Create(template="@ann")),
        ("create --template <@U12AB>", Create(template="@U12AB")),
        ("create --template <#C12AB|general>", Create(template="#general")),
        ("create --template <!channel>", Create(template="@channel")),
    ],
)
def test_slack_markup_is_taken_off(text, command):
    assert parse(text) == command
