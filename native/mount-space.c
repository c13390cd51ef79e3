/*
 * The mount namespaces of the broker and its monitors.
 *
 *   host    where the daemon was started
 *   layers  a slave copy of it: what the host mounts appears here, what is mounted here stays here. A tmpfs on
 *           <exec-root>/layers has a directory per layer mount. It lives as long as the broker or any monitor; a new
 *           broker is given a descriptor of it by a monitor.
 *   stem    a bare tmpfs with /proc and /sys, and a directory for the container's root. A clone with CLONE_NEWNS copies
 *           every mount of its parent's namespace: from here that is four, whatever the host has.
 */
#include "kernel-calls.h"
#include "native.h"
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

static bool make_layers_namespace(struct failure *failure)
{
	if (unshare(CLONE_NEWNS) != 0) return fail(failure, "mount-space", errno, "cannot make a mount namespace");
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) != 0) return fail(failure, "mount-space", errno, "cannot make mounts slaves");
	if (mkdir(our.layers, 0700) != 0 && errno != EEXIST) return fail(failure, "mount-space", errno, "%s", our.layers);
	if (mount("berth-layers", our.layers, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0)
		return fail(failure, "mount-space", errno, "%s", our.layers);
	if (mount(NULL, our.layers, NULL, MS_PRIVATE, NULL) != 0) return fail(failure, "mount-space", errno, "%s", our.layers);
	return true;
}

