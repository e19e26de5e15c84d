"""The venue's own SDKs, spot and USD-M: typed replies, streams, user data, orders over the WebSocket API."""

import asyncio

from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketAPI, ConfigurationWebSocketStreams

from common import EXCHANGE, KEY, SECRET, SPOT, SYMBOL, TLS, Books, check, finish, until


def make():
    settings = {
        "config_rest_api": ConfigurationRestAPI(
            api_key=KEY, api_secret=SECRET, base_path=EXCHANGE["rest_url"], timeout=10_000
        ),
        "config_ws_api": ConfigurationWebSocketAPI(
            api_key=KEY,
            api_secret=SECRET,
            stream_url=EXCHANGE["ws_api_url"] + ("/ws-api/v3" if SPOT else "/ws-fapi/v1"),
            https_agent=TLS,
        ),
        "config_ws_streams": ConfigurationWebSocketStreams(stream_url=EXCHANGE["stream_url"], https_agent=TLS),
    }
    if SPOT:
        from binance_sdk_spot.spot import Spot

        return Spot(**settings)
    from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
        DerivativesTradingUsdsFutures,
    )

    return DerivativesTradingUsdsFutures(**settings)


class Book:
    """A local book by the venue's own recipe."""

    def __init__(self):
        self.sides = ({}, {})
        self.number = None
        self.fresh = True
        self.early = []

    def best(self, count):
        bids, asks = self.sides
        bids = sorted(bids.items(), reverse=True)[:count]
        return bids, sorted(asks.items())[:count]

    def change(self, bids, asks):
        for side, levels in zip(self.sides, (bids, asks)):
            for price, quantity in levels:
                side[float(price)] = float(quantity)
                if float(quantity) == 0:
                    del side[float(price)]

    def start(self, number, bids, asks):
        self.number = number
        self.change(bids, asks)
        for event in self.early:
            self.follow(event)

    def follow(self, event):
        """Takes an update; whether it continued the book."""
        if self.number is None:
            self.early.append(event)
            return False
        if event["u"] <= self.number:
            return False
        if SPOT:
            joins = event["U"] <= self.number + 1
        else:
            joins = event["pu"] == self.number or (self.fresh and event["U"] <= self.number)
        self.fresh = False
        check(joins, f"an update from {event['U']} does not follow {self.number}")
        self.change(event["b"], event["a"])
        self.number = event["u"]
        return True


def fields(message):
    """A typed message as the venue wrote it."""
    inner = getattr(message, "actual_instance", None) or message
    return inner if isinstance(inner, dict) else inner.to_dict()


def trade(rest):
    """Orders and history over REST; every reply must fit the SDK's own models."""
    if SPOT:
        last = float(rest.ticker24hr(symbol=SYMBOL).data().actual_instance.last_price)
        rest.klines(symbol=SYMBOL, interval="1m").data()
        rest.agg_trades(symbol=SYMBOL).data()
        place, order_by, cancel = rest.new_order, rest.get_order, rest.delete_order
    else:
        last = float(rest.symbol_price_ticker(symbol=SYMBOL).data().actual_instance.price)
        rest.kline_candlestick_data(symbol=SYMBOL, interval="1m").data()
        rest.notional_and_leverage_brackets(symbol=SYMBOL)
        rest.symbol_configuration(symbol=SYMBOL).data()
        check(rest.change_initial_leverage(symbol=SYMBOL, leverage=5).data().leverage == 5, "leverage")
        account = rest.account_information_v3().data()
        check(account.assets[0].maint_margin is not None, "an asset's maintenance margin")
        check(account.total_position_initial_margin is not None, "the sum of margins")
        place, order_by, cancel = rest.new_order, rest.query_order, rest.cancel_order
    low = round(last * 0.98, 1)
    order = place(symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.02, price=low).data()
    if SPOT:
        amended = rest.order_amend_keep_priority(symbol=SYMBOL, new_qty=0.01, order_id=order.order_id).data()
        check(amended.amended_order.qty == "0.01000000", f"an amended order: {amended}")
    else:
        changed = rest.modify_order(symbol=SYMBOL, side="BUY", quantity=0.01, price=low, order_id=order.order_id)
        check(changed.data().orig_qty == "0.010", f"a modified order: {changed.data()}")
    check(order_by(symbol=SYMBOL, order_id=order.order_id).data().status == "NEW", "an open order")
    check(cancel(symbol=SYMBOL, order_id=order.order_id).data().status == "CANCELED", "a cancel")
    bought = place(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01, new_order_resp_type="RESULT").data()
    check(bought.status == "FILLED", f"a filled order: {bought}")
    if SPOT:
        check(rest.my_trades(symbol=SYMBOL).data(), "own trades")
        check(rest.all_orders(symbol=SYMBOL).data(), "all orders")
    else:
        held = rest.position_information_v3(symbol=SYMBOL).data()
        check(float(held[0].position_amt) == 0.01, f"a position: {held}")
        place(symbol=SYMBOL, side="SELL", type="MARKET", quantity=0.01, reduce_only="true")
        check(rest.get_income_history().data(), "income")


async def main():
    sdk = make()
    streams = sdk.websocket_streams
    await streams.create_connection()
    book, books, heard = Book(), Books(), {"candles": 0, "tickers": 0, "user": []}

    def on_depth(message):
        if book.follow(fields(message)):
            books.keep(book.number, *book.best(10))

    def count(name):
        return lambda _: heard.update({name: heard[name] + 1})

    if SPOT:
        depth = await streams.diff_book_depth(symbol=SYMBOL.lower(), update_speed="100ms")
        candles = await streams.kline(symbol=SYMBOL.lower(), interval="1m")
        tickers = await streams.ticker(symbol=SYMBOL.lower())
        requests = sdk.websocket_api
        await requests.create_connection()
        user = (await requests.user_data_stream_subscribe_signature()).stream
    else:
        depth = await streams.diff_book_depth_streams(symbol=SYMBOL.lower(), update_speed="100ms")
        candles = await streams.kline_candlestick_streams(symbol=SYMBOL.lower(), interval="1m")
        tickers = await streams.mark_price_stream(symbol=SYMBOL.lower(), update_speed="1s")
        user = await streams.user_data(sdk.rest_api.start_user_data_stream().data().listen_key)
    depth.on("message", on_depth)
    candles.on("message", count("candles"))
    tickers.on("message", count("tickers"))
    user.on("message", lambda message: heard["user"].append(fields(message)))

    def snapshot(limit):
        rest = sdk.rest_api
        whole = (rest.depth if SPOT else rest.order_book)(symbol=SYMBOL, limit=limit).data()
        numbers = [[(float(price), float(quantity)) for price, quantity in side] for side in (whole.bids, whole.asks)]
        return whole.last_update_id, *numbers

    await until(lambda: book.early, "depth on the stream")
    book.start(*await asyncio.to_thread(snapshot, 1000))
    await books.compare(lambda: asyncio.to_thread(snapshot, 10))
    await asyncio.to_thread(trade, sdk.rest_api)
    await until(lambda: any("FILLED" in str(event) for event in heard["user"]), "a fill on the user stream")
    for name in ["candles", "tickers"]:
        check(heard[name] > 0, f"{name} were streamed")
    await streams.close_connection()
    if SPOT:
        await requests.close_connection()
    finish("official SDK", {"books": books.compared, "user events": len(heard["user"])})


asyncio.run(main())
