"""Credentials for schemathesis: a bearer token out of many, so that the limit per caller is not all that is tested; for a
vantage's routes a Standard Webhooks signature over the very bytes that are sent."""

import base64
import hashlib
import hmac
import itertools
import json
import os
import time

import schemathesis

SECRETS = json.loads(os.environ["HAIRPIN_API_SECRETS"])
COUNT = itertools.count()


class Credentials:
    def __call__(self, request):
        if request.path_url.startswith(("/v1/observations", "/v1/plan")):
            return self.sign(request)
        tokens = SECRETS["tokens"]
        request.headers["authorization"] = "Bearer " + tokens[next(COUNT) % len(tokens)]
        return request

    def addressed(self, body):
        """Of a vantage that is declared, three times of four, and then mostly for this site: else nothing gets past the door."""
        turn = next(COUNT) % 4
        try:
            report = json.loads(body)
        except ValueError:
            return body
        if turn == 0 or not isinstance(report, dict) or not isinstance(report.get("vantage"), str):
            return body
        report["vantage"] = "lan"
        if turn > 1 and isinstance(report.get("aud"), str):
            report["aud"] = "home"
        return json.dumps(report).encode()

    def sign(self, request):
        body = request.body or b""
        if not isinstance(body, (bytes, str)):
            return request
        body = self.addressed(body if isinstance(body, bytes) else body.encode())
        if request.body:
            request.body = body
            request.headers["content-length"] = str(len(body))
        key = base64.b64decode(SECRETS["vantages"]["lan"].removeprefix("whsec_"))
        identity, stamp = f"api_{next(COUNT)}", str(int(time.time()))
        signed = hmac.new(key, f"{identity}.{stamp}.".encode() + body, hashlib.sha256)
        request.headers["webhook-id"] = identity
        request.headers["webhook-timestamp"] = stamp
        request.headers["webhook-signature"] = "v1," + base64.b64encode(signed.digest()).decode()
        return request


schemathesis.auth.set_from_requests(Credentials())
