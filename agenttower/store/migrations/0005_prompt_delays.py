"""Delays of prompts that end by themselves. Frozen."""

from __future__ import annotations

from pathlib import Path

from peewee import Database
from playhouse.migrate import SchemaMigrator

from agenttower.store.scripts import run_script


def up(migrator: SchemaMigrator, db: Database) -> None:
    run_script(db, Path(__file__).with_suffix(".sql"))
