"""Downloads from other people's servers: polite, limited, and never from the own network.

- `guard` decides which IP addresses may be connected to.
- `turns` decides when a request to a host may start.
- `robots` decides what a site's robots.txt allows.
- `fetch` makes one download, with its redirects and retries.
"""

from stages.collect.web.errors import Refused
from stages.collect.web.fetch import Web

__all__ = ["Refused", "Web"]
