/*
 * The log file, in Docker's json-file format: one object a line,
 * {"log":"text\n","stream":"stdout","attrs":{…},"time":"2006-01-02T15:04:05.999999999Z"}.
 * Lines longer than 16 KiB are cut as Docker cuts them: each piece but the last without the newline in `log`.
 */
#include "kernel-calls.h"
#include "monitor.h"
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { LINE_MAX_BYTES = 16384, ATTRS_MAX = 32 << 10, OUT = 6 * LINE_MAX_BYTES + ATTRS_MAX + 512 + (64 << 10) };

static struct {
	const struct log_plan *plan;
	int fd;
	uint64_t inode, size;          /* of the file, with what is in `out` */
	size_t attrs_length;
	time_t second;
	char second_text[20];          /* 2006-01-02T15:04:05 of `second` */
} file = { .fd = -1 };
static struct line {
	size_t length;
	uint8_t bytes[LINE_MAX_BYTES];
} unfinished[2];
static uint8_t out[OUT];
static size_t out_length;
/* How a byte goes into a JSON string: as it is, as an escape, or as part of a sequence that has to be looked at. */
static uint8_t kind[256];
enum { PLAIN, ESCAPED, SEQUENCE };

static bool open_file(int more)
{
	struct stat status;
	file.fd = open(file.plan->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | more, 0640);
	if (file.fd < 0 || fstat(file.fd, &status) != 0) return false;
	file.inode = status.st_ino;
	file.size = (uint64_t)status.st_size;
	return true;
}

bool log_open(const struct log_plan *plan, struct failure *failure)
{
	file.plan = plan;
	file.attrs_length = strlen(plan->attrs);
	if (file.attrs_length > ATTRS_MAX) return fail(failure, "log", E2BIG, "log attributes");
	for (unsigned i = 0; i < 256; i++)
		kind[i] = i >= 0x80 ? SEQUENCE : i < 0x20 || i == '"' || i == '\\' || i == '<' || i == '>' || i == '&' ? ESCAPED : PLAIN;
	return open_file(0) || fail(failure, "log", errno, "%s", plan->path);
}

static void flush(void)
{
	/* A full disk loses log lines, as it does for Docker; it must not stop the container. */
	if (out_length > 0 && file.fd >= 0) (void)write_all(file.fd, out, out_length);
	out_length = 0;
}

/* Older files are path.1, path.2, …, each as it was written or, packed by the daemon, with .gz behind. */
enum { NAME_MAX_BYTES = 4096 + 16 };
static const char *const forms[] = { "", ".gz" };

static const char *name_of(char *into, uint32_t number, int form)
{
	if (number == 0) return file.plan->path;
	snprintf(into, NAME_MAX_BYTES, "%s.%u%s", file.plan->path, number, forms[form]);
	return into;
}

/* The oldest file goes; with one file to keep, a new one takes its name: who still reads the old one loses nothing of it. */
static void rotate(void)
{
	char from[NAME_MAX_BYTES], to[NAME_MAX_BYTES];
	uint32_t oldest = file.plan->max_files <= 1 ? 0 : file.plan->max_files - 1;
	for (int form = 0; form < 2; form++) (void)unlink(name_of(to, oldest, form));
	for (uint32_t i = oldest; i > 0; i--)
		for (int form = 0; form < (i == 1 ? 1 : 2); form++) (void)rename(name_of(from, i - 1, form), name_of(to, i, form));
	close(file.fd);
	(void)open_file(0);
	report_rotation();
}

/* Replaces the older file that has this inode, whatever its number is by now, with its packed form, or removes it. */
bool log_replace(uint64_t inode, const char *packed, struct failure *failure)
{
	char found[NAME_MAX_BYTES], target[NAME_MAX_BYTES];
	struct stat status;
	for (uint32_t i = 1; file.plan != NULL && i < file.plan->max_files; i++)
		for (int form = 0; form < 2; form++) {
			if (stat(name_of(found, i, form), &status) != 0 || status.st_ino != inode) continue;
			if (*packed != 0 && rename(packed, name_of(target, i, 1)) != 0) return fail(failure, "log", errno, "%s", packed);
			if (*packed == 0 || form == 0) (void)unlink(found);
			return true;
		}
	return fail(failure, "log", ENOENT, "no such file");
}

/* Where the log stands: the file that is written now, and its length. All zero when there is none. */
void log_position(uint64_t *inode, uint64_t *size)
{
	*inode = file.fd < 0 ? 0 : file.inode;
	*size = file.fd < 0 ? 0 : file.size;
}

/* What has come of a line whose end has not. */
size_t log_unfinished(bool error_stream, const uint8_t **bytes)
{
	*bytes = unfinished[error_stream].bytes;
	return unfinished[error_stream].length;
}

/* Length of the well-formed UTF-8 sequence at `at`, 0 if there is none (overlong forms and surrogates are none). */
static size_t sequence_length(const uint8_t *at, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t length = at[0] >= 0xc2 && at[0] <= 0xdf ? 2 : at[0] >= 0xe0 && at[0] <= 0xef ? 3 : at[0] >= 0xf0 && at[0] <= 0xf4 ? 4 : 0;
	if (length == 0 || length > left) return 0;
	if (at[0] == 0xe0) low = 0xa0;
	if (at[0] == 0xed) high = 0x9f;
	if (at[0] == 0xf0) low = 0x90;
	if (at[0] == 0xf4) high = 0x8f;
	if (at[1] < low || at[1] > high) return 0;
	for (size_t i = 2; i < length; i++)
		if ((at[i] & 0xc0) != 0x80) return 0;
	return length;
}

