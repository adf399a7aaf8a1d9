"""All collections of one data folder, their aliases and snapshots."""

import hashlib
import json
import os
import shutil
import tarfile
import time

from collection import Collection
from wire import Refused, not_found, wrong_input

PEER = 8145851587490666


class Storage:
    def __init__(self, folder):
        self.folder = folder
        self.collections = {}
        self.aliases = {}
        os.makedirs(os.path.join(folder, "collections"), exist_ok=True)
        os.makedirs(os.path.join(folder, "snapshots"), exist_ok=True)
        for entry in os.scandir(os.path.join(folder, "collections")):
            # A folder without its description is left from a creation or a removal that was cut off.
            if not os.path.exists(os.path.join(entry.path, "collection.json")):
                shutil.rmtree(entry.path)
                continue
            collection = Collection.load(entry.path)
            self.collections[collection.name] = collection
        if os.path.exists(self._aliases_file):
            with open(self._aliases_file, encoding="utf-8") as file:
                self.aliases = json.load(file)

    @property
    def _aliases_file(self):
        return os.path.join(self.folder, "aliases.json")

    def close(self):
        for collection in self.collections.values():
            collection.close()

    def find(self, name):
        """The collection of a name or an alias."""
        found = self.collections.get(self.aliases.get(name, name))
        if found is None:
            raise not_found(f"Collection `{name}` doesn't exist!")
        return found

    def create(self, name, body):
        _check_name(name)
        if name in self.collections:
            raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
        if name in self.aliases:
            raise wrong_input(f"Can't create collection with name {name}. Alias with the same name already exists")
        # Names are data: the folder is named by their digest.
        folder = hashlib.sha256(name.encode()).hexdigest()[:32]
        self.collections[name] = Collection.create(name, os.path.join(self.folder, "collections", folder), body)
        return True

    def delete(self, name):
        collection = self.collections.pop(self.aliases.get(name, name), None)
        if collection is None:
            return False
        with collection.lock:
            collection.remove()
        self.aliases = {alias: target for alias, target in self.aliases.items() if target != collection.name}
        self._save_aliases()
        return True

    def change_aliases(self, body):
        """All actions or none."""
        aliases = dict(self.aliases)
        for action in body.get("actions", []):
            ((kind, part),) = action.items()
            if kind in ("delete_alias", "rename_alias"):
                old = part.get("alias_name", part.get("old_alias_name"))
                if old not in aliases:
                    raise not_found(f"Alias {old} does not exists!")
                target = aliases.pop(old)
                if kind == "rename_alias":
                    aliases[part["new_alias_name"]] = target
            elif kind == "create_alias":
                if part["collection_name"] not in self.collections:
                    raise not_found(f"Collection `{part['collection_name']}` doesn't exist!")
                if part["alias_name"] in self.collections:
                    raise Refused(409, f"Wrong input: Collection `{part['alias_name']}` already exists!")
                aliases[part["alias_name"]] = part["collection_name"]
        self.aliases = aliases
        self._save_aliases()
        return True

    def _save_aliases(self):
        with open(f"{self._aliases_file}.new", "w", encoding="utf-8") as file:
            json.dump(self.aliases, file)
        os.replace(f"{self._aliases_file}.new", self._aliases_file)

    def printed_aliases(self, collection=None):
        pairs = sorted(self.aliases.items())
        return {
            "aliases": [
                {"alias_name": alias, "collection_name": target}
                for alias, target in pairs
                if collection is None or target == collection.name
            ]
        }

    # Snapshots: files to list, download and delete. Their content is the front's own, no server can restore them.

    def create_snapshot(self, collection):
        for shard in collection.shards:
            shard.engine.flush()
        now = time.gmtime()
        name = f"{collection.name}-{PEER}-{time.strftime('%Y-%m-%d-%H-%M-%S', now)}.snapshot"
        path = os.path.join(self._snapshots(collection), name)
        # Compressed, since the engine's files are mostly holes, which tar would write out.
        with tarfile.open(path, "w:gz", compresslevel=1) as tar:
            # After a flush the write-ahead log holds nothing that the segments lack.
            tar.add(collection.folder, ".", filter=lambda entry: None if entry.name.endswith("/wal") else entry)
        return _described(path)

    def snapshots(self, collection):
        return [_described(entry.path) for entry in os.scandir(self._snapshots(collection))]

    def snapshot(self, collection, name):
        for entry in os.scandir(self._snapshots(collection)):
            if entry.name == name:
                return entry.path
        raise not_found(f"Snapshot {name} not found")

    def _snapshots(self, collection):
        folder = os.path.join(self.folder, "snapshots", os.path.basename(collection.folder))
        os.makedirs(folder, exist_ok=True)
        return folder


def _described(path):
    with open(path, "rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    created = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(os.path.getmtime(path)))
    return {
        "name": os.path.basename(path),
        "creation_time": created,
        "size": os.path.getsize(path),
        "checksum": checksum,
    }


def _check_name(name):
    complaint = "Validation error in path parameters: [collection_name: {}]"
    for character in '<>:"/\\|?*\0':
        if character in name:
            raise Refused(422, complaint.format(f'collection name cannot contain "{character}" char'))
    if not 1 <= len(name) <= 255:
        raise Refused(422, complaint.format(f'value "{name}" invalid, must be from 1 to 255 characters'))
