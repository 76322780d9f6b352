"""The short way back from a decoding worker to the request that waits for it: a list in Redis."""

import json

from redis import Redis

KEPT_SECONDS = 60


def reply_key(request_id: str) -> str:
    """Redis key of the answer to one request."""
    return f"amt:reply:{request_id}"


def send_reply(redis: Redis, request_id: str, outcome: str) -> None:
    """Answer a request. Nobody may be waiting any more."""
    with redis.pipeline() as pipe:
        pipe.rpush(reply_key(request_id), json.dumps({"outcome": outcome}))
        pipe.expire(reply_key(request_id), KEPT_SECONDS)
        pipe.execute()
