/** What `--opt` says about a network of driver macvlan or ipvlan. */
import { systemError } from "../base/base.ts";
import { isDeviceName } from "./bridge-options.ts";

const macvlanModes = ["bridge", "vepa", "passthru", "private"] as const;
const ipvlanModes = ["l2", "l3", "l3s"] as const;
const ipvlanFlags = ["bridge", "private", "vepa"] as const;

export type VlanMode =
  | { readonly driver: "macvlan"; readonly mode: (typeof macvlanModes)[number] }
  | { readonly driver: "ipvlan"; readonly mode: (typeof ipvlanModes)[number]; readonly flag: (typeof ipvlanFlags)[number] };

export interface VlanOptions {
  readonly how: VlanMode;
  /** The host's interface below. Undefined: one of our own, that leads nowhere. */
  readonly parent?: string;
  /** ipvlan in its layer 3 modes: there are routes and no routers. */
  readonly routed: boolean;
  /** Nothing leads out: it was asked for, or there is no parent that leads anywhere. */
  readonly closed: boolean;
}

function oneOf<T extends string>(known: readonly T[], value: string | undefined, refusal: string): T {
  const [usual] = known;
  const found = value === undefined || value === "" ? usual : known.find((entry) => entry === value);
  if (found === undefined) throw systemError(refusal);
  return found;
}

/** @throws System in Docker's wording */
export function readVlanOptions(
  driver: "macvlan" | "ipvlan",
  options: Readonly<Record<string, string | undefined>>,
  internal: boolean,
): VlanOptions {
  const mode = options[`${driver}_mode`];
  const refusal = (what: string, value: string | undefined, usual: string): string =>
    `requested ${driver} ${what} '${value}' is not valid, ${usual} is the ${driver} driver default`;
  const how: VlanMode =
    driver === "macvlan"
      ? { driver, mode: oneOf(macvlanModes, mode, refusal("mode", mode, "'bridge' mode")) }
      : {
          driver,
          mode: oneOf(ipvlanModes, mode, refusal("mode", mode, "'l2' mode")),
          flag: oneOf(ipvlanFlags, options["ipvlan_flag"], refusal("flag", options["ipvlan_flag"], "'bridge'")),
        };
  const parent = options["parent"] || undefined;
  if (parent === "lo") throw systemError(`loopback interface is not a valid ${driver} parent link`);
  if (parent !== undefined && !isDeviceName(parent)) throw systemError(`invalid parent interface name: ${parent}`);
  const closed = internal || parent === undefined;
  const routed = how.driver === "ipvlan" && how.mode !== "l2";
  return { how, closed, routed, ...(parent === undefined ? {} : { parent }) };
}
