"""Fixtures of the notices' tests: those of the accounts."""

from tests.pool.accounting.conftest import either_database

__all__ = ["either_database"]
