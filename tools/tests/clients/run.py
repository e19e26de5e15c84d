"""Runs every client program against the simulated exchange of both products: run.py SPINBOOK. Ends with 1 if one fails."""

import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
CLIENTS = ["keys_client.py", "ccxt_client.py", "python_binance_client.py", "official_sdk_client.py"]
PRODUCTS = ["binance-spot", "binance-usdm"]
SECONDS_MAX = 100


def start_exchange(spinbook, venue):
    """An exchange of its own for each client, so that no client meets another's orders or limits."""
    command = [spinbook, "exchange", "--json", "--listen", "127.0.0.1:0", "--venue", venue, "--seed", "7"]
    exchange = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return exchange, json.loads(exchange.stdout.readline())


def start_client(client, ready):
    trust = ready["ca_file"]
    environment = {
        **os.environ,
        "SPINBOOK_EXCHANGE": json.dumps(ready),
        "SSL_CERT_FILE": trust,
        "REQUESTS_CA_BUNDLE": trust,
        "PYTHONUNBUFFERED": "1",
    }
    return subprocess.Popen(
        [sys.executable, str(HERE / client)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def main(spinbook):
    running, failed, exchanges = [], [], []
    try:
        for venue in PRODUCTS:
            for client in CLIENTS:
                exchange, ready = start_exchange(spinbook, venue)
                exchanges.append(exchange)
                running.append((f"{client} on {venue}", start_client(client, ready)))
        ends = time.monotonic() + SECONDS_MAX
        for name, client in running:
            try:
                output, _ = client.communicate(timeout=max(1, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                client.kill()
                output = client.communicate()[0] + f"\nnot done within {SECONDS_MAX} s"
            if client.returncode != 0:
                failed.append(name)
                print(f"-- {name} failed:")
            print(output.strip(), flush=True)
        for exchange in exchanges:
            if exchange.poll() is not None:
                failed.append(f"the exchange, which ended with {exchange.returncode}")
    finally:
        for process in [client for _, client in running] + exchanges:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if failed:
        print("failed: " + ", ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
