/**
 * Changes to the networks of a container that runs. Each is recorded as pending before anything is done, so that a
 * daemon that starts finds what was under way, and takes it back.
 */
import { type EngineError, forbidden, invalidParameter, log, messageOf, newId } from "../base/base.ts";
import { type Arrangement, arrange } from "./arrange.ts";
import { type InterfacePlan, makeInterface, removeInterface } from "./attach-plan.ts";
import { newEndpoint, releaseEndpoint, resolverFor } from "./attaching.ts";
import { fileChanges } from "./container-files.ts";
import { closePorts, defaultRoutes, openPorts } from "./endpoint.ts";
import type { Link } from "./firewall.ts";
import { type DefaultRoutes, gatewaysOf, routesOf } from "./gateways.ts";
import type { Ground } from "./ground.ts";
import { closeLinks, linksOf, openLinks, withLinks } from "./legacy-links.ts";
import { addNames, deleteNames } from "./names.ts";
import type { AttachRequest, NetworkChange } from "./networks.ts";
import { undoSockets } from "./port-change.ts";
import type { Endpoint, PendingChange } from "./records.ts";
import { checkRequest, joinsContainer, placesAsked } from "./request.ts";
import { portsOf, type Sandbox } from "./sandbox.ts";
import { settingsOf } from "./shown.ts";

const nothing: InterfacePlan = { hostNetwork: [], containerNetwork: [] };
const pendingLink: PendingChange = { kind: "link" };

/** A sandbox's way to another, with what is recorded meanwhile. */
interface Step {
  readonly request: AttachRequest;
  readonly before: Sandbox;
  readonly meanwhile: Sandbox;
  readonly after: Sandbox;
  readonly arranged: Arrangement;
  /** What makes or removes an interface, and the opposite. */
  readonly forth: InterfacePlan;
  readonly back: InterfacePlan;
  readonly done: () => void;
  readonly undone: () => void;
}

function settled(sandbox: Sandbox): Sandbox {
  return {
    ...sandbox,
    endpoints: sandbox.endpoints.map((endpoint) => {
      const { pending, ...kept } = endpoint;
      return pending === undefined ? endpoint : kept;
    }),
  };
}

