"""The keys that the exchange prints, read by Python's and OpenSSL's readers, and requests that others sign with them."""

import base64
import subprocess
import time
import urllib.parse

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from common import EXCHANGE, SPOT, check, finish

ACCOUNT = "/api/v3/account" if SPOT else "/fapi/v3/balance"


def openssl_reads(pem):
    """What `openssl pkey` says of a key."""
    command = ["openssl", "pkey", "-noout", "-text"]
    return subprocess.run(command, input=pem.encode(), capture_output=True, timeout=30)


def signed(key, payload):
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return base64.b64encode(key.sign(payload.encode())).decode()
    return base64.b64encode(key.sign(payload.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


def ask(account, signature_of):
    """Asks for the account with this signature of what is sent."""
    payload = f"recvWindow=10000&timestamp={int(time.time() * 1000)}"
    query = f"{payload}&signature={urllib.parse.quote(signature_of(payload), safe='')}"
    headers = {"X-MBX-APIKEY": account["api_key"]}
    return requests.get(f"{EXCHANGE['rest_url']}{ACCOUNT}?{query}", headers=headers, timeout=30)


def main():
    kinds = {"ed25519": ed25519.Ed25519PrivateKey, "rsa": rsa.RSAPrivateKey}
    read = 0
    for account in EXCHANGE["accounts"]:
        if account["signs_with"] not in kinds:
            continue
        pem = account["private_key"]
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        check(isinstance(key, kinds[account["signs_with"]]), f"{type(key)} of an account for {account['signs_with']}")
        openssl = openssl_reads(pem)
        check(openssl.returncode == 0, f"openssl does not read the {account['signs_with']} key: {openssl.stderr}")
        answer = ask(account, lambda payload: signed(key, payload))
        check(answer.status_code == 200, f"{account['signs_with']}: {answer.status_code} {answer.text}")
        answer = ask(account, lambda payload: signed(key, payload + "0"))
        check(answer.status_code in (400, 401) and answer.json()["code"] == -1022, f"a wrong signature: {answer.text}")
        read += 1
    check(read == len(kinds), f"{read} accounts have a private key")
    finish("keys", f"{read} keys read by cryptography and openssl, and signed with")


main()
