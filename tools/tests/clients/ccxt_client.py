"""ccxt, synchronous and streaming: a bot's whole day in half a minute."""

import asyncio

import ccxt
import ccxt.pro

from common import EXCHANGE, KEY, SECRET, SPOT, Books, check, finish, served, until

SYMBOL = "BTC/USDT" if SPOT else "BTC/USDT:USDT"


def pointed(kind, **more):
    """A ccxt exchange that talks to the simulated one."""
    exchange = kind({"apiKey": KEY, "secret": SECRET, "enableRateLimit": False, **more})
    # One product is served: the other's markets are not asked for.
    exchange.options["fetchMarkets"] = {"types": ["spot"] if SPOT else ["linear"]}
    exchange.options["fetchCurrencies"] = SPOT
    exchange.options["fetchMargins"] = False

    def point(urls):
        return {name: point(url) if isinstance(url, dict) else served(url) for name, url in urls.items()}

    exchange.urls["api"] = point(exchange.urls["api"])
    return exchange


def trade_synchronously():
    exchange = pointed(ccxt.binance if SPOT else ccxt.binanceusdm, requests_trust_env=True)
    exchange.load_markets()
    last = exchange.fetch_ticker(SYMBOL)["last"]
    check(last > 0, "a last price")
    check(exchange.fetch_tickers([SYMBOL])[SYMBOL]["symbol"] == SYMBOL, "all tickers")
    check(len(exchange.fetch_ohlcv(SYMBOL, "1m")) >= 1, "candles")
    check(len(exchange.fetch_trades(SYMBOL)) >= 1, "trades of the market")
    check(exchange.fetch_balance()["USDT"]["free"] > 0, "a balance")
    low = float(exchange.price_to_precision(SYMBOL, last * 0.98))
    if not SPOT:
        check(exchange.set_leverage(5, SYMBOL)["leverage"] in (5, "5"), "leverage")
        exchange.fetch_leverage_tiers([SYMBOL])
        exchange.fetch_funding_rate(SYMBOL)
        try:
            exchange.set_position_mode(False)
        except ccxt.NoChange:
            pass
        except ccxt.ExchangeError as error:
            check("-4059" in str(error), f"the position mode: {error}")
    order = exchange.create_order(SYMBOL, "limit", "buy", 0.01, low)
    edited = exchange.edit_order(order["id"], SYMBOL, "limit", "buy", 0.02, low)
    found = exchange.fetch_order(edited["id"], SYMBOL)
    check((found["status"], found["amount"]) == ("open", 0.02), f"an edited order: {found}")
    check(len(exchange.fetch_open_orders(SYMBOL)) == 1, "one open order")
    exchange.cancel_order(edited["id"], SYMBOL)
    check(exchange.fetch_open_orders(SYMBOL) == [], "no open order")
    bought = exchange.create_order(SYMBOL, "market", "buy", 0.01)
    bought = exchange.fetch_order(bought["id"], SYMBOL)
    check((bought["status"], bought["filled"]) == ("closed", 0.01), f"a filled order: {bought}")
    check(exchange.fetch_my_trades(SYMBOL)[-1]["order"] == bought["id"], "its trade")
    check(len(exchange.fetch_orders(SYMBOL)) >= 2, "all orders")
    if not SPOT:
        held = exchange.fetch_positions([SYMBOL])
        check([position["contracts"] for position in held] == [0.01], f"a position: {held}")
    more = {} if SPOT else {"reduceOnly": True}
    exchange.create_order(SYMBOL, "market", "sell", 0.009 if SPOT else 0.01, None, more)
    if not SPOT:
        held = exchange.fetch_positions([SYMBOL])
        check(all(not position["contracts"] for position in held), f"a closed position: {held}")


async def stream():
    exchange = pointed(ccxt.pro.binance if SPOT else ccxt.pro.binanceusdm, cafile=EXCHANGE["ca_file"])
    heard = {"tickers": 0, "candles": 0, "trades": 0, "orders": [], "balances": 0, "positions": []}
    books = Books()

    async def watch(source, tell):
        while True:
            tell(await source())

    def count(name):
        return lambda _: heard.update({name: heard[name] + 1})

    def levels(side):
        return [tuple(level[:2]) for level in side[:20]]

    async def fetch():
        book = await exchange.fetch_order_book(SYMBOL, 20)
        return book["nonce"], levels(book["bids"]), levels(book["asks"])

    await exchange.load_markets()
    watchers = [
        (
            lambda: exchange.watch_order_book(SYMBOL),
            lambda book: books.keep(book["nonce"], levels(book["bids"]), levels(book["asks"])),
        ),
        (lambda: exchange.watch_ticker(SYMBOL), count("tickers")),
        (lambda: exchange.watch_ohlcv(SYMBOL, "1m"), count("candles")),
        (lambda: exchange.watch_trades(SYMBOL), count("trades")),
        (lambda: exchange.watch_orders(SYMBOL), heard["orders"].extend),
        (lambda: exchange.watch_balance(), count("balances")),
    ]
    if not SPOT:
        watchers.append((lambda: exchange.watch_positions([SYMBOL]), heard["positions"].extend))
    tasks = [asyncio.ensure_future(watch(*watcher)) for watcher in watchers]

    async def look():
        """Ends with the first watcher that fails."""
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    looking = asyncio.ensure_future(look())
    comparing = asyncio.ensure_future(books.compare(fetch))
    await asyncio.wait([looking, comparing], return_when=asyncio.FIRST_COMPLETED)
    if looking.done():
        looking.result()
    await comparing
    order = await exchange.create_order(SYMBOL, "market", "buy", 0.01)
    closed = lambda: [one for one in heard["orders"] if one["id"] == order["id"] and one["status"] == "closed"]
    await until(closed, "the order's fill on the user stream")
    await until(lambda: heard["balances"] > 0, "a balance on the user stream")
    if not SPOT:
        await until(lambda: heard["positions"], "a position on the user stream")
        await exchange.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True})
    for name in ["tickers", "candles", "trades"]:
        check(heard[name] > 0, f"{name} were streamed")
    looking.cancel()
    for task in tasks:
        task.cancel()
    await exchange.close()
    return {"books": books.compared, **{name: heard[name] for name in ["tickers", "candles", "trades"]}}


trade_synchronously()
finish("ccxt", asyncio.run(stream()))
