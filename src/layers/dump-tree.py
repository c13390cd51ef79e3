"""Mounts layers in a mount namespace of its own and prints what is there, for tests.

Input, as JSON on standard input: {"lower": [DIR or [INDEX, TAR...], ...] topmost first, "overlay": bool, "scratch": DIR}.
Output: one JSON object, {path in hex: [type and mode, uid, gid, size, mtime in ns, rdev, links, {xattr: hex}, content or target, first name]}.
"""
import ctypes, hashlib, json, os, stat, sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_RDONLY, MS_REC, MS_PRIVATE = 0x20000, 1, 0x4000, 1 << 18
PIECE = 1 << 20


def check(result, what):
    if result < 0:
        error = ctypes.get_errno()
        sys.exit(f"{what}: {os.strerror(error)}")


def overlay(lower, target):
    """With the new mount API, which takes any number of layers."""
    OPEN, CONFIG, FSMOUNT, MOVE = 430, 431, 432, 429
    fs = libc.syscall(OPEN, b"overlay", 0)
    check(fs, "fsopen")
    for key, value in [("source", "overlay")] + [("lowerdir+", path) for path in lower]:
        check(libc.syscall(CONFIG, fs, 1, key.encode(), value.encode(), 0), key)
    check(libc.syscall(CONFIG, fs, 6, None, None, 0), "create")
    mounted = libc.syscall(FSMOUNT, fs, 0, 0)
    check(mounted, "fsmount")
    check(libc.syscall(MOVE, mounted, b"", -100, target.encode(), 4), "move_mount")


def digest(path, size):
    """The hash of all of a file, or of samples of a huge one."""
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        if size <= 64 << 20:
            sha.update(file.read())
        else:
            for at in sorted({0, size - PIECE, *range(0, size, 256 << 20)}):
                file.seek(at)
                sha.update(file.read(PIECE))
    return sha.hexdigest()


def describe(path, first):
    info = os.lstat(path)
    xattrs = {}
    for name in os.listxattr(path, follow_symlinks=False):
        if name != "security.selinux":
            xattrs[name] = os.getxattr(path, name, follow_symlinks=False).hex()
    content = ""
    if stat.S_ISREG(info.st_mode):
        content = digest(path, info.st_size)
    elif stat.S_ISLNK(info.st_mode):
        content = os.readlink(path).hex()
    directory = stat.S_ISDIR(info.st_mode)
    name = first.setdefault(info.st_ino, path) if info.st_nlink > 1 and not directory else path
    size = 0 if directory else info.st_size
    return [info.st_mode, info.st_uid, info.st_gid, size, info.st_mtime_ns, info.st_rdev, info.st_nlink, xattrs, content, name]


def dump(root):
    result, first = {}, {}
    base = os.fsencode(root)
    for folder, directories, files in os.walk(base, followlinks=False):
        directories.sort()
        for name in [b"", *sorted(directories + files)] if folder == base else sorted(directories + files):
            path = os.path.join(folder, name)
            item = describe(path.rstrip(b"/"), first)
            item[-1] = item[-1][len(base):].hex()
            result[path[len(base):].hex()] = item
    return result


def main():
    order = json.load(sys.stdin)
    check(libc.unshare(CLONE_NEWNS), "unshare")
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "private")
    scratch = order["scratch"]
    check(libc.mount(b"none", scratch.encode(), b"tmpfs", 0, None), "tmpfs")
    lower = []
    for number, layer in enumerate(order["lower"]):
        if isinstance(layer, str):
            lower.append(layer)
            continue
        index, *devices = layer
        target = f"{scratch}/{number}"
        os.mkdir(target)
        options = ",".join(f"device={device}" for device in devices)
        check(libc.mount(index.encode(), target.encode(), b"erofs", MS_RDONLY, options.encode()), f"mount {index}")
        lower.append(target)
    root = lower[0]
    if order["overlay"]:
        if len(lower) == 1:
            lower.append(f"{scratch}/empty")
            os.mkdir(lower[1])
        root = f"{scratch}/root"
        os.mkdir(root)
        overlay(lower, root)
    json.dump(dump(root), sys.stdout)


main()
