/**
 * Ports of the host that are chosen for a container. Between the choice and the monitor's bind another program may take
 * one: then others are chosen, and who has asked for any port does not notice.
 */
import { constants } from "node:os";
import { launchFailureOf } from "../kernel/launch-failure.ts";
import type { AttachRequest } from "../networks/networks.ts";
import { hostPort } from "./explain-port.ts";

type Wishes = Pick<AttachRequest, "portBindings" | "publishAllPorts">;

const fixed = /^0*[1-9]\d*$/;

const bindingsOf = ({ portBindings }: Wishes) => Object.values(portBindings).flat();

/** Some ports are not said by number. */
export const choosesPorts = (wishes: Wishes): boolean =>
  wishes.publishAllPorts || bindingsOf(wishes).some(({ HostPort = "" }) => !fixed.test(HostPort));

/** The port that was chosen and could not be held. Undefined: it was asked for by number, or something else has failed. */
function lostPort(error: unknown, wishes: Wishes): number | undefined {
  const failure = launchFailureOf(error);
  if (failure?.stage !== "bind-port" || failure.errno !== constants.errno.EADDRINUSE) return undefined;
  const port = Number(hostPort.exec(failure.message)?.[2] ?? 0);
  return port === 0 || bindingsOf(wishes).some(({ HostPort = "" }) => Number(HostPort) === port) ? undefined : port;
}

const mostChoices = 5;

/** What is known of earlier choices, for one start or change. */
export class PortChoice {
  readonly #lost: number[] = [];

  /** The request, with ports that are not to be chosen again. */
  of(request: AttachRequest): AttachRequest {
    return this.#lost.length === 0 ? request : { ...request, avoidedPorts: this.#lost };
  }

  /** @returns whether to choose again */
  again(error: unknown, wishes: Wishes): boolean {
    const lost = lostPort(error, wishes);
    if (lost === undefined || this.#lost.length === mostChoices) return false;
    this.#lost.push(lost);
    return true;
  }
}
