from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from clocks import Clock
from demo_world import lines, reader

from bot.grammar.commands import Create
from bot.messages.choices import gpu_suggestions
from bot.messages.form import create_form, loading_form
from bot.sandbox.slack.forms import stateful
from bot.sandbox.slack.views import View
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.terminal.modal import NoSuchField, answers_for, form, searched, shown_answer
from storage.cloud import BillingMode, Cluster, Product, Template


def product(name: str, price: str) -> Product:
    return Product(
        id=name,
        name=name,
        billing_mode=BillingMode.SPOT,
        usd_per_gpu_hour=Decimal(price),
        available=True,
        regions=("US-CA-06 (California)",),
    )


PRODUCTS = (
    product("RTX 4090 24GB", "0.175"),
    product("RTX 4090 48GB", "0.3"),
    product("H100 SXM 80GB", "1.28"),
)
TEMPLATES = tuple(
    Template(id=str(number), name=name, channel="official", image="i")
    for number, name in enumerate(("pytorch-jupyter", "comfyui", *(f"t{n}" for n in range(20))))
)
CLUSTERS = (Cluster(id="us", name="US-CA-06 (California)"), Cluster(id="eu", name="EU-DE-01"))


def view(filled: Create | None = None) -> View:
    workspace = Workspace(clock=Clock())
    definition = create_form(products=PRODUCTS, templates=TEMPLATES, clusters=CLUSTERS, filled=filled)
    return workspace.open_view(workspace.triggers.issue("U0ADA"), definition)


def answers(**typed: str) -> dict[str, Any]:
    shown = view()
    found = {
        element["action_id"]: {**element, "options": gpu_suggestions(typed["gpu"], PRODUCTS)}
        for _, element in stateful(shown.blocks)
        if element["action_id"] == "gpu" and "gpu" in typed
    }
    return answers_for(shown.blocks, typed.items(), found)


def test_the_form_names_each_field_as_it_is_typed_and_what_may_be_chosen() -> None:
    shown = lines(form(view(), reader(), 80))
    assert "Choose a GPU, and its price shows here." in shown
    assert "The same as a command: /gpu create" in shown
    assert "gpu *     GPU  Prices are for one GPU." in shown
    assert "          1 | 2 | 3 | 4 | 5 | 6 | 7 | 8" in shown
    assert "name      Name" in shown
    assert shown[-1] == "[ Launch ] type fill FIELD=VALUE …   [ Close ] type cancel"
    assert any(line.endswith("10 more") for line in shown)


def test_what_is_filled_in_is_shown_instead_of_the_choice() -> None:
    filled = Create(gpu="4090 24", gpu_count=2, name="a", regions=("eu-de-01", "us-ca-06"), disk_gb=80)
    shown = lines(form(view(filled), reader(), 80))
    at = shown.index("gpu *     GPU: RTX 4090 24GB · spot $0.175/h · US-CA-06")
    assert shown[at + 1] == "count     How many GPUs: 2"
    assert "name      Name: a" in shown
    assert "regions   Regions: EU-DE-01, US-CA-06 (California)" in shown
    assert "disk      Disk, in GB: 80" in shown


def test_a_form_without_fields_is_its_text() -> None:
    workspace = Workspace(clock=Clock())
    loading = workspace.open_view(workspace.triggers.issue("U0ADA"), loading_form())
    assert lines(form(loading, reader(), 80)) == ["⌛ One moment, I am looking up what can be had …"]


def test_an_option_is_found_by_a_clear_part_of_its_text() -> None:
    found = answers(gpu="h100", template="pytorch", regions="us-ca, EU-DE-01", count="2", name="a")
    assert found["gpu"]["value"] == "H100 SXM 80GB"
    assert found["template"]["text"]["text"] == "pytorch-jupyter"
    assert [option["value"] for option in found["regions"]] == ["US-CA-06", "EU-DE-01"]
    assert found["count"]["value"] == "2"
    assert found["name"] == "a"


def test_an_option_is_found_by_its_value_before_any_part() -> None:
    assert answers(template="1")["template"]["text"]["text"] == "comfyui"


def test_nothing_typed_empties_a_field() -> None:
    assert answers(template="", regions="") == {"template": "", "regions": ""}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"gpu": "4090"}, "gpu: 4090 fits several: RTX 4090 24GB"),
        ({"gpu": "5090"}, "gpu: 5090 is not offered: RTX 4090 24GB"),
        ({"regions": "us-ca,mars"}, "regions: mars is not offered"),
        ({"colour": "red"}, "The form has no field colour. It has: gpu, count, billing"),
    ],
)
def test_what_does_not_fit_is_said_with_what_does(typed: dict[str, str], said: str) -> None:
    with pytest.raises(NoSuchField) as caught:
        answers(**typed)
    assert str(caught.value).startswith(said)


def external(kind: str = "external_select", **more: Any) -> dict[str, Any]:
    element = {"type": kind, "action_id": "form:template", **more}
    label = {"type": "plain_text", "text": "Template"}
    return {"type": "input", "block_id": "template", "label": label, "element": element}


def test_a_field_that_is_searched_says_so() -> None:
    definition = {"type": "modal", "title": {"type": "plain_text", "text": "t"}, "blocks": [external()]}
    workspace = Workspace(clock=Clock())
    opened = workspace.open_view(workspace.triggers.issue("U0ADA"), definition)
    assert lines(form(opened, reader(), 80)) == [
        "form:template *  Template",
        "                 type some letters of it",
    ]


def test_a_field_is_named_by_the_last_part_of_its_id_too_and_takes_what_was_found() -> None:
    block = external()
    option = {"text": {"type": "plain_text", "text": "pytorch-jupyter"}, "value": "1"}
    found = {"form:template": {**block["element"], "options": [option]}}
    assert answers_for([block], [("template", "pyt")], found) == {"form:template": option}
    with pytest.raises(NoSuchField, match="nothing is found for x"):
        answers_for([block], [("template", "x")], {"form:template": {**block["element"], "options": []}})


def test_too_few_letters_are_not_searched_for() -> None:
    assert searched(external()["element"], "") == []
    assert searched(external("multi_external_select", min_query_length=1)["element"], "py, js") == [
        "py",
        "js",
    ]
    with pytest.raises(NoSuchField, match="form:template: type 3 letters or more to search"):
        searched(external()["element"], "py")


def test_a_question_without_fields_can_be_answered() -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "Sure?"}}
    title = {"type": "plain_text", "text": "Delete"}
    definition = {"type": "modal", "title": title, "submit": title, "blocks": [section]}
    workspace = Workspace(clock=Clock())
    opened = workspace.open_view(workspace.triggers.issue("U0ADA"), definition)
    assert lines(form(opened, reader(), 80)) == ["Sure?", "[ Delete ] type fill   [ Close ] type cancel"]


def test_an_answer_of_another_kind_shows_as_empty() -> None:
    assert shown_answer({"type": "datepicker", "selected_date": "2026-11-23"}) == ""
