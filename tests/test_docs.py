"""What the documents say of the code is true of it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from bot import errors
from bot.schedule import WEBHOOK_PAUSES
from bot.settings import variables
from bot.settlements import DISABLE_AFTER
from bot.sinks.body import ErrorDetails, InstanceDetails, WebhookBody
from bot.web import errors as web_errors
from bot.web import schemas
from storage.records import WEBHOOK_EVENTS, Reason, State

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {page.name: page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("*.md"))}
WRITTEN_HERE = [name for name in PAGES if name not in {"metrics.md", "logs.md"}]
NOT_SETTINGS = {
    # of others, or of the examples
    "NOVITA_API_URL", "API_KEY", "PGPASSWORD", "POSTGRES_PASSWORD", "PAUSE", "WEBHOOK_SECRET_OLD", "LICENSE", "CONTRIBUTING", "CHANGELOG", "README",
    "POST", "DELETE", "READY", "STOPPING", "WATCHDOG", "SIGTERM", "SIGSTOP", "ERROR", "NAME",
}  # fmt: skip


def links() -> list[tuple[str, str]]:
    return [(name, link) for name in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", PAGES[name])]


@pytest.mark.parametrize(("page", "link"), links())
def test_every_link_leads_somewhere(page: str, link: str) -> None:
    if link.startswith("http"):
        return
    path, _, anchor = link.partition("#")
    target = (DOCS / path).resolve() if path else DOCS / page
    assert target.exists()
    if anchor:
        assert anchor in anchors(target.read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_index_names_every_page() -> None:
    named = set(re.findall(r"\]\(([\w.]+)\)", PAGES["README.md"]))
    assert named >= set(PAGES) - {"README.md"}


@pytest.mark.parametrize("page", WRITTEN_HERE)
def test_every_setting_that_a_page_names_exists(page: str) -> None:
    named = set(re.findall(r"`([A-Z][A-Z_]{3,})[=`]", PAGES[page]))
    known = {name for each in variables() for name in (each.name, *each.also)}
    assert not named - known - NOT_SETTINGS - codes() - INSTANCE_CODES


INSTANCE_CODES = {"UNCONFIRMED", "STARTUP_TIMEOUT", "START_FAILED", "UNAUTHORIZED", "INSUFFICIENT_RESOURCE"}


def codes() -> set[str]:
    """Of every error that REST tells."""
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    return {each.code for each in classes if issubclass(each, errors.BotError)} | set(
        web_errors._CODES.values()
    )


# --- REST ---------------------------------------------------------------------------------------------------


def operations() -> set[str]:
    described = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    return {f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods}


def test_every_endpoint_is_on_the_page_and_no_other() -> None:
    named = set(re.findall(r"^\| `((?:GET|POST|PUT|DELETE) /[^`]*)` \|", PAGES["rest.md"], re.MULTILINE))
    assert named == operations()


@pytest.mark.parametrize(
    "model",
    [schemas.CreateIn, schemas.CreatedOut, schemas.InstanceOut, schemas.InstanceListOut, schemas.ConnectionDetails, schemas.PortMapping],
)  # fmt: skip
def test_every_field_is_on_the_page(model: type[BaseModel]) -> None:
    assert not {field for field in names_of(model) if f"`{field}`" not in PAGES["rest.md"]}


def names_of(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_every_error_code_is_on_the_page() -> None:
    internal = {"UNAUTHORIZED"}  # of a NovitaError, which is told as NOVITA_API_ERROR
    assert not {code for code in codes() - internal if f"`{code}`" not in PAGES["rest.md"]}


@pytest.mark.parametrize("words", [State, Reason])
def test_every_word_of_ours_is_on_the_page(words: Any) -> None:
    assert not {word for word in words if f"`{word}`" not in PAGES["rest.md"]}


# --- webhooks -----------------------------------------------------------------------------------------------


def test_every_event_and_no_other_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `(instance\.\w+)` \|", PAGES["webhooks.md"], re.MULTILINE)) == WEBHOOK_EVENTS


@pytest.mark.parametrize("model", [WebhookBody, InstanceDetails, ErrorDetails])
def test_every_field_of_a_webhook_is_on_the_page(model: type[BaseModel]) -> None:
    assert not {field for field in names_of(model) if f"`{field}`" not in PAGES["webhooks.md"]}


def test_the_schedule_on_the_page_is_the_one_of_the_code() -> None:
    (row,) = re.findall(r"^\| pause \| (.*) \|$", PAGES["webhooks.md"], re.MULTILINE)
    units = {"s": "seconds", "min": "minutes", "h": "hours"}
    told = [
        timedelta(**{units[unit]: int(number)})
        for number, unit in (each.split() for each in row.split(" | "))
    ]
    assert tuple(told) == WEBHOOK_PAUSES
    assert f"{DISABLE_AFTER // timedelta(hours=1)} hours" in PAGES["webhooks.md"]


# --- logs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["operations.md", "troubleshooting.md", "webhooks.md"])
def test_every_event_of_the_log_that_a_page_names_is_one_of_the_code(page: str) -> None:
    named = set(re.findall(r"`([a-z]+\.[a-z_]+)`", PAGES[page])) - FILES
    code = "".join(
        file.read_text(encoding="utf-8")
        for folder in ("bot", "storage")
        for file in (ROOT / folder).rglob("*.py")
    )
    assert not {event for event in named if f'"{event}"' not in code}


FILES = {"receiver.py", "receiver.mjs", "kubernetes.yml", "compose.yml", "manifest.yml", "operations.sh"}


def test_what_the_program_says_is_quoted_as_it_says_it() -> None:
    pages = " ".join((PAGES["troubleshooting.md"] + PAGES["operations.md"]).split())
    code = "".join(
        file.read_text(encoding="utf-8")
        for file in [*ROOT.glob("bot/**/*.py"), *ROOT.glob("storage/**/*.py")]
    )
    for said in (
        "only one can.",
        "made by a later version of this program",
        "Cannot listen at ",
        "Something went wrong on my side.",
        "Guests and people of other workspaces cannot use this bot.",
        "or an administrator of this bot may do that",
        "Novita has not been answering since ",
        "Send one of the keys of API_KEYS",
        "API_KEYS is not set, so only direct requests from this machine ",
        "Slack's HTTP mode opens this service to the network",
        "redirects are not followed (",
        "cannot connect",
    ):
        assert said.strip() in pages, said
        assert said in code, said