export class LiveChanges {
  readonly #ground: Ground;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** @throws NotFound, InvalidParameter, Forbidden in Docker's wording */
  async connect(request: AttachRequest, reference: string): Promise<NetworkChange> {
    const ground = this.#ground;
    const network = ground.catalogue.find(reference);
    const before = this.#sandbox(request);
    const asked = placesAsked(request, ground.catalogue, ground.hasBridge);
    const place = asked.find((each) => each.network.id === network.id);
    if (place === undefined) throw invalidParameter(`network ${network.name} is not among those of the container`);
    if (before.endpoints.some(({ networkId }) => networkId === network.id))
      throw forbidden(`endpoint with name ${request.containerName} already exists in network ${network.name}`);
    checkRequest(request, asked);
    const resolver = await resolverFor(ground, request);
    const endpoint: Endpoint = { ...newEndpoint(ground, request, place, before, resolver), pending: pendingLink };
    const endpoints = [...before.endpoints, endpoint];
    ground.sandboxes.hold({ ...before, endpoints });
    const undone = (): void => releaseEndpoint(ground, endpoint);
    let arranged: Arrangement;
    try {
      arranged = await arrange(ground, request, before, endpoints);
    } catch (error) {
      undone();
      ground.sandboxes.hold(before);
      throw error;
    }
    // It is held, so its network is not removed.
    const added = { endpoint: arranged.sandbox.endpoints.at(-1) ?? endpoint, open: ground.open(network) };
    return await this.#change({
      request,
      before,
      meanwhile: arranged.sandbox,
      after: settled(arranged.sandbox),
      arranged,
      forth: makeInterface(ground, added, place),
      back: removeInterface(added),
      done: () => addNames(added),
      undone,
    });
  }

  /** @throws NotFound, Forbidden in Docker's wording */
  async disconnect(request: AttachRequest, reference: string): Promise<NetworkChange> {
    const ground = this.#ground;
    const network = ground.catalogue.find(reference);
    // From `none` one goes to any other network, by way of none at all.
    const before = (network.record.driver === "null" ? ground.sandboxes.get(request.containerId) : undefined) ?? this.#sandbox(request);
    const leaving = before.endpoints.find(({ networkId }) => networkId === network.id);
    if (leaving === undefined) throw forbidden(`container ${request.containerId} is not connected to network ${network.name}`);
    const meanwhile = {
      ...before,
      endpoints: before.endpoints.map((each) => (each === leaving ? { ...each, pending: pendingLink } : each)),
    };
    const arranged = await arrange(
      ground,
      request,
      before,
      before.endpoints.filter((endpoint) => endpoint !== leaving),
    );
    const [place] = ground.places([leaving]);
    if (place === undefined && leaving.link !== undefined) throw gone(network.name);
    if (place !== undefined) deleteNames(place);
    return await this.#change({
      request,
      before,
      meanwhile,
      after: arranged.sandbox,
      arranged,
      forth: place === undefined ? nothing : removeInterface(place),
      // What has been taken away is not made again: whoever failed here tries once more.
      back: nothing,
      done: () => releaseEndpoint(ground, leaving),
      undone: () => place === undefined || addNames(place),
    });
  }

  /** @throws InvalidParameter, System in Docker's wording */
  async changePorts(request: AttachRequest): Promise<NetworkChange> {
    const before = this.#sandbox(request);
    const arranged = await arrange(this.#ground, request, before, before.endpoints);
    const pending: PendingChange = { kind: "ports", added: arranged.change.added, removed: arranged.change.removed };
    const meanwhile = { ...before, endpoints: before.endpoints.map((each, index) => (index === 0 ? { ...each, pending } : each)) };
    const ignore = (): void => undefined;
    return await this.#change({
      request,
      before,
      meanwhile,
      after: arranged.sandbox,
      arranged,
      forth: nothing,
      back: nothing,
      done: ignore,
      undone: ignore,
    });
  }

  /** @see Networks.changeLinks. What is recorded is what the firewall gets when it is made anew: nothing is ever pending. */
  async changeLinks(request: AttachRequest): Promise<NetworkChange> {
    const before = this.#sandbox(request);
    const after = this.linked(request, before);
    const ignore = (): void => undefined;
    const sockets = { release: [], hold: [] };
    const change = { after: portsOf(after), added: [], removed: [], sockets, undo: sockets, commit: ignore, abandon: ignore };
    const gateways = gatewaysOf(this.#ground.places(after.endpoints));
    return await this.#change({
      request,
      before,
      meanwhile: after,
      after,
      arranged: { sandbox: after, gateways, change },
      forth: nothing,
      back: nothing,
      done: ignore,
      undone: ignore,
    });
  }

  /** With the links of the request; each endpoint itself where nothing changes. */
  linked(request: AttachRequest, sandbox: Sandbox): Sandbox {
    const linked = (endpoint: Endpoint): Endpoint => {
      const open = this.#ground.opened(endpoint.networkId);
      return open === undefined ? endpoint : withLinks(endpoint, open, request);
    };
    return { ...sandbox, endpoints: sandbox.endpoints.map(linked) };
  }

  /**
   * What a daemon that has gone left half done, taken back: an endpoint that was being made or removed goes, and ports are
   * as they were. Undefined where there is nothing of the kind.
   */
  async takeBack(request: AttachRequest): Promise<NetworkChange | undefined> {
    const sandbox = this.#ground.sandboxes.get(request.containerId);
    const endpoint = sandbox?.endpoints.find(({ pending }) => pending !== undefined);
    if (sandbox === undefined || endpoint?.pending === undefined) return undefined;
    if (endpoint.pending.kind === "link") return await this.disconnect(request, endpoint.networkId);
    const { added, removed } = endpoint.pending;
    const gateways = gatewaysOf(this.#ground.places(sandbox.endpoints));
    const ignore = (): void => undefined;
    const sockets = undoSockets(added, removed);
    const change = { after: portsOf(sandbox), added: removed, removed: added, sockets, undo: sockets, commit: ignore, abandon: ignore };
    return await this.#change({
      request,
      before: sandbox,
      meanwhile: sandbox,
      after: settled(sandbox),
      arranged: { sandbox, gateways, change },
      forth: nothing,
      back: nothing,
      done: ignore,
      undone: ignore,
    });
  }

  #sandbox(request: AttachRequest): Sandbox {
    // Of a container that has left its last network, nothing was written down.
    const empty = { id: newId<"SandboxId">(), containerId: request.containerId, endpoints: [] };
    const sandbox = this.#ground.sandboxes.get(request.containerId) ?? (joinsContainer(request.networkMode) ? undefined : empty);
    if (sandbox !== undefined && !sandbox.endpoints.some(({ networkId }) => this.#ground.opened(networkId) === undefined)) return sandbox;
    throw forbidden("container sharing network namespace with another container or host cannot be connected to any other network");
  }

  /** What `step` has taken is given back when it cannot be written down. */
  async #change(step: Step): Promise<NetworkChange> {
    try {
      return await this.#recorded(step);
    } catch (error) {
      this.#ground.sandboxes.hold(step.before);
      step.arranged.change.abandon();
      step.undone();
      throw error;
    }
  }

  async #recorded(step: Step): Promise<NetworkChange> {
    const ground = this.#ground;
    const { request, before, meanwhile, after } = step;
    const { change, gateways } = step.arranged;
    const { table } = ground.host;
    const [lost, gained] = [linksBeyond(before, after), linksBeyond(after, before)];
    const [routesBefore, routesAfter] = [this.#routes(before), routesOf(gateways)];
    const files = await fileChanges(ground, request, ground.places(before.endpoints), ground.places(after.endpoints));
    const [hadNames, hasNames] = [this.#hasNames(before), this.#hasNames(after)];
    ground.sandboxes.put(meanwhile, before);
    let open = true;
    const finish = (): void => {
      if (!open) throw new Error("a change is finished once");
      open = false;
    };
    return {
      plan: {
        release: change.sockets.release,
        prepare: change.sockets.hold,
        hostNetwork: [
          ...closePorts(table, change.removed),
          ...closeLinks(table, lost),
          ...openLinks(table, gained),
          ...step.forth.hostNetwork,
          ...openPorts(table, change.added),
        ],
        containerNetwork: [...step.forth.containerNetwork, ...changedRoutes(routesBefore, routesAfter)],
        dns: hasNames && !hadNames,
        networkCleanup: [...closePorts(table, portsOf(after)), ...closeLinks(table, linksOf(after))],
      },
      undo: {
        release: change.undo.release,
        prepare: change.undo.hold,
        hostNetwork: [
          ...closePorts(table, change.added),
          ...closeLinks(table, gained),
          ...step.back.hostNetwork,
          ...openPorts(table, change.removed),
          ...openLinks(table, lost),
        ],
        containerNetwork: [...step.back.containerNetwork, ...changedRoutes(routesAfter, routesBefore)],
        dns: false,
        networkCleanup: [...closePorts(table, portsOf(before)), ...closeLinks(table, linksOf(before))],
      },
      settings: settingsOf(ground, request, after),
      files,
      commit: () => ground.sandboxes.put(after, meanwhile),
      settled: () => {
        finish();
        change.commit();
        step.done();
      },
      abandon: async () => {
        finish();
        try {
          ground.sandboxes.put(before, meanwhile);
        } catch (error) {
          // The next daemon finds it pending, and takes back what is not there.
          ground.sandboxes.hold(before);
          log.warn("a change of a network that came to nothing is still recorded", {
            container: request.containerId,
            error: messageOf(error),
          });
        }
        change.abandon();
        step.undone();
      },
    };
  }

  #routes(sandbox: Sandbox): DefaultRoutes {
    return routesOf(gatewaysOf(this.#ground.places(sandbox.endpoints)));
  }

  #hasNames(sandbox: Sandbox): boolean {
    return this.#ground.places(sandbox.endpoints).some(({ open }) => open.zone !== undefined);
  }
}

const linksBeyond = (sandbox: Sandbox, other: Sandbox): Link[] => linksOf(sandbox).filter((link) => !linksOf(other).includes(link));

const gone = (name: string): EngineError => forbidden(`network ${name} is being removed`);

/** Those that lead by another interface or router than before. */
function changedRoutes(before: DefaultRoutes, after: DefaultRoutes): ReturnType<typeof defaultRoutes> {
  const changed = (family: 4 | 6): DefaultRoutes => {
    const [old, wanted] = [before[family], after[family]];
    return wanted === undefined || (old?.index === wanted.index && old.gateway === wanted.gateway) ? {} : { [family]: wanted };
  };
  return defaultRoutes({ ...changed(4), ...changed(6) });
}
