"""python-binance: depth cache, streams, orders, user data."""

import asyncio
import os
import sys
import traceback

from binance import AsyncClient, BinanceSocketManager, DepthCacheManager
from binance.exceptions import BinanceAPIException

from common import BOOKS_COMPARED_MIN, KEY, SECRET, SPOT, SYMBOL, Books, check, finish, served, until

# The best levels come every 250 ms, and the book changes oftener.
PARTIAL_BOOKS_COMPARED_MIN = 3


def point(kind):
    """Every address of the venue that a class names, at the simulated exchange."""
    for name in dir(kind):
        if name.endswith("_URL") and isinstance(getattr(kind, name), str):
            setattr(kind, name, served(getattr(kind, name)))


async def expect_no_change(call, code):
    try:
        await call
    except BinanceAPIException as error:
        check(error.code == code, f"{error.code} is not {code}: {error}")


async def trade(client):
    if SPOT:
        check((await client.get_klines(symbol=SYMBOL, interval="1m")), "candles")
        last = float((await client.get_ticker(symbol=SYMBOL))["lastPrice"])
        check(float((await client.get_avg_price(symbol=SYMBOL))["price"]) > 0, "an average price")
        place, find, cancel = client.create_order, client.get_order, client.cancel_order
        more = {"newOrderRespType": "RESULT"}
    else:
        check((await client.futures_klines(symbol=SYMBOL, interval="1m")), "candles")
        last = float((await client.futures_ticker(symbol=SYMBOL))["lastPrice"])
        check(float((await client.futures_mark_price(symbol=SYMBOL))["markPrice"]) > 0, "a mark price")
        await expect_no_change(client.futures_change_position_mode(dualSidePosition=False), -4059)
        await expect_no_change(client.futures_change_margin_type(symbol=SYMBOL, marginType="CROSSED"), -4046)
        check((await client.futures_change_leverage(symbol=SYMBOL, leverage=5))["leverage"] == 5, "leverage")
        check((await client.futures_leverage_bracket(symbol=SYMBOL)), "a margin table")
        place, find, cancel = client.futures_create_order, client.futures_get_order, client.futures_cancel_order
        more = {"newOrderRespType": "RESULT"}
    low = f"{last * 0.98:.1f}"
    limit = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.02", "price": low}
    order = await place(**limit, **more)
    if SPOT:
        more_of_it = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": order["orderId"]}
        changed = await client.cancel_replace_order(**{**limit, "quantity": "0.01"}, **more, **more_of_it)
        check(changed["cancelResult"] == "SUCCESS", f"a replaced order: {changed}")
        order = changed["newOrderResponse"]
    else:
        changed = await client.futures_modify_order(
            symbol=SYMBOL, orderId=order["orderId"], side="BUY", quantity="0.010", price=low
        )
        check(changed["origQty"] == "0.010", f"a modified order: {changed}")
    found = await find(symbol=SYMBOL, orderId=order["orderId"])
    check(found["status"] == "NEW", f"an open order: {found}")
    check((await cancel(symbol=SYMBOL, orderId=order["orderId"]))["status"] == "CANCELED", "a cancel")
    filled = await place(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.010", **more)
    check(filled["status"] == "FILLED", f"a filled order: {filled}")
    if SPOT:
        check((await client.get_my_trades(symbol=SYMBOL)), "own trades")
        check((await client.get_all_orders(symbol=SYMBOL)), "all orders")
    else:
        held = await client.futures_position_information(symbol=SYMBOL)
        check(float(held[0]["positionAmt"]) == 0.01, f"a position: {held}")
        closed = await place(symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.010", reduceOnly=True, **more)
        check((closed["status"], closed["reduceOnly"]) == ("FILLED", True), f"a closing order: {closed}")
        try:
            await place(symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.010", reduceOnly=True)
            check(False, "reduceOnly=True opened a position")
        except BinanceAPIException as error:
            check(error.code == -2022, f"{error}")
        check((await client.futures_income_history()), "income")


async def main():
    point(AsyncClient)
    point(BinanceSocketManager)
    client = await AsyncClient.create(KEY, SECRET, https_proxy=None, session_params={})
    manager = BinanceSocketManager(client)
    heard = {"candles": 0, "tickers": 0, "user": []}
    books = Books()

    async def listen(socket, tell):
        async with socket as stream:
            while True:
                message = await stream.recv()
                check(message.get("e") != "error", f"{message}")
                tell(message)

    def count(name):
        return lambda _: heard.update({name: heard[name] + 1})

    tasks = []
    if SPOT:
        tasks.append(listen(manager.kline_socket(SYMBOL, "1m"), count("candles")))
        tasks.append(listen(manager.symbol_ticker_socket(SYMBOL), count("tickers")))
        tasks.append(listen(manager.user_socket(), heard["user"].append))
    else:
        tasks.append(listen(manager.kline_futures_socket(SYMBOL.lower(), "1m"), count("candles")))
        tasks.append(listen(manager.symbol_mark_price_socket(SYMBOL), count("tickers")))
        tasks.append(listen(manager.futures_user_socket(), heard["user"].append))

    def levels(side):
        return [(float(price), float(quantity)) for price, quantity in side[:10]]

    async def keep_book():
        if SPOT:
            async with DepthCacheManager(client, SYMBOL, ws_interval=100, refresh_interval=0) as cache:
                while True:
                    book = await cache.recv()
                    if book is not None:
                        books.keep(cache._last_update_id, levels(book.get_bids()), levels(book.get_asks()))
        else:
            async with manager.futures_depth_socket(SYMBOL, depth="10") as stream:
                while True:
                    book = (await stream.recv()).get("data", {})
                    if "u" in book:
                        books.keep(book["u"], levels(book["b"]), levels(book["a"]))

    async def fetch():
        book = await (client.get_order_book(symbol=SYMBOL, limit=10) if SPOT else client.futures_order_book(symbol=SYMBOL, limit=10))
        return book["lastUpdateId"], levels(book["bids"]), levels(book["asks"])

    tasks = [asyncio.ensure_future(task) for task in [*tasks, keep_book()]]
    work = asyncio.ensure_future(books.compare(fetch, BOOKS_COMPARED_MIN if SPOT else PARTIAL_BOOKS_COMPARED_MIN))
    done, _ = await asyncio.wait([work, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    await trade(client)
    kind = "executionReport" if SPOT else "ORDER_TRADE_UPDATE"
    inner = lambda one: one["o"] if isinstance(one.get("o"), dict) else one
    fills = lambda: [one for one in heard["user"] if one["e"] == kind and inner(one)["X"] == "FILLED"]
    await until(fills, "a fill on the user stream")
    for name in ["candles", "tickers"]:
        check(heard[name] > 0, f"{name} were streamed")
    finish("python-binance", {"books": books.compared, "user events": len(heard["user"])})
    sys.stdout.flush()
    # The client's own tasks do not let themselves be cancelled.
    os._exit(0)


if __name__ == "__main__":
    try:
        asyncio.run(asyncio.wait_for(main(), 80))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
