"""Log lines: one JSON object each, or text for a terminal. Ours and those of libraries take the same way out.

That way out is one handler, so that nothing is written that has not passed the redaction.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.redaction import Redaction

_JSON = structlog.processors.JSONRenderer(ensure_ascii=False)
_OURS = ("bot", "storage")
_FIRST = ("timestamp", "level", "event", "instance", "name", "requester", "request_id", "correlation_id")
_CONTROLS = {number: f"\\u{number:04x}" for number in (*range(0x20), *range(0x7F, 0xA0))}
"""What a terminal would act upon, and the ends of lines, by which others could write lines of ours."""


def configure(
    *,
    level: Literal["error", "warning", "info", "debug"],
    form: Literal["json", "console"],
    stream: TextIO | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """To stdout unless told otherwise. May be called again; the last call counts.

    `level` is for our own lines. Libraries are heard from WARNING on: below it they tell URLs, tokens and
    every statement they send. `secrets` are never written, wherever they appear.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_formatter(form, Redaction(secrets), colors=handler.stream.isatty()))
    number = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.WARNING))
    for name in _OURS:
        logging.getLogger(name).setLevel(number)
    logging.captureWarnings(capture=True)
    sys.excepthook = _note_crash
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


def _formatter(form: Literal["json", "console"], redaction: Redaction, *, colors: bool) -> logging.Formatter:
    def redacted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {redaction.text(name): redaction.field(name, value) for name, value in event.items()}

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_beginning(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # After the traceback has become text, before anything is rendered: texts and shapes are there.
            redacted,
            _arranged,
            *([_to_json] if form == "json" else [_without_controls, _console(colors=colors)]),
        ],
    )


def _arranged(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What is looked for first comes first."""
    event["level"] = event["level"].upper()
    return {**{name: event[name] for name in _FIRST if name in event}, **event}


def _to_json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    # JSON itself escapes the lower controls only.
    return str(_JSON(logger, method, event)).translate(_CONTROLS)


def _without_controls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A traceback keeps its lines; none of them begins with a time."""
    return {
        name: value.translate(_CONTROLS) if isinstance(value, str) and name != "exception" else value
        for name, value in event.items()
    }


def _note_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python itself would print what nobody caught past the redaction."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger(__name__).critical("service.crashed", exc_info=(kind, error, trace))


def _console(*, colors: bool) -> Processor:
    styles = structlog.dev.ConsoleRenderer.get_default_level_styles(colors)
    return structlog.dev.ConsoleRenderer(
        colors=colors,
        level_styles={name.upper(): style for name, style in styles.items()},
        # The default one shows the local variables of every frame: tokens, passwords.
        exception_formatter=structlog.dev.plain_traceback,
    )
