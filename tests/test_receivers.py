from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import pytest
from hostile import FORBIDDEN_V4, FORBIDDEN_V6
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import UsageError
from bot.receivers import Receivers

NOBODY = Receivers(())

PUBLIC_V4 = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.0.0.1",
    "128.0.0.1",
]
PUBLIC_V4 += ["172.15.255.255", "172.32.0.0", "192.0.1.1", "198.17.255.255", "198.20.0.0", "223.255.255.255"]
PUBLIC_V6 = ["2606:4700:4700::1111", "2a00:1450:4001::200e", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"]

MANY_READINGS = [
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "017700000001",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "127.1",
    "127.0.1",
    "0",
    "0x",
    "010.0.0.1",
    "127.0.0.1.2",
    "127.0.0.256",
    "134744072",
    "hooks.example.0x7f",
]
LOCAL_NAMES = ["localhost", "LOCALHOST", "LocalHost.", "a.localhost", "a.b.LOCALHOST.", "localhost.."]
DISGUISES = [
    "①②⑦.⓪.⓪.①",
    "１２７.0.0.1",
    "127。0。0。1",
    "127｡0｡0｡1",
    "ⓛocalhost",
    "ｌocalhost",
    "127.0.0.1.",
]


def wrapped(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def refusal(url: str, receivers: Receivers = NOBODY) -> str:
    with pytest.raises(UsageError) as caught:
        receivers.check(url)
    assert caught.value.code == "VALIDATION_ERROR"
    return str(caught.value)


# at the request


@pytest.mark.parametrize("host", [*FORBIDDEN_V4, *FORBIDDEN_V6, *LOCAL_NAMES, *DISGUISES])
@pytest.mark.parametrize("form", ["http://{}", "https://{}:8443/a?b=c#d", "HTTPS://{}:/"])
def test_what_is_not_public_is_refused_with_a_way_out(host, form):
    said = refusal(form.format(wrapped(host)))
    assert "public host" in said
    assert "WEBHOOK_ALLOWED_HOSTS" in said


@pytest.mark.parametrize("host", MANY_READINGS)
def test_an_address_that_is_read_in_many_ways_is_refused(host):
    said = refusal(f"http://{host}/hook")
    assert host.lower() in said
    assert "four decimal numbers" in said


@pytest.mark.parametrize("host", [*PUBLIC_V4, *PUBLIC_V6])
def test_a_public_address_is_accepted(host):
    NOBODY.check(f"https://{wrapped(host)}/hook")


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/in?token=a@b",
        "http://hooks.example.com:8080",
        "HTTPS://HOOKS.EXAMPLE.COM./",
        "https://bücher.example/",
        "https://xn--bcher-kva.example/",
        "https://under_score.example/",
        "https://localhost.example.com/",
        "https://notlocalhost/",
        "https://127.0.0.1.nip.example/",
        "https://10.example/",
        "https://hooks.example.com:65535/",
    ],
)
def test_a_name_is_accepted_and_judged_when_it_is_looked_up(url):
    NOBODY.check(url)


@pytest.mark.parametrize(
    "url",
    ["http://user:secret@hooks.example/", "http://user@hooks.example/", "http://@hooks.example/",
     "http://hooks.example@127.0.0.1/", "http://127.0.0.1@hooks.example/", "http://hooks.example:80@127.0.0.1/"],
)  # fmt: skip
def test_userinfo_is_refused_and_not_quoted(url):
    said = refusal(url)
    assert "user" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    "url",
    ["", "hooks.example", "//hooks.example/", "ftp://hooks.example/", "file:///etc/passwd", "gopher://hooks.example/",
     "data:,x", "javascript:alert(1)", "unix:///run/docker.sock", "http:", "http://", "http:///path", "https://:80/",
     "http://[::1", "http://[]/", "http://[nonsense]/", "http://.../", "http://a..b/", "http://*/",
     "http://hooks.example\\@127.0.0.1/", "http:\\\\127.0.0.1/", "http://127.0.0.1\\.hooks.example/",
     "http://127%2e0%2e0%2e1/", "http://%31%32%37.0.0.1/", "http://hooks exam.ple/", "http://127.0.0.1\t.hooks.example/",
     "\thttp://127.0.0.1/", "http://127.0.0.1\n/", "http://hooks\x00.example/", "http://hooks.example,127.0.0.1/",
     "http://1\u200b27.0.0.1/", "http://a℀b.example/", "http://" + "a." * 127 + "a/", "http://" + "a" * 254 + "/"],
)  # fmt: skip
def test_what_names_no_host_is_refused(url):
    assert "names a host" in refusal(url)


