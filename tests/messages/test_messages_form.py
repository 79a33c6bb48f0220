"""The form: what it offers, what it is filled with, what is read from it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_strategies import MODES, PRICES, QUOTES, WILD, unhurried
from samples import OFFER, REQUEST

from bot.grammar.commands import Create
from bot.messages import choices
from bot.messages.filled import partial_form, read_form
from bot.messages.form import FOLLOWED, FORM_ID, create_form, loading_form
from bot.quotes import Priced, Quote
from bot.sandbox.slack.blocklint import lint_view
from bot.slack.arguments import parse
from storage.cloud import BillingMode, Cluster, Product, Template

SPOT, ON_DEMAND = BillingMode.SPOT, BillingMode.ON_DEMAND


def product(name, price="0.35", mode=SPOT, **changes):
    usd = None if price is None else Decimal(price)
    values = {"id": name, "name": name, "billing_mode": mode, "usd_per_gpu_hour": usd, "available": True}
    return Product(**{**values, **changes})


def template(template_id, name, channel="official"):
    return Template(id=template_id, name=name, channel=channel, image="a/b:c")


PRODUCTS = (
    product("H100 SXM 80GB", "2.5"),
    product("RTX 4090 24GB", "0.2"),
    product("RTX 4090 24GB", "0.18"),
    product("RTX 4090 24GB", "0.35", ON_DEMAND),
    product("RTX 5090 32GB", available=False),
    product("L40S 48GB", None),
)
TEMPLATES = (
    template("101", "pytorch"),
    template("102", "mine", "private"),
    template("103", "vllm", "community"),
)
CLUSTERS = (Cluster(id="us-ca-6", name="US-CA-06 (California)"), Cluster(id="eu-1", name="EU-DE-01"))


def form(products=PRODUCTS, templates=TEMPLATES, clusters=CLUSTERS, **more):
    return create_form(products=products, templates=templates, clusters=clusters, **more)


def block_of(view, block_id):
    (block,) = [block for block in view["blocks"] if block.get("block_id") == block_id]
    return block


def element_of(view, block_id):
    return block_of(view, block_id)["element"]


def remarks_of(view):
    """Above the fields."""
    return [block["text"]["text"] for block in takewhile(lambda b: b["type"] == "section", view["blocks"])]


def below(view):
    """The estimate, and the command in small print."""
    (estimate,) = [block for block in view["blocks"] if block.get("block_id") == "estimate"]
    commands = [block["elements"] for block in view["blocks"] if block.get("block_id") == "command"]
    return estimate["text"]["text"], commands[0][0]["text"] if commands else None


def state_of(view, **typed):
    """What Slack sends when the form is submitted as it stands, but for what was typed."""
    return {
        "values": {
            block["block_id"]: {block["element"]["action_id"]: sent(block, typed)}
            for block in view["blocks"]
            if block["type"] == "input"
        }
    }


def sent(block, typed):
    element = block["element"]
    if block["block_id"] in typed:
        return {"type": element["type"], "value": typed[block["block_id"]]}
    match element["type"]:
        case "static_select" | "external_select" as kind:
            return {"type": kind, "selected_option": element.get("initial_option")}
        case "multi_static_select":
            return {"type": "multi_static_select", "selected_options": element.get("initial_options", [])}
        case kind:
            return {"type": kind, "value": element.get("initial_value")}


def test_the_form_is_taken_by_slack_and_hands_back_what_is_private():
    view = form(private="kept")
    assert lint_view(view) == []
    assert (view["type"], view["callback_id"], view["private_metadata"]) == ("modal", FORM_ID, "kept")


def test_the_gpu_is_looked_for_as_one_types():
    element = element_of(form(), "gpu")
    assert (element["type"], element["min_query_length"]) == ("external_select", 0)
    assert "initial_option" not in element


def test_ones_own_templates_come_first():
    options = element_of(form(), "template")["options"]
    labels = [option["text"]["text"] for option in options]
    assert labels == ["mine · private", "pytorch", "vllm · community"]


def test_before_the_catalogue_is_known_one_types():
    view = form((), (), (), filled=parse('create "RTX 4090" --template 101 --region US-CA-06,EU-DE-01'))
    kinds = {
        block["block_id"]: block["element"]["type"] for block in view["blocks"] if block["type"] == "input"
    }
    assert {kinds[name] for name in ("gpu", "template", "regions")} == {"plain_text_input"}
    assert element_of(view, "gpu")["initial_value"] == "RTX 4090"
    assert element_of(view, "regions")["initial_value"] == "US-CA-06,EU-DE-01"
    assert lint_view(view) == []


def test_what_was_typed_is_filled_in():
    typed = "create 4090:2 train --template pytorch --spot --region eu-de-01,us-ca-6 --disk 80 --max 0.5"
    view = form(filled=parse(f"{typed} --webhook https://example.com/x"))
    assert element_of(view, "gpu")["initial_option"] == choices.gpu_option("RTX 4090 24GB", PRODUCTS)
    assert element_of(view, "count")["initial_option"]["value"] == "2"
    assert element_of(view, "name")["initial_value"] == "train"
    assert element_of(view, "template")["initial_option"]["value"] == "101"
    assert element_of(view, "billing")["initial_option"]["value"] == "spot"
    regions = [option["value"] for option in element_of(view, "regions")["initial_options"]]
    assert regions == ["EU-DE-01", "US-CA-06"]
    assert element_of(view, "disk")["initial_value"] == "80"
    assert element_of(view, "max")["initial_value"] == "0.5"
    assert element_of(view, "webhook")["initial_value"] == "https://example.com/x"
    assert lint_view(view) == []


def test_a_gpu_that_may_be_several_is_asked_for_again():
    view = form((product("RTX 4090 24GB"), product("RTX 4090 48GB")), filled=Create(gpu="4090"))
    assert "initial_option" not in element_of(view, "gpu")
    assert remarks_of(view) == [":warning: 4090 could be RTX 4090 24GB or RTX 4090 48GB."]


def test_a_region_that_is_not_there_is_named():
    view = form(filled=Create(regions=("US-CA-06", "MARS-1")))
    assert [option["value"] for option in element_of(view, "regions")["initial_options"]] == ["US-CA-06"]
    assert "Novita has no region MARS-1" in remarks_of(view)[0]


def test_a_template_that_memory_does_not_have_is_kept_as_typed():
    chosen = element_of(form(filled=Create(template="4711")), "template")["initial_option"]
    assert (chosen["text"]["text"], chosen["value"]) == ("4711 (as typed)", "4711")
    long = element_of(form(filled=Create(template="x" * 200)), "template")
    assert long["initial_value"] == "x" * 200


def test_what_is_wrong_as_a_whole_stands_on_top():
    view = form(error="No stock for <you>")
    assert view["blocks"][0]["text"]["text"] == ":warning: No stock for &lt;you&gt;"


def test_the_chosen_one_is_offered_even_where_there_are_too_many():
    made = tuple(template(str(number), f"template {number:03}") for number in range(150))
    view = form(templates=made, filled=Create(template="template 149"))
    options = element_of(view, "template")["options"]
    assert len(options) == 100
    assert element_of(view, "template")["initial_option"] == options[-1]
    assert lint_view(view) == []


def test_every_field_that_has_a_price_tells_of_changes_and_text_only_when_enter_is_pressed():
    for view in (form(), form((), (), ())):
        inputs = {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}
        live = {name for name, block in inputs.items() if block.get("dispatch_action")}
        assert live == set(inputs) - {"name", "webhook"}
        for name in live:
            element = inputs[name]["element"]
            typed = element["type"] in ("plain_text_input", "number_input")
            wanted = {"trigger_actions_on": ["on_enter_pressed"]} if typed else None
            assert element.get("dispatch_action_config") == wanted


def test_fields_keep_their_ids_whatever_they_hold_so_that_what_is_typed_stays():
    def ids(view):
        inputs = [block for block in view["blocks"] if block["type"] == "input"]
        return [(block["block_id"], block["element"]["action_id"]) for block in inputs]

    filled = parse("create 4090:2 train --template pytorch --spot --region us-ca-6 --disk 80 --max 0.5")
    assert ids(form(filled=filled)) == ids(form()) == ids(form((), (), ()))


def estimate(**changes):
    asked = Create(gpu="4090")
    values = {
        "key": "k",
        "asked": asked,
        "request": REQUEST,
        "best": Priced(offer=OFFER, command=asked, stock="high"),
        "limit_usd_per_hour": Decimal("0.54"),
    }
    return Quote(**{**values, **changes})


def test_the_price_of_what_is_filled_in_stands_near_the_top_and_the_command_at_the_end():
    filled = Create(gpu="RTX 4090 24GB", billing_mode=SPOT, yes=True)
    view = form(filled=filled, estimate=estimate())
    price, command = below(view)
    assert price.splitlines() == [
        "About *$0.36/h*, $8.64 a day: RTX 4090 24GB ×1 in CN-HK-01 (Hong Kong), spot, plenty.",
        "Not above $0.54/h, whatever happens.",
    ]
    assert command == 'The same as a command: `/gpu create "RTX 4090 24GB" --spot`'
    assert [block["block_id"] for block in view["blocks"]][:3] == ["gpu", "count", "estimate"]
    assert view["blocks"][-1]["block_id"] == "command"
    assert lint_view(view) == []


def test_what_cannot_be_had_says_so_with_the_next_best():
    other = Priced(offer=replace(OFFER, product_name="RTX 3090 24GB"), command=Create())
    missing = estimate(best=None, missing="No L40S is to be had.", alternatives=(other,))
    assert below(form(estimate=missing))[0] == (
        ":warning: No L40S is to be had.\nInstead: RTX 3090 24GB ×1 in CN-HK-01 (Hong Kong), spot, $0.36/h."
    )


def test_without_an_estimate_the_form_says_what_is_wanted():
    assert below(form()) == (
        "Choose a GPU, and its price shows here.",
        "The same as a command: `/gpu create`",
    )
    assert below(form(filled=Create(gpu="h100")))[0] == "Its price is not known yet."


def test_a_command_too_long_to_show_whole_is_not_shown():
    assert below(form(filled=Create(webhook_url=f"https://example.com/{'&' * 500}")))[1] is None


def test_the_form_that_waits_has_nothing_to_send():
    view = loading_form(private="kept")
    assert lint_view(view) == []
    assert "submit" not in view
    assert view["private_metadata"] == "kept"


def test_a_form_sent_as_it_stands_asks_for_nothing_but_the_gpu():
    read = read_form(state_of(form(filled=Create(gpu="h100"))))
    assert read == Create(gpu="H100 SXM 80GB", yes=True)


def test_everything_that_is_filled_in_is_read():
    typed = "create h100:2 train --template vllm --on-demand --region EU-DE-01 --disk 80 --max 5 --yes"
    read = read_form(state_of(form(filled=parse(typed))))
    assert read == parse(typed.replace("h100:2", '"H100 SXM 80GB":2').replace("vllm", "103"))


def test_what_is_typed_into_the_form_is_read_as_in_a_command():
    view = form((), (), ())
    read = read_form(state_of(view, gpu=" h100:2 ", name="My-Train", regions="a, b", disk="80", max="0.5"))
    assert read == Create(
        gpu="h100",
        gpu_count=2,
        name="my-train",
        regions=("a", "b"),
        disk_gb=80,
        max_usd_per_hour=Decimal("0.5"),
        yes=True,
    )


@pytest.mark.parametrize(
    ("typed", "faults"),
    [
        ({"gpu": ""}, {"gpu": "Which GPU?"}),
        ({"gpu": "h100:9"}, {"gpu": 'The number of GPUs is a whole number from 1 to 8; I read "9".'}),
        (
            {"name": "my train"},
            {"name": 'A name has 1 to 40 letters a to z, digits and dashes; I read "my train".'},
        ),
        ({"image": "no image"}, {"image": '"no image" is not an image such as pytorch/pytorch:latest.'}),
        ({"template": "a", "image": "b"}, {"image": "Choose either a template or an image."}),
        ({"disk": "5"}, {"disk": 'The disk is 10 to 6144 GB; I read "5".'}),
        (
            {"max": "0", "regions": "*"},
            {
                "max": 'The highest price is above 0 and at most 1000 dollars per hour; I read "0".',
                "regions": '"*" is not a region such as US-CA-06.',
            },
        ),
    ],
)
def test_what_is_wrong_is_said_under_its_field(typed, faults):
    view = form((), (), ())
    assert read_form(state_of(view, **{"gpu": "4090", **typed})) == faults
    assert set(faults) <= {block["block_id"] for block in view["blocks"] if block["type"] == "input"}


def test_a_form_that_is_half_filled_is_read_as_far_as_it_goes():
    view = form((), (), (), filled=Create(webhook_url="https://example.com/x"))
    state = state_of(view, gpu="h100:2", name="no name!", template="a", image="b", disk="5", max="0.5")
    assert partial_form(state) == Create(
        gpu="h100",
        gpu_count=2,
        template="a",
        max_usd_per_hour=Decimal("0.5"),
        webhook_url="https://example.com/x",
    )
    assert partial_form({}) == Create()
    assert partial_form(state_of(form(filled=Create(gpu="h100")))) == Create(gpu="H100 SXM 80GB")


def test_a_state_without_values_only_lacks_the_gpu():
    assert read_form({}) == {"gpu": "Which GPU?"}


FILLED = st.builds(
    Create,
    gpu=st.none() | WILD | st.sampled_from(["4090", "h100", "rtx"]),
    gpu_count=st.none() | st.integers(1, 8),
    name=st.none() | st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True),
    template=st.none() | WILD | st.sampled_from(["pytorch", "103"]),
    image=st.none() | WILD,
    billing_mode=st.none() | MODES,
    regions=st.lists(WILD | st.sampled_from(["us-ca-6", "EU-DE-01"]), max_size=10).map(tuple),
    disk_gb=st.none() | st.integers(10, 6144),
    max_usd_per_hour=st.none() | PRICES,
)
SOLD = st.lists(
    st.builds(
        Product,
        id=WILD,
        name=WILD | st.sampled_from(["RTX 4090 24GB", "H100"]),
        billing_mode=MODES,
        usd_per_gpu_hour=st.none() | PRICES,
        available=st.booleans(),
    ),
    max_size=8,
)
MADE = st.lists(
    st.builds(
        Template, id=WILD, name=WILD, channel=st.sampled_from(["official", "private", ""]) | WILD, image=WILD
    ),
    max_size=8,
)
PLACES = st.lists(st.builds(Cluster, id=WILD, name=WILD | st.just("EU-DE-01 (Berlin)")), max_size=8)


@unhurried
@given(SOLD, MADE, PLACES, FILLED, st.none() | WILD, st.none() | QUOTES)
def test_whatever_is_known_and_typed_slack_takes_the_form(
    products, templates, clusters, filled, error, estimate
):
    view = create_form(
        products=tuple(products),
        templates=tuple(templates),
        clusters=tuple(clusters),
        filled=filled,
        estimate=estimate,
        private="{}",
        error=error,
    )
    assert lint_view(view) == []
    partial_form(state_of(view))
    read = read_form(state_of(view))
    inputs = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
    assert isinstance(read, Create) or set(read) <= inputs


def test_an_empty_field_shows_what_it_means():
    usual = Create(gpu_count=1, template="pytorch", billing_mode=SPOT, disk_gb=60)
    elements = {b["block_id"]: b["element"] for b in form(usual=usual)["blocks"] if b["type"] == "input"}
    shown = {name: elements[name]["placeholder"]["text"] for name in ("count", "template", "billing", "disk")}
    assert shown == {
        "count": "1 (unless you choose)",
        "template": "pytorch (unless you choose)",
        "billing": "Spot: cheaper, but Novita may take it back (unless you choose)",
        "disk": "60 (unless you choose)",
    }


def test_the_fields_that_tell_us_are_those_that_we_listen_to():
    told = {b["block_id"] for b in form()["blocks"] if b.get("dispatch_action")}
    assert told == set(FOLLOWED)
