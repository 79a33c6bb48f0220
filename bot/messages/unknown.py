"""A GPU that has our mark and is in no record of ours, for who can decide what becomes of it."""

from __future__ import annotations

from bot.messages.blocks import Message, message, section
from bot.messages.mrkdwn import code, date, link
from storage.cloud import Quarantined

_CONSOLE = "https://novita.ai/console"


def unknown_gpu(stray: Quarantined) -> Message:
    what = (
        ":warning: A GPU runs at Novita that I cannot account for: "
        f"{code(stray.name)}, id {code(stray.novita_id)}, first seen {date(stray.first_seen_at)}."
    )
    why = (
        "Its name is one of mine, and my database knows nothing of it, as after a backup was restored. "
        "It bills. I leave it alone, and say this once."
    )
    ways_out = (
        f"• Nobody needs it: delete it in {link(_CONSOLE, 'the console')} of Novita.",
        "• It is somebody's: restore a newer backup that has it, and I look after it again.",
        "• Another bot runs on a copy of my database: it is that one's. Two must never share an account.",
    )
    said = "\n".join([what, why, *ways_out])
    return message(said, section(said, block_id="unknown"))
