"""Peewee models, connection, migrations and named queries; dataclasses come out."""
