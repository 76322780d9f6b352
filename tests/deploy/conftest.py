"""Fixtures of the service's tests that are of use here, too."""

from tests.app.conftest import redis, redis_url

__all__ = ["redis", "redis_url"]
