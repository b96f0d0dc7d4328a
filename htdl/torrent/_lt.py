"""The one import of libtorrent; the rest of the room takes it from here."""

import libtorrent as lt

__all__ = ["lt"]
