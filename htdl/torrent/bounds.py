"""How much of anything from outside is taken; more is refused before it is parsed."""

MAX_TORRENT_BYTES = 10 << 20
MAX_MAGNET_BYTES = 64 << 10
MAX_TOKENS = 120_000  # of bencoding; a 10,000 file torrent has about 90,000
MAX_DEPTH = 100
MAX_PIECES = 1 << 20  # more would not fit into MAX_TORRENT_BYTES anyway
MAX_FILES = 10_000
MAX_TRACKERS = 500  # adding 100,000 trackers in tiers of one holds libtorrent for a minute
MAX_PEERS = 200  # of a magnet
MAX_WEB_SEEDS = 100
MAX_ELEMENT_BYTES = 255  # of one part of a path: NAME_MAX of every usual file system
MAX_PATH_BYTES = 3072  # of a path inside the torrent: PATH_MAX is 4096, the rest is our folder's
