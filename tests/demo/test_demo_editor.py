from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bot.sandbox.terminal.editor import Editor

LEFT, RIGHT, UP, DOWN, HOME, END, DELETE = (f"\x1b[{key}" for key in ("D", "C", "A", "B", "H", "F", "3~"))


def typed(keys: str) -> tuple[str, int]:
    editor = Editor()
    assert editor.feed(keys) == []
    return editor.text, editor.cursor


@pytest.mark.parametrize(
    ("keys", "text", "cursor"),
    [
        ("abc", "abc", 3),
        ("abc\x7f", "ab", 2),
        ("\x7fa", "a", 1),
        ("abc\x08\x08", "a", 1),
        (f"abc{LEFT}{LEFT}x", "axbc", 2),
        (f"abc{LEFT}\x7f", "ac", 1),
        (f"ab{RIGHT}c", "abc", 3),
        (f"ab{LEFT}{LEFT}{LEFT}c", "cab", 1),
        (f"abc{HOME}x{END}y", "xabcy", 5),
        ("abc\x01x\x05y", "xabcy", 5),
        ("bc\x1b[1~a\x1b[4~d", "abcd", 4),
        (f"abc{HOME}{DELETE}", "bc", 0),
        (f"abc{HOME}\x04", "bc", 0),
        ("abc\x15", "", 0),
        (f"abc{LEFT}\x15", "c", 0),
        (f"abc{LEFT}\x0b", "ab", 2),
        ("/gpu create  \x17", "/gpu ", 5),
        (f"one two{LEFT}{LEFT}\x17", "one wo", 4),
        ("\x1bOD\x1bOC\x1bOHa\x1bOF", "a", 1),
        ("a\tb\x00\x1bfc\x1b[15~d", "abcd", 4),
        ("ü🟢", "ü🟢", 2),
    ],
)
def test_keys_do_what_they_do_in_a_shell(keys: str, text: str, cursor: int) -> None:
    assert typed(keys) == (text, cursor)


def test_enter_gives_the_line_and_begins_a_new_one() -> None:
    editor = Editor()
    assert editor.feed("one\rtwo\nthr") == ["one", "two"]
    assert (editor.text, editor.cursor) == ("thr", 3)


def test_the_arrows_bring_earlier_lines_back() -> None:
    editor = Editor()
    editor.feed("one\rtwo\rtwo\r  \r")
    assert [press(editor, key) for key in (UP, UP, UP, DOWN, DOWN, DOWN)] == [
        "two",
        "one",
        "one",
        "two",
        "",
        "",
    ]
    editor.feed(UP)
    assert editor.feed("!\r") == ["two!"]
    assert press(editor, UP) == "two!"


def press(editor: Editor, key: str) -> str:
    editor.feed(key)
    return editor.text


def test_a_key_may_arrive_in_two_parts() -> None:
    editor = Editor()
    editor.feed("ab\x1b")
    editor.feed("[")
    assert editor.text == "ab"
    editor.feed("Dx")
    assert editor.text == "axb"


def test_the_end_of_input_counts_on_an_empty_line_only() -> None:
    editor = Editor()
    editor.feed("a\x04")
    assert not editor.ended
    editor.feed("\x7f\x04")
    assert editor.ended


def test_a_long_line_moves_so_that_the_cursor_is_seen() -> None:
    editor = Editor()
    editor.feed("0123456789")
    assert editor.shown(20) == ("0123456789", 0)
    assert editor.shown(6) == ("56789", 0)
    editor.feed(HOME)
    assert editor.shown(6) == ("012345", 6)


@given(
    st.lists(
        st.one_of(st.characters(), st.sampled_from([LEFT, RIGHT, UP, HOME, DELETE, "\x7f", "\x17", "\r"]))
    ),
    st.integers(min_value=0, max_value=30),
)
def test_whatever_is_typed_fits_into_the_room(keys: list[str], room: int) -> None:
    editor = Editor()
    editor.feed("".join(keys))
    text, back = editor.shown(room)
    assert cell_len(text) <= room
    assert 0 <= back <= cell_len(text)
    assert 0 <= editor.cursor <= len(editor.text)
