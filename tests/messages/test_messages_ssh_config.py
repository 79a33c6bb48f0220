"""From the ssh command that Novita gives to a block for ~/.ssh/config."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_strategies import NAMES, SSH, WILD, unhurried

from bot.messages.ssh_config import SshTarget, config_block, host_alias, read_ssh

HOST = "proxy.us-ca-6.gpu-instance.novita.ai"
TARGET = SshTarget(host=HOST, user="root", port=32787)


@pytest.mark.parametrize(
    "command",
    [
        SSH,
        f"ssh root@{HOST} -p 32787",
        f"ssh -p32787 root@{HOST}",
        f"ssh -l root -p 32787 {HOST}",
        f"ssh -o Port=32787 -o 'User root' {HOST}",
        f"ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p 32787 root@{HOST}",
        f"ssh -tA -p 32787 'root@{HOST}'",
        f"ssh ssh://root@{HOST}:32787",
        f"ssh -p 32787 root@alias -o HostName={HOST}",
        f"  ssh   -p  32787   root@{HOST}  ",
    ],
)
def test_every_way_to_write_it_says_the_same(command):
    assert read_ssh(command) == TARGET


def test_what_is_not_said_is_left_to_ssh():
    assert read_ssh("ssh example.com") == SshTarget(host="example.com")
    assert read_ssh("ssh 2001:db8::1") == SshTarget(host="2001:db8::1")


@pytest.mark.parametrize(
    "command",
    [
        "",
        "ssh",
        "ssh -p 1",
        "ssh '",
        "mosh root@example.com",
        "sshpass -p [hidden] ssh root@example.com",
        "ssh root@example.com ls",
        "ssh -J jump root@example.com",
        "ssh -i key root@example.com",
        "ssh -o ProxyCommand=evil root@example.com",
        "ssh -o 'LocalCommand evil' root@example.com",
        "ssh -p 0 root@example.com",
        "ssh -p 65536 root@example.com",
        "ssh -p x root@example.com",
        "ssh -p 1 -p 2 root@example.com",
        "ssh -l other root@example.com",
        "ssh root@-oProxyCommand=evil",
        "ssh 'root@exa mple.com'",
        "ssh 'ro\not@example.com'",
        "ssh @example.com",
        "ssh ssh://root@example.com:99999",
    ],
)
def test_what_says_more_or_less_than_host_user_and_port_gives_no_block(command):
    assert read_ssh(command) is None


def test_the_block_makes_ssh_and_the_name_enough():
    assert config_block("my-train", TARGET) == (
        f"Host my-train\n  HostName {HOST}\n  User root\n  Port 32787"
    )
    assert config_block("a", SshTarget(host="example.com")) == "Host a\n  HostName example.com"


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("my-train", "my-train"),
        ("A_b.1", "A_b.1"),
        ("-oProxyCommand=x", "oProxyCommand-x"),
        ("a b*?!", "a-b"),
        ("שלום", "gpu"),
        ("", "gpu"),
    ],
)
def test_a_name_becomes_a_word_that_is_no_pattern_and_no_flag(name, alias):
    assert host_alias(name) == alias


@unhurried
@given(NAMES | WILD, WILD.map(lambda text: f"ssh {text}") | WILD | st.just(SSH))
def test_whatever_comes_a_block_holds_four_lines_of_ours_at_most(name, command):
    target = read_ssh(command)
    if target is not None:
        words = [line.split() for line in config_block(name, target).split("\n")]
        assert [line[0] for line in words] in (
            ["Host", "HostName"],
            ["Host", "HostName", "User"],
            ["Host", "HostName", "Port"],
            ["Host", "HostName", "User", "Port"],
        )
        assert all(len(line) == 2 for line in words)
