"""Log lines: one JSON object each, or text for a terminal. Ours and those of libraries take the same way out.

That way out is one handler, so that nothing is written that has not passed the redaction.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.redaction import redact_field

_OURS = ("bot", "storage")


def configure(
    *,
    level: Literal["error", "warning", "info", "debug"],
    form: Literal["json", "console"],
    stream: TextIO | None = None,
) -> None:
    """To stdout unless told otherwise. May be called again; the last call counts.

    `level` is for our own lines. Libraries are heard from WARNING on: below it they tell URLs, tokens and
    every statement they send.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_formatter(form, colors=handler.stream.isatty()))
    number = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.WARNING))
    for name in _OURS:
        logging.getLogger(name).setLevel(number)
    logging.captureWarnings(capture=True)
    # A line that cannot be formatted would otherwise be printed past the redaction, arguments and all.
    logging.raiseExceptions = False
    structlog.configure(
        processors=[
            *_beginning(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _beginning() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
    ]


def _formatter(form: Literal["json", "console"], *, colors: bool) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_beginning(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _redacted,
            _upper_level,
            structlog.processors.JSONRenderer(ensure_ascii=False)
            if form == "json"
            else _console(colors=colors),
        ],
    )


def _redacted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # After the traceback has become text, before anything is rendered: texts and shapes are both still there.
    return {name: redact_field(name, value) for name, value in event.items()}


def _upper_level(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["level"] = event["level"].upper()
    return event


def _console(*, colors: bool) -> Processor:
    styles = structlog.dev.ConsoleRenderer.get_default_level_styles(colors)
    return structlog.dev.ConsoleRenderer(
        colors=colors,
        level_styles={name.upper(): style for name, style in styles.items()},
        # The default one shows the local variables of every frame: tokens, passwords.
        exception_formatter=structlog.dev.plain_traceback,
    )
