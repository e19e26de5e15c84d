"""What the client programs share: the exchange they talk to, checks, and the comparison of a local book with REST."""

import asyncio
import json
import os
import re
import ssl
import time

EXCHANGE = json.loads(os.environ["SPINBOOK_EXCHANGE"])
SPOT = EXCHANGE["venue"] == "binance-spot"
KEY, SECRET = EXCHANGE["api_key"], EXCHANGE["secret"]
TLS = ssl.create_default_context(cafile=EXCHANGE["ca_file"])
SYMBOL = "BTCUSDT"
BOOK_SECONDS = 10
BOOKS_COMPARED_MIN = 15


def check(condition, what):
    """A step of a client that must hold."""
    if not condition:
        raise AssertionError(what)


def served(url):
    """A client's own address of the venue, at the simulated exchange."""
    url = re.sub(r"^https://[^/]+", EXCHANGE["rest_url"], url)
    return re.sub(r"^wss://[^/]+", EXCHANGE["stream_url"], url)


class Books:
    """Books that a client kept, by the number of the last update in them."""

    def __init__(self):
        self.kept = {}
        self.compared = 0

    def keep(self, number, bids, asks):
        self.kept[number] = (list(bids), list(asks))

    async def compare(self, fetch, compared_min=BOOKS_COMPARED_MIN):
        """Fetches the book every 0.3 s for ten seconds; what the client kept of each must be it, level by level."""
        fetched = []
        ends = time.monotonic() + BOOK_SECONDS
        while time.monotonic() < ends:
            fetched.append(await fetch())
            await asyncio.sleep(0.3)
        # The stream may still be on its way to the book that was fetched last.
        await asyncio.sleep(1)
        for number, bids, asks in fetched:
            if number in self.kept:
                own_bids, own_asks = self.kept[number]
                count = len(bids)
                check(own_bids[:count] == bids, f"bids of book {number}: {own_bids[:count]} is not {bids}")
                check(own_asks[:count] == asks, f"asks of book {number}: {own_asks[:count]} is not {asks}")
                self.compared += 1
        check(self.compared >= compared_min, f"only {self.compared} of {len(fetched)} books could be compared")


async def until(condition, what, seconds=20):
    """Waits until something has happened."""
    ends = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < ends, f"waited {seconds} s in vain: {what}")
        await asyncio.sleep(0.05)


def finish(name, counts):
    print(f"{name} {EXCHANGE['venue']}: ok, {counts}")
