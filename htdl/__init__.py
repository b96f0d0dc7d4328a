"""htdl: a download daemon for video over BitTorrent, and the command line that talks to it."""

__version__ = "0.1.0"
