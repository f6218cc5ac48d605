"""A disk on which only that is certain which was synced, made from the record of order.c: file bytes by the sync of the
file, names by the sync of their directory. At any place of the record it can be asked for the least that a power cut
leaves, and for something between that and everything."""

import os
import struct

RECORD = struct.Struct("=IIQQ")
(CREATE, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, LINK, UNLINK, SAY) = range(1, 10)
SECTOR_BYTES = 512


def read_trace(path):
    """Tuples (operation, path, number, data), in order."""
    with open(path, "rb") as file:
        content = file.read()
    at = 0
    while at < len(content):
        operation, path_size, number, data_size = RECORD.unpack_from(content, at)
        at += RECORD.size
        name = os.fsdecode(content[at:at + path_size])
        at += path_size
        yield operation, name, number, content[at:at + data_size]
        at += data_size
    if at != len(content):
        raise AssertionError("the record ends within an entry")


class File:
    """What a file holds for certain, and the changes since: (offset, bytes), or (size, None) for a new end."""

    def __init__(self):
        self.synced = bytearray()
        self.changes = []

    def sync(self, count):
        """The first COUNT changes are certain."""
        for change in self.changes[:count]:
            apply(self.synced, *change)
        del self.changes[:count]

    def survivors(self, chance):
        """What a cut leaves, of which CHANCE (a random.Random) decides."""
        image = bytearray(self.synced)
        kept = chance.choice((0, 0.5, 0.9, 1))
        for offset, data in self.changes:
            if data is None:
                if chance.random() < kept:
                    apply(image, offset, None)
                continue
            for start in range(0, len(data), SECTOR_BYTES):
                if chance.random() < kept:
                    apply(image, offset + start, data[start:start + SECTOR_BYTES])
        return image


def apply(image, offset, data):
    if data is None:
        if offset < len(image):
            del image[offset:]
        else:
            image.extend(bytes(offset - len(image)))
        return
    if offset > len(image):
        image.extend(bytes(offset - len(image)))
    image[offset:offset + len(data)] = data


DIRECTORY = "directory"


class Disk:
    """Names: path to File or DIRECTORY. ROOT itself, above which nothing is recorded, is certain."""

    def __init__(self, root):
        self.root = root
        self.names = {}
        self.synced_names = {}
        self.changed = {}  # path to the number of its name's last change
        self.synced_changes = {}  # likewise, of the last one that is certain
        self.syncs = {}  # under way: (thread, path) to what they will make certain
        self.version = 0  # of what is certain

    def take(self, operation, path, number, data):
        """One entry of the record; what is said is not the disk's business."""
        if operation == CREATE:
            self._name(path, DIRECTORY if number else File())
        elif operation == WRITE:
            self.names[path].changes.append((number, data))
        elif operation == TRUNCATE:
            self.names[path].changes.append((number, None))
        elif operation in (RENAME, LINK):
            self._name(os.fsdecode(data), self.names[path])
            if operation == RENAME:
                self._name(path, None)
        elif operation == UNLINK:
            self._name(path, None)
        elif operation == SYNC_BEGIN:
            self._begin_sync(path, number)
        elif operation == SYNC_END:
            self._end_sync(path, number)

    def _name(self, path, what):
        self.names.pop(path, None)
        if what is not None:
            self.names[path] = what
        self.changed[path] = self.changed.get(path, 0) + 1

    def _begin_sync(self, path, thread):
        what = self.names.get(path, DIRECTORY)
        if what is DIRECTORY:
            self.syncs[thread, path] = [(name, self.names.get(name), change) for name, change in self.changed.items()
                                        if os.path.dirname(name) == path]
        else:
            self.syncs[thread, path] = (what, len(what.changes))

    def _end_sync(self, path, thread):
        covered = self.syncs.pop((thread, path))
        self.version += 1
        if isinstance(covered, tuple):
            covered[0].sync(covered[1])  # no file has two threads that sync it
            return
        for name, what, change in covered:
            if change < self.synced_changes.get(name, -1):
                continue  # another thread's sync began later and was faster
            self.synced_changes[name] = change
            self.synced_names.pop(name, None)
            if what is not None:
                self.synced_names[name] = what

    def _is_reached(self, path, names):
        while path != self.root:
            path = os.path.dirname(path)
            if path != self.root and names.get(path) is not DIRECTORY:
                return False
        return True

    def certain(self):
        """Path to bytes: the least that there is."""
        return {path: bytes(what.synced) for path, what in self.synced_names.items()
                if what is not DIRECTORY and self._is_reached(path, self.synced_names)}

    def certain_file(self, path):
        what = self.synced_names.get(path)
        reached = what is not None and self._is_reached(path, self.synced_names)
        return bytes(what.synced) if reached and what is not DIRECTORY else None

    def after_cut(self, chance):
        """Path to bytes (None: a directory): what there may be."""
        names = dict(self.synced_names)
        for path in sorted(set(self.names) | set(self.synced_names)):
            if self.names.get(path) is not self.synced_names.get(path) and chance.random() < 0.5:
                if path in self.names:
                    names[path] = self.names[path]
                else:
                    del names[path]
        images = {}
        result = {}
        for path, what in names.items():
            if not self._is_reached(path, names):
                continue
            if what is DIRECTORY:
                result[path] = None
                continue
            if id(what) not in images:
                images[id(what)] = bytes(what.survivors(chance))
            result[path] = images[id(what)]
        return result


def write_out(images, root, target):
    """Makes the files of IMAGES, paths below ROOT, below TARGET."""
    for path in sorted(images, key=lambda each: each.count("/")):
        copy = target + path[len(root):]
        if images[path] is None:
            os.makedirs(copy, mode=0o700, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(copy), mode=0o700, exist_ok=True)
            with open(copy, "wb") as file:
                file.write(images[path])
