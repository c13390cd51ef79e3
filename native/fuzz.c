/*
 * Feeds the decoder. Each input on standard input is a u32 length and a frame; a malformed frame must be refused without
 * touching a byte outside it, which the sanitizers watch over. Prints how many frames and plans it found well-formed.
 */
#include "decode.h"
#include "native.h"
#include "protocol.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned long frames, plans;

/* Walks everything that an executor would look at. */
static void walk(struct ops ops)
{
	struct op op;
	size_t sum = 0;
	while (next_op(&ops, &op)) {
		for (int i = 0; i < OP_TEXTS; i++) sum += op.text[i] == NULL ? 0 : strlen(op.text[i]);
		for (uint32_t i = 0; i < op.data.length; i++) sum += op.data.bytes[i];
		for (int i = 0; i < OP_LISTS; i++)
			for (uint32_t j = 0; j < op.list[i].count; j++) sum += strlen(read_text(&op.list[i].strings));
		for (int i = 0; i < OP_WORDS; i++)
			for (uint32_t j = 0; j < op.words[i].count; j++) sum += word_at(&op.words[i], j);
	}
	if (sum == (size_t)-1) puts("");
}

static void decode(const struct frame *frame)
{
	struct launch_plan launch;
	struct exec_plan exec;
	struct reader from = frame->payload;
	if (read_launch_plan(&from, &launch)) {
		plans++;
		walk(launch.prepare);
		walk(launch.host_network);
		walk(launch.init);
		walk(launch.cleanup);
		walk(launch.network_cleanup);
	}
	from = frame->payload;
	if (read_exec_plan(&from, &exec)) {
		plans++;
		walk(exec.process);
	}
	struct network_change change;
	from = frame->payload;
	if (read_network_change(&from, &change)) {
		plans++;
		walk(change.prepare);
		walk(change.host_network);
		walk(change.container_network);
		walk(change.cleanup);
		for (uint32_t i = 0; i < change.release_count; i++) {
			(void)read_number(&change.releases, 1);
			(void)strlen(read_text(&change.releases));
			(void)read_number(&change.releases, 2);
		}
	}
	from = frame->payload;
	walk(read_ops(&from, is_host_op));
}

int main(void)
{
	uint32_t length;
	while (fread(&length, sizeof length, 1, stdin) == 1 && length <= FRAME_MAX) {
		struct frame frame;
		/* Of exactly that size, so that the byte behind it is a trap. */
		struct inbox inbox = { .bytes = malloc(length == 0 ? 1 : length), .size = FRAME_MAX + FRAME_HEADER, .length = length };
		if (inbox.bytes == NULL || (length > 0 && fread(inbox.bytes, length, 1, stdin) != 1)) return 1;
		if (parse_frame(&inbox, &frame) == FRAME_WHOLE) {
			frames++;
			decode(&frame);
		}
		free(inbox.bytes);
	}
	printf("%lu frames, %lu plans\n", frames, plans);
	return 0;
}