static uint8_t *put(uint8_t *to, const char *text, size_t length)
{
	memcpy(to, text, length);
	return to + length;
}

static uint8_t *escape_byte(uint8_t *to, uint8_t byte)
{
	static const char hex[] = "0123456789abcdef";
	if (byte == '"' || byte == '\\') *to++ = '\\', *to++ = byte;
	else if (byte == '\n') to = put(to, "\\n", 2);
	else if (byte == '\r') to = put(to, "\\r", 2);
	else {
		to = put(to, "\\u00", 4);
		*to++ = (uint8_t)hex[byte >> 4];
		*to++ = (uint8_t)hex[byte & 15];
	}
	return to;
}

/* At most six bytes for each one. */
static uint8_t *escape(uint8_t *to, const uint8_t *at, const uint8_t *end)
{
	while (at < end) {
		const uint8_t *run = at;
		while (at < end && kind[*at] == PLAIN) at++;
		memcpy(to, run, (size_t)(at - run));
		to += at - run;
		if (at == end) break;
		if (kind[*at] == ESCAPED) {
			to = escape_byte(to, *at++);
			continue;
		}
		size_t length = sequence_length(at, (size_t)(end - at));
		if (length == 0) {
			if (file.plan->raw) *to++ = *at;
			else to = put(to, "\\ufffd", 6);
			at++;
		} else if (length == 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] & 0xfe) == 0xa8) {
			to = put(to, at[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
			at += 3;
		} else {
			memcpy(to, at, length);
			to += length;
			at += length;
		}
	}
	return to;
}

/* RFC 3339 with nanoseconds, UTC, trailing zeros dropped. At most 31 bytes, with a NUL. */
size_t format_time(char *into, const struct timespec *time)
{
	if (time->tv_sec != file.second || file.second_text[0] == 0) {
		struct tm parts;
		gmtime_r(&time->tv_sec, &parts);
		strftime(file.second_text, sizeof file.second_text, "%Y-%m-%dT%H:%M:%S", &parts);
		file.second = time->tv_sec;
	}
	memcpy(into, file.second_text, 19);
	size_t length = 29;
	long nanos = time->tv_nsec;
	into[19] = '.';
	for (size_t i = 28; i > 19; i--, nanos /= 10) into[i] = (char)('0' + nanos % 10);
	while (length > 20 && into[length - 1] == '0') length--;
	if (length == 20) length = 19;
	into[length] = 'Z';
	into[length + 1] = 0;
	return length + 1;
}

static void emit(bool error_stream, const uint8_t *bytes, size_t length, bool whole)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (OUT - out_length < 6 * LINE_MAX_BYTES + ATTRS_MAX + 512) flush();
	uint8_t *start = out + out_length, *at = put(start, "{\"log\":\"", 8);
	at = escape(at, bytes, bytes + length);
	if (whole) at = put(at, "\\n", 2);
	at = put(at, error_stream ? "\",\"stream\":\"stderr\"" : "\",\"stream\":\"stdout\"", 19);
	if (file.attrs_length > 0) {
		at = put(at, ",\"attrs\":", 9);
		at = put(at, file.plan->attrs, file.attrs_length);
	}
	at = put(at, ",\"time\":\"", 9);
	at += format_time((char *)at, &now);
	at = put(at, "\"}\n", 3);
	size_t added = (size_t)(at - start);
	/* As Docker does: the line that passes the limit is the file's last. */
	if (file.plan->max_bytes > 0 && file.size >= file.plan->max_bytes) {
		flush();
		rotate();
		memmove(out, start, added);
	}
	out_length += added;
	file.size += added;
}

void log_take(bool error_stream, const uint8_t *bytes, size_t length)
{
	struct line *line = &unfinished[error_stream];
	if (file.plan == NULL) return;
	while (length > 0) {
		const uint8_t *newline = memchr(bytes, '\n', length);
		size_t piece = newline == NULL ? length : (size_t)(newline - bytes), room = LINE_MAX_BYTES - line->length;
		bool cut = piece >= room;
		if (cut) piece = room;
		const uint8_t *text = bytes;
		size_t text_length = piece;
		if (line->length > 0 || (!cut && newline == NULL)) {
			memcpy(line->bytes + line->length, bytes, piece);
			text = line->bytes;
			text_length = line->length += piece;
		}
		if (cut || newline != NULL) {
			emit(error_stream, text, text_length, !cut);
			line->length = 0;
		}
		if (!cut && newline != NULL) piece++;
		bytes += piece;
		length -= piece;
	}
	flush();
}

/* What is left without a newline when the output ends is a line without one. */
void log_end(void)
{
	for (int i = 0; i < 2 && file.plan != NULL; i++) {
		if (unfinished[i].length > 0) emit(i != 0, unfinished[i].bytes, unfinished[i].length, false);
		unfinished[i].length = 0;
	}
	flush();
	if (file.fd >= 0) close(file.fd);
	file.fd = -1;
}
