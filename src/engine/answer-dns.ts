import { log, messageOf } from "../base/base.ts";
import type { DnsQuery, Monitor } from "../kernel/kernel.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";

/**
 * From now on the container's questions to 127.0.0.11 are answered. What is known at once is answered at once: no
 * promise lies on that path.
 */
export function answerDns(context: EngineContext, live: LiveContainer, monitor: Monitor): void {
  monitor.onDnsQuery((query) => {
    try {
      const answer = context.networks.answer(live.id, query);
      if (answer instanceof Promise) answer.then((late) => monitor.answerDns(query.id, late), fail(live, monitor, query));
      else monitor.answerDns(query.id, answer);
    } catch (error) {
      fail(live, monitor, query)(error);
    }
  });
}

/** The asker is told nothing, and asks again. */
function fail(live: LiveContainer, monitor: Monitor, query: DnsQuery): (error: unknown) => void {
  return (error) => {
    log.debug("a question to the resolver was not answered", { container: live.id, error: messageOf(error) });
    monitor.answerDns(query.id, undefined);
  };
}
