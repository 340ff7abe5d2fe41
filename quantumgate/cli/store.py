"""`qgate store`: check, backup, restore, migrate, seal what a node remembers.

Works on the file or the database that the configuration names, with the node stopped (a backup also while it runs).
Not for: what a store is (``quantumgate.store``). Spec: docs/guide/operating.md (the store).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quantumgate.cli import output, place
from quantumgate.cli.place import Place
from quantumgate.errors import LocalError

if TYPE_CHECKING:
    from quantumgate.settings.schema import Settings
    from quantumgate.store.sealed import StoreKey
    from quantumgate.store.sql import SqlDatabase

_config = click.option("--config", "config_file", metavar="FILE", help="The configuration, instead of the usual one.")


@dataclass(frozen=True)
class Named:
    """The store that a configuration names, and the key that it gives."""

    url: str
    directory: Path
    key: StoreKey | None

    @classmethod
    def by(cls, where: Place, config_file: str | None) -> Named:
        """Raises ConfigurationError, and LocalError where the node keeps nothing."""
        settings, file = _settings(config_file)
        from quantumgate.store.opening import MEMORY

        if settings.node.store == MEMORY:
            raise LocalError("this node remembers nothing: node.store is memory:")
        return cls(settings.node.store, where.data, key_of(settings, file))

    def database(self, key: StoreKey | None = None, *, alone: bool = True) -> SqlDatabase:
        """Not opened."""
        from quantumgate.store.opening import sql_database_at

        return sql_database_at(self.url, self.directory, key, alone=alone)

    def here(self) -> SqlDatabase:
        """With the key; there must be something."""
        database = self.database(self.key)
        if database.file is not None and not database.file.exists():
            raise LocalError(f"{database.file}: there is no store yet", advice="the first start of the node makes one")
        return database


def key_of(settings: Settings, file: str) -> StoreKey | None:
    """The key that this configuration gives."""
    from quantumgate.crypto.secret import Secret
    from quantumgate.node.store_key import store_key_of
    from quantumgate.settings.loader import read_identity_passphrase

    words = read_identity_passphrase(settings, file)
    return store_key_of(settings, file, None if words is None else Secret(words.encode()))


def _settings(config_file: str | None) -> tuple[Settings, str]:
    from quantumgate.settings.loader import load
    from quantumgate.settings.places import default_config_file
    from quantumgate.settings.schema import Settings

    path = Path(config_file) if config_file else default_config_file()
    if not config_file and not path.exists():
        return Settings(), "built-in defaults"
    return load(path), str(path)


@contextmanager
def _stopped(where: Place) -> Iterator[None]:
    """The data directory is ours: no node runs on it."""
    from quantumgate.node.data_directory import DataDirectory

    directory = DataDirectory(where.data)
    directory.lock()
    try:
        yield
    finally:
        directory.unlock()


@click.group(name="store", short_help="Check, copy, restore, migrate and seal what the node remembers.")
@place.options
def store() -> None:
    """Look after what the node remembers: the store that its configuration names.

    \b
    Example:
      qgate store backup /backup/node.db
    """


@store.command(short_help="Read everything, and count it.")
@_config
@place.options
@place.passed
def check(where: Place, config_file: str | None) -> None:
    """Check the database itself, its schema and every row. The node must be stopped.

    \b
    Example:
      qgate store check
    """
    with _stopped(where):
        database = Named.by(where, config_file).here()
        try:
            rows = database.check()
            report = {"store": database.described, "schema": database.brief()[0], "rows": rows}
        finally:
            database.close()
    if where.json:
        output.as_json(report)
        return
    click.echo(f"{report['store']}: right, schema {report['schema']}")
    output.facts({table: str(count) for table, count in rows.items() if count})


@store.command(short_help="Copy the store into a file, also while the node runs.")
@click.argument("file")
@_config
@place.options
@place.passed
def backup(where: Place, config_file: str | None, file: str) -> None:
    """Write a copy of the store to FILE, an SQLite file of mode 0600, whole or not at all. Needs no key.

    It holds what the store holds, sealed where that is. The identity is not in it: qgate id export copies that.

    \b
    Example:
      qgate store backup /backup/node.db
    """
    from quantumgate.store.backups import back_up

    database = Named.by(where, config_file).database(alone=False)
    try:
        back_up(database, Path(file))
    finally:
        database.close()
    _say(where, f"the store was copied to {file}", file=file)


@store.command(short_help="Put a backup in the place of the store.")
@click.argument("file")
@_config
@place.options
@place.passed
def restore(where: Place, config_file: str | None, file: str) -> None:
    """Check the backup FILE, every row of it, and put it in the place of the store. The node must be stopped.

    The store that was there stays beside it as store.db.replaced. In PostgreSQL its rows are replaced: make a backup of
    them first.

    \b
    Example:
      qgate store restore /backup/node.db
    """
    from quantumgate.store.backups import restore as put_back

    with _stopped(where):
        named = Named.by(where, config_file)
        database = named.database()
        try:
            rows = put_back(database, Path(file), named.key)
        finally:
            database.close()
    _say(where, f"{file} is the store now: {sum(rows.values())} rows", file=file, rows=rows)


@store.command(short_help="Bring the store to the schema of this version.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@_config
@place.options
@place.passed
def migrate(where: Place, config_file: str | None, dry_run: bool) -> None:
    """What the start of the node does as well. A copy of the older store stays as store.db.schema-N.

    \b
    Example:
      qgate store migrate --dry-run
    """
    from quantumgate.store.migrations import NEWEST

    with _stopped(where):
        database = Named.by(where, config_file).here()
        try:
            there, _ = database.brief()
            if not dry_run:
                database.open()
        finally:
            database.close()
    verb = "nothing to do" if there == NEWEST else "would be migrated" if dry_run else "was migrated"
    _say(where, f"schema {there} of {NEWEST}: {verb}", found=there, newest=NEWEST, dry_run=dry_run)


@store.command(short_help="Seal the store, or change the key that opens it.")
@click.option("--old-passphrase-file", metavar="FILE", help="The passphrase that opens it so far.")
@click.option("--old-key-file", metavar="FILE", help="The key file that opens it so far.")
@_config
@place.options
@place.passed
def seal(where: Place, config_file: str | None, old_passphrase_file: str | None, old_key_file: str | None) -> None:
    """Seal the store with the key that the configuration gives: node.store_key_file, a credential or the passphrase.

    \b
    Example:
      qgate store seal --old-passphrase-file /root/old
    """
    with _stopped(where):
        named = Named.by(where, config_file)
        if named.key is None:
            raise LocalError("the configuration gives no key",
                             advice="set node.store_key_file, or node.identity_passphrase_file")
        named.here()
        old = _old_key(old_passphrase_file, old_key_file)
        database = named.database(old)
        try:
            if old is None and database.brief()[1]:
                raise LocalError("the store is sealed already",
                                 advice="--old-passphrase-file or --old-key-file names what opens it so far")
            database.open()
            database.seal_again(named.key)
        finally:
            database.close()
    _say(where, f"the store is sealed with the {named.key.source} now", sealed_with=named.key.source)


def _old_key(passphrase_file: str | None, key_file: str | None) -> StoreKey | None:
    from quantumgate.cli.keys import passphrase_of
    from quantumgate.crypto.secret import Secret
    from quantumgate.store.sealed import StoreKey

    if passphrase_file is not None and key_file is not None:
        raise click.UsageError("--old-passphrase-file and --old-key-file exclude each other")
    if passphrase_file is not None:
        return StoreKey("passphrase", Secret(passphrase_of(passphrase_file).encode()))
    return None if key_file is None else StoreKey("key file", Secret(Path(key_file).read_bytes()))


@store.command(short_help="Forgive a relay that was dropped.")
@click.argument("uuid")
@_config
@place.options
@place.passed
def forgive(where: Place, config_file: str | None, uuid: str) -> None:
    """Forget that circuits died behind the relay UUID, which was dropped for it. The node must be stopped.

    \b
    Example:
      qgate store forgive c0ffee00-1234-8abc-9def-0123456789ab
    """
    from quantumgate.ids import parse_peer_uuid
    from quantumgate.store.tables import GUARDS

    key = (parse_peer_uuid(uuid), "dropped")
    with _stopped(where):
        database = Named.by(where, config_file).here()
        try:
            database.open()
            if key not in database.load(GUARDS, {}):
                raise LocalError(f"{uuid} was not dropped")
            database.write({(GUARDS, key): None})
        finally:
            database.close()
    _say(where, f"{uuid} may be a relay of ours again", uuid=uuid)


def _say(where: Place, words: str, **report: Any) -> None:
    if where.json:
        output.as_json(report)
    else:
        click.echo(words)
