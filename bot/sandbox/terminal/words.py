"""The demo's own texts, and the lines that it types itself where nobody is there to type."""

from __future__ import annotations

FIRST_LINE = "/gpu create 4090 my-train"

HELP = """\
  /gpu …                  what people type in Slack; /gpu help lists it
  press BUTTON [NAME]     of the newest card, or of instance NAME: press stop
  fill FIELD=VALUE …      sends the open form: fill gpu=4090 template=pytorch
  choose FIELD=VALUE      in one field of the form or one menu, without sending
  cancel                  closes the form
  home                    opens the app's Home tab; press finds its buttons then
  say TEXT                a message; @gpu-ops in it calls the bot
  reply TEXT              the same in the thread of the newest card
  shortcut NAME [on INSTANCE]   of the composer, or of the card of INSTANCE
  as ada | ben | gus …    who types: Ada may do all, Ben his own, Gus nothing
  in #gpu | #random | dm  where: the bot is not in #random
  cloud reclaim NAME      the spot notice; a minute later Novita takes the GPU
  cloud take NAME         Novita takes the spot GPU back at once
  cloud finish NAME       its image is there: it runs and answers at once
  cloud hold NAME         it does not get to running until: cloud release NAME
  cloud stop NAME         somebody stops it at Novita's console; or: delete
  cloud down | up         Novita's API is gone, and comes back
  cloud errors on | off   it answers 500 to everything, and no more
  cloud full | free [X]   no GPU left in region X or of GPU X, or some again
  cloud fail-next WHY     the next create: capacity, balance, unclear, nothing
  cloud balance empty     nothing can be rented; or: filled
  wait                    until nothing is under way
  quit                    ends the demo; so do Ctrl-D and Ctrl-C"""

MAIN_JOB = f"""\
# Ada needs a GPU. She types one line in #gpu, and sees what it costs before anything is rented.
{FIRST_LINE}
press launch
wait
# It is ready: she was called in the thread. What does she have, and how does she get in?
/gpu list
/gpu status my-train
/gpu ssh my-train
# Lunch. A GPU that is stopped is not billed.
/gpu stop my-train
wait
# Back at work.
/gpu start my-train
wait
# Done: it goes for good.
/gpu delete my-train
wait
"""


def introduction(*, page: str, rest: str, speed: float, person: str | None) -> tuple[str, ...]:
    """`page`, `rest`: addresses. `person`: who types, and where; None: nobody is there to type."""
    here = ", or type here" if person else ""
    lines = (
        f"Open {page}/ in a browser{here}.",
        "",
        "gpu-bot demo: the whole bot, with a simulated Slack and a simulated Novita.",
        f"Nothing leaves this machine, nothing is billed. Time runs {speed:g}-fold at Novita.",
        "",
        f"  REST API   {rest}/api/instances",
        f"  its docs   {rest}/docs",
        f"  try        curl {rest}/api/instances",
    )
    if person is None:
        return lines
    return (
        *lines,
        "",
        f"You are {person}. Type this first:",
        "",
        f"  {FIRST_LINE}",
        "",
        "Then: press launch. After that, for example: /gpu list, press stop, home,",
        "/gpu create, cloud reclaim my-train.",
        "help lists all there is, quit ends the demo.",
        "",
    )