@pytest.mark.parametrize("port", ["0", "00", "65536", "99999", "-1", "http", "٣", ":1"])
def test_a_port_that_is_none_is_refused(port):
    assert "1 to 65535" in refusal(f"http://hooks.example:{port}/")


def test_a_refusal_shows_the_host_and_nothing_that_may_be_a_password():
    said = refusal("http://10.0.0.9/services/T0/hunter2?token=hunter2#hunter2")
    assert "10.0.0.9" in said
    assert "hunter2" not in said


@given(st.text(max_size=60))
def test_no_text_makes_it_stumble(text):
    for url in (text, f"http://{text}/", f"http://[{text}]/", f"http://hooks.example:{text}/"):
        with suppress(UsageError):
            NOBODY.check(url)


# what is allowed


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("localhost", "http://LOCALHOST.:8080/"),
        ("a.localhost", "http://a.localhost/"),
        ("127.0.0.1", "http://127.0.0.1:8080/"),
        ("10.1.0.0/16", "http://10.1.255.255/"),
        ("10.1.2.3", "http://[::ffff:10.1.2.3]/"),
        ("::1", "http://[::1]/"),
        ("[::1]", "http://[0:0::1]/"),
        ("fd00::/8", "http://[fd12:3456::1]/"),
        ("Hooks.Internal.", "http://hooks.internal/"),
    ],
)
def test_what_is_listed_is_accepted(allowed, url):
    Receivers((allowed,)).check(url)


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("localhost", "http://a.localhost/"),
        ("localhost", "http://127.0.0.1/"),
        ("127.0.0.1", "http://localhost/"),
        ("127.0.0.1", "http://127.0.0.2/"),
        ("10.1.0.0/16", "http://10.2.0.0/"),
        ("::1", "http://127.0.0.1/"),
        ("0.0.0.0/0", "http://[::1]/"),
        ("127.0.0.1", "http://2130706433/"),
        ("hooks.internal", "http://user@hooks.internal/"),
        ("hooks.internal", "ftp://hooks.internal/"),
        ("hooks.internal", "http://hooks.internal:0/"),
    ],
)
def test_what_is_listed_opens_nothing_else(allowed, url):
    refusal(url, Receivers((allowed,)))


# at the connection


@pytest.mark.parametrize("address", [*FORBIDDEN_V4, *FORBIDDEN_V6])
def test_a_name_that_means_what_is_not_public_is_not_connected_to(address):
    assert not NOBODY.may_connect("hooks.example", address)


@pytest.mark.parametrize("address", [*PUBLIC_V4, *PUBLIC_V6])
def test_a_name_that_means_a_public_address_is_connected_to(address):
    assert NOBODY.may_connect("hooks.example", address)


@pytest.mark.parametrize(
    "address", ["", "hooks.example", "2130706433", "127.1", "8.8.8.8 ", "/run/docker.sock"]
)
def test_what_is_no_address_is_not_connected_to(address):
    assert not NOBODY.may_connect("hooks.example", address)


def test_a_host_that_is_listed_by_name_may_mean_anything():
    it = Receivers(("hooks.internal",))
    assert it.may_connect("HOOKS.internal.", "10.0.0.9")
    assert not it.may_connect("a.hooks.internal", "10.0.0.9")
    assert not it.may_connect("hooks.example", "10.0.0.9")


def test_an_address_that_is_listed_may_have_any_name():
    it = Receivers(("10.1.0.0/16", "::1"))
    assert it.may_connect("hooks.example", "10.1.2.3")
    assert it.may_connect("hooks.example", "::ffff:10.1.2.3")
    assert it.may_connect("hooks.example", "::1")
    assert not it.may_connect("hooks.example", "10.2.0.1")
    assert not it.may_connect("10.1.2.3", "10.2.0.1")


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_python_knows_not_to_be_public_is_never_connected_to(address):
    """The other way round it is not so: Python's list has holes, which is why there is one of ours."""
    known = getattr(address, "ipv4_mapped", None) or address
    special = known.is_private or known.is_multicast or known.is_link_local or known.is_loopback
    assert not (special and NOBODY.may_connect("hooks.example", str(address)))


def test_importing_it_starts_and_opens_nothing():
    """Nor does the module that connects: no thread, no loop, no socket, no context of TLS."""
    code = (
        "import threading, sys\n"
        "sys.addaudithook(lambda event, _: event.startswith('socket.') and sys.exit(event))\n"
        "import bot.receivers, bot.sinks.guard, bot.sinks.webhook, bot.tls\n"
        "assert threading.active_count() == 1\n"
        "assert bot.tls.authorities.cache_info().currsize == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
