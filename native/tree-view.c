/*
 * The file system of a container as `docker cp` shows it: its root and what the daemon says is mounted over it (volumes,
 * binds, the three files of the network), and not what it has mounted itself.
 *
 * Of a container that runs, the root is a clone of its root mount: the same file system, with nothing on it. It is taken
 * in its mount namespace, which a descriptor of its first process names: its monitor has that, so that no number of a
 * process that has ended is mistaken for it. Of one that does not run, the root is an overlay that lives as long as this
 * process.
 */
#include "kernel-calls.h"
#include "protocol.h"
#include "trees.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { LINKS_MAX = 255 };

/* The plan's operations work on what a launch has prepared. */
static struct prepared prepared;

static int first_process_of(const char *monitor)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 10 };
	uint8_t bytes[64];
	struct writer request;
	int directory = -1, found = -1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (strlen(monitor) < sizeof address.sun_path) copy_text(address.sun_path, sizeof address.sun_path, monitor);
	else directory = open_long_path(monitor, 0, address.sun_path, sizeof address.sun_path);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	begin_frame(&request, bytes, sizeof bytes, 1, MSG_PROCESS);
	end_frame(&request);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && write_all(fd, request.bytes, request.length))
		found = receive_descriptor(fd);
	if (directory >= 0) close(directory);
	if (fd >= 0) close(fd);
	return found;
}

/* Without open_tree no mount leaves its namespace: the worker goes on in a copy of the container's, with its volumes in place. */
static int copy_namespace(void)
{
	static const char *const kernel[] = { "/proc", "/sys", "/dev" };
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) != 0) return -1;
	for (size_t i = 0; i < sizeof kernel / sizeof *kernel; i++) (void)umount2(kernel[i], MNT_DETACH | UMOUNT_NOFOLLOW);
	return open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool take_running_root(const char *monitor, struct failure *failure)
{
	int process = first_process_of(monitor);
	if (process < 0 || setns(process, CLONE_NEWNS) != 0) return fail(failure, "running", ESRCH, "the container is not running");
	close(process);
	if (our.classic) {
		prepared.root = copy_namespace();
		return prepared.root >= 0 || fail(failure, "view", errno, "the container's mounts");
	}
	prepared.root = sys_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	int error = errno;
	if (setns(our.layers_namespace, CLONE_NEWNS) != 0) return fail(failure, "view", errno, "cannot return to our mounts");
	return prepared.root >= 0 || fail(failure, "view", error, "the container's root");
}

/* A namespace that has nothing but the root. */
static bool place_root(struct failure *failure)
{
	if (our.classic) return true;
	bool ok = setns(our.stem_namespace, CLONE_NEWNS) == 0 && unshare(CLONE_NEWNS) == 0 && place_root_at(prepared.root, "/root") &&
	          mount(NULL, "/root", NULL, MS_PRIVATE, NULL) == 0;
	return ok || fail(failure, "view", errno, "cannot place the container's root");
}

static bool attach_mounts(struct ops attach, struct view *view, struct failure *failure)
{
	struct init_context context = { .root = view->root, .proc = view->proc, .prepared = &prepared, .mask = -1, .terminal = -1 };
	struct op op;
	while (next_op(&attach, &op))
		if (!run_mount_op(&context, &op, failure)) return false;
	return true;
}

