"""What the server says on its standard error: one line each, whatever clients put into it."""

from __future__ import annotations

import logging

from fgcompile.serving.refusals import printable


class OneLine(logging.Formatter):
    """Escapes what would begin another line, or move the cursor; a fault of ours keeps its traceback."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """The line of a record, without its traceback."""
        record.message = printable(record.message)
        return super().formatMessage(record)


def _is_no_news(record: logging.LogRecord) -> bool:
    """False of what asyncio says at every write to a client that has gone, before it tells us."""
    return record.msg != "socket.send() raised exception."


def configure() -> None:
    """Sends the logs of the server, and of the libraries that it listens with, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(process)d %(name)s %(levelname)s %(message)s"))
    for name, level in (("fgcompile.serving", logging.INFO), ("uvicorn", logging.INFO), ("grpc", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
    logging.getLogger("asyncio").addFilter(_is_no_news)
