"""Notices: what an operator without an alert manager is told of, by webhook, ntfy and Telegram."""
