"""Telling others that a job has ended: Standard Webhooks 1.0 (https://www.standardwebhooks.com)."""