static bool enter_root(struct view *view, struct failure *failure)
{
	bool ok = fchdir(view->root) == 0 && sys_pivot_root(".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
	/* A copy of the container's namespace has its root in the right place already. */
	if (!ok && our.classic && errno == EBUSY) ok = chroot(".") == 0 && chdir("/") == 0;
	return ok || fail(failure, "view", errno, "cannot enter the container's root");
}

/* Reads the view's part of a request, makes the view and enters it. */
bool open_view(struct reader *from, struct view *view, struct failure *failure)
{
	const char *monitor = read_text(from);
	struct ops prepare = read_ops(from, is_host_op), attach = read_ops(from, is_init_op);
	if (from->bad) return fail(failure, "view", EINVAL, "malformed request");
	prepared = (struct prepared){ .root = -1, .network = -1 };
	for (int i = 0; i < SLOTS; i++) prepared.slots[i] = -1;
	view->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (view->proc < 0 || !use_descriptor_names(view->proc)) return fail(failure, "view", errno, "/proc");
	bool running = *monitor != 0;
	if (!running && !open_stage(failure)) return false;
	if (running && !take_running_root(monitor, failure)) return false;
	/* The copy of a namespace has the container's mounts already. */
	if (!(running && our.classic) && !run_host_ops(prepare, &prepared, false, failure)) return false;
	if (prepared.root < 0) return fail(failure, "view", EINVAL, "no root");
	if (!place_root(failure)) return false;
	view->root = our.classic ? prepared.root : open("/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (view->root < 0) return fail(failure, "view", errno, "the container's root");
	if (!(running && our.classic) && !attach_mounts(attach, view, failure)) return false;
	char name[32];
	int layers = our.classic ? open(our.layers, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (!enter_root(view, failure)) return false;
	snprintf(name, sizeof name, ".stage-%d", (int)getpid());
	if (layers >= 0) (void)unlinkat(layers, name, AT_REMOVEDIR);
	if (layers >= 0) close(layers);
	close(our.host_namespace);
	close(our.layers_namespace);
	close(our.stem_namespace);
	close(our.host_network);
	return true;
}

/* The name, inside the root, of what a descriptor is open on. */
static bool name_of(const struct view *view, int fd, char *into, size_t size)
{
	char link[32];
	snprintf(link, sizeof link, "self/fd/%d", fd);
	ssize_t n = readlinkat(view->proc, link, into, size - 1);
	if (n <= 0 || (size_t)n == size - 1 || into[0] != '/') {
		errno = n < 0 ? errno : ENAMETOOLONG;
		return false;
	}
	into[n] = 0;
	return true;
}

/* With every link followed; what it leads to exists. */
bool resolve_view_path(const struct view *view, const char *path, char *into, size_t size)
{
	int fd = open_inside(view->root, path, O_PATH, 0);
	if (fd < 0) return false;
	bool ok = name_of(view, fd, into, size);
	int error = errno;
	close(fd);
	errno = error;
	return ok;
}

/* As lstat: a link at the end is followed only with a slash behind it. */
int open_view_path(const struct view *view, const char *path, struct stat *status)
{
	int fd = open_inside(view->root, path, O_PATH | O_NOFOLLOW, 0);
	if (fd >= 0 && fstat(fd, status) == 0) return fd;
	int error = errno;
	if (fd >= 0) close(fd);
	errno = error;
	return -1;
}

/* Takes `.`, `..` and doubled slashes out of an absolute path, by its text. */
static void clean_path(char *path)
{
	char *to = path;
	for (const char *from = path; *from != 0;) {
		while (*from == '/') from++;
		size_t length = strcspn(from, "/");
		if (length == 2 && memcmp(from, "..", 2) == 0) {
			while (to > path && *--to != '/') continue;
		} else if (length > 0 && !(length == 1 && *from == '.')) {
			*to++ = '/';
			memmove(to, from, length);
			to += length;
		}
		from += length;
	}
	if (to == path) *to++ = '/';
	*to = 0;
}

/* Where a link leads, as far as there is something: a link to what does not exist gives the name that it would have. */
bool follow_links(const struct view *view, const char *path, char *into, size_t size)
{
	char at[TREE_PATH], name[256], target[TREE_PATH], above[TREE_PATH];
	copy_text(at, sizeof at, path);
	for (unsigned links = 0; links < LINKS_MAX; links++) {
		if (resolve_view_path(view, at, into, size)) return true;
		if (errno != ENOENT) return false;
		int parent = open_parent_inside(view->root, at, name, sizeof name);
		bool known = parent >= 0 && name_of(view, parent, above, sizeof above);
		ssize_t n = known ? readlinkat(parent, name, target, sizeof target - 1) : -1;
		if (parent >= 0) close(parent);
		if (n < 0) {
			if (known && (size_t)snprintf(at, sizeof at, "%s/%s", above, name) >= sizeof at) return false;
			clean_path(at);
			copy_text(into, size, at);
			return true;
		}
		target[n] = 0;
		int length = target[0] == '/' ? snprintf(at, sizeof at, "%s", target) : snprintf(at, sizeof at, "%s/%s", above, target);
		if ((size_t)length >= sizeof at) break;
	}
	errno = ELOOP;
	return false;
}