static bool make_stem_namespace(struct failure *failure)
{
	bool ok = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0 &&
	          mount("berth-stem", our.layers, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755") == 0 && chdir(our.layers) == 0 &&
	          mkdir("proc", 0555) == 0 && mkdir("sys", 0555) == 0 && mkdir("root", 0755) == 0 &&
	          mount("/proc", "proc", NULL, MS_BIND, NULL) == 0 && mount("/sys", "sys", NULL, MS_BIND, NULL) == 0 &&
	          sys_pivot_root(".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0 &&
	          mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
	if (!ok) return fail(failure, "mount-space", errno, "cannot make the stem of containers' mount namespaces");
	our.stem_namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (our.stem_namespace < 0 || setns(our.layers_namespace, CLONE_NEWNS) != 0)
		return fail(failure, "mount-space", errno, "cannot return from the stem");
	return true;
}

/* @param adopted descriptor of the layers namespace of an earlier broker, or -1 */
bool open_mount_space(int adopted, struct failure *failure)
{
	int probe = sys_fsopen("tmpfs");
	if (probe < 0 && errno == ENOSYS) our.classic = true;
	if (probe >= 0) close(probe);
	our.host_namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	our.host_network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (our.host_namespace < 0 || our.host_network < 0) return fail(failure, "mount-space", errno, "/proc/self/ns");
	if (adopted >= 0) {
		if (setns(adopted, CLONE_NEWNS) != 0) return fail(failure, "mount-space", errno, "cannot join the mounts of an earlier broker");
		our.layers_namespace = adopted;
	} else {
		if (!make_layers_namespace(failure)) return false;
		our.layers_namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
		if (our.layers_namespace < 0) return fail(failure, "mount-space", errno, "/proc/self/ns/mnt");
	}
	return make_stem_namespace(failure);
}

static bool is_plain_name(const char *name)
{
	size_t length = strlen(name);
	return length > 0 && length < 200 && name[0] != '.' && strchr(name, '/') == NULL;
}

/*
 * Mounts an EROFS index with the files it points into, without loop devices (Linux 6.12). The kernel takes names of at
 * most 255 bytes, so it is given descriptors by name.
 */
static int erofs_mount(const char *index, struct list devices, const char **about)
{
	char name[64];
	int fs = -1, mounted = -1;
	*about = index;
	int file = open(index, O_RDONLY | O_CLOEXEC);
	if (file < 0) return -1;
	snprintf(name, sizeof name, "/proc/self/fd/%d", file);
	bool ok = (fs = sys_fsopen("erofs")) >= 0 && sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", name, 0) == 0;
	/* The files stay open until the mount exists: it opens them again by these names. */
	int first = -1, last = -1;
	for (uint32_t i = 0; ok && i < devices.count; i++) {
		*about = read_text(&devices.strings);
		int device = open(*about, O_RDONLY | O_CLOEXEC);
		if (device < 0) {
			ok = false;
			break;
		}
		if (first < 0) first = device;
		last = device;
		snprintf(name, sizeof name, "/proc/self/fd/%d", device);
		ok = sys_fsconfig(fs, FSCONFIG_SET_STRING, "device", name, 0) == 0;
	}
	if (ok) {
		*about = index;
		if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) mounted = sys_fsmount(fs, MOUNT_ATTR_RDONLY);
	}
	int error = errno;
	if (first >= 0) sys_close_range((unsigned)first, (unsigned)last);
	if (fs >= 0 && (first < 0 || fs < first || fs > last)) close(fs);
	close(file);
	errno = error;
	return mounted;
}

/* With mount(2), which takes all names in one text of a page. */
static bool mount_erofs_on(const char *directory, const char *index, struct list devices, struct failure *failure)
{
	char text[4096] = "";
	size_t length = 0;
	for (uint32_t i = 0; i < devices.count && length < sizeof text; i++)
		length += (size_t)snprintf(text + length, sizeof text - length, "%sdevice=%s", i == 0 ? "" : ",", read_text(&devices.strings));
	if (length >= sizeof text) return fail(failure, "mount-erofs", E2BIG, "%s", index);
	if (mkdir(directory, 0700) != 0 && errno != EEXIST) return fail(failure, "mount-erofs", errno, "%s", directory);
	if (mount(index, directory, "erofs", MS_RDONLY, text) == 0) return true;
	int error = errno;
	rmdir(directory);
	return fail(failure, "mount-erofs", error, "%s", index);
}

bool mount_erofs(const char *key, const char *index, struct list devices, char *directory, size_t size, struct failure *failure)
{
	struct stat status, above;
	const char *about = index;
	if (!is_plain_name(key) || (size_t)snprintf(directory, size, "%s/%s", our.layers, key) >= size)
		return fail(failure, "mount-erofs", EINVAL, "bad key: %s", key);
	if (stat(our.layers, &above) == 0 && stat(directory, &status) == 0 && status.st_dev != above.st_dev) return true;
	if (our.classic) return mount_erofs_on(directory, index, devices, failure);
	int mounted = erofs_mount(index, devices, &about);
	if (mounted < 0) return fail(failure, "mount-erofs", errno, "%s", about);
	bool ok = (mkdir(directory, 0700) == 0 || errno == EEXIST) &&
	          sys_move_mount(mounted, "", AT_FDCWD, directory, MOVE_MOUNT_F_EMPTY_PATH) == 0;
	int error = errno;
	close(mounted);
	if (ok) return true;
	rmdir(directory);
	return fail(failure, "mount-erofs", error, "%s", directory);
}

bool unmount_layer(const char *key, struct failure *failure)
{
	char directory[DIRECTORY_ROOM];
	if (!is_plain_name(key) || (size_t)snprintf(directory, sizeof directory, "%s/%s", our.layers, key) >= sizeof directory)
		return fail(failure, "unmount", EINVAL, "bad key: %s", key);
	if (umount2(directory, MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL && errno != ENOENT)
		return fail(failure, "unmount", errno, "%s", directory);
	if (rmdir(directory) != 0 && errno != ENOENT) return fail(failure, "unmount", errno, "%s", directory);
	return true;
}

uint32_t list_layers(struct writer *to)
{
	uint32_t count = 0;
	DIR *directory = opendir(our.layers);
	for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
		if (entry->d_name[0] == '.') continue;
		put_text(to, entry->d_name);
		count++;
	}
	if (directory != NULL) closedir(directory);
	return count;
}
