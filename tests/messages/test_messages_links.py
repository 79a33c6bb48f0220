"""The links that everybody may read."""

from __future__ import annotations

import pytest
from samples import running, starting

from bot.messages.links import address, leads_to, links
from storage.cloud import Connection, Endpoint
from storage.records import State


def endpoints(*ports, protocol="http"):
    return tuple(Endpoint(port=n, protocol=protocol, url=f"https://a1-{n}.example.com") for n in ports)


def links_of(**connection):
    return links(running(connection=Connection(**connection)))


def test_jupyter_the_web_terminal_and_the_other_ports_are_linked_once_each():
    assert links_of(
        jupyter="https://a1-8888.example.com/lab",
        web_terminal="https://a1-term.example.com",
        endpoints=endpoints(8888, 6006),
    ) == (
        "Open: <https://a1-8888.example.com/lab|Jupyter> · <https://a1-term.example.com|Web terminal>"
        " · <https://a1-6006.example.com|Port 6006>"
    )


def test_no_command_and_no_port_for_programs_is_linked():
    assert links_of(ssh="ssh -p 1 root@example.com", endpoints=endpoints(22, protocol="tcp")) is None


def test_many_ports_are_told_by_their_number():
    said = links_of(endpoints=endpoints(*range(1, 16)))
    assert said.count("|Port ") == 8
    assert said.endswith(" · 7 more under Connect")


def test_what_does_not_run_has_no_links():
    connection = Connection(jupyter="https://a1-8888.example.com")
    assert links(starting(connection=connection)) is None
    assert links(running(connection=connection, state=State.STOPPING)) is None
    assert links(running(connection=None)) is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a1-8888.example.com/lab?token=t", "https://a1-8888.example.com/lab"),
        ("https://a1-8888.example.com/lab#token=t", "https://a1-8888.example.com/lab"),
        ("https://a1-8888.example.com/lab;sid=t", "https://a1-8888.example.com/lab"),
        ("http://127.0.0.1:4321/n1/8888", "http://127.0.0.1:4321/n1/8888"),
        ("https://root:pw@a1-8888.example.com/", None),
        ("https://a.example.com|b>", None),
        ("https://a.example.com/a b", None),
        ("javascript:alert(1)", None),
        ("proxy.example.com:31000", None),
        (f"https://{'a' * 150}.example.com", None),
        ("", None),
        (None, None),
    ],
)
def test_only_a_plain_web_address_is_shown_and_no_query_of_it(url, shown):
    assert address(url) == shown


def test_a_page_leads_to_what_answers_below_it():
    assert leads_to("https://a.example.com/lab?token=t", "https://a.example.com/")
    assert leads_to("https://a.example.com", "https://a.example.com")
    assert not leads_to("https://a.example.com.evil", "https://a.example.com")
    assert not leads_to(None, "https://a.example.com")
    assert not leads_to("https://a.example.com", None)
