"""How log lines look: a constant message and fields, for people on a console or as JSON."""

import logging
import sys
from collections.abc import Sequence

import structlog


def configure(level: str, format: str, wording: Sequence[structlog.typing.Processor] = ()) -> None:
    """`level` as in logging (info, debug, …); `format` is console or json. Lines go to standard error.

    `wording` may change the words of a line before it is written.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            *wording,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
