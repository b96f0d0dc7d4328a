"""A video's bytes on their way to one client: what the stream says is safe, by sendfile.

Nothing is kept in memory.  One call of sendfile holds the event loop while the kernel copies, for as long as
the client takes what it gets.  So all clients together get no more than BLOCK in one turn of the loop, some
4 ms, but each LEAST_BLOCK: below that, calls cost more than copies.  What would wait for the disk is read by
a thread first.
"""

from __future__ import annotations

import asyncio
import os
from io import FileIO

from aiohttp import web

from htdl.api import pagecache
from htdl.errors import HtdlError
from htdl.stream.opening import open_regular
from htdl.stream.video import Video

BLOCK, LEAST_BLOCK = 8 << 20, 512 << 10
COPY_BLOCK = 256 << 10
STUCK_SECONDS = 3600.0  # a player that is paused takes nothing; one that died without closing never will


class Vanished(HtdlError):
    """A file is not there, or not what it was."""

    code = "file_vanished"


class Body:
    """The body of `response`, to be closed.  `patience` is how many seconds to wait for the next byte; `sent`
    counts the bytes of the video.  `company` is all that are open, this one among them.
    """

    def __init__(
        self,
        video: Video,
        request: web.Request,
        response: web.StreamResponse,
        patience: float,
        company: set[Body],
    ) -> None:
        self.sent = 0
        self._company = company
        company.add(self)
        self._video = video
        self._request = request
        self._response = response
        self._patience = patience
        self._file: FileIO | None = None

    async def open(self) -> FileIO:
        """The file, once it is known to be there; Vanished when it is not."""
        if self._file is None:
            try:
                self._file = await _opened(self._video)
            except OSError as exc:
                raise Vanished(f"its file cannot be opened: {exc.strerror}") from exc
        return self._file

    async def send(self, part: range) -> None:
        """The bytes `part` of the video, as they can be read.

        Raises Stalled, StreamEnded and Vanished when no more come, ConnectionError when nobody takes them.
        """
        with self._video.read(part.start, part.stop) as reader:
            while (readable := await reader.next(self._patience)) is not None:
                file = await self.open()
                while readable:
                    block = await self._loaded(file, readable)
                    await self._send_block(file, block)
                    readable = readable[len(block) :]

    async def _loaded(self, file: FileIO, readable: range) -> range:
        """The first of these bytes, as many as may be sent at once; they lie in memory, at least a moment."""
        block = readable[: max(LEAST_BLOCK, BLOCK // len(self._company))]
        if not pagecache.is_cached(file, block):
            block = block[: pagecache.LOAD_BLOCK]
            await asyncio.to_thread(pagecache.load, file, block)
        return block

    def close(self) -> None:
        self._company.discard(self)
        if self._file is not None:
            self._file.close()

    async def _send_block(self, file: FileIO, block: range) -> None:
        if not os.fstat(file.fileno()).st_nlink:
            raise Vanished("its file was removed")
        try:
            async with asyncio.timeout(STUCK_SECONDS):
                sent = await self._sendfile(file, block)
        except TimeoutError as exc:
            if self._request.transport is not None:
                self._request.transport.abort()  # to close it would wait for the client
            raise ConnectionResetError("the client takes nothing") from exc
        self.sent += sent
        if sent < len(block):
            raise Vanished("its file is shorter than it should be")

    async def _sendfile(self, file: FileIO, block: range) -> int:
        """How many bytes of the block there were."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has hung up")
        loop = asyncio.get_running_loop()
        try:
            return await loop.sendfile(transport, file, block.start, len(block), fallback=False)
        except asyncio.SendfileNotAvailableError:  # a file system that cannot, or the client has hung up
            return await self._copy(file, block)

    async def _copy(self, file: FileIO, block: range) -> int:
        sent = 0
        while left := len(block) - sent:
            count = min(left, COPY_BLOCK)
            data = await asyncio.to_thread(os.pread, file.fileno(), count, block.start + sent)
            if not data:
                break
            await self._response.write(data)
            sent += len(data)
        return sent


async def _opened(video: Video) -> FileIO:
    """Opened in a thread: a disk may sleep.  A request that ends meanwhile leaves no open file behind."""
    opening = asyncio.get_running_loop().run_in_executor(None, open_regular, video.folder, video.path)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening: asyncio.Future[FileIO]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
