import { constants } from "node:os";

const { errno } = constants;

/** strerror(3)'s words, in Go's spelling, of what a launch and files can meet. */
const errnoWords: ReadonlyMap<number, string> = new Map([
  [errno.EPERM, "operation not permitted"],
  [errno.ENOENT, "no such file or directory"],
  [errno.ESRCH, "no such process"],
  [errno.EINTR, "interrupted system call"],
  [errno.EIO, "input/output error"],
  [errno.ENXIO, "no such device or address"],
  [errno.E2BIG, "argument list too long"],
  [errno.ENOEXEC, "exec format error"],
  [errno.EAGAIN, "resource temporarily unavailable"],
  [errno.ENOMEM, "cannot allocate memory"],
  [errno.EACCES, "permission denied"],
  [errno.EBUSY, "device or resource busy"],
  [errno.EEXIST, "file exists"],
  [errno.EXDEV, "invalid cross-device link"],
  [errno.ENODEV, "no such device"],
  [errno.ENOTDIR, "not a directory"],
  [errno.EISDIR, "is a directory"],
  [errno.EINVAL, "invalid argument"],
  [errno.ENFILE, "too many open files in system"],
  [errno.EMFILE, "too many open files"],
  [errno.ETXTBSY, "text file busy"],
  [errno.ENOSPC, "no space left on device"],
  [errno.EROFS, "read-only file system"],
  [errno.ELOOP, "too many levels of symbolic links"],
  [errno.ENAMETOOLONG, "file name too long"],
  [errno.EBADF, "bad file descriptor"],
  [errno.EFBIG, "file too large"],
  [errno.EPIPE, "broken pipe"],
  [errno.ENOTEMPTY, "directory not empty"],
  [errno.EDQUOT, "disk quota exceeded"],
  [errno.EOPNOTSUPP, "operation not supported"],
  [errno.EADDRINUSE, "address already in use"],
  [errno.EADDRNOTAVAIL, "cannot assign requested address"],
]);

/** E.g. `permission denied`; a number without words stays one. */
export function errnoText(number: number): string {
  return errnoWords.get(number) ?? `errno ${number}`;
}
